"""Reading and writing people's picture files: every kind of file ends as plain RGB or as one clear sentence.

Colour pictures in arrays are uint8 [h, w, 3] RGB and masks are bool [h, w]; sizes are (width, height).
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from dragkit.metadata import NOTHING, Metadata

Pixels = NDArray[np.uint8]
Inside = NDArray[np.bool_]

MAX_PIXELS = 50_000_000  # the largest common camera sensors; more would only be scaled down to the model's canvas
MAX_BYTES = 512 * 2**20  # 50 million pixels of 16-bit RGBA, uncompressed, with room to spare
BACKGROUND = 255  # transparent parts are shown on white, as browsers and image viewers print them
CHUNK = "dragkit"  # keyword of the PNG text chunk that carries the record of an edit
MAX_RECORD = 60 * 2**20  # bytes: Pillow opens no PNG with more than 64 MiB of text


class Format(NamedTuple):
    """A kind of file that can be written. name: Pillow's.  side: px, the longest.  exact: keeps every pixel."""

    name: str
    side: int = 2**31 - 1
    exact: bool = True
    options: tuple[tuple[str, Any], ...] = ()


_JPEG = Format("JPEG", 65_500, exact=False, options=(("quality", 95),))  # above that Pillow's manual sees no gain
_TIFF = Format("TIFF")  # not compressed: Pillow cannot compress one with EXIF
FORMATS = {
    ".png": Format("PNG"),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format("WEBP", 16_383, options=(("lossless", True),)),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read(path: Path | str) -> Pixels:
    """The picture in a file, upright and without alpha, uint8 [h, w, 3]; ValueError where that cannot be had."""
    return decode(read_bytes(path), str(path))


def read_mask(path: Path | str) -> Inside:
    """The mask in a picture file, bool [h, w] (see `as_mask`); ValueError where that cannot be had."""
    return decode_mask(read_bytes(path), str(path))


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a file that is there and not enormous; ValueError otherwise."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"there is no file {path}; check the spelling and the folder")
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the picture itself")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} has more than {MAX_BYTES >> 20} MB; scale the picture down first")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}; check its permissions") from None


def decode(data: bytes, name: str = "the picture") -> Pixels:
    """Decode the bytes of one picture file to uint8 [h, w, 3]: EXIF rotation applied, alpha shown on white."""
    image = _open(data, name)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        image = Image.alpha_composite(ground, layer)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def decode_mask(data: bytes, name: str = "the mask") -> Inside:
    """Decode a mask picture to bool [h, w]: light on dark, transparent parts outside (see `as_mask`)."""
    image = _open(data, name)
    if image.mode in ("1", "L"):
        return as_mask(np.asarray(image))
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (0, 0, 0, 255))
    return as_mask(np.asarray(Image.alpha_composite(ground, layer).convert("L")))


def as_mask(values: NDArray[np.generic]) -> Inside:
    """Mask bool [h, w] of any array [h, w] or [h, w, channels]: inside is above half of the greatest value.

    So 0/1 label pictures, 0/255 pictures and 0..1 floats all mean what they look like; all zeros is an empty mask.
    """
    if values.ndim == 3 and values.shape[2] in (1, 3, 4):
        values = values[..., :3].max(axis=2)
    if values.ndim != 2:
        raise ValueError(f"the mask is an array of shape {values.shape}; give one of shape [height, width]")
    if values.dtype == np.bool_:
        return np.array(values, dtype=np.bool_)
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("the mask holds numbers that are not finite; give booleans, 0/1 or 0..255")
    return np.asarray(numbers > max(numbers.max(initial=0.0), 0.0) / 2, dtype=np.bool_)


def encode_png(picture: Pixels | Inside, text: str | None = None, about: Metadata = NOTHING, level: int = 6) -> bytes:
    """PNG bytes of a picture [h, w, 3] or of a mask [h, w] (1 bit deep), with `text` in the chunk named "dragkit".

    level: of compression, 0 to 9; 6 is Pillow's own, 1 the quickest that compresses.
    """
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt(CHUNK, text)  # plain: Pillow refuses zipped texts above 1 MB
    return _encoded(picture, FORMATS[".png"], about, pnginfo=info, compress_level=level)


