import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Reprompt
from dragkit.methods import (
    METHODS,
    AttentionDrag,
    DragDiffusion,
    Job,
    MasaCtrl,
    Step,
    attention_drag,
    default,
    for_model,
)
from dragkit.methods.method import check
from dragkit.model import StableDiffusion
from dragkit.source import Source, generate, invert

SIZE = (64, 48)  # 16x12 latent cells
MASK = {"box": (12, 8, 52, 40)}
DRAG = Drag(handles=[(20.5, 20.5), (40.5, 30.5)], targets=[(32.5, 20.5), (40.5, 30.5)], mask=MASK)
STILL = Drag(handles=[(20.5, 20.5)], targets=[(20.5, 20.5)], mask=MASK)
WORDS = Reprompt(prompt="a blue mug")
QUICK = AttentionDrag(attend=0.25, drag=0.5, rounds=2, rate=0.1, guidance=3.0)  # of 4 levels: from level 3, at level 2


@pytest.fixture(scope="module")
def source(calm: StableDiffusion) -> Source:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return invert(calm, picture, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), refine=4)


@pytest.fixture(scope="module")
def made(calm: StableDiffusion) -> Source:
    """A generated picture."""
    return generate(calm, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), 3.0, torch.Generator().manual_seed(1))


def steps(model: StableDiffusion, source: Source, method: AttentionDrag | MasaCtrl, *edits: Edit) -> list[Step]:
    worded = isinstance(edits[0], Reprompt)
    text = torch.cat([source.text[:1], model.embed([edits[0].prompt])]) if worded else source.text
    guidance = source.guidance if source.guidance != 1 else method.weight(edits)
    job = Job(source, edits, [None] * len(edits), text, guidance, torch.Generator())
    return list(method.run(model, job))


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("given", [{}, {"mask": MASK}, {"words": ["mug"]}])
def test_without_points_it_is_masactrl(calm, source, given):
    words, how = Reprompt(prompt=WORDS.prompt, **given), {"grid": 0.5, "threshold": 0.4}
    source = dataclasses.replace(source, prompt="a mug")
    found = steps(calm, source, dataclasses.replace(QUICK, **how), words)
    control = MasaCtrl(start=QUICK.attend, block=QUICK.block, guidance=3.0, **how)
    wanted = steps(calm, source, control, words)
    assert [s.level for s in found] == [3, 2, 1, 0]
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("settings", [{}, {"region": True}, {"hard": True}, {"during": True}, {"attend": 0.75}])
def test_the_preview_is_the_same_request_without_points(calm, source, settings):
    method = dataclasses.replace(QUICK, **settings)
    preview = steps(calm, source, method, WORDS)
    dragged = steps(calm, source, method, WORDS, DRAG)
    assert [s.level for s in dragged] == [3, 2, *[2] * 3, 1, 0]
    for before, after in zip(preview[:2], dragged[:2], strict=True):  # down to step S
        assert torch.equal(before.latents, after.latents)
    assert torch.equal(dragged[2].latents, preview[1].latents)  # where it starts from
    assert distance(dragged[-1].latents, preview[-1].latents) > 0.05
    still = steps(calm, source, method, WORDS, STILL)
    assert torch.equal(still[-1].latents, preview[-1].latents)


@pytest.mark.parametrize("settings", [{}, {"region": True}, {"hard": True}, {"during": True}, {"attend": 0.75}])
def test_a_drag_to_where_the_point_is_changes_nothing(calm, source, settings):
    found = steps(calm, source, dataclasses.replace(QUICK, **settings), STILL)
    assert torch.equal(found[0].latents, source.latents[2:3])
    assert distance(found[-1].latents, source.latents[:1]) < 0.05 * source.latents[0].abs().max()
    assert found[-1].points[0] == pytest.approx((20.5, 20.5))


def test_a_generated_picture_is_dragged_with_its_guidance(calm, made):
    still = steps(calm, made, QUICK, STILL)
    assert torch.allclose(still[-1].latents, made.latents[:1], atol=1e-3)  # each half sees its own
    dragged = steps(calm, made, QUICK, DRAG)[-1].latents
    assert dragged.isfinite().all()
    assert distance(dragged, made.latents[:1]) > 0.05
    preview, with_words = steps(calm, made, QUICK, WORDS), steps(calm, made, QUICK, WORDS, STILL)
    assert torch.equal(preview[-1].latents, with_words[-1].latents)


@pytest.mark.parametrize("words", [(), (WORDS,)], ids=["drag", "prompt and drag"])
def test_the_two_steps_are_independent(calm, source, words):
    """All cells of a grid run, attention before the drag and after; the published grid is 4 to 8 of 50."""
    cells = {}
    for a, s in itertools.product((0.25, 0.5), repeat=2):
        method = dataclasses.replace(QUICK, attend=a, drag=s, rounds=1)
        found = steps(calm, source, method, *words, DRAG)
        assert sum(step.level == 4 * (1 - s) for step in found) == 2 + bool(words)  # two rounds, and the way there
        assert found[-1].latents.isfinite().all()
        cells[a, s] = found[-1].latents
    for a, s in cells:  # a drag alone differs from its source only from S on, so that a smaller A is no other
        same = torch.equal(cells[a, s], cells[0.25, s])
        assert same == (a <= s if not words else a == 0.25)


