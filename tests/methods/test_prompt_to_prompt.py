from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dragkit.edits import Remove, Reprompt
from dragkit.geometry import Grid
from dragkit.methods import Step
from dragkit.methods.method import Job, check
from dragkit.methods.prompt_to_prompt import PromptToPrompt, _to_itself, _to_words
from dragkit.methods.wording import reword
from dragkit.model import StableDiffusion
from dragkit.regions import edited
from dragkit.schedule import ddim
from dragkit.source import Source, generate, guided_eps, invert
from dragkit.words import collect
from tiny import TOKENS
from tiny import tiny as build
from tiny import tokenizer as letterwise

SIZE = (64, 48)  # 16x12 latent cells
SAID = "a red cup"
PLAIN = PromptToPrompt(guidance=3.0, cross=0, self_attention=0)
WIDE = PromptToPrompt(guidance=3.0, self_attention=0.8, fine=1)  # acts on every layer and nearly every level


@pytest.fixture(scope="module")
def source(calm: StableDiffusion) -> Source:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    found = invert(calm, picture, SIZE, calm.schedule(5), calm.embed(["", SAID]), refine=4)
    return replace(found, prompt=SAID)


@pytest.fixture(scope="module")
def made(calm: StableDiffusion) -> Source:
    """A generated picture."""
    text = calm.embed(["", SAID])
    found = generate(calm, SIZE, calm.schedule(5), text, 3.0, torch.Generator().manual_seed(1))
    return replace(found, prompt=SAID)


def steps(model: StableDiffusion, source: Source, method: PromptToPrompt, edit: Reprompt | str) -> list[Step]:
    wish = Reprompt(prompt=edit) if isinstance(edit, str) else edit
    text = torch.cat([source.text[:1], model.embed([wish.prompt])])
    return list(method.run(model, Job(source, (wish,), [None], text, method.guidance, torch.Generator())))


def last(model: StableDiffusion, source: Source, method: PromptToPrompt, edit: Reprompt | str) -> Tensor:
    return steps(model, source, method, edit)[-1].latents