def encode_image(image: Image.Image) -> bytes:
    """PNG bytes of a PIL image of any mode that PNG knows (others become RGB)."""
    buffer = io.BytesIO()
    known = image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")
    (image if known else image.convert("RGB")).save(buffer, "PNG")
    return buffer.getvalue()


def record(data: bytes) -> str | None:
    """The text that `encode_png` stored in PNG bytes, or None where there is none."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            warnings.simplefilter("ignore")
            text = getattr(image, "text", {}).get(CHUNK)
    except _BROKEN:
        return None
    return None if text is None else str(text)


def pixel_hash(picture: Pixels) -> str:
    """SHA-256 of a picture's size and pixels: survives another compression, not another pixel."""
    height, width = picture.shape[:2]
    return hashlib.sha256(f"{width}x{height};".encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()


def check_writable(path: Path, force: bool = False, size: tuple[int, int] = (1, 1)) -> None:
    """Refuse an output path that `write` could not serve for a picture of (width, height), before any work is done."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"cannot write {path.name}: the ending is not one of {', '.join(FORMATS)}; use .png")
    if max(size) > (kind := FORMATS[path.suffix.lower()]).side:
        raise ValueError(f"{path.name} cannot hold {size[0]}x{size[1]} px as {kind.name}; use .png")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it first or give another output with -o")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"the folder {path.parent} is not writable; give another output with -o")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file with -o")
    if path.exists() and not force:
        raise ValueError(f"{path} exists already; give another output with -o or overwrite it with --force")


def write(path: Path, picture: Pixels, text: str | None = None, force: bool = False, about: Metadata = NOTHING) -> None:
    """Write a picture, whole or not at all; `text` goes into PNG files only. Never replaces a file unless `force`."""
    check_writable(path, force, (picture.shape[1], picture.shape[0]))
    kind = FORMATS[path.suffix.lower()]
    data = encode_png(picture, text, about) if kind.name == "PNG" else _encoded(picture, kind, about)
    try:
        _write_bytes(path, data, force)
    except FileExistsError:
        raise ValueError(f"{path} exists already; give another output with -o or overwrite it with --force") from None


def _encoded(picture: Pixels | Inside, kind: Format, about: Metadata, **more: Any) -> bytes:
    said = {name: value for name, value in (("icc_profile", about.icc), ("exif", about.exif)) if value is not None}
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind.name, **dict(kind.options), **said, **more)
    return buffer.getvalue()


def _write_bytes(path: Path, data: bytes, force: bool) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp gives 0600; people expect what their shell would give
        if force:
            os.replace(temporary, path)
        else:
            _link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _link(temporary: str, path: Path) -> None:
    """Put the file in place only if nobody made one of that name meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(temporary, path)


def _open(data: bytes, name: str) -> Image.Image:
    """An upright, fully loaded still image of at most 8 bits a channel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large and odd files; the tests below are ours
            image = Image.open(io.BytesIO(data))
            _refuse(image, name)
            image.load()
            upright = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not a picture that can be read; give a PNG, JPEG or WebP file") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name} is enormous; the most is {MAX_PIXELS / 1e6:.0f} megapixels: scale it down") from None
    except _Refused as error:
        raise ValueError(str(error)) from None
    except _BROKEN:
        raise ValueError(f"{name} is damaged or cut short; save or copy it again") from None
    return _to_8_bit(upright, name)


class _Refused(Exception):
    """A sound file that is no single picture of a usable size."""


def _refuse(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _Refused(f"{name} has {width}x{height} px; the most is {MAX_PIXELS / 1e6:.0f} megapixels: scale it down")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: a phone's JPEG with a second view; the first is the photograph
        raise _Refused(f"{name} is animated or has several pages ({frames}); save one of them as PNG first")


def _to_8_bit(image: Image.Image, name: str) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"{name} has pixels of mode {image.mode}; save it with 8 or 16 bits a channel")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))  # 257 = 65535 / 255
