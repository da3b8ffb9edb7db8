import dataclasses

import numpy as np
import pytest
import torch

from dragkit import motion
from dragkit.edits import Drag, Remove
from dragkit.methods import METHODS, DragDiffusion, DragonDiffusion, Job, Step, dragdiffusion, for_model
from dragkit.methods.dragdiffusion import FREEDRAG, GOODDRAG, aims
from dragkit.methods.method import check
from dragkit.source import generate, invert

SIZE = (64, 48)  # 16x12 latent cells, so 64x48 cells of supervision: one pixel each
MASK = {"box": (12, 8, 52, 40)}
DRAG = Drag(handles=[(20.5, 20.5), (40.5, 30.5)], targets=[(32.5, 20.5), (40.5, 30.5)], mask=MASK)
STILL = Drag(handles=[(20.5, 20.5)], targets=[(20.5, 20.5)], mask=MASK)
QUICK = DragDiffusion(rounds=3)


@pytest.fixture(scope="module")
def source(calm):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return invert(calm, picture, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), refine=4)


@pytest.fixture
def passes(calm, monkeypatch):
    """Of every pass of the U-Net, how many latents it saw, and which decoder blocks ran."""
    seen, blocks = [], []
    inner = calm.unet.forward
    monkeypatch.setattr(calm.unet, "forward", lambda z, *a, **k: seen.append(len(z)) or inner(z, *a, **k))
    hooks = [b.register_forward_hook(lambda *_, i=i: blocks.append(i)) for i, b in enumerate(calm.unet.up_blocks)]
    yield seen, blocks
    for hook in hooks:
        hook.remove()


def job(source, *edits, guidance=1.0):
    return Job(source, edits, [None] * len(edits), source.text, guidance, torch.Generator())


def steps(model, source, method, *edits, guidance=1.0) -> list[Step]:
    return list(method.run(model, job(source, *edits, guidance=guidance)))


@pytest.mark.parametrize(
    "method", [DragDiffusion(), GOODDRAG, FREEDRAG, DragDiffusion(region=True), DragDiffusion(hard=True, dragged=0.5)]
)
def test_a_drag_to_where_the_point_is_changes_nothing(calm, source, method):
    found = steps(calm, source, method, STILL)
    scale = source.latents[0].abs().max()
    assert torch.equal(found[0].latents, source.latents[3:4])  # 0.7 of 4 levels is level 3
    assert (found[-1].latents - source.latents[:1]).abs().max() < 0.05 * scale
    assert found[-1].points[0] == pytest.approx((20.5, 20.5))


def test_levels_count_down_from_the_one_that_is_optimised(calm, source):
    found = steps(calm, source, QUICK, DRAG)
    assert [s.level for s in found] == [3] * 4 + [2, 1, 0]
    assert all(s.levels == 4 and s.latents.shape == s.clean.shape == (1, 4, 12, 16) for s in found)
    assert all(len(s.points) == 2 for s in found)
    assert found[0].points == DRAG.handles
    assert len({s.points for s in found[3:]}) == 1
    several = steps(calm, source, dataclasses.replace(QUICK, dragged=0.5), DRAG)
    assert [s.level for s in several] == [3] * 4 + [2] * 5 + [1, 0]


def test_the_published_share_of_levels():
    assert DragDiffusion().lora.steps == 80
    for strength, levels, wanted in ((0.7, 50, 35), (0.75, 50, 38), (0.8, 50, 40), (0.7, 20, 14)):
        assert round(strength * levels) == wanted


def test_only_the_latents_are_optimised_and_everything_is_put_back(calm, source):
    before = dict(calm.unet.attn_processors)
    weights = {n: w.clone() for n, w in calm.unet.state_dict().items()}
    for step in QUICK.run(calm, job(source, DRAG)):
        assert not step.latents.requires_grad
        assert calm.unet.attn_processors == before
        assert not any(b._forward_hooks for b in calm.unet.up_blocks)
        if step.level == 2:
            break
    assert all(p.grad is None and not p.requires_grad for p in calm.unet.parameters())
    assert all(torch.equal(w, weights[n]) for n, w in calm.unet.state_dict().items())


def test_optimising_lowers_the_supervision(calm, source):
    """Towards the unedited picture's features, which hold still, the loss falls from round to round."""
    method = DragDiffusion(rounds=6, preserve=True, within=0.5, search=0, radius=2, stride=6.0)
    aim, task = aims(job(source, DRAG)), job(source, DRAG)
    before = method.look(calm, task, 3, source.latents[3:4], aim).features

    def loss(z):
        return method._pull(aim, before, aim.handles).loss(method.look(calm, task, 3, z, aim).features).item()

    found = [loss(s.latents) for s in steps(calm, source, method, DRAG) if s.level == 3]
    assert found[-1] < 0.9 * found[0]


def test_a_point_is_followed_to_where_its_features_are(calm, source, monkeypatch):
    """Features that a fake network moves by two cells a round carry the handle to within the stopping distance."""
    rounds = []
    inner = DragDiffusion.look

    def look(self, model, task, n, z, aim, stop=False, memory=None):
        seen = inner(self, model, task, n, z, aim, stop, memory)
        if not z.requires_grad:
            return seen
        rounds.append(n)
        moved = torch.roll(start, 2 * (len(rounds) - 1), 2) + 0 * seen.features
        return seen._replace(features=moved)

    task = job(source, Drag(handles=[(20.5, 20.5)], targets=[(32.5, 20.5)]))
    start = inner(DragDiffusion(), calm, task, 3, source.latents[3:4], aims(task)).features
    monkeypatch.setattr(DragDiffusion, "look", look)
    found = [s.points[0] for s in DragDiffusion().run(calm, task) if s.level == 3]
    assert found == [(20.5 + 2 * k, 20.5) for k in range(7)]  # at 30.5 it is 2 cells away, which is not yet there
    assert len(rounds) == len(found)


@pytest.mark.parametrize("options", [{"region": True}, {"template": True, "radius": 2, "stride": 5.0}])
def test_other_pulls_change_the_picture_too(calm, source, options):
    found = steps(calm, source, DragDiffusion(rounds=3, rate=0.1, **options), DRAG)
    assert [s.level for s in found] == [3] * 4 + [2, 1, 0]
    assert found[3].points[0][0] > DRAG.handles[0][0]
    assert (found[-1].latents - source.latents[:1]).abs().mean() > 0.1
    assert found[-1].latents.isfinite().all()


def test_points_are_in_pixels_of_a_picture_of_any_size(calm, source):
    stretched = dataclasses.replace(source, picture=np.zeros((30, 100, 3), np.uint8))
    drag = Drag(handles=[(10, 20)], targets=[(90, 5)])
    aim = aims(job(stretched, drag))
    assert aim.grid.shape == (48, 64)
    assert aim.handles[0].tolist() == pytest.approx([10 * 0.64 - 0.5, 20 * 1.6 - 0.5])
    first = next(QUICK.run(calm, job(stretched, drag)))
    assert first.points[0] == pytest.approx((10, 20), abs=1e-4)


def test_what_is_outside_every_mask_is_protected_and_nothing_without_one(source):
    other = Drag(handles=[(2, 2)], targets=[(4, 4)], mask={"box": (0, 0, 8, 8)})
    outside = aims(job(source, DRAG, other)).outside
    assert outside.shape == (12, 16)
    assert not outside[:2, :2].any()
    assert not outside[2:10, 3:13].any()
    assert outside[10:].all()
    bare = Drag(handles=[(2, 2)], targets=[(4, 4)])
    assert aims(job(source, DRAG, bare)).outside is None


def test_hard_keeps_the_latents_outside_exactly(calm, source):
    outside = aims(job(source, DRAG)).outside
    last = [s for s in steps(calm, source, dataclasses.replace(QUICK, hard=True), DRAG) if s.level == 3][-1]
    changed = (last.latents - source.latents[3:4]).abs().sum(1)[0] > 0
    assert not changed[outside].any()
    assert changed[~outside].any()


def test_the_mask_term_holds_the_outside_better(calm, source):
    def leaked(weight):
        found = steps(calm, source, dataclasses.replace(QUICK, mask=weight, rounds=6), DRAG)
        last = [s for s in found if s.level == 3][-1].latents
        return motion.leak(last, source.latents[3:4], aims(job(source, DRAG)).outside).item()

    assert leaked(100.0) < 0.8 * leaked(0.0)


def test_no_block_runs_whose_output_nobody_reads(calm, source, passes):
    seen, blocks = passes
    for method, drag in (
        (QUICK, DRAG.model_copy(update={"mask": None})),
        (dataclasses.replace(QUICK, hard=True), DRAG),
    ):
        seen.clear()
        blocks.clear()
        steps(calm, source, method, drag)
        assert blocks.count(2) == 1 + 3 + 3  # the original, three rounds, three levels down
        assert blocks.count(3) == 1 + 3
    assert seen == [1] + [1] * 3 + [2] * 3


def test_the_original_is_denoised_untouched_beside_the_edit(calm, source, monkeypatch):
    """The first of the pair is plain sampling; without control the second one would be, too."""
    pairs = []
    inner = DragDiffusion._controlled_eps

    def spy(self, model, task, n, pair, controlled):
        pairs.append(pair[:1])
        return inner(self, model, task, n, pair, controlled)

    monkeypatch.setattr(DragDiffusion, "_controlled_eps", spy)
    controlled = steps(calm, source, QUICK, DRAG)[-1].latents
    for n, original in zip((3, 2, 1), pairs, strict=True):
        assert torch.allclose(original, source.latents[n : n + 1], atol=0.05)
    free = steps(calm, source, dataclasses.replace(QUICK, control=4), DRAG)[-1].latents
    assert not torch.allclose(controlled, free, atol=1e-4)


def test_a_generated_picture_is_dragged_with_guidance(calm, passes):
    made = generate(calm, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), 3.0, torch.Generator().manual_seed(1))
    seen, _ = passes
    seen.clear()
    still = steps(calm, made, DragDiffusion(), STILL, guidance=3.0)
    assert torch.allclose(still[-1].latents, made.latents[:1], atol=1e-3)
    assert seen == [2, 2, 4, 4, 4]
    task = job(made, DRAG, guidance=3.0)
    aim = aims(task)
    joined = DragDiffusion().look(calm, task, 3, made.latents[3:4], aim).features
    plain = DragDiffusion().look(calm, dataclasses.replace(task, guidance=1.0), 3, made.latents[3:4], aim).features
    assert joined.shape[0] == 2 * plain.shape[0]
    assert torch.allclose(joined[len(plain) :], 0.6 * plain, atol=1e-4)  # w / (2 w - 1) = 3/5
    assert steps(calm, made, QUICK, DRAG, guidance=3.0)[-1].latents.isfinite().all()


def test_names_have_their_papers_numbers_and_the_toy_its_own():
    assert METHODS["dragdiffusion"] == DragDiffusion()
    assert for_model("dragdiffusion", "toy") == dragdiffusion.TOY
    assert for_model("gooddrag", "toy") is GOODDRAG
    counts = (GOODDRAG.dragged * 50, GOODDRAG.strength * 50, FREEDRAG.rounds * FREEDRAG.inner)
    assert counts == pytest.approx((7, 37.5, 300))


def test_it_drags_and_says_so():
    assert DragDiffusion().kinds == {"drag", "face"}
    assert "move" in DragonDiffusion().kinds
    check(DragDiffusion(), [DRAG])
    with pytest.raises(ValueError, match="DragDiffusion can do drag, face but not remove"):
        check(METHODS["dragdiffusion"], [DRAG, Remove(mask=MASK)])
    assert not DragDiffusion().random(None)
    for f in dataclasses.fields(DragDiffusion):
        assert f.metadata["help"], f.name
        assert f.metadata["source"], f.name


@pytest.mark.parametrize(
    "wrong", [{"strength": 0}, {"dragged": 0.8}, {"block": 4}, {"inner": 0}, {"stride": 0.0}, {"reference": "both"}]
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match="give"):
        DragDiffusion(**wrong)


def test_a_warped_start_begins_with_everything_in_place(calm, source):
    method = dataclasses.replace(QUICK, start="warp")
    assert (QUICK.warp_depth([DRAG]), method.warp_depth([DRAG])) == (None, 0.7)
    assert method.depth([DRAG]) == 0.7
    picture = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    ahead = invert(calm, picture, SIZE, source.schedule, source.text, depth=0.7)
    first, *_, last = method.run(calm, dataclasses.replace(job(source, DRAG), warped=ahead))
    assert torch.equal(first.latents, ahead.latents[3:4])
    assert np.abs(np.array(first.points) - DRAG.targets).max() <= motion.CELLS  # looked for round the targets
    assert not torch.equal(last.latents, steps(calm, source, QUICK, DRAG)[-1].latents)


def test_a_bank_does_what_a_branch_does_with_one_latent_a_pass(calm, source, passes):
    sizes, found = passes[0], {}
    for reference in ("branch", "bank"):
        sizes.clear()
        found[reference] = steps(calm, source, dataclasses.replace(QUICK, reference=reference), DRAG)[-1].latents
        assert sizes[-3:] == [2 if reference == "branch" else 1] * 3
    scale = float(found["branch"].abs().max())
    assert torch.allclose(found["bank"], found["branch"], atol=0.02 * scale)
    made = generate(calm, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), 2.0, torch.Generator().manual_seed(1))
    sizes.clear()
    steps(calm, made, dataclasses.replace(QUICK, reference="bank"), DRAG, guidance=2.0)
    assert sizes[-3:] == [4] * 3  # a generated picture's halves each need their own
