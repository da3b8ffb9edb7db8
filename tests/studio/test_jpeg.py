"""JPEG files lose what they tell, and nothing of their picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dragkit import metadata, pictures
from dragkit.studio.jpeg import bare

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def image(mode: str = "RGB") -> Image.Image:
    y, x = np.mgrid[:50, :70]
    pixels = np.stack([x * 3, y * 5, (x * y) % 256], -1).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def jpeg(picture: Image.Image | None = None, orientation: int = 1, **how: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"  # a place
    buffer = io.BytesIO()
    (picture or image()).save(buffer, "JPEG", exif=exif, icc_profile=PROFILE, comment=b"at home", **how)
    return buffer.getvalue()


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}])
def test_the_picture_and_its_colours_stay_and_nothing_else(how):
    given = jpeg(**how)
    found = bare(given + jpeg())  # telephones put a second picture, with its own EXIF, behind the first
    assert found is not None
    assert np.array_equal(pictures.decode(found), pictures.decode(given))
    assert metadata.read(found) == metadata.Metadata(icc=PROFILE)
    assert metadata.read(given).exif
    assert b"camera" not in found
    assert b"at home" not in found
    assert len(found) < len(given)
    assert bare(found) == found


@pytest.mark.parametrize(
    "given", [jpeg(orientation=6), jpeg(image("L")), jpeg(image("CMYK")), b"", b"\xff\xd8\xff", b"GIF"]
)
def test_what_is_turned_grey_or_no_jpeg_is_left_alone(given):
    assert bare(given) is None


def test_a_file_that_was_cut_off_is_left_alone():
    assert bare(jpeg()[:-200]) is None


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=9))
def test_broken_files_do_no_harm(at, put):
    data = jpeg()
    broken = data[:at] + put + data[at + len(put) :]
    found = bare(broken)
    assert found is None or found.startswith(b"\xff\xd8")
