"""Benchmark folders: what is written is read back, what is broken or hostile is refused by name in one sentence."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dragkit.bench import datasets
from dragkit.bench.datasets import Sample, as_edit, read, samples, thinned, transposed
from dragkit.checks import check

# files are written in every example: the clock of a busy machine says nothing about the code
patient = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (24, 40, 3), np.uint8)  # 40 wide, 24 high
MASK = np.zeros((24, 40), np.bool_)
MASK[5:15, 8:30] = True
POINTS = [[10, 8], [20, 9], [12, 14], [39, 23]]
META = {"prompt": "a cup", "points": POINTS, "mask": MASK.astype(np.uint8)}
SAMPLE = Sample(
    name="animals/XX_1",
    category="animals",
    picture=PICTURE,
    prompt="a cup",
    handles=np.array([[10.5, 8.5], [12.5, 14.5]]),
    targets=np.array([[20.5, 9.5], [39.5, 23.5]]),
    mask=MASK,
)


def dragbench(root: Path, meta: object = META, file: str = "meta_data.pkl", protocol: int = 4) -> Path:
    return stored(root, meta if isinstance(meta, bytes) else pickle.dumps(meta, protocol), file)


def stored(root: Path, data: bytes, file: str = "meta_data.pkl") -> Path:
    folder = root / "animals" / "XX_1"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PICTURE).save(folder / "original_image.png")
    (folder / file).write_bytes(data)
    return folder


def drag100(root: Path, name: str = "cup_0", points: object = POINTS) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    Image.fromarray(PICTURE).save(folder / "original.jpg")
    Image.fromarray(MASK).save(folder / "mask.png")
    (folder / "points.json").write_text(json.dumps({"points": points}))
    return folder


def same(found: Sample, wanted: Sample) -> None:
    assert (found.name, found.category, found.prompt) == (wanted.name, wanted.category, wanted.prompt)
    assert np.array_equal(found.picture, wanted.picture)
    assert np.array_equal(found.handles, wanted.handles)
    assert np.array_equal(found.targets, wanted.targets)
    assert (found.mask is None) == (wanted.mask is None)
    assert found.mask is None or np.array_equal(found.mask, wanted.mask)


def refusal(path: Path, regions: bool = False) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        read(path, regions)
    sentence = str(caught.value)
    assert sentence.startswith(("animals/XX_1: ", "cup_0: "))
    assert "\n" not in sentence
    return sentence


# ------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_dragbench_is_read_from_every_kind_of_pickle(tmp_path: Path, protocol: int) -> None:
    found = read(dragbench(tmp_path, protocol=protocol))
    same(found, SAMPLE)
    assert found.warnings == ()
    assert found.mask.dtype == np.bool_


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["?", "u1", "<i8", ">i4", "<f8", ">f4", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_masks_are_read_whatever_their_numbers(tmp_path: Path, protocol: int, kind: str, order: str) -> None:
    mask = np.array(MASK, dtype=kind, order=order)
    same(read(dragbench(tmp_path, {**META, "mask": mask}, protocol=protocol)), SAMPLE)


@pytest.mark.parametrize("protocol", [1, 4, 5])
@pytest.mark.parametrize(
    "points",
    [
        np.array(POINTS),
        [np.array(pair) for pair in POINTS],
        [tuple(np.int64(n) for n in pair) for pair in POINTS],
        tuple([float(n), np.float32(m)] for n, m in POINTS),
    ],
)
def test_points_may_be_numbers_or_arrays_of_numpy(tmp_path: Path, protocol: int, points: object) -> None:
    same(read(dragbench(tmp_path, {**META, "points": points}, protocol=protocol)), SAMPLE)


def test_pickles_of_numpy_1_are_read(tmp_path: Path) -> None:
    data = pickle.dumps(META, protocol=2)
    assert b"numpy._core" in data or b"numpy.core" in data
    same(read(stored(tmp_path, data.replace(b"numpy._core", b"numpy.core"))), SAMPLE)


def test_every_value_above_zero_may_change(tmp_path: Path) -> None:
    faint = MASK.astype(np.uint8)
    faint[6, 9] = 200
    same(read(dragbench(tmp_path, {**META, "mask": faint})), SAMPLE)
    folder = drag100(tmp_path / "flat")
    Image.fromarray(faint).save(folder / "mask.png")
    assert np.array_equal(read(folder).mask, MASK)


@pytest.mark.parametrize("kind", [np.float64, np.uint8, np.bool_])
def test_an_empty_mask_protects_nothing(tmp_path: Path, kind: type) -> None:
    found = read(dragbench(tmp_path, {**META, "mask": np.zeros((24, 40), kind)}))
    assert found.mask is None
    assert found.warnings == ()
    assert as_edit(found).mask is None


def test_the_json_form_is_read_where_there_is_no_pickle(tmp_path: Path) -> None:
    folder = stored(tmp_path, json.dumps({"prompt": "a cup", "points": POINTS}).encode(), "drag_instruction.json")
    Image.fromarray(MASK).save(folder / "mask.png")
    same(read(folder), SAMPLE)
    dragbench(tmp_path, {**META, "prompt": "the pickle's"})
    assert read(folder).prompt == "the pickle's"


def test_the_region_variant_is_read_when_asked_for(tmp_path: Path) -> None:
    folder = dragbench(tmp_path)
    cells = [(x, y) for x in range(10, 20, 3) for y in (6, 9)]
    pairs = [point for x, y in cells for point in ((x, y), (x + 8, y))]
    dragbench(tmp_path, {**META, "points": pairs}, "meta_data_region.pkl")
    found = read(folder, regions=True)
    assert np.array_equal(found.handles, np.array(cells) + 0.5)
    assert np.array_equal(found.targets - found.handles, np.tile([8, 0], (8, 1)))
    same(read(folder), SAMPLE)


def test_drag100_has_neither_category_nor_prompt(tmp_path: Path) -> None:
    found = read(drag100(tmp_path))
    picture = np.asarray(Image.open(tmp_path / "cup_0" / "original.jpg"))
    same(found, replace(SAMPLE, name="cup_0", category="", prompt="", picture=picture))


def test_relative_paths_know_their_category(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dragbench(tmp_path))
    assert read(".").name == "animals/XX_1"


def test_a_handle_outside_its_mask_is_kept_with_a_warning(tmp_path: Path) -> None:
    found = read(dragbench(tmp_path, {**META, "points": [[10, 8], [20, 9], [2, 2], [3, 3]]}))
    assert found.handles.tolist() == [[10.5, 8.5], [2.5, 2.5]]
    assert found.warnings == ("1 of 2 handles lie outside the mask; they are kept",)


@pytest.mark.parametrize(
    ("meta", "sentence"),
    [
        ({"prompt": "", "points": POINTS}, "has no mask"),
        ({**META, "mask": None}, "has no mask"),
        ({**META, "mask": MASK.T.copy()}, "the mask is 24x40 px but the picture is 40x24"),
        ({**META, "mask": PICTURE}, "the mask is an array of shape (24, 40, 3)"),
        ({"prompt": "", "mask": MASK}, "there are no points"),
        ({**META, "points": []}, "there are no points"),
        ({**META, "points": "10, 8"}, "there are no points"),
        ({**META, "points": POINTS[:3]}, "got 3 points, want an even number"),
        ({**META, "points": [[10, 8, 3], [1, 2]]}, "no list of [x, y]"),
        ({**META, "points": [["10", 8], [1, 2]]}, "no list of [x, y]"),
        ({**META, "points": [10, 8, 1, 2]}, "no list of [x, y]"),
        ({**META, "points": np.array([10, 8, 1, 2])}, "no list of [x, y]"),
        ({**META, "points": [[10, 8], [40, 2]]}, "the point (40, 2) lies outside the picture of 40x24 px"),
        ({**META, "points": [[10, 8], [3, 24]]}, "the point (3, 24) lies outside"),
        ({**META, "points": [[-1, 8], [3, 2]]}, "the point (-1, 8) lies outside"),
        ({**META, "points": [[10, float("nan")], [3, 2]]}, "the point (10, nan) lies outside"),
        ({**META, "points": [[10**400, 8], [3, 2]]}, "beyond all pictures"),
        ({**META, "prompt": 3}, "the prompt is no text"),
        ([1, 2], "has no mask; want a dict"),
    ],
)
def test_bad_samples_are_refused_by_name(tmp_path: Path, meta: object, sentence: str) -> None:
    assert sentence in refusal(dragbench(tmp_path, meta))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"points": [[1, 2], [3,', "is no JSON or cut short"),
        ("[" * 100_000, "is no JSON or cut short"),
        ("\xff", "is no JSON or cut short"),
        ("[[1, 2], [3, 4]]", "points.json is a list; want"),
        ("{}", "there are no points"),
        ('{"points": [[1, NaN], [3, 4]]}', "lies outside"),
        ('{"points": [[1, true], [3, 4]]}', "no list of [x, y]"),
    ],
)
def test_bad_json_is_refused_by_name(tmp_path: Path, text: str, sentence: str) -> None:
    folder = drag100(tmp_path)
    (folder / "points.json").write_bytes(text.encode("latin1"))
    assert sentence in refusal(folder)


@pytest.mark.parametrize("file", ["original.jpg", "mask.png", "points.json"])
def test_missing_and_broken_files_are_refused_by_name(tmp_path: Path, file: str) -> None:
    folder = drag100(tmp_path)
    (folder / file).write_bytes((folder / file).read_bytes()[:20])
    assert file in refusal(folder)
    (folder / file).unlink()
    assert f"there is no file {folder / file}" in refusal(folder)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    folder = dragbench(tmp_path)
    assert "there is no meta_data_region.pkl" in refusal(folder, regions=True)
    (folder / "meta_data.pkl").unlink()
    assert "there is neither meta_data.pkl nor drag_instruction.json" in refusal(folder)
    (folder / "original_image.png").unlink()
    assert "there is no file" in refusal(folder)
    shutil.rmtree(folder)
    assert "there is no folder" in refusal(folder)
    assert "Drag100 has no regions" in refusal(drag100(tmp_path), regions=True)


# ------------------------------------------------------------------------------------------------------- pickles


class Poison:
    """Pickled as a call."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("key", ["prompt", "points", "mask", "user"])
