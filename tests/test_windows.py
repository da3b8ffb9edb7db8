"""Windows: where they lie, that edits mean the same in them, and that what comes back is sharp and shows no seam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.geometry import fit
from dragkit.methods import DragDiffusion, DragonDiffusion, Job, Method, Step
from dragkit.model import StableDiffusion
from dragkit.regions import edited, region
from dragkit.windows import WHOLE, Window, choose

SIZE = (400, 300)
AREA, MULTIPLE = 64 * 64, 8
OTHER = np.random.default_rng(1).integers(0, 256, (30, 50, 3), np.uint8)
OBJECT = {"ellipse": (200.3, 110.7, 230.9, 150.2)}
FACE = [(180.5 + 2 * (i % 9), 140.25 + 3 * (i // 9)) for i in range(68)]

EDITS: dict[str, Edit] = {
    "move": Move(mask=OBJECT, offset=(14, -6), scale=1.2, angle=20),
    "move, filled": Move(mask=OBJECT, offset=(4, 0), fill_like={"polygon": [(150, 160), (399, 160), (260, 299)]}),
    "remove": Remove(mask={"polygon": [(200, 100), (230, 140.5), (190, 150)]}),
    "replace": Replace(mask={"box": (200, 100, 240, 130)}, reference=OTHER, reference_mask={"box": (3, 3, 20, 20)}),
    "paste": Paste(reference=OTHER, reference_mask={"box": (3, 3, 20, 20)}, offset=(210, 130), scale=1.5, angle=40),
    "drag": Drag(handles=[(210.25, 120.5), (250, 120)], targets=[(222.75, 130.5), (250, 120)]),
    "drag in a mask": Drag(handles=[(210, 120)], targets=[(214, 120)], mask={"box": (190, 100, 240, 140)}),
    "regions": Drag(regions=[([(200, 100), (220, 100), (210, 120)], [(204, 104), (228, 100), (214, 124)])]),
    "face": Face(landmarks=FACE, reference_landmarks=[(x + 3, y - 2) for x, y in FACE]),
    "reprompt": Reprompt(prompt="a cup", mask={"box": (200, 100, 240, 130)}, target_mask={"box": (190, 90, 240, 130)}),
}
FIELDS = ("mask", "target_mask", "fill_like")


def window_of(edit: Edit, size: tuple[int, int] = SIZE) -> Window:
    return choose([edit], size, AREA, MULTIPLE)


@pytest.mark.parametrize("name", EDITS)
def test_edits_mean_the_same_in_their_window(name: str) -> None:
    edit, window = EDITS[name], window_of(EDITS[name])
    assert not window.whole
    (moved,) = window.moved([edit])
    for field in FIELDS:
        if getattr(edit, field, None) is not None:
            assert np.array_equal(
                getattr(moved, field).array(window.size), window.cut(getattr(edit, field).array(SIZE))
            )
    if isinstance(edit, Drag):
        assert np.array_equal(region(moved, window.size), window.cut(region(edit, SIZE)))
        assert window.outward(moved.handles) == edit.handles
        assert [tuple(map(window.outward, pair)) for pair in moved.regions] == list(edit.regions)
    if isinstance(edit, Face):
        assert window.outward(moved.landmarks) == edit.landmarks
    elif not isinstance(edit, Drag):  # what is measured by the picture's side is less in a window
        assert not (edited(moved, window.size) & ~window.cut(edited(edit, SIZE))).any()
        assert edited(moved, window.size).sum() > 0


@pytest.mark.parametrize("name", EDITS)
def test_windows_hold_the_edit_with_room_round_it_and_are_not_enlarged(name: str) -> None:
    edit, window = EDITS[name], window_of(EDITS[name])
    x0, y0, x1, y1 = window.box
    assert 0 <= x0 < x1 <= SIZE[0]
    assert 0 <= y0 < y1 <= SIZE[1]
    assert window.size[0] * window.size[1] >= AREA
    assert all(side % MULTIPLE == 0 or side == whole for side, whole in zip(window.size, SIZE, strict=True))
    if not isinstance(edit, Face):
        (moved,) = window.moved([edit])
        inside = edited(moved, window.size)
        border = np.pad(np.zeros((inside.shape[0] - 8, inside.shape[1] - 8), bool), 4, constant_values=True)
        assert not (inside & border).any()


def test_a_window_of_the_models_own_area_is_not_scaled_at_all() -> None:
    window = window_of(Remove(mask={"box": (100, 100, 120, 130)}))
    assert window.size == (64, 64) == fit(window.size, AREA, MULTIPLE)
    wide = window_of(Remove(mask={"box": (100, 100, 180, 104)}))
    assert wide.size[0] > wide.size[1]
    corner = window_of(Remove(mask={"box": (0, 290, 10, 300)}))
    assert corner.box == (0, 236, 64, 300)


def test_pictures_that_are_hardly_larger_are_taken_whole() -> None:
    edit = Remove(mask={"box": (30, 30, 40, 36)})
    assert window_of(edit, (72, 64)).whole
    assert not window_of(edit, (104, 88)).whole
    most = Remove(mask={"box": (20, 20, 390, 280)})
    assert window_of(most).whole
    assert window_of(Reprompt(prompt="a cup")).whole
    assert choose([EDITS["remove"], Reprompt(prompt="a cup")], SIZE, AREA, MULTIPLE).whole


def test_a_whole_window_changes_nothing() -> None:
    window, picture = Window.all(SIZE), np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    assert window.cut(picture) is picture
    assert window.moved([EDITS["drag"]]) == (EDITS["drag"],)
    assert window.place(OTHER, picture) is OTHER


def test_several_edits_share_a_window() -> None:
    both = choose([EDITS["remove"], EDITS["drag"]], SIZE, AREA, MULTIPLE)
    for name in ("remove", "drag"):
        (moved,) = both.moved([EDITS[name]])
        assert np.array_equal(
            moved.mask.array(both.size),
            both.cut(region(EDITS[name], SIZE) if name == "drag" else EDITS[name].mask.array(SIZE)),
        )
    assert len(both.moved([EDITS["remove"], EDITS["drag"]])) == 2


def test_enough_of_what_to_fill_with_is_in_the_window() -> None:
    hole = {"box": (200, 20, 230, 40)}
    near = window_of(Remove(mask=hole, fill_like={"box": (0, 60, 400, 300)}))
    assert near.size[0] < 150
    mask = Remove(mask=hole).mask.array(SIZE)
    like = Remove(mask={"box": (0, 60, 400, 300)}).mask.array(SIZE)
    assert near.cut(like).sum() >= mask.sum()
    far = window_of(Remove(mask=hole, fill_like={"box": (290, 20, 294, 24)}))
    assert far.box[2] >= 294


def test_landmarks_beside_the_picture_do_not_stretch_the_window() -> None:
    points = [(390.0 + i % 9, 150 + i / 4) for i in range(68)]
    edit = Face(landmarks=points, reference_landmarks=[(x + 20, y) for x, y in points])
    window = window_of(edit)
    assert window.box[2] == SIZE[0]
    assert not window.whole


sides = st.integers(70, 300)
shares = st.tuples(*[st.floats(0, 1)] * 4)


@st.composite
def cut_outs(draw: st.DrawFn) -> tuple[Window, tuple[float, float]]:
    """A window chosen round a box, and a point in it."""
    size = draw(sides), draw(sides)
    a, b, c, d = draw(shares)
    x0, y0 = a * (size[0] - 12), b * (size[1] - 12)
    box = (x0, y0, x0 + 1.5 + c * (size[0] - x0 - 1.5), y0 + 1.5 + d * (size[1] - y0 - 1.5))
    window = choose([Remove(mask={"box": box})], size, AREA, MULTIPLE)
    left, top, right, bottom = window.box
    return window, (draw(st.floats(left, right)), draw(st.floats(top, bottom)))


@given(cut_outs())
def test_points_and_masks_come_back_exactly(drawn: tuple[Window, tuple[float, float]]) -> None:
    window, point = drawn
    assert window.outward(window.inward([point])) == (point,)
    mask = np.random.default_rng(0).random(window.picture[::-1]) < 0.3
    back = np.zeros_like(mask)
    x0, y0, x1, y1 = window.box
    back[y0:y1, x0:x1] = window.cut(mask)
    assert np.array_equal(back[y0:y1, x0:x1], mask[y0:y1, x0:x1])
    assert window.cut(mask).shape == window.size[::-1]
    assert window.whole or window.size[0] * window.size[1] <= WHOLE * window.picture[0] * window.picture[1]


@given(cut_outs(), st.integers(0, 3))
def test_the_same_pixels_back_are_no_change_and_others_fade(
    drawn: tuple[Window, tuple[float, float]], seed: int
) -> None:
    window, _ = drawn
    picture = np.random.default_rng(seed).integers(0, 256, (*window.picture[::-1], 3), np.uint8)
    assert np.array_equal(window.place(window.cut(picture), picture), picture)
    if window.whole:
        return
    grey = np.full_like(picture, 60)
    placed = window.place(np.full_like(window.cut(grey), 180), grey)
    x0, y0, x1, y1 = window.box
    outside = np.ones(window.picture[::-1], bool)
    outside[y0:y1, x0:x1] = False
    assert (placed[outside] == 60).all()
    assert (placed[(y0 + y1) // 2, (x0 + x1) // 2] == 180).all()
    steps = np.abs(np.diff(placed[..., 0].astype(int), axis=0)).max(), np.abs(np.diff(placed[..., 0].astype(int))).max()
    assert max(steps) < 120  # never at once


# ------------------------------------------------------------------------------------------ with a model behind it


@dataclass(frozen=True)
class Same(Method):
    """Give the picture back as the autoencoder has it."""

    guidance: float = 1.0

    def random(self, job: Job) -> bool:
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        z = job.source.latents[:1]
        points = tuple(job.edits[0].handles) if isinstance(job.edits[0], Drag) else ()
        yield Step(0, job.source.schedule.levels, z, z, points)


def sharpness(picture: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Variance of the Laplacian over a mask."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F)[where].var())


@pytest.fixture(scope="module")
def toy() -> Editor:
    return Editor.from_pretrained("toy", device="cpu")


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    """2048x1536 px of a chequered cloth, as sharp as optics are: sigma 0.6 px."""
    y, x = np.mgrid[:1536, :2048] // 10
    cloth = np.where((x + y)[..., None] % 2, (200, 60, 50), (235, 225, 200)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(cloth, (0, 0), 0.6), np.uint8)


@pytest.mark.parametrize("preserve", [True, False])
def test_a_photograph_is_as_sharp_inside_as_outside(toy: Editor, photograph: NDArray[np.uint8], preserve: bool) -> None:
    edit = Remove(mask={"box": (1004, 703, 1054, 748)})
    inside, size = edit.mask.array((2048, 1536)), (2048, 1536)
    with_window, without = (
        np.asarray(toy(photograph, edit, method=Same(), steps=1, preserve=preserve, window=window).image)
        for window in (True, False)
    )
    outside = sharpness(photograph, ~inside)
    print(sharpness(with_window, inside) / outside, sharpness(without, inside) / outside)
    assert sharpness(with_window, inside) > 0.7 * outside
    assert sharpness(without, inside) < 0.1 * outside
    window = choose([edit], size, toy.model.area, toy.model.multiple)
    assert window.size == (128, 128)
    changed = (with_window != photograph).any(-1)
    assert changed[inside].any()
    assert not changed[~edited(edit, size)].any() or not preserve
    x0, y0, x1, y1 = window.box
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


@pytest.fixture(scope="module")
def large() -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def test_the_editor_edits_the_window_alone(calm: StableDiffusion, large: NDArray[np.uint8]) -> None:
    editor, edit, seen = Editor(calm), EDITS["drag in a mask"], []
    result = editor(large, edit, steps=2, method=DragonDiffusion(guidance=1.0), callback=seen.append)
    assert isinstance(result.image, Image.Image)
    assert result.image.size == SIZE
    window, edits = editor.frame(large, edit)
    by_hand = editor(window.cut(large), edits, steps=2, method=DragonDiffusion(guidance=1.0), window=False)
    assert np.array_equal(result.image, window.place(np.asarray(by_hand.image), large))
    width, height = editor.canvas(window.size)
    assert seen[0].latents.shape[-2:] == (height // 4, width // 4)
    changed = (np.asarray(result.image) != large).any(-1)
    assert changed[region(edit, SIZE)].mean() > 0.9
    assert not changed[:80].any()
    whole = editor(large, edit, steps=2, method=DragonDiffusion(guidance=1.0), window=False)
    assert not np.array_equal(whole.image, result.image)


def test_points_of_steps_are_in_the_picture(calm: StableDiffusion, large: NDArray[np.uint8]) -> None:
    seen: list[Step] = []
    Editor(calm)(large, EDITS["drag"], steps=1, method=Same(), callback=seen.append)
    assert seen[0].points == EDITS["drag"].handles


def test_what_is_memorised_is_the_window(calm: StableDiffusion, large: NDArray[np.uint8], monkeypatch) -> None:
    editor, seen = Editor(calm), []
    monkeypatch.setattr(editor, "memorise", lambda pixels, *_, **__: seen.append(pixels))
    editor(large, EDITS["drag in a mask"], steps=2, method=DragDiffusion(rounds=1))
    window, _ = editor.frame(large, EDITS["drag in a mask"])
    assert np.array_equal(seen[0], window.cut(large))


def test_landmarks_are_looked_for_in_the_whole_picture(
    calm: StableDiffusion, large: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr("dragkit.toy.landmarks.detect", lambda p: looked.append(p.shape) or np.array(FACE))
    editor = Editor(calm)
    window, (face,) = editor.frame(large, Face(reference_landmarks=FACE))
    assert looked == [large.shape]
    assert np.allclose(window.outward(face.landmarks), FACE)
    editor.frame(large, Face(reference_landmarks=FACE), window=False)
    assert len(looked) == 1
