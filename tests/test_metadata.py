"""Colour profile and EXIF of people's files: carried where they fit, left out where they do not, never a crash."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from dragkit import metadata, pictures
from dragkit.metadata import Metadata

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)  # 40 wide, 24 high
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found.update({Base.ImageDescription: "a cup", Base.Artist: "Ada", Base.Orientation: orientation})
    taken = {Base.DateTimeOriginal: "2020:01:02 03:04:05", Base.ExifImageWidth: 40, Base.ExifImageHeight: 24}
    found.get_ifd(IFD.Exif).update({**taken, Base.MakerNote: b"secret" * 9})
    found.get_ifd(IFD.GPSInfo).update({1: "N", 2: (51.0, 30.0, 1.5)})
    return found


def file(format: str, picture: np.ndarray = PICTURE, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def told(about: Metadata) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """Tags of the picture, of how it was taken, and of where."""
    assert about.exif is not None
    found = Image.Exif()
    found.load(about.exif)
    return dict(found), dict(found.get_ifd(IFD.Exif)), dict(found.get_ifd(IFD.GPSInfo))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_what_a_file_says_is_read_for_an_upright_picture(format: str, orientation: int) -> None:
    data = file(format, exif=exif(orientation).tobytes(), icc_profile=PROFILE)
    about = metadata.read(data)
    assert about.icc == PROFILE
    picture, taken, place = told(about)
    assert (picture[Base.ImageDescription], picture[Base.Artist], picture[Base.Orientation]) == ("a cup", "Ada", 1)
    assert taken[Base.DateTimeOriginal] == "2020:01:02 03:04:05"
    assert place[2] == (51.0, 30.0, 1.5)
    height, width = pictures.decode(data).shape[:2]
    assert (taken[Base.ExifImageWidth], taken[Base.ExifImageHeight]) == (width, height)
    assert b"secret" not in about.exif


def test_how_a_tiff_is_stored_is_not_carried() -> None:
    picture, _, _ = told(metadata.read(file("TIFF", exif=exif().tobytes())))
    assert set(picture) <= {Base.ImageDescription, Base.Artist, Base.Orientation, *IFD}


def test_files_that_say_nothing_have_no_metadata() -> None:
    for data in (file("PNG"), b"", b"no picture"):
        assert metadata.read(data) == Metadata()


def test_profiles_of_other_colour_spaces_are_left_out() -> None:
    greys = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    assert metadata.read(file("PNG", PICTURE[..., 0], icc_profile=greys)).icc is None
    assert metadata.read(file("PNG", PICTURE[..., 0], icc_profile=PROFILE)).icc == PROFILE


def test_exif_that_no_jpeg_could_hold_is_left_out() -> None:
    long = exif()
    long[Base.ImageDescription] = "cup " * 20_000
    assert metadata.read(file("PNG", exif=long, icc_profile=PROFILE)) == Metadata(PROFILE)


def test_every_broken_byte_is_survived() -> None:
    data = file("JPEG", PICTURE[:6, :8], exif=exif())
    start = data.index(b"Exif")
    for place in range(start, start + 300):
        metadata.read(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