def off(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("fed", [True, False])
def test_the_same_prompt_gives_the_source(calm, source, made, fed):
    assert off(last(calm, made, replace(WIDE, fed=fed), SAID), made.latents[:1]) < 1e-4
    without = replace(WIDE, fed=fed, guidance=1.0)
    assert off(last(calm, source, without, SAID), source.latents[:1]) < 0.05 * source.latents[0].abs().max()


def sampled(model: StableDiffusion, source: Source, prompt: str, z: Tensor, level: int) -> Tensor:
    """Plain sampling from latents of a level."""
    text, t, alpha = model.embed(["", prompt]), source.schedule.t.tolist(), source.schedule.alpha.tolist()
    with torch.no_grad():
        for n in range(level, 0, -1):
            z = ddim(z, guided_eps(model, z, t[n], alpha[n], text, 3.0), alpha[n], alpha[n - 1])
    return z


def test_without_control_it_is_plain_sampling_of_the_new_prompt(calm, source):
    found = steps(calm, source, PLAIN, "a blue mug")
    z = sampled(calm, source, "a blue mug", source.latents[-1:], 5)
    assert [step.level for step in found] == [4, 3, 2, 1, 0]
    assert off(found[-1].latents, z) < 1e-5
    assert off(z, source.latents[:1]) > 0.01


def test_each_control_acts_in_its_share_of_denoising(calm, source):
    plain = steps(calm, source, PLAIN, "a blue mug")
    for method in (replace(PLAIN, cross=0.4), replace(PLAIN, self_attention=0.4, fine=1)):
        found = steps(calm, source, method, "a blue mug")
        assert off(found[0].clean, plain[0].clean) > 1e-6
        assert source.schedule.share(3) == pytest.approx(0.4)
        z = sampled(calm, source, "a blue mug", found[1].latents, 3)
        assert off(found[-1].latents, z) < 1e-5


def test_only_the_last_item_gets_the_attention_of_the_one_before_it():
    weights = torch.rand(4, 2, 6, TOKENS)
    wording = reword(letterwise(), SAID, "a tan cup", {"cup": 0.0})
    seen: dict[int, list[Tensor]] = {}
    out = _to_words(wording, True, collect(seen))("layer", weights)
    assert torch.equal(out[:3], weights[:3])
    assert torch.equal(out[3, ..., :5], weights[2, ..., :5])
    assert not out[3, ..., 5:8].any()  # a word of weight 0 has no column
    assert torch.equal(seen[6][0], out.mean(1))
    uncrossed = _to_words(wording, False, collect(seen))("layer", weights)
    assert torch.equal(uncrossed[3, ..., :5], weights[3, ..., :5])
    q, k, v = torch.rand(3, 4, 6, 8)
    *mixed, hidden = _to_itself(6)("layer", q, k, v)
    assert hidden is None
    assert torch.equal(mixed[2], v)
    for given, got in zip((q, k), mixed[:2], strict=True):
        assert torch.equal(got[:3], given[:3])
        assert torch.equal(got[3], given[2])
    assert _to_itself(5)("layer", q, k, v)[0] is q  # a finer grid


def test_a_weight_of_one_changes_nothing_and_others_do(calm, source):
    method = replace(WIDE, threshold=0)  # blends nothing
    plain = last(calm, source, method, "a blue cup")
    same = last(calm, source, method, Reprompt(prompt="a blue cup", source_prompt=SAID, words={"blue": 1, "red": 4}))
    assert off(plain, same) < 1e-5
    for factor in (0.0, 4.0):
        wish = Reprompt(prompt="a blue cup", words={"blue": factor})
        assert off(plain, last(calm, source, method, wish)) > 1e-5
        assert (
            off(last(calm, source, PLAIN, "a blue cup"), last(calm, source, replace(PLAIN, threshold=0), wish)) > 1e-5
        )


@pytest.mark.parametrize("method", [WIDE, replace(WIDE, null_text=True), replace(WIDE, source_null=True)])
def test_outside_a_mask_the_latents_are_the_sources(calm, source, method):
    wish = Reprompt(prompt="a blue mug", mask={"box": (12, 8, 36, 30)}, words={"blue": 1})
    inside = torch.as_tensor(Grid(SIZE, (12, 16)).cells(edited(wish, SIZE)))
    assert 0 < inside.sum() < 100
    found = steps(calm, source, method, wish)
    for step in found:
        same = (step.latents == source.latents[step.level]).all(1)[0]  # [h w]
        assert bool(same[~inside].all()) == (step.level < 4)  # from step 1 of 5 on: 0.2
        assert not same[inside].any()


def test_outside_of_where_words_are_looked_for_the_latents_are_the_sources(calm, source):
    wish = Reprompt(prompt="a blue mug", source_prompt=SAID, words=["red", "blue"])
    for method in (replace(WIDE, threshold=0.999, blend=0.5), replace(WIDE, threshold=0.999, grid=0.5)):
        found = steps(calm, source, method, wish)
        same = [(step.latents == source.latents[step.level]).all(1).float().mean() for step in found]
        assert 0 < same[-1] < 1
        assert same[0] == 0
    never = steps(calm, source, replace(WIDE, threshold=0.999, blend=1), wish)
    assert off(never[-1].latents, last(calm, source, WIDE, "a blue mug")) < 1e-5


def test_where_words_are_looked_for_by_hand():
    looks = torch.full((2, 3 * 4, 3), 0.1)  # [source and target, cells of 3x4, words]
    looks[0, 0, 1] = 0.9  # the source looks for word 1 at the upper left
    looks[1, 11, 2] = 0.3  # the target for word 2 at the lower right
    pair, method = torch.zeros(2, 4, 9, 13), PromptToPrompt(threshold=0.5)
    inside = method._looked_at(looks, ([1], [2]), pair)
    assert inside.shape == (1, 1, 9, 13)
    assert inside[0, 0, 0, 0]
    assert inside[0, 0, -1, -1]
    assert not inside[0, 0, 0, -1]
    assert not inside[0, 0, -1, 0]
    assert inside.float().mean() == pytest.approx(8 / 12, abs=0.1)  # pooled: two blocks of 2x2 cells
    assert torch.equal(method._looked_at(looks, ([1], []), pair)[0, 0, :3, :4], torch.ones(3, 4, dtype=torch.bool))
    assert not method._looked_at(looks, ([1], []), pair)[0, 0, -1, -1]
    level = looks + 0.9  # nothing is below half of the most
    assert method._looked_at(level, ([1], [2]), pair).all()
    assert torch.equal(replace(method, stretched=True)._looked_at(level, ([1], [2]), pair), inside)


def test_a_source_that_is_sampled_anew_needs_null_text_and_a_fed_one_does_not(calm, source):
    """Outside a mask everything is the source's: that of its branch."""
    wish = Reprompt(prompt="a blue mug", mask={"box": (12, 8, 36, 30)})
    outside = ~torch.as_tensor(Grid(SIZE, (12, 16)).cells(edited(wish, SIZE)))
    null = source.text[:1]
    near = torch.cat([null, null + 0.1 * torch.randn(null.shape, generator=torch.Generator().manual_seed(0))])
    other = replace(invert(calm, source.picture, SIZE, calm.schedule(3), near, refine=4), prompt=SAID)
    strong = replace(WIDE, guidance=20.0)  # a random model hardly listens to words

    def lost(method: PromptToPrompt) -> float:
        return float((last(calm, other, method, wish) - other.latents[0])[..., outside].square().mean())

    assert lost(strong) == 0
    assert 0 < lost(replace(strong, fed=False, null_text=True)) < 0.2 * lost(replace(strong, fed=False))


def test_the_sources_prompt_as_unconditional_text_keeps_a_real_picture(calm, source):
    near = off(last(calm, source, replace(WIDE, source_null=True), SAID), source.latents[:1])
    assert near < 0.05 * source.latents[0].abs().max()


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_any_aspect_ratio_and_odd_grids(prediction):
    model = build(prediction=prediction)
    size = (72, 56)  # 18x14 latent cells, 9x7 and 5x4 inside
    picture = np.zeros((56, 72, 3), np.uint8)
    source = replace(invert(model, picture, size, model.schedule(2), model.embed(["", SAID])), prompt=SAID)
    for method in (PromptToPrompt(blend=0), PromptToPrompt(blend=0, grid=0.5, fine=0.5, fed=False)):
        found = steps(model, source, method, Reprompt(prompt="a tan cup", source_prompt=SAID, words=["red", "tan"]))
        assert found[-1].latents.shape == (1, 4, 14, 18)
        assert found[-1].latents.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cross": 1.2}, "cross is 1.2"),
        ({"self_attention": -0.1}, "self_attention is -0.1"),
        ({"blend": 2}, "blend is 2"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"fine": 0.3}, "fine is 0.3; give 1, 0.5"),
        ({"grid": 0}, "grid is 0; give 1, 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        PromptToPrompt(**settings)


def test_a_grid_without_attention_to_words_is_refused(source):
    model = build(
        down_block_types=("CrossAttnDownBlock2D", *["DownBlock2D"] * 3),
        up_block_types=(*["UpBlock2D"] * 3, "CrossAttnUpBlock2D"),
    )
    wish = Reprompt(prompt="a blue mug", words=["blue"])
    with pytest.raises(ValueError, match=r"no attention to words on a grid of 0\.25"):
        steps(model, source, PromptToPrompt(), wish)


def test_it_does_reprompts_alone():
    check(PromptToPrompt(), [Reprompt(prompt="x")])
    with pytest.raises(ValueError, match="can do reprompt but not remove"):
        check(PromptToPrompt(), [Remove(mask={"box": (1, 2, 3, 4)})])
