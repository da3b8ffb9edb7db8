"""Probes: edits back and to nothing on boxes whose answer is known, and records that are made once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from dragkit import pictures
from dragkit.bench import dift, metrics, probes
from dragkit.bench.baselines import Row, moved_pixels, nothing, paste
from dragkit.bench.probes import Probe, back, distance, fidelity, joined, null, null_edit, probed, reverse_edit
from dragkit.editor import Editor
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.forms import PngMask
from dragkit.geometry import apply, placement, warp_mask
from dragkit.source import replay, to_picture
from dragkit.toy.still_tasks import png
from hand import SIZE, WAY, FakeEditor, box, colours, painted, sample, scene

MASK = PngMask.of(box(4))
EDITS = {
    "move": Move(mask=MASK, offset=(WAY, 0), scale=1.5, angle=90, fill_like=PngMask.of(box(30))),
    "replace": Replace(mask=MASK, reference=png(painted(box(30), 50)), reference_mask=PngMask.of(box(30))),
    "paste": Paste(reference=png(painted(box(30), 50)), reference_mask=PngMask.of(box(30)), offset=(-20, 0)),
    "drag": Drag(handles=((9.5, 14.5),), targets=((20, 14),), mask=MASK),
    "face": scene("face17").edits[0],
}


@pytest.fixture(autouse=True)
def by_colour(monkeypatch):
    probes._features.cache_clear()
    monkeypatch.setattr(dift, "features", colours)


@pytest.mark.parametrize("kind", EDITS)
def test_a_null_edit_is_of_its_kind_and_asks_pixels_for_nothing(kind):
    found = null_edit(EDITS[kind], painted(box(4)))
    assert type(found) is type(EDITS[kind])
    moved = moved_pixels(painted(box(4)), found)
    assert np.abs(moved.astype(int) - painted(box(4))).max() <= (0 if kind != "replace" else 1)  # its spread is 0


def test_nothing_cannot_be_removed():
    assert null_edit(Remove(mask=MASK), painted(box(4))) is None
    assert reverse_edit(Remove(mask=MASK), SIZE) is None


@given(
    st.tuples(st.floats(-20, 25), st.floats(-12, 12)), st.floats(0.4, 2), st.floats(-180, 180), st.sampled_from((4, 34))
)
def test_the_reverse_of_a_move_takes_every_point_back(offset, scale, angle, x):
    edit = Move(mask=PngMask.of(box(x)), offset=offset, scale=scale, angle=angle)
    forward = placement(box(x), offset, scale, angle)
    assume(warp_mask(box(x), forward, SIZE).sum() > 9)  # the rest may leave the picture
    found = reverse_edit(edit, SIZE)
    again = placement(found.mask.array(SIZE), found.offset, found.scale, found.angle)
    points = np.random.default_rng(0).uniform(0, 32, (5, 2))
    assert apply(again, apply(forward, points)) == pytest.approx(points)
    assert np.array_equal(found.mask.array(SIZE), warp_mask(box(x), forward, SIZE))


def test_points_go_back_by_pairs():
    drag, face = EDITS["drag"], EDITS["face"]
    assert reverse_edit(drag, SIZE) == Drag(handles=drag.targets, targets=drag.handles, mask=MASK)
    found = reverse_edit(face, SIZE)
    assert isinstance(found, Face)
    assert (found.points, found.landmarks, found.reference_landmarks) == (17, face.reference_landmarks, face.landmarks)
    assert reverse_edit(EDITS["paste"], SIZE) is None
    gone = Move(mask=PngMask.of(box(38)), offset=(9.9, 0), scale=0.05)
    assert reverse_edit(gone, SIZE) is None


def test_a_move_there_and_back_is_the_source_and_nothing_is_back_at_once():
    wish = scene()
    row = Row("paste", paste, uses_model=False)
    assert back(None, row, wish, paste(None, wish))["back_error"] < 5  # inpainting rounds
    still = Row("nothing", nothing)
    assert back(None, still, wish, wish.picture) == {"back_error": 0}
    apart = metrics.squared_error(wish.targets[0], wish.picture, wish.destination | wish.revealed)
    assert back(None, still, wish, wish.targets[0]) == {"back_error": apart}
    assert back(None, replace(still, sees_truth=True), wish, wish.picture) == {}
    assert back(None, row, replace(wish, edits=(Remove(mask=MASK),)), wish.picture) == {}


def plain(editor, task, levels=0):
    """Inversion and sampling, wrong by so many levels."""
    source = editor.invert(task.picture, steps=3)
    pixels = to_picture(editor.model.decode(replay(editor.model, source))).astype(int)
    return np.clip(pixels + np.where(pixels > 127, -levels, levels), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("levels", [0, 2])
def test_a_null_edit_is_held_against_plain_inversion_and_sampling(tiny, levels):
    editor = Editor(tiny)
    tiny_area = tiny.area
    asked = []

    def edit(editor, task):
        asked.append(task.edits)
        return plain(editor, task, levels)

    tiny.area = SIZE[0] * SIZE[1]
    try:
        assert null(editor, Row("mine.py", edit, steps=3), scene(), scene().picture) == {"null_error": levels**2}
    finally:
        tiny.area = tiny_area
    assert asked == [(Move(mask=scene().edits[0].mask),)]


def test_giving_the_input_back_is_no_null_edit(tiny):
    with pytest.raises(ValueError, match="does not count"):
        null(Editor(tiny), Row("lazy.py", nothing, steps=2), scene(), scene().picture)
    for row in (Row("paste", paste, uses_model=False), Row("ceiling", nothing, sees_truth=True)):
        assert null(Editor(tiny), row, scene(), scene().picture) == {}


def test_distances_are_those_of_where_handles_are_found_again():
    wish = scene("drag")
    spot = wish.picture.copy()
    spot[14, 9] = (0, 255, 0)
    there = wish.picture.copy()
    there[17, 9 + WAY + 4] = (0, 255, 0)  # (4, 3) px from the target
    wish = replace(wish, picture=spot)
    found = distance(FakeEditor(), Row("mine.py", nothing), wish, there)
    assert found["md"] == pytest.approx(5)
    assert found["region_md"] == pytest.approx(100 * np.hypot(4 / 48, 3 / 32))
    assert "m_md" not in found
    masked = wish.edits[0].model_copy(update={"mask": PngMask.of(np.eye(32, 48, dtype=bool))})
    inside = distance(FakeEditor(), Row("mine.py", nothing), replace(wish, edits=(masked,)), there)
    assert inside["md"] == found["md"]
    assert inside["m_md"] > found["md"]
    assert distance(FakeEditor(), Row("mine.py", nothing), scene(), there) == {}


def test_fidelity_is_of_the_source_and_lpips_of_the_truth(monkeypatch):
    network = torch.nn.Module()
    network.forward = lambda a, b: (a - b).abs().mean()
    monkeypatch.setattr(probes, "perceptual_network", lambda: network)
    wish = scene()
    found = fidelity().ask(None, Row("nothing", nothing), wish, wish.picture)
    assert (found["fidelity"], found["fidelity_224"]) == (1, 1)
    assert found["whole_lpips"] == pytest.approx(
        np.abs(wish.picture / 127.5 - wish.targets[0] / 127.5).mean(), rel=1e-4
    )


def kept(tmp_path):
    one = sample("mine.py", 3.0)
    one.place(tmp_path).parent.mkdir(parents=True)
    pictures.write(one.place(tmp_path).with_suffix(".png"), painted(box(20)))
    return one


def test_a_record_is_made_once_per_weights_and_joined(tmp_path):
    seen = []

    def ask(editor, row, task, picture):
        seen.append(picture)
        return {"md": float(len(seen))}

    one, probe = kept(tmp_path), Probe("distance", ask)
    for weights, want in (("w1", 1), ("w1", 1), ("w2", 2), ("w1", 1)):
        found = probed(FakeEditor(weights), Row("mine.py", nothing), one, probe, scene, tmp_path)
        assert found.metrics == {"changed_error": 3, "md": want}
    assert np.array_equal(seen[0], painted(box(20)))
    assert joined(one, tmp_path, "w2").metrics["md"] == 2
    assert joined(one, tmp_path, "w3") == one


@pytest.mark.parametrize("damage", [None, "", "[]", '{"metrics": 3}'])
def test_troubles_are_kept_by_name_and_tried_again(tmp_path, damage):
    def ask(editor, row, task, picture):
        raise RuntimeError("no\nidea")

    one, bad = kept(tmp_path), Probe("null", ask)
    row = Row("mine.py", nothing)
    found = probed(FakeEditor(), row, one, bad, scene, tmp_path)
    assert found.troubles == {"null": "RuntimeError: no idea"}
    if damage is not None:
        bad.place(one, "w1", tmp_path).write_text(damage)
        assert joined(one, tmp_path, "w1").troubles.keys() == {"null"}
    mended = Probe("null", lambda *_: {"null_error": 1.0})
    found = probed(FakeEditor(), row, one, mended, scene, tmp_path)
    assert (found.troubles, found.metrics["null_error"]) == ({}, 1)


def test_words_are_taken_back_by_the_words_that_were() -> None:
    edit = Reprompt(prompt="a blue cup", source_prompt="a red cup", words={"blue": 2.0})
    assert reverse_edit(edit, SIZE) == Reprompt(prompt="a red cup", source_prompt="a blue cup", words={"blue": 2.0})
    assert null_edit(edit, painted(box(4))) == Reprompt(prompt="a red cup", source_prompt="a red cup")
    untold = Reprompt(prompt="a blue cup")
    assert reverse_edit(untold, SIZE) is None
    assert null_edit(untold, painted(box(4))) is None
