"""JPEG files without what they tell of their maker: pixels and colour profile stay, bit for bit."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator

from PIL import Image

START, END, SCAN = 0xD8, 0xD9, 0xDA
ORIENTATION = 0x0112
PROFILE = b"ICC_PROFILE\0"
KEPT = (0xE0, 0xEE)  # JFIF, Adobe's colour transform
SPOKEN = range(0xE0, 0xF0)  # all application data: EXIF (a photograph's may tell a place), XMP, makers' own
COMMENT = 0xFE
PLAIN = (0x00, *range(0xD0, 0xD8))  # after 0xFF in a scan: an escaped byte, a restart
_BROKEN = (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error)


def bare(data: bytes) -> bytes | None:
    """An upright RGB JPEG file without EXIF, comments and what follows its end; None where it is something else."""
    try:
        if not data.startswith(b"\xff\xd8\xff") or not _upright(data):
            return None
        return b"".join([b"\xff\xd8", *_segments(data), b"\xff\xd9"])
    except _BROKEN:  # cut off, say: it is decoded as far as it goes, like any other file
        return None


def _upright(data: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return image.mode == "RGB" and image.getexif().get(ORIENTATION, 1) == 1


def _segments(data: bytes) -> Iterator[bytes]:
    """The segments of a JPEG file (ITU T.81, annex B) that are kept, each scan with its data."""
    at = 2
    while True:
        while data[at + 1] == 0xFF:  # filling
            at += 1
        kind = data[at + 1]
        if data[at] != 0xFF or kind == START:
            raise ValueError("no marker where one should be")
        if kind == END:
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if kind == SCAN:
            end = _after(data, end)
        profile = kind == 0xE2 and data.startswith(PROFILE, at + 4)
        if profile or kind in KEPT or (kind not in SPOKEN and kind != COMMENT):
            yield data[at:end]
        at = end


def _after(data: bytes, at: int) -> int:
    """Where the data of a scan ends: at the next marker that is more than an escaped byte or a restart."""
    while True:
        at = data.index(0xFF, at)
        if data[at + 1] not in (*PLAIN, 0xFF):
            return at
        at += 1 if data[at + 1] == 0xFF else 2
