import dataclasses

import numpy as np
import pytest
import torch

from dragkit.editor import Editor
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.methods import METHODS, DragonDiffusion, Job, Warp, default
from dragkit.methods.method import check
from dragkit.previews import preview
from dragkit.references import warped
from dragkit.regions import edited
from dragkit.source import invert
from tiny import SIZE, tiny

BOX = {"box": (8, 8, 24, 24)}
MOVE = Move(mask=BOX, offset=(24, 8))
DRAG = Drag(handles=[(20, 20)], targets=[(23, 21)], mask={"box": (8, 8, 48, 40)})
NOTHING = Drag(handles=[(20, 20)], targets=[(20, 20)], mask={"box": (8, 8, 48, 40)})
QUICK = Warp(strength=0.75)


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    smooth = np.stack([4 * x, 5 * y, 3 * (x + y)], -1) % 256
    return smooth.astype(np.uint8)


@pytest.fixture
def editor(calm):
    return Editor(calm)


def job(model, picture, *edits, method=QUICK, levels=4, seed=0):
    source = invert(model, picture, SIZE, model.schedule(levels), model.embed(["", ""]), depth=method.depth(edits))
    ahead = warped(model, edits, source, depth=method.warp_depth(edits), refine=0)
    generator = torch.Generator().manual_seed(seed)
    return Job(source, edits, [None] * len(edits), source.text, 1.0, generator, ahead)


def last(model, wish, method=QUICK):
    return list(method.run(model, wish))[-1].latents


def test_nothing_asked_gives_the_picture_back_bit_for_bit(editor, picture):
    for edit in (NOTHING, Move(mask=BOX, offset=(0, 0))):
        found = editor(picture, edit, method=QUICK, steps=4, preserve=False)
        assert np.array_equal(np.asarray(found.image), picture)
        assert not found.random


def test_there_is_a_step_for_every_level_from_the_strength_down(calm, picture):
    steps = list(QUICK.run(calm, job(calm, picture, MOVE)))
    assert [step.level for step in steps] == [2, 1, 0]  # of 4, three are made


def test_it_takes_few_passes_and_no_gradient(calm, picture, monkeypatch):
    passes = []
    predict = type(calm).predict
    monkeypatch.setattr(type(calm), "predict", lambda *given: (passes.append(len(given[1])), predict(*given))[1])
    monkeypatch.setattr(torch.autograd, "grad", lambda *_, **__: pytest.fail("a gradient"))
    Editor(calm)(picture, MOVE, method=Warp())
    assert sum(passes) <= 24
    assert sum(passes) == 16  # 7 of 10 levels: up with two passes more for the first two, down with one each


def test_what_no_edit_touches_stays_on_the_pictures_own_path(calm, picture):
    wish = job(calm, picture, MOVE)
    outside = ~torch.as_tensor(edited(MOVE, SIZE)[2::4, 2::4])
    for step in QUICK.run(calm, wish):
        away = (step.latents != wish.warped.latents[step.level]).any(1)[0]
        assert not away[outside & ~_near(outside)].any()
        assert away.any()


def _near(outside):
    """Cells beside those inside."""
    inside = (~outside).float()[None, None]
    return torch.nn.functional.max_pool2d(inside, 3, 1, 1)[0, 0] > 0


def test_holes_alone_are_random(calm, picture):
    same, other = (last(calm, job(calm, picture, MOVE, seed=seed)) for seed in (0, 1))
    assert not torch.equal(same, other)
    assert torch.equal(same, last(calm, job(calm, picture, MOVE, seed=0)))
    first, second = (last(calm, job(calm, picture, DRAG, seed=seed)) for seed in (0, 1))
    assert torch.equal(first, second)
    assert not QUICK.random(job(calm, picture, DRAG))
    assert QUICK.random(job(calm, picture, MOVE))


def test_a_hole_does_not_see_what_moved_away(calm, picture):
    """The keys and values that a hole reads are the same whatever the moved object is like."""
    wish = job(calm, picture, MOVE)
    blind, things = QUICK._places(wish).blind
    fine = SIZE[0] // 4 * SIZE[1] // 4
    assert blind[fine].any()
    assert things[fine].view(12, 16)[4:8, 8:12].all()  # where the box has landed: 32 to 48, 16 to 32
    assert not (blind[fine] & things[fine]).any()


def test_sure_cells_are_held_while_the_noise_is_high(calm, picture):
    wish = job(calm, picture, MOVE)
    held, free = (list(dataclasses.replace(QUICK, held=share).run(calm, wish)) for share in (1.0, 0.0))
    landed = (slice(None), slice(None), slice(5, 7), slice(9, 11))  # cells inside the object where it is now
    for step in held:
        assert torch.allclose(step.latents[landed], wish.warped.latents[step.level][None][landed], atol=1e-5)
    assert not torch.allclose(free[0].latents[landed], wish.warped.latents[2:3][landed], atol=1e-5)


