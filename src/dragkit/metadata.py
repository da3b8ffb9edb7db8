"""What a picture file says besides its pixels: the colour profile and the EXIF, to be carried to the result."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import NamedTuple

from PIL import Image
from PIL.ExifTags import IFD, Base

# Exif 2.32, table 4: what describes a picture, and not how its pixels are stored; and the titles that Windows writes.
DESCRIBING = (
    *(Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist, Base.Copyright),
    *(Base.HostComputer, Base.XResolution, Base.YResolution, Base.ResolutionUnit),
    *(Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject),
)
BOUND = (IFD.MakerNote, IFD.Interop)  # point to places in the old file
TURNED = (5, 6, 7, 8)  # orientations that are shown with width and height exchanged
LONGEST = 65_000  # bytes of EXIF: a JPEG holds less than 64 kB
SPACE = slice(16, 20)  # bytes of a profile that name its colour space (ICC.1, 7.2.6)

_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


class Metadata(NamedTuple):
    """icc: a profile of RGB pixels.  exif: of an upright picture, without thumbnail and maker's notes."""

    icc: bytes | None = None
    exif: bytes | None = None


NOTHING = Metadata()


def read(data: bytes) -> Metadata:
    """The metadata in the bytes of a picture file; what cannot be read is left out, as is a profile of greys or inks:
    results are RGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                icc = image.info.get("icc_profile")
                return Metadata(icc if icc and icc[SPACE] == b"RGB " else None, _exif(image))
    except _BROKEN:
        return NOTHING


def _exif(image: Image.Image) -> bytes | None:
    try:
        found, size = image.getexif(), image.size
        if not found:
            return None
        upright = Image.Exif()
        upright.update({tag: found[tag] for tag in DESCRIBING if tag in found})
        for part in (IFD.Exif, IFD.GPSInfo):
            upright.get_ifd(part).update({tag: v for tag, v in found.get_ifd(part).items() if tag not in BOUND})
        if found.get(Base.Orientation) in TURNED and image.format != "TIFF":  # Pillow gives the upright size of those
            size = size[::-1]
        upright.get_ifd(IFD.Exif).update({Base.ExifImageWidth: size[0], Base.ExifImageHeight: size[1]})
        upright[Base.Orientation] = 1
        written = upright.tobytes()
    except _BROKEN:
        return None
    return written if len(written) <= LONGEST else None
