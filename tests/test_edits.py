"""Edits: what is accepted, what is refused and in which words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from dragkit.checks import check, explain
from dragkit.edits import FACE_17, Drag, Face, Move, Paste, Remove, Replace, Request
from dragkit.forms import BoxMask, EllipseMask, Mask, PolygonMask

SIZE = (128, 96)  # (width, height)


def painted(x0: int = 20, y0: int = 10, x1: int = 40, y1: int = 30, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def refusal(*edits: object, **rest: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Request.model_validate({"edits": list(edits), **rest})
    return explain(caught.value)


def test_box_contains_the_pixels_whose_centres_lie_in_it() -> None:
    mask = BoxMask(box=(2, 1, 5, 3.4)).array((8, 6))
    assert mask.shape == (6, 8)
    assert np.array_equal(np.argwhere(mask), [(y, x) for y in (1, 2) for x in (2, 3, 4)])
    assert not BoxMask(box=(0, 0, 1, 3.4)).array((8, 6))[3:].any()


def test_ellipse_has_the_area_and_the_centre_of_an_ellipse() -> None:
    mask = EllipseMask(ellipse=(20, 10, 100, 60)).array(SIZE)
    assert mask.sum() == pytest.approx(math.pi * 40 * 25, rel=0.01)
    assert np.argwhere(mask).mean(axis=0) + 0.5 == pytest.approx([35, 60])


def test_polygon_agrees_with_the_box_it_draws_and_leaves_out_a_hole() -> None:
    corners = [(3.2, 2.5), (17.9, 2.5), (17.9, 9.1), (3.2, 9.1)]
    box = BoxMask(box=(3.2, 2.5, 17.9, 9.1)).array((20, 14))
    for turn in (corners, corners[::-1]):
        assert np.array_equal(PolygonMask(polygon=turn).array((20, 14)), box)
    star = PolygonMask(polygon=[(10, 1), (14, 13), (2, 5), (18, 5), (6, 13)]).array((20, 14))
    assert star[5, 5]
    assert not star[7, 10]  # the even-odd rule leaves the pentagon out


def test_polygon_may_stick_out_of_the_picture() -> None:
    mask = PolygonMask(polygon=[(-5, -5), (50, -5), (50, 50), (-5, 50)]).array((20, 14))
    assert mask.all()


@pytest.mark.parametrize("make", [lambda m: m, lambda m: m * 1, lambda m: m * 1.0, lambda m: m.astype(np.uint8) * 255])
def test_arrays_are_masks_whatever_their_type(make: object) -> None:
    mask = painted()
    assert np.array_equal(Move(mask=make(mask)).mask.array(SIZE), mask)  # type: ignore[operator]


def test_pil_images_are_masks_and_pictures() -> None:
    image = Image.fromarray(painted())
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    edit = Replace(mask=image, reference=Image.fromarray(picture), reference_mask=image.convert("P"))
    assert np.array_equal(edit.mask.array(SIZE), painted())
    assert np.array_equal(edit.reference.array(), picture)
    assert np.array_equal(edit.reference_mask.array(SIZE), painted())


def test_a_request_survives_json() -> None:
    reference = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    other = painted(10, 10, 30, 40, (80, 60))
    edits = [
        Move(mask=painted(), offset=(10, -4.5), scale=1.2, angle=15, fill_like={"box": (0, 0, 9, 9)}),
        Remove(mask={"ellipse": (3, 3, 20, 30)}),
        Replace(mask={"polygon": [(1, 1), (30, 2), (20, 40)]}, reference=reference, reference_mask=other),
        Paste(reference=reference, reference_mask=other, offset=(3, 4)),
        Drag(handles=[(64, 80), (3, 3)], targets=[(64, 96), (3, 3)], mask=painted()),
        Drag(regions=[([(64, 80), (70, 80), (70, 90.5)], [(60, 80), (70, 82), (70, 90)])]),
        Face(reference=reference, points=17),
    ]
    request = Request(edits=edits, prompt="a cup", seed=3)
    again = Request.model_validate_json(request.model_dump_json())
    assert again == request
    check(again, SIZE)
    assert [edit.kind for edit in again.edits] == ["move", "remove", "replace", "paste", "drag", "drag", "face"]


def test_the_schema_names_every_edit_and_mask_form() -> None:
    text = str(Request.model_json_schema())
    for word in ("move", "remove", "replace", "paste", "drag", "face", "box", "ellipse", "polygon", "png", "sha256"):
        assert f"'{word}'" in text


def test_requests_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Move(mask=painted()).scale = 2.0


BOX = {"box": [1, 1, 9, 9]}


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"kind": "move", "mask": {"box": [3, 3, 1, 1]}}, "edits[0].mask.box: got 3,3,1,1, want x0,y0,x1,y1"),
        ({"kind": "move", "mask": {"circle": [3]}}, "edits[0].mask: give one of box, ellipse, polygon, png"),
        ({"kind": "move", "mask": {"polygon": [[1, 1], [2, 2]]}}, "give at least 3"),
        ({"kind": "move"}, "edits[0].mask: is missing"),
        ({"kind": "shove", "mask": BOX}, "edits[0]: got 'shove', want one of drag, face, move"),
        ({"kind": "move", "mask": BOX, "scale": 0}, "edits[0].scale: got 0, want greater than 0; give such a value"),
        (
            {"kind": "paste", "scale": -1, "reference_mask": BOX, "reference": {"name": "x", "sha256": "0" * 64}},
            "edits[0].scale: got -1",
        ),
        ({"kind": "move", "mask": BOX, "angle": math.nan}, "edits[0].angle: got nan, want a finite number"),
        ({"kind": "move", "mask": BOX, "offset": [math.inf, 0]}, "edits[0].offset[0]: got inf, want a finite number"),
        ({"kind": "remove", "mask": {"path": "m.png"}}, "path is allowed only in files read by the command line"),
        ({"kind": "face", "reference": {"path": "m.png"}}, "path is allowed only in files read by the command line"),
        ({"kind": "remove", "mask": {"png": "abc"}}, "png is not base64"),
        ({"kind": "remove", "mask": {"png": "abcd"}}, "is not a picture that can be read"),
        ({"kind": "remove", "mask": BOX, "feather": 3}, "edits[0].feather: there is no such field"),
        ({"kind": "drag", "handles": [[1, 1]], "targets": [[1, 1], [2, 2]]}, "got 1 handles and 2 targets"),
        ({"kind": "drag", "handles": [], "targets": []}, "edits[0]: nothing is dragged; give handles and targets, or"),
        (
            {"kind": "drag", "handles": [[1, 1]] * 2, "targets": [[1, 1], [2, 2]]},
            "the handle (1, 1) goes to (1, 1) and",
        ),
        ({"kind": "drag", "regions": [[[[1, 1], [9, 1], [9, 9]], [[1, 1], [9, 1], [9, 9], [1, 9]]]]}, "3 corners goes"),
        ({"kind": "drag", "regions": [[[[1, 1], [9, 9], [9, 1], [1, 9]]] * 2]}, "(1, 9) crosses itself; give them in"),
        ({"kind": "drag", "regions": [[[[1, 1], [5, 5], [9, 9]]] * 2]}, "holds less than a pixel; draw it wider"),
        ({"kind": "drag", "regions": [[[[1, 1], [9, 9]]] * 2]}, "give at least 3"),
        ({"kind": "face"}, "no face to imitate"),
        ({"kind": "face", "reference_landmarks": [[1, 1]] * 5}, "reference_landmarks has 5 points; give 68"),
        (
            {"kind": "face", "points": 18, "reference_landmarks": [[1, 1]] * 17},
            "edits[0].points: got 18, want 17 or 68",
        ),
    ],
)
def test_bad_edits_get_one_sentence(edit: dict[str, object], sentence: str) -> None:
    found = refusal(edit)
    assert sentence in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("seed", -1, "seed: got -1, want greater than or equal to 0; give such a value"),
        ("steps", 0, "steps: got 0, want greater than or equal to 1; give such a value"),
        ("count", 0, "count: got 0"),
        ("guidance", math.nan, "guidance: got nan"),
        ("sede", 1, "sede: there is no such field"),
    ],
)
def test_bad_requests_get_one_sentence(field: str, value: object, sentence: str) -> None:
    assert sentence in refusal({"kind": "remove", "mask": BOX}, **{field: value})


def test_the_same_point_twice_is_no_contradiction() -> None:
    Drag(handles=[(1, 1), (1, 1)], targets=[(2, 2), (2, 2)])


def test_points_are_parsed() -> None:
    assert Drag.parse_point("64,80->64,96") == ((64, 80), (64, 96))
    assert Drag.parse_point(" 1.5, 2 ") == ((1.5, 2), (1.5, 2))
    for text in ("64,80->64", "a,b->1,2", "1,2->3,4->5,6", "", "nan,1->2,3"):
        with pytest.raises(ValueError, match="want"):
            Drag.parse_point(text)


def test_regions_are_parsed() -> None:
    text = "10,10 30,10 20,30 -> 10,20 30,20  20,40"
    assert Drag.parse_region(text) == (((10, 10), (30, 10), (20, 30)), ((10, 20), (30, 20), (20, 40)))
    for text in ("10,10 30,10 20,30", "1,1 2,2 3->1,1 2,2 3,3", "a->b"):
        with pytest.raises(ValueError, match="the corners before and after"):
            Drag.parse_region(text)


def test_seventeen_of_the_landmarks_are_selected() -> None:
    landmarks = np.arange(136, dtype=np.float32).reshape(68, 2)
    assert len(set(FACE_17)) == 17
    face = Face(reference_landmarks=[(1, 1)] * 17, points=17)
    assert np.array_equal(face.select(landmarks)[:, 0] / 2, FACE_17)
    assert face.select(landmarks[:17]).shape == (17, 2)
    assert Face(reference_landmarks=[(1, 1)] * 68).select(landmarks).shape == (68, 2)


def test_masks_alone_can_be_validated() -> None:
    assert isinstance(TypeAdapter(Mask).validate_python({"box": [1, 1, 2, 2]}), BoxMask)