def test_the_noise_may_be_drawn_instead_of_inverted(calm, picture):
    how = dataclasses.replace(QUICK, invert=False)
    wish = job(calm, picture, DRAG, method=how)
    assert not wish.warped.records
    assert how.random(wish)
    other = job(calm, picture, DRAG, method=how, seed=1)
    assert not torch.equal(last(calm, wish, how), last(calm, other, how))


def test_detail_brings_back_what_the_autoencoder_loses(editor, picture):
    shown = preview(picture, MOVE).astype(int)
    landed = (slice(18, 30), slice(34, 46))
    plain, sharp = (
        np.asarray(editor(picture, MOVE, method=dataclasses.replace(QUICK, detail=d), steps=4).image).astype(int)
        for d in (False, True)
    )
    errors = [np.abs(found - shown)[landed].mean() for found in (plain, sharp)]
    assert errors[1] < 0.2 * errors[0]


def test_it_does_all_edits_that_say_where_things_go(editor, picture):
    face = Face(landmarks=_face(), reference_landmarks=[(x + 1, y) for x, y in _face()])
    edits = [
        MOVE,
        Remove(mask={"box": (40, 30, 52, 40)}),
        DRAG,
        Paste(reference=picture[::-1].copy(), reference_mask=BOX),
        face,
    ]
    assert QUICK.kinds == {edit.kind for edit in edits}
    for wishes in (*edits, edits[:4]):
        found = np.asarray(editor(picture, wishes, method=QUICK, steps=4).image)
        assert (found != picture).any()


def _face():
    return [(10.0 + 0.5 * k, 12.0 + k % 7) for k in range(68)]


def test_a_hole_that_leaves_little_is_filled_all_the_same(editor, picture):
    for box in ((0, 0, 64, 44), (2, 2, 64, 48)):
        found = editor(picture, Remove(mask={"box": box}), method=QUICK, steps=4)
        assert np.isfinite(np.asarray(found.image)).all()
    large = Move(mask={"box": (0, 0, 32, 48)}, offset=(32, 0))
    assert (np.asarray(editor(picture, large, method=QUICK, steps=4).image) != picture).any()


def test_an_inpainting_model_is_told_the_hole(picture):
    model = tiny(in_channels=9)
    seen = []
    model.unet.conv_in.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 4:5].clone()))
    found = np.asarray(Editor(model)(picture, MOVE, method=QUICK, steps=4).image)
    assert (found != picture).any()
    assert seen[0].min() == 1  # while it inverts, the whole is a hole
    hole = seen[-1][0, 0]
    assert hole[3, 3] == 1  # what the box left
    assert hole[5, 10] == 0  # the box
    assert hole[-1].max() == 0


@pytest.mark.parametrize("embedded", [None, 8])
def test_a_consistency_model_jumps_from_drawn_noise(picture, embedded):
    model = tiny(time_cond_proj_dim=embedded)
    model.few_steps = True
    wish = job(model, picture, MOVE)
    assert not wish.warped.records
    times = []
    handle = model.unet.register_forward_pre_hook(lambda _, given: times.append(int(given[1])))
    steps = list(QUICK.run(model, wish))
    handle.remove()
    assert times == [749, 749, 499, 499, 249, 249]  # the warped picture, then the edit
    assert torch.isfinite(steps[-1].latents).all()
    outside = ~torch.as_tensor(edited(MOVE, SIZE)[2::4, 2::4])
    known = wish.warped.latents[0][:, outside & ~_near(outside)]
    assert torch.equal(steps[-1].latents[0][:, outside & ~_near(outside)], known)
    with pytest.raises(ValueError, match="few-step"):
        Editor(model)(picture, MOVE, method=DragonDiffusion(), steps=2)


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"strength": 0.0}, {"strength": 1.1}, {"held": 2.0}, {"fresh": -0.1}, {"margin": -1.0}):
        with pytest.raises(ValueError, match="give shares"):
            Warp(**wrong)


def test_it_is_the_method_of_what_it_can_do():
    assert default([MOVE, DRAG]) == "warp"
    assert default([MOVE, Replace(mask=BOX, reference=np.zeros((40, 40, 3), np.uint8), reference_mask=BOX)]) == (
        "dragondiffusion"
    )


def test_words_and_looks_are_not_its_business():
    assert METHODS["warp"] == Warp()
    with pytest.raises(ValueError, match="Warp can do"):
        check(Warp(), [Reprompt(prompt="a blue cup")])