@pytest.mark.parametrize("regions", [False, True])
def test_poisoned_samples_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, regions: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    file = "meta_data_region.pkl" if regions else "meta_data.pkl"
    assert f"{file} asks for '" in refusal(dragbench(tmp_path, {**META, key: Poison()}, file), regions)
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "damaged or cut short"),
        (b"\x80\x02]" + b"]" * 150_000 + b"a" * 150_000 + b".", "has no mask"),  # deep, and harmless
        (b"\x80\x02" + b"cnumpy\nndarray\n" * 100_000 + b"b" * 99_999 + b".", "has no mask"),
        (b"\x80\x02]q\x00h\x00a.", "has no mask"),  # a list that holds itself
    ],
)
def test_pickles_of_anything_else_are_refused_by_name(tmp_path: Path, data: bytes, sentence: str) -> None:
    assert sentence in refusal(stored(tmp_path, data))


def test_points_that_repeat_each_other_without_end_are_refused_at_once(tmp_path: Path) -> None:
    huge: list[object] = [[1, 2]]
    for _ in range(60):
        huge = [huge, huge]  # 2^60 points in 60 lists
    assert "no list of [x, y]" in refusal(dragbench(tmp_path, {**META, "points": huge}))


@patient
@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_pickles_never_do_more_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, changes: list[tuple[int, int]]
) -> None:
    mask = np.zeros((24, 40), np.uint8)
    data = bytearray(pickle.dumps({"points": [[1, 2], [np.int64(3), 4]], "prompt": "é", "mask": mask}, protocol))
    start = data.find(bytes(900) if protocol > 2 else b"\0" * 900)
    places = [i for i in range(len(data)) if not start + 20 <= i < start + 880]  # leave the pixels
    for place, value in changes:
        data[places[place % len(places)]] = value
    folder = stored(tmp_path_factory.getbasetemp() / "damaged", bytes(data))
    try:
        found = read(folder)
    except ValueError as error:
        assert str(error).startswith("animals/XX_1: ")  # noqa: PT017
    else:
        assert found.mask is None or found.mask.shape == (24, 40)