def test_the_drag_is_that_of_dragdiffusion(calm, source):
    """The same latents from the same level, without attention control and without LoRA."""
    mine = AttentionDrag(drag=0.5, block=4, rounds=2, rate=0.1)
    theirs = DragDiffusion(lora=None, strength=0.5, control=4, rounds=2, rate=0.1)
    found, wanted = (steps(calm, source, method, DRAG) for method in (mine, theirs))
    assert [s.points for s in found] == [s.points for s in wanted]
    assert all(torch.allclose(a.latents, b.latents, atol=1e-5) for a, b in zip(found, wanted, strict=True))


def test_what_it_sees_makes_a_difference(calm, source):
    ends = [
        steps(calm, source, dataclasses.replace(QUICK, **settings), WORDS, DRAG)[-1].latents
        for settings in ({}, {"during": True}, {"edited": True}, {"block": 4}, {"attend": 1.0})
    ]
    for one, other in itertools.combinations(ends[:4], 2):
        assert distance(one, other) > 1e-4
    assert torch.equal(ends[3], ends[4])  # by no block, or never


def test_the_edited_picture_gives_what_a_drag_of_it_would(calm, source):
    """With `edited` the drag goes on as one of the prompt-edited picture that has its trajectory for a source."""
    preview = steps(calm, source, QUICK, WORDS)
    path = torch.cat([s.latents for s in preview[:0:-1]])  # levels 0, 1, 2
    text = torch.cat([source.text[:1], calm.embed([WORDS.prompt])])
    edited = dataclasses.replace(source, latents=path, text=text, guidance=3.0)
    wanted = steps(calm, edited, QUICK, DRAG)
    found = steps(calm, source, dataclasses.replace(QUICK, edited=True), WORDS, DRAG)
    assert torch.equal(found[-1].latents, wanted[-1].latents)


def test_everything_is_put_back_between_steps(calm, source):
    before = dict(calm.unet.attn_processors)
    job = Job(source, (DRAG,), [None], source.text, 1.0, torch.Generator())
    for step in dataclasses.replace(QUICK, during=True).run(calm, job):
        assert not step.latents.requires_grad
        assert calm.unet.attn_processors == before
        assert not any(b._forward_hooks for b in calm.unet.up_blocks)


def test_the_editor_shows_the_preview_pixel_by_pixel(calm):
    picture = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    pin = Drag(handles=[(20, 20)], targets=[(20, 20)])
    results = [
        np.asarray(Editor(calm)(picture, edits, prompt="a mug", method=QUICK, steps=4).image)
        for edits in ([WORDS], [WORDS, pin])
    ]
    assert results[0].shape == (30, 50, 3)
    assert np.array_equal(*results)


def test_a_face_is_dragged_by_its_landmarks(calm, source):
    marks = np.random.default_rng(0).uniform(5, 40, (17, 2))
    still, smile = (
        Face(points=17, landmarks=marks.tolist(), reference_landmarks=(marks + shift).tolist()) for shift in (0, 4)
    )
    assert torch.equal(steps(calm, source, QUICK, still)[0].latents, source.latents[2:3])
    found = steps(calm, source, dataclasses.replace(QUICK, region=True), smile)
    assert len(found[-1].points) == 17
    assert distance(found[-1].latents, source.latents[:1]) > 0.05


def test_levels_that_leave_nothing_to_drag_are_refused(calm, source):
    with pytest.raises(ValueError, match=r"drag is 0\.9, the end of 4 steps; give at most 0\.75"):
        steps(calm, source, dataclasses.replace(QUICK, drag=0.9), DRAG)


@pytest.mark.parametrize("wrong", [{"attend": 1.1}, {"drag": 1.0}, {"drag": -0.1}, {"block": 5}, {"features": 4}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match="give"):
        AttentionDrag(**wrong)


def test_it_needs_no_training_and_says_what_it_can():
    method = METHODS["attention-drag"]
    assert method == AttentionDrag()
    assert for_model("attention-drag", "toy") == attention_drag.TOY
    assert (method.lora, method.random(None), method.weight([DRAG]), method.weight([WORDS, DRAG])) == (
        None, False, 1.0, 7.5,
    )  # fmt: skip
    assert (method.attend * 50, method.drag * 50) == pytest.approx((4, 10))
    assert default([WORDS, DRAG]) == "attention-drag"
    check(method, [WORDS, DRAG])
    with pytest.raises(ValueError, match="AttentionDrag can do drag, face, reprompt but not move"):
        check(method, [Move(mask=MASK)])
    for f in dataclasses.fields(AttentionDrag):
        assert f.metadata["help"], f.name
        assert f.metadata["source"], f.name


def test_a_warped_start_begins_with_everything_in_place(calm, source):
    method = dataclasses.replace(QUICK, start="warp")
    assert (QUICK.warp_depth([DRAG]), method.warp_depth([DRAG])) == (None, 0.5)
    picture = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    ahead = invert(calm, picture, SIZE, source.schedule, source.text, depth=0.5)
    wish = Job(source, [DRAG], [None], source.text, 1.0, torch.Generator(), ahead)
    assert torch.equal(next(method.run(calm, wish)).latents, ahead.latents[2:3])
    with pytest.raises(ValueError, match="start is warp"):
        check(method, [WORDS, DRAG])


def test_a_drag_reads_the_source_no_further_than_its_step(source):
    assert (QUICK.depth([DRAG]), QUICK.depth([WORDS])) == (0.5, 1.0)
