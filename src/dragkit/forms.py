"""The forms in which masks and pictures come: one frozen type each for Python, JSON files and the command line.

Points are (x, y) in continuous pixels of the given picture: pixel i spans [i, i+1) and its centre is i + 0.5.
Numpy arrays and PIL images are taken wherever a form is. Importing this module loads no torch.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from dragkit import pictures
from dragkit.pictures import Inside, Pixels

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1, le=999)]  # of 1000 training steps, whose first is not a level
Point = tuple[Finite, Finite]
Corners = tuple[Finite, Finite, Finite, Finite]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ------------------------------------------------------------------------------------------------------------ masks


def _centres(size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixel centres of a picture of (width, height): x [1, w] and y [h, 1]."""
    return np.arange(size[0])[None, :] + 0.5, np.arange(size[1])[:, None] + 0.5


def _ordered(corners: Corners) -> Corners:
    x0, y0, x1, y1 = corners
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"got {x0:g},{y0:g},{x1:g},{y1:g}, want x0,y0,x1,y1 with x1 > x0 and y1 > y0")
    return corners


class BoxMask(Frozen):
    """All pixels whose centre lies in the box x0, y0, x1, y1."""

    box: Corners
    _check = field_validator("box")(_ordered)

    def array(self, size: tuple[int, int]) -> Inside:
        """Bool [h, w] for a picture of (width, height)."""
        (x, y), (x0, y0, x1, y1) = _centres(size), self.box
        return (x >= x0) & (x < x1) & (y >= y0) & (y < y1)


class EllipseMask(Frozen):
    """All pixels whose centre lies in the ellipse inscribed in the box x0, y0, x1, y1."""

    ellipse: Corners
    _check = field_validator("ellipse")(_ordered)

    def array(self, size: tuple[int, int]) -> Inside:
        """Bool [h, w] for a picture of (width, height)."""
        (x, y), (x0, y0, x1, y1) = _centres(size), self.ellipse
        across, down = (2 * x - x0 - x1) / (x1 - x0), (2 * y - y0 - y1) / (y1 - y0)
        return np.asarray(across**2 + down**2 <= 1)


class PolygonMask(Frozen):
    """All pixels whose centre lies in the polygon (even-odd rule)."""

    polygon: Annotated[tuple[Point, ...], Field(min_length=3)]

    def array(self, size: tuple[int, int]) -> Inside:
        """Bool [h, w] for a picture of (width, height)."""
        width, height = size
        crossings = np.zeros((height, width + 1), dtype=np.int64)  # per row: edges crossed left of each pixel
        rows = np.arange(height) + 0.5
        for (x0, y0), (x1, y1) in zip(self.polygon, self.polygon[1:] + self.polygon[:1], strict=True):
            hit = np.flatnonzero((rows >= min(y0, y1)) & (rows < max(y0, y1)))
            if hit.size:
                x = x0 + (rows[hit] - y0) / (y1 - y0) * (x1 - x0)
                np.add.at(crossings, (hit, np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)), 1)
        return np.asarray(np.cumsum(crossings, axis=1)[:, :width] % 2 == 1)


class PngMask(Frozen):
    """A painted mask, light on dark, of the picture's own size: base64 of a picture file."""

    png: str
    _check = field_validator("png")(lambda png: _checked(png, pictures.decode_mask))

    @classmethod
    def of(cls, mask: Inside) -> PngMask:
        """The mask of a boolean array [h, w]."""
        return cls(png=base64.b64encode(pictures.encode_png(mask)).decode())

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the painted mask."""
        height, width = self._decode().shape
        return width, height

    def array(self, size: tuple[int, int]) -> Inside:
        """Bool [h, w] for a picture of (width, height); ValueError where that is not the mask's own size."""
        mask = self._decode()
        if mask.shape != (size[1], size[0]):
            raise ValueError(
                f"mask is {mask.shape[1]}x{mask.shape[0]} px but the picture is {size[0]}x{size[1]}; "
                "draw the mask on the picture itself or resize it first"
            )
        return mask

    def _decode(self) -> Inside:
        return pictures.decode_mask(base64.b64decode(self.png), "the mask")


def _checked(png: str, decode: Any) -> str:
    try:
        data = base64.b64decode(png, validate=True)
    except ValueError:
        raise ValueError("png is not base64; encode the bytes of a picture file") from None
    decode(data)
    return png


def _form(*names: str) -> Discriminator:
    """Tell the forms of a mask or picture apart by the one key each has."""

    def which(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, BaseModel) else ()
        return next((name for name in names if name in keys), None)

    return Discriminator(which, custom_error_type="form", custom_error_message=f"give one of {', '.join(names)}")


def _inside_folder(path: Any, info: ValidationInfo) -> Path:
    """Paths are for files that the command line reads (context={"folder": ...}); a served request cannot name any."""
    folder = (info.context or {}).get("folder")
    if folder is None:
        raise ValueError("path is allowed only in files read by the command line; send the picture as png")
    return Path(folder) / str(path)


def _to_mask(value: Any, info: ValidationInfo) -> Any:
    """Turn arrays, PIL images and mask files into the png form."""
    if isinstance(value, Image.Image):
        buffer = pictures.decode_mask(pictures.encode_image(value))
        return PngMask.of(buffer)
    if isinstance(value, np.ndarray):
        return PngMask.of(pictures.as_mask(value))
    if isinstance(value, dict) and set(value) == {"path"}:
        return PngMask.of(pictures.read_mask(_inside_folder(value["path"], info)))
    return value


Mask = Annotated[
    Annotated[BoxMask, Tag("box")]
    | Annotated[EllipseMask, Tag("ellipse")]
    | Annotated[PolygonMask, Tag("polygon")]
    | Annotated[PngMask, Tag("png")],
    _form("box", "ellipse", "polygon", "png"),
    BeforeValidator(_to_mask),
]


# --------------------------------------------------------------------------------------------------------- pictures


class PngPicture(Frozen):
    """A picture that travels with the request: base64 of a PNG, JPEG or WebP file."""

    png: str
    _check = field_validator("png")(lambda png: _checked(png, pictures.decode))

    def array(self) -> Pixels:
        """Uint8 [h, w, 3]."""
        return pictures.decode(base64.b64decode(self.png))


class PathPicture(Frozen):
    """A picture file, read when needed; only in files read by the command line."""

    path: Annotated[Path, BeforeValidator(_inside_folder)]

    def array(self) -> Pixels:
        """Uint8 [h, w, 3]."""
        return pictures.read(self.path)

    def named(self) -> NamedPicture:
        """How a record names this file: no folder, and the SHA-256 of its bytes."""
        return NamedPicture(name=self.path.name, sha256=hashlib.sha256(pictures.read_bytes(self.path)).hexdigest())


class NamedPicture(Frozen):
    """A picture as the record in a result names it: file name and SHA-256 of its bytes; it must be found first."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    def array(self) -> Pixels:
        """Always raises: the pixels are elsewhere."""
        raise ValueError(f"the picture {self.name} is only named here; put the file beside the request")


def _to_picture(value: Any) -> Any:
    """Turn arrays uint8 [h, w, 3] and PIL images into the png form."""
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
            raise ValueError(
                f"the picture is {value.dtype} {list(value.shape)}; give uint8 of shape [height, width, 3]"
            )
        return {"png": base64.b64encode(pictures.encode_png(value)).decode()}
    if isinstance(value, Image.Image):
        return {"png": base64.b64encode(pictures.encode_image(value)).decode()}
    return value


Picture = Annotated[
    Annotated[PngPicture, Tag("png")] | Annotated[PathPicture, Tag("path")] | Annotated[NamedPicture, Tag("name")],
    _form("png", "path", "name"),
    BeforeValidator(_to_picture),
]