# ------------------------------------------------------------------------------------------------------- listing


def test_samples_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/9"):
        shutil.copytree(dragbench(tmp_path / "one"), tmp_path / "bench" / name)
        drag100(tmp_path / "flat", name[2:])
    (tmp_path / "bench" / ".DS_Store").write_bytes(b"")
    (tmp_path / "bench" / "b" / ".DS_Store").write_bytes(b"")
    (tmp_path / "bench" / "__MACOSX" / "b").mkdir(parents=True)
    (tmp_path / "bench" / "notes").mkdir()
    (tmp_path / "bench" / "notes" / "read.me").write_text("hello")
    datasets.write_result(tmp_path / "bench" / "results", SAMPLE, PICTURE)
    assert samples(tmp_path / "bench") == [tmp_path / "bench" / name for name in ("a/9", "b/1", "b/2")]
    assert samples(str(tmp_path / "bench" / "b")) == [tmp_path / "bench" / name for name in ("b/1", "b/2")]
    assert samples(tmp_path / "flat") == [tmp_path / "flat" / name for name in "129"]
    assert [read(path).name for path in samples(tmp_path / "bench" / "b")] == ["b/1", "b/2"]


def listing_refusal(root: Path) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        samples(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_that_are_no_benchmark_are_refused(tmp_path: Path) -> None:
    assert "there is no folder" in listing_refusal(tmp_path / "nothing")
    assert "is empty" in listing_refusal(tmp_path)
    (tmp_path / "photos" / "new").mkdir(parents=True)
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    assert "there is no folder" in listing_refusal(tmp_path / "photos" / "a.jpg")
    assert "is no benchmark that is known here; want <category>/<sample>/original_image.png" in listing_refusal(
        tmp_path
    )
    drag100(tmp_path / "bench")
    assert "is no benchmark that is known here" in listing_refusal(tmp_path)  # one folder further down
    assert "is one sample" in listing_refusal(tmp_path / "bench" / "cup_0")


@pytest.mark.parametrize("left", [[], ["meta_data.pkl"], ["mask.png"]])
def test_half_a_download_is_recognised(tmp_path: Path, left: list[str]) -> None:
    shutil.copytree(dragbench(tmp_path / "one"), tmp_path / "bench" / "a" / "1")
    (tmp_path / "bench" / "b" / "2").mkdir(parents=True)
    for name in left:
        (tmp_path / "bench" / "b" / "2" / name).write_bytes(b"")
    sentence = "looks half downloaded: 1 of 2 sample folders have no picture, b/2 first"
    assert sentence in listing_refusal(tmp_path / "bench")
    drag100(tmp_path / "flat", "a")
    shutil.copytree(tmp_path / "bench" / "b" / "2", tmp_path / "flat" / "b")
    assert "1 of 2 sample folders have no picture, b first" in listing_refusal(tmp_path / "flat")


def test_an_empty_category_is_half_a_download(tmp_path: Path) -> None:
    dragbench(tmp_path)
    (tmp_path / "interior_design").mkdir()
    assert "1 of 2 sample folders have no picture, interior_design first" in listing_refusal(tmp_path)


# --------------------------------------------------------------------------------------------------------- using


def test_a_sample_is_an_edit(tmp_path: Path) -> None:
    for sample in (read(dragbench(tmp_path)), read(drag100(tmp_path / "flat"))):
        edit = as_edit(sample)
        assert edit.handles == ((10.5, 8.5), (12.5, 14.5))
        assert edit.targets == ((20.5, 9.5), (39.5, 23.5))  # the centre of the last pixel
        assert np.array_equal(edit.mask.array((40, 24)), MASK)
        check(edit, (40, 24))


def test_a_handle_with_two_targets_is_no_edit() -> None:
    twice = replace(SAMPLE, handles=SAMPLE.handles[[0, 0]])
    with pytest.raises(ValueError, match=r"^animals/XX_1: the handle \(10.5, 8.5\) goes to .* and to .*target$"):
        as_edit(twice)


def regions(handles: list[list[float]], targets: list[list[float]]) -> Sample:
    return replace(SAMPLE, handles=np.array(handles, float), targets=np.array(targets, float))


def test_few_pairs_of_cells_stand_for_themselves() -> None:
    sample = regions([[4, 4], [12, 4], [4, 12]], [[5, 5], [13, 5], [5, 13]])
    found = thinned(sample)
    pairs = np.concatenate([found.handles, found.targets], 1)
    assert sorted(map(tuple, pairs)) == sorted(map(tuple, np.concatenate([sample.handles, sample.targets], 1)))
    assert found.warnings == ("3 pairs stand for the 3 pairs of cells in its regions",)
    as_edit(found)


def test_a_cell_that_grows_goes_to_the_mean_of_its_places() -> None:
    found = thinned(regions([[4, 4], [4, 4], [12, 4]], [[8, 4], [10, 6], [20, 4]]))
    assert {tuple(h): tuple(t) for h, t in zip(found.handles, found.targets, strict=True)} == {
        (4, 4): (9, 5), (12, 4): (20, 4),
    }  # fmt: skip
    as_edit(found)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3))
