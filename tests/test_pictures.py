"""Picture files as people have them: handled, or refused in one sentence; and written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragkit import metadata, pictures
from dragkit.metadata import Metadata

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)  # 40 wide, 24 high


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_a_plain_png_comes_back_exactly(tmp_path: Path) -> None:
    found = pictures.read(saved(Image.fromarray(PICTURE), tmp_path / "a.png"))
    assert found.dtype == np.uint8
    assert np.array_equal(found, PICTURE)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn the pixels 90 degrees clockwise to show them
    found = pictures.read(saved(Image.fromarray(PICTURE), tmp_path / "a.png", exif=exif))
    assert np.array_equal(found, np.rot90(PICTURE, -1))


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    layer = np.dstack([PICTURE, np.full((24, 40), 255, np.uint8)])
    layer[:, :10, 3] = 0
    layer[:, 10:20, 3] = 128
    found = pictures.read(saved(Image.fromarray(layer), tmp_path / "a.png"))
    assert (found[:, :10] == 255).all()
    assert np.array_equal(found[:, 20:], PICTURE[:, 20:])
    half = (PICTURE[:, 10:20] * (128 / 255) + 255 * (127 / 255)).round()
    assert np.abs(found[:, 10:20] - half).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    indexed = Image.new("P", (40, 24), 1)
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.putpixel((3, 2), 0)
    found = pictures.read(saved(indexed, tmp_path / "a.png"))
    assert tuple(found[0, 0]) == (200, 100, 50)
    assert tuple(found[2, 3]) == (10, 20, 30)
    found = pictures.read(saved(indexed, tmp_path / "b.png", transparency=0))
    assert tuple(found[2, 3]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_gray_becomes_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(PICTURE).convert("L").convert(mode)
    found = pictures.read(saved(image, tmp_path / "a.png"))
    assert np.array_equal(found, np.asarray(image.convert("L").convert("RGB")))


def test_16_bit_gray_keeps_its_greys(tmp_path: Path) -> None:
    gray = PICTURE[..., 0]
    found = pictures.read(saved(Image.fromarray(gray.astype(np.uint16) * 257), tmp_path / "a.png"))
    assert np.array_equal(found[..., 1], gray)


def test_cmyk_and_webp(tmp_path: Path) -> None:
    image = Image.new("CMYK", (40, 24), (0, 255, 255, 0))
    assert pictures.read(saved(image, tmp_path / "a.jpg"))[0, 0, 0] > 200
    assert pictures.read(saved(Image.fromarray(PICTURE), tmp_path / "a.webp")).shape == (24, 40, 3)


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        pictures.read(path)
    return str(caught.value)


@pytest.mark.parametrize(("ending", "format"), [("gif", "GIF"), ("png", "PNG"), ("webp", "WEBP"), ("tiff", "TIFF")])
def test_several_frames_are_refused(tmp_path: Path, ending: str, format: str) -> None:
    frames = [Image.fromarray(np.roll(PICTURE, i, 0)) for i in range(3)]
    path = tmp_path / f"a.{ending}"
    frames[0].save(path, format, save_all=True, append_images=frames[1:])
    assert f"{path} is animated or has several pages (3)" in refusal(path)


def test_missing_folder_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "none.png")
    assert "is not a file" in refusal(tmp_path)
    (tmp_path / "text.png").write_text("hello")
    assert "is not a picture that can be read" in refusal(tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    assert "is not a picture that can be read" in refusal(tmp_path / "empty.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, format: str, share: float) -> None:
    path = tmp_path / "a.bin"
    Image.fromarray(np.tile(PICTURE, (8, 8, 1))).save(path, format)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "cut short" in refusal(path) or "cannot be read" in refusal(path) or "can be read" in refusal(path)


def test_every_broken_byte_ends_in_a_picture_or_a_sentence() -> None:
    data = bytearray(pictures.encode_png(PICTURE[:6, :8], "{}"))
    for place in range(len(data)):
        broken = bytes(data[:place]) + bytes([data[place] ^ 0x41]) + bytes(data[place + 1 :])
        with contextlib.suppress(ValueError):  # and nothing else
            assert pictures.decode(broken).ndim == 3
        pictures.record(broken)


def test_enormous_pictures_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)), tmp_path / "bomb.png")
    assert "megapixels" in refusal(bomb)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 40 * 24 - 1)
    path = saved(Image.fromarray(PICTURE), tmp_path / "a.png")
    assert f"{path} has 40x24 px" in refusal(path)
    monkeypatch.setattr(pictures, "MAX_BYTES", 100)
    assert "more than" in refusal(path)


def test_masks_of_all_kinds_mean_the_same(tmp_path: Path) -> None:
    mask = np.zeros((24, 40), bool)
    mask[4:9, 5:30] = True
    clear = np.zeros((24, 40, 4), np.uint8)
    clear[mask] = 255
    files = {
        "bit": Image.fromarray(mask),
        "gray": Image.fromarray(mask.astype(np.uint8) * 255),
        "label": Image.fromarray(mask.astype(np.uint8)),
        "rgb": Image.fromarray(np.repeat(mask[..., None], 3, 2).astype(np.uint8) * 255),
        "red": Image.fromarray(mask[..., None] * np.array([255, 0, 0], np.uint8)),
        "clear": Image.fromarray(clear),
        "deep": Image.fromarray(mask.astype(np.uint16) * 65535),
    }
    for name, image in files.items():
        found = pictures.read_mask(saved(image, tmp_path / f"{name}.png"))
        assert found.dtype == np.bool_
        assert np.array_equal(found, mask), name


def test_masks_are_written_with_one_bit() -> None:
    mask = PICTURE[..., 0] > 128
    data = pictures.encode_png(mask)
    assert Image.open(io.BytesIO(data)).mode == "1"
    assert np.array_equal(pictures.decode_mask(data), mask)


def test_odd_arrays_are_no_masks() -> None:
    for values in (np.zeros((2, 3, 7)), np.zeros(5), np.array([[np.nan, 1.0]])):
        with pytest.raises(ValueError, match="give"):
            pictures.as_mask(values)


def test_the_record_travels_in_the_png(tmp_path: Path) -> None:
    path, text = tmp_path / "a.png", '{"prompt": "ein roter Apfel, ärgerlich ☂"}' + " " * 3_000_000
    pictures.write(path, PICTURE, text)
    assert np.array_equal(pictures.read(path), PICTURE)
    assert pictures.record(path.read_bytes()) == text
    assert pictures.record(pictures.encode_png(PICTURE)) is None
    assert pictures.record(b"no png") is None


def test_the_pixel_hash_knows_pixels_and_size_only() -> None:
    assert pictures.pixel_hash(PICTURE) == pictures.pixel_hash(PICTURE.copy(order="F"))
    assert pictures.pixel_hash(PICTURE) != pictures.pixel_hash(PICTURE.reshape(40, 24, 3))
    changed = PICTURE.copy()
    changed[3, 4, 1] ^= 1
    assert pictures.pixel_hash(PICTURE) != pictures.pixel_hash(changed)


ENDINGS = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "TIFF"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_decides_the_format_and_metadata_travel_in_it(tmp_path: Path, ending: str) -> None:
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x010E] = "a cup"
    exif[0x0112] = 1
    exif.get_ifd(0x8825)[1] = "N"
    about = Metadata(b"\0" * 16 + b"RGB " + b"\0" * 200, exif.tobytes())
    pictures.write(path, PICTURE, "{}", about=about)
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
    with Image.open(path) as image:
        assert image.format == kind
    assert (
        np.array_equal(pictures.read(path), PICTURE) == (kind != "JPEG") == pictures.FORMATS[path.suffix.lower()].exact
    )
    found = metadata.read(path.read_bytes())
    assert found.icc == about.icc
    again = Image.Exif()
    again.load(found.exif)
    assert (again[0x010E], again[0x0112], again.get_ifd(0x8825)[1]) == ("a cup", 1, "N")
    assert pictures.record(path.read_bytes()) == ("{}" if kind == "PNG" else None)


def test_pictures_longer_than_the_format_are_refused_early(tmp_path: Path) -> None:
    long = np.zeros((2, 16_384, 3), np.uint8)
    with pytest.raises(ValueError, match="cannot hold 16384x2 px as WEBP; use"):
        pictures.check_writable(tmp_path / "a.webp", size=(16_384, 2))
    with pytest.raises(ValueError, match="cannot hold"):
        pictures.write(tmp_path / "a.webp", long)
    pictures.write(tmp_path / "a.webp", long[:, 1:])
    with pytest.raises(ValueError, match="JPEG"):
        pictures.write(tmp_path / "a.jpg", np.zeros((65_501, 1, 3), np.uint8))
    assert os.listdir(tmp_path) == ["a.webp"]
    pictures.write(tmp_path / "a.jpg", np.zeros((65_500, 1, 3), np.uint8))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
def test_nothing_is_overwritten_without_force(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    pictures.write(path, PICTURE)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="exists already"):
        pictures.write(path, 255 - PICTURE)
    assert path.read_bytes() == before
    pictures.write(path, 255 - PICTURE, force=True)
    assert path.read_bytes() != before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    path = tmp_path / "a.png"
    path.write_text("mine")
    monkeypatch.setattr(pictures, "check_writable", lambda *_: None)  # as if it came up after the check
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ValueError, match="exists already"):
        pictures.write(path, PICTURE)
    assert path.read_text() == "mine"
    path.unlink()
    pictures.write(path, PICTURE)
    assert np.array_equal(pictures.read(path), PICTURE)
    assert os.listdir(tmp_path) == ["a.png"]


def test_no_partial_file_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        pictures.write(tmp_path / "a.png", PICTURE)
    assert os.listdir(tmp_path) == []


def test_outputs_that_cannot_be_written_are_refused_early(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "a.bmp", "ending"), (tmp_path / "no" / "a.png", "no folder")):
        with pytest.raises(ValueError, match=words):
            pictures.check_writable(path)
    (tmp_path / "d.png").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        pictures.check_writable(tmp_path / "d.png", force=True)


def test_written_files_have_the_permissions_of_the_shell(tmp_path: Path) -> None:
    pictures.write(tmp_path / "a.png", PICTURE)
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode
