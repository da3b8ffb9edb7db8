import dataclasses

import numpy as np
import pytest
import torch

from dragkit.attention import decoder_layers
from dragkit.editor import Editor
from dragkit.edits import Drag, Move
from dragkit.energy import Table
from dragkit.features import observe, resumed
from dragkit.methods import METHODS, DragonDiffusion, Job, dragondiffusion, for_model
from dragkit.methods.dragondiffusion import DIFFEDITOR
from dragkit.plans import make_plans
from dragkit.schedule import ddim
from dragkit.source import generate, invert

SIZE = (64, 48)
OBJECT = {"box": (8, 8, 24, 24)}
MOVE = Move(mask=OBJECT, offset=(24, 8))


@pytest.fixture(scope="module")
def source(calm):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return invert(calm, picture, SIZE, calm.schedule(5), calm.embed(["", "a mug"]), refine=6)


def last(model, source, method, *edits, guidance=1.0, seed=0):
    job = Job(source, edits, [None] * len(edits), source.text, guidance, torch.Generator().manual_seed(seed))
    return list(method.run(model, job))[-1].latents


def test_a_null_edit_without_guidance_gives_the_picture_back(calm, source):
    z = last(calm, source, DragonDiffusion(strength=0.0), Move(mask=OBJECT))
    scale = source.latents[0].abs().max()
    assert (z - source.latents[:1]).abs().max() < 0.05 * scale


def test_steps_count_down_to_the_picture(calm, source):
    job = Job(source, (MOVE,), [None], source.text, 1.0, torch.Generator())
    steps = list(DragonDiffusion().run(calm, job))
    assert [s.level for s in steps] == [4, 3, 2, 1, 0]
    assert all(s.levels == 5 and s.latents.shape == (1, 4, 12, 16) for s in steps)


def test_everything_is_put_back(calm, source):
    before = dict(calm.unet.attn_processors)
    for _ in DragonDiffusion().run(calm, Job(source, (MOVE,), [None], source.text, 1.0, torch.Generator())):
        break
    assert calm.unet.attn_processors == before
    assert not any(block._forward_hooks for block in calm.unet.up_blocks)
    assert all(p.grad is None for p in calm.unet.parameters())


def maps(features):
    return [features[block][0] for block in (1, 2)]


def test_guidance_lowers_the_energy(calm, source):
    """The latents guided towards the table's rows fulfil them better than the unguided ones."""
    method = DragonDiffusion(inject=(1.0, 1.0))
    job = Job(source, (MOVE,), [None], source.text, 1.0, torch.Generator())
    plan = make_plans(method, job)[0]

    def measure(z):
        with torch.no_grad(), observe(calm.unet, (1, 2), stop=True) as seen:
            calm.predict(z, int(source.schedule.t[1]), source.text[1:])
        return Table(plan.inner, plan.grid.shape).energy(maps(seen), [maps(source.records[0].features)]).item()

    guided = dataclasses.replace(method, strength=0.01, guided=(0.0, 1.0))
    unguided = dataclasses.replace(method, strength=0.0)
    assert measure(last(calm, source, guided, MOVE)) < measure(last(calm, source, unguided, MOVE))


def test_guided_noise_acts_only_in_the_clean_estimate():
    """Difference to the plain step: -sqrt(A') sqrt(1 - A) / sqrt(A) g."""
    generator = torch.Generator().manual_seed(0)
    z, eps, g = (torch.randn(1, 4, 3, 5, generator=generator, dtype=torch.float64) for _ in range(3))
    a, b = 0.3, 0.4
    change = ddim(z, eps, a, b, clean_eps=eps + g) - ddim(z, eps, a, b)
    assert torch.allclose(change, -((b * (1 - a) / a) ** 0.5) * g)


def test_windows_follow_the_number_of_steps():
    def guided(method, levels):
        return [levels - n for n in range(levels, 0, -1) if method._guides(n, levels)]

    assert guided(DragonDiffusion(), 50) == list(range(30))
    assert guided(DragonDiffusion(), 10) == list(range(6))
    assert guided(DIFFEDITOR, 50) == [*range(10), *range(10, 30, 2)]
    assert guided(DIFFEDITOR, 25) == [0, 1, 2, 3, 4, 5, 7, 9, 11, 13]


def test_regional_noise_changes_with_the_seed_and_only_then_is_random(calm, source):
    job = Job(source, (MOVE,), [None], source.text, 1.0, torch.Generator())
    assert DIFFEDITOR.random(job)
    assert not DragonDiffusion().random(job)
    assert DragonDiffusion(fresh=0.5).random(job)
    assert not DragonDiffusion(fresh=0.5).random(
        dataclasses.replace(job, edits=(Drag(handles=[(9, 9)], targets=[(20, 9)]),))
    )
    noisy = dataclasses.replace(DIFFEDITOR, noisy=(0.0, 1.0))
    assert not torch.equal(last(calm, source, noisy, MOVE, seed=0), last(calm, source, noisy, MOVE, seed=1))
    assert torch.equal(last(calm, source, noisy, MOVE, seed=1), last(calm, source, noisy, MOVE, seed=1))


def test_time_travel_makes_three_guided_passes_and_two_re_noisings(calm, source, monkeypatch):
    calls = []
    inner = calm.unet.forward
    monkeypatch.setattr(calm.unet, "forward", lambda *a, **k: calls.append(1) or inner(*a, **k))
    once = DragonDiffusion(travel=(0.2, 0.4))
    last(calm, source, once, MOVE)
    plain, calls[:] = len(calls), []
    last(calm, source, dataclasses.replace(once, repeats=3), MOVE)
    assert len(calls) == plain + 2 * 2 + 2  # each further pass: features and noise; each but the last goes back up


def test_the_branch_of_a_generated_picture_is_its_bank(calm):
    """A generated trajectory is denoised exactly as it was made, so both references agree."""
    made = generate(calm, SIZE, calm.schedule(4), calm.embed(["", "a mug"]), 2.0, torch.Generator().manual_seed(1))
    bank = last(calm, made, DragonDiffusion(reference="bank"), MOVE, guidance=2.0)
    branch = last(calm, made, DragonDiffusion(reference="branch"), MOVE, guidance=2.0)
    assert torch.allclose(bank, branch, atol=1e-3)


def test_injection_touches_the_decoder_from_its_share_on(calm, source, monkeypatch):
    seen = []
    inner = dragondiffusion.attend
    monkeypatch.setattr(dragondiffusion, "attend", lambda unet, rule: seen.append(rule) or inner(unet, rule))
    method = DragonDiffusion(inject=(0.4, 1.0))
    last(calm, source, method, MOVE)
    layer = decoder_layers(calm.unet)[0]
    k, v = (x + 1 for x in source.records[0].memory[layer])
    replaced = [not torch.equal(rule(layer, k, k, v)[1], k) for rule in seen]
    assert replaced == [False, False, True, True, True]


def test_settings_are_checked_and_known_by_name():
    with pytest.raises(ValueError, match="bank"):
        DragonDiffusion(reference="cloud")
    with pytest.raises(ValueError, match="dragondiffusion"):
        for_model("dragonfly", "toy")
    assert for_model("diffeditor", "somebody/model") is METHODS["diffeditor"]
    for f in dataclasses.fields(DragonDiffusion):
        assert f.metadata["help"], f.name
        assert f.metadata["source"], f.name


@pytest.mark.parametrize(("reference", "blocks"), [("bank", (1,)), ("bank", (2,)), ("branch", (0, 3))])
def test_the_levels_that_guide_are_a_setting(calm, source, reference, blocks):
    some = DragonDiffusion(reference=reference, blocks=blocks)
    z = last(calm, source, some, MOVE)
    assert z.isfinite().all()
    assert not torch.equal(z, last(calm, source, dataclasses.replace(some, blocks=(1, 2)), MOVE))


@pytest.mark.parametrize("blocks", [(), (1, 1), (0,), (4,)])
def test_levels_that_a_bank_does_not_have_are_refused(blocks):
    with pytest.raises(ValueError, match="blocks is"):
        DragonDiffusion(blocks=blocks)


def _seen(monkeypatch, model):
    """Numbers of items of the passes, and whether their encoder ran."""
    passes, trunks = [], []
    inner = model.unet.forward
    monkeypatch.setattr(model.unet, "forward", lambda x, *a, **k: passes.append(len(x)) or inner(x, *a, **k))
    block = model.unet.down_blocks[0]
    whole = block.forward
    monkeypatch.setattr(block, "forward", lambda *a, **k: trunks.append(1) or whole(*a, **k))
    return passes, trunks


def test_the_noises_pass_goes_on_from_the_guidances_encoder(calm, source, monkeypatch):
    passes, trunks = _seen(monkeypatch, calm)
    shared = last(calm, source, DragonDiffusion(), MOVE)
    assert passes == [1] * (5 + 3)  # three of five levels guide
    assert len(trunks) == 5
    monkeypatch.setattr(dragondiffusion, "resumed", lambda unet, trunk: resumed(unet, None))
    assert torch.allclose(shared, last(calm, source, DragonDiffusion(), MOVE), atol=1e-4)
    assert len(trunks) == 5 + 8


def test_two_halves_of_a_guidance_share_no_encoder(calm, source, monkeypatch):
    passes, trunks = _seen(monkeypatch, calm)
    last(calm, source, DragonDiffusion(), MOVE, guidance=3.0)
    assert sorted(passes) == [1] * 3 + [2] * 5
    assert len(trunks) == 8


def test_energies_at_once_have_the_gradients_of_energies_one_by_one(calm, source, monkeypatch):
    method, edit = DragonDiffusion(), MOVE
    apart = last(calm, source, method, edit)
    monkeypatch.setattr(type(calm), "at_once", True)
    passes, _ = _seen(monkeypatch, calm)
    at_once = last(calm, source, method, edit)
    assert sorted(passes) == [1] * 5 + [2] * 3
    assert torch.allclose(at_once, apart, atol=1e-4 * float(apart.abs().max()))


def test_where_pixels_move_things_first_only_their_picture_is_inverted(calm, monkeypatch):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    passes, _ = _seen(monkeypatch, calm)
    before = {}
    for start in ("source", "warp"):
        Editor(calm)(picture, MOVE, method=DragonDiffusion(guidance=1.0, start=start), steps=5)
        before[start], passes[:] = sum(passes), []
    assert before["warp"] == before["source"]


def test_one_gradient_of_all_energies_is_the_sum_of_theirs(calm, source):
    plans = make_plans(DragonDiffusion(), Job(source, (MOVE,), [None], source.text, 1.0, torch.Generator()))
    live = source.latents[3:4].clone().requires_grad_(True)
    with observe(calm.unet, (1, 2), stop=True) as seen:
        calm.predict(live, 500, source.text[1:])
    tables = [Table(rows, plans[0].grid.shape) for rows in (plans[0].inner, plans[0].outer)]
    then = [maps(source.records[2].features)]
    energies = [table.energy(maps(seen), then) for table in tables]
    both = dragondiffusion._gradients(energies, live)
    with observe(calm.unet, (1, 2), stop=True) as seen:
        calm.predict(live, 500, source.text[1:])
    total = Table([*plans[0].inner, *plans[0].outer], plans[0].grid.shape).energy(maps(seen), then)
    (joint,) = dragondiffusion._gradients([total], live)
    assert torch.allclose(both[0] + both[1], joint, atol=1e-4 * float(joint.abs().max()))