def test_pairs_that_stand_for_regions_are_some_of_them_and_lie_apart(wide: int, high: int, grown: int) -> None:
    cells = np.stack(np.meshgrid(np.arange(wide), np.arange(high)), -1).reshape(-1, 2) * 8.0 + 0.5
    found = thinned(regions(np.repeat(cells, grown, 0).tolist(), np.repeat(cells + 3, grown, 0).tolist()))
    assert len(found.handles) == min(datasets.REFERENCES, wide * high)
    assert np.allclose(found.targets - found.handles, 3)
    assert {tuple(h) for h in found.handles} <= {tuple(c) for c in cells}
    if wide * high >= 4 * datasets.REFERENCES:  # no two neighbours
        away = np.linalg.norm(found.handles[:, None] - found.handles, axis=-1) + 99 * np.eye(len(found.handles))
        assert away.min() > 8


def test_transposed_exchanges_x_and_y() -> None:
    found = transposed(SAMPLE)
    assert found.picture.shape == (40, 24, 3)
    assert found.picture.flags.c_contiguous
    for (x, y), (u, v) in zip(SAMPLE.handles, found.handles, strict=True):
        assert (u, v) == (y, x)
        assert np.array_equal(found.picture[int(v), int(u)], PICTURE[int(y), int(x)])
        assert found.mask[int(v), int(u)] == MASK[int(y), int(x)]
    check(as_edit(found), (24, 40))
    same(transposed(found), SAMPLE)
    assert transposed(replace(SAMPLE, mask=None)).mask is None


# ------------------------------------------------------------------------------------------------------- writing


@st.composite
def drawn(draw: st.DrawFn) -> Sample:
    width, height = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)).filter(lambda size: size[0] != size[1]))
    count = draw(st.integers(1, 6))
    number = st.integers if draw(st.booleans()) else lambda a, b: st.integers(8 * a, 8 * b).map(lambda n: n / 8)
    point = st.tuples(number(0, width - 1), number(0, height - 1))
    points = np.array(draw(st.lists(point, min_size=2 * count, max_size=2 * count)), float) + 0.5
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = rng.random((height, width)) < draw(st.floats(0, 1))
    return Sample(
        name="land_scape/XX_2",
        category="land_scape",
        picture=rng.integers(0, 256, (height, width, 3), np.uint8),
        prompt=draw(st.text("aZ0 é猫\n\"'\\")),
        handles=points[:count],
        targets=points[count:],
        mask=mask if mask.any() else None,
    )


@patient
@given(drawn(), st.booleans())
def test_dragbench_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, sample: Sample, regions: bool
) -> None:
    root = tmp_path_factory.getbasetemp() / "written"
    folder = datasets.write_dragbench(root, sample, regions)
    assert samples(root) == [folder]
    same(read(folder, regions), sample)
    meta = pickle.loads((folder / ("meta_data_region.pkl" if regions else "meta_data.pkl")).read_bytes())
    assert list(meta) == ["prompt", "points", "mask"]  # as the original evaluators read it
    assert meta["mask"].shape == sample.picture.shape[:2]


@patient
@given(drawn())
def test_drag100_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, sample: Sample) -> None:
    root = tmp_path_factory.getbasetemp() / "written100"
    folder = datasets.write_drag100(root, sample)
    assert samples(root) == [folder]
    found = read(folder)
    same(found, replace(sample, name="XX_2", category="", prompt="", picture=found.picture))
    assert found.picture.shape == sample.picture.shape  # JPEG keeps the size, not every level


def test_whole_pixels_are_written_as_whole_numbers(tmp_path: Path) -> None:
    folder = datasets.write_drag100(tmp_path, SAMPLE)
    assert json.loads((folder / "points.json").read_text()) == {"points": POINTS}
    assert "." not in (folder / "points.json").read_text()


def test_dragbench_needs_a_category(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cup_0 has no category; give it one"):
        datasets.write_dragbench(tmp_path, replace(SAMPLE, name="cup_0", category=""))


def test_a_sample_cut_short_while_writing_has_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.pictures, "write", full)
    with pytest.raises(OSError, match="No space"):
        datasets.write_dragbench(tmp_path, SAMPLE)
    assert "half downloaded" in listing_refusal(tmp_path)


def test_results_lie_where_the_evaluators_look(tmp_path: Path) -> None:
    path = datasets.write_result(tmp_path / "out", SAMPLE, PICTURE[::-1])
    assert path == tmp_path / "out" / "animals" / "XX_1" / "dragged_image.png"
    assert np.array_equal(np.asarray(Image.open(path)), PICTURE[::-1])
    datasets.write_result(tmp_path / "out", SAMPLE, PICTURE)
    assert np.array_equal(np.asarray(Image.open(path)), PICTURE)
    assert [found.name for found in path.parent.iterdir()] == ["dragged_image.png"]
    flat = datasets.write_result(tmp_path / "out", replace(SAMPLE, name="cup_0", category=""), PICTURE)
    assert flat == tmp_path / "out" / "cup_0" / "dragged_image.png"


@pytest.mark.parametrize("picture", [PICTURE[:-1], PICTURE[..., 0], PICTURE / 255, PICTURE.swapaxes(0, 1)])
def test_results_of_another_size_are_refused(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^animals/XX_1: the result is .* want uint8 \[24, 40, 3\]"):
        datasets.write_result(tmp_path, SAMPLE, picture)
    assert not list(tmp_path.iterdir())


def test_importing_loads_no_torch() -> None:
    code = "import dragkit.bench.datasets, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
