import dataclasses
import math

import numpy as np
import pytest
import torch

from dragkit.attention import attend, attend_words
from dragkit.edits import Drag, Reprompt
from dragkit.forms import PngMask
from dragkit.methods import METHODS, AttentionDrag, DragDiffusion, Job, MasaCtrl, for_model, masactrl
from dragkit.methods.masactrl import paired_eps
from dragkit.methods.method import check
from dragkit.source import generate, guided_eps, invert, replay
from dragkit.words import collect

SIZE = (64, 48)  # 16x12 latent cells
OLD, NEW = "a red cup", "a blue cup"
OBJECT = {"box": (12, 8, 40, 32)}
EVERYWHERE = {"box": (0, 0, 64, 48)}


def inverted(model, prompt):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    found = invert(model, picture, SIZE, model.schedule(4), model.embed(["", prompt]), refine=6)
    return dataclasses.replace(found, prompt=prompt)


@pytest.fixture(scope="module")
def source(calm):
    return inverted(calm, OLD)


@pytest.fixture(scope="module")
def blank(calm):
    return inverted(calm, "")


@pytest.fixture(scope="module")
def made(calm):
    text = calm.embed(["", OLD])
    found = generate(calm, SIZE, calm.schedule(4), text, 3.0, torch.Generator().manual_seed(1))
    return dataclasses.replace(found, prompt=OLD)


@pytest.fixture
def passes(calm, monkeypatch):
    """Of every pass of the U-Net, how many latents it saw."""
    seen = []
    inner = calm.unet.forward
    monkeypatch.setattr(calm.unet, "forward", lambda z, *a, **k: seen.append(len(z)) or inner(z, *a, **k))
    return seen


def job(model, source, edit, guidance):
    text = torch.cat([source.text[:1], model.embed([edit.prompt])])
    return Job(source, (edit,), [None], text, guidance, torch.Generator())


def result(model, source, method, guidance=3.0, **edit):
    task = job(model, source, Reprompt(**{"prompt": NEW} | edit), guidance)
    return [*method.run(model, task)][-1].latents


def plain(model, source, guidance):
    """Sampling of the new prompt from the source's noise, by nothing but the model."""
    text = torch.cat([source.text[:1], model.embed([NEW])])
    return replay(model, dataclasses.replace(source, text=text, guidance=guidance))


@pytest.mark.parametrize("reference", ["bank", "branch"])
@pytest.mark.parametrize("edit", [{}, {"mask": OBJECT}, {"words": ["cup"]}], ids=["whole", "masked", "words"])
def test_the_same_prompt_without_guidance_gives_the_reconstruction(calm, source, reference, edit):
    """Masks are not nothing: object and background of the picture itself no longer see each other."""
    again = result(calm, source, MasaCtrl(reference=reference), 1.0, prompt=OLD, **edit)
    same = torch.allclose(again, replay(calm, source), atol=1e-3)
    assert same == (not edit)


def test_a_mask_of_everything_is_no_mask(calm, source):
    for method in (MasaCtrl(), MasaCtrl(reference="branch")):
        assert torch.equal(result(calm, source, method, mask=EVERYWHERE), result(calm, source, method))


@pytest.mark.parametrize("options", [{"block": 4}, {"start": 1.0}, {"block": 4, "reference": "branch"}])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_without_control_the_new_prompt_is_sampled(calm, source, options, guidance):
    found = result(calm, source, MasaCtrl(**options), guidance, mask=OBJECT)
    assert torch.allclose(found, plain(calm, source, guidance), atol=1e-5)
    assert not torch.allclose(found, result(calm, source, MasaCtrl(), guidance), atol=1e-3)


def test_control_starts_at_its_step_and_counts_down(calm, source):
    found = list(MasaCtrl(start=0.5).run(calm, job(calm, source, Reprompt(prompt=NEW), 3.0)))
    free = list(MasaCtrl(start=1.0).run(calm, job(calm, source, Reprompt(prompt=NEW), 3.0)))
    assert [s.level for s in found] == [3, 2, 1, 0]
    assert all(s.levels == 4 and s.latents.shape == s.clean.shape == (1, 4, 12, 16) for s in found)
    assert [torch.equal(a.latents, b.latents) for a, b in zip(found, free, strict=True)] == [True, True, False, False]
    assert {0.08 * 50, 0.08 * 25} == {4, 2}  # the published step, and half as far of half as many


@pytest.mark.parametrize("edit", [{}, {"mask": OBJECT, "target_mask": {"box": (20, 8, 60, 44)}}])
def test_bank_and_branch_agree_where_the_source_prompt_is_empty(calm, blank, edit):
    """Both halves of the guidance then see the same source; they differ by what is left of the inversion's error."""
    bank, branch = (result(calm, blank, MasaCtrl(reference=r), 3.0, **edit) for r in ("bank", "branch"))
    assert torch.allclose(bank, branch, atol=1e-3)
    assert not torch.allclose(bank, plain(calm, blank, 3.0), atol=1e-2)


def test_bank_and_branch_differ_in_what_the_unconditional_half_sees(calm, source):
    bank, branch = (result(calm, source, MasaCtrl(reference=r), 3.0) for r in ("bank", "branch"))
    assert not torch.allclose(bank, branch, atol=1e-4)


def test_the_branch_is_the_pair_in_one_batch_fed_with_the_sources_latents(calm, source, passes, monkeypatch):
    result(calm, source, MasaCtrl(start=0.5))
    assert passes == [2, 2, 2, 2]
    seen, inner = [], calm.eps
    monkeypatch.setattr(calm, "eps", lambda z, *a: seen.append(z) or inner(z, *a))
    result(calm, source, MasaCtrl(start=0.5, reference="branch"))
    assert [len(z) for z in seen] == [2, 2, 4, 4]
    assert all(
        torch.equal(z[0], source.latents[n]) and torch.equal(z[2], z[0]) for z, n in zip(seen[2:], (2, 1), strict=True)
    )


def test_of_a_generated_picture_the_branch_gives_it_back_and_another_prompt_another(calm, made):
    branch = MasaCtrl(reference="branch")
    assert torch.allclose(result(calm, made, branch, prompt=OLD), made.latents[:1], atol=1e-4)
    for method in (branch, MasaCtrl(), MasaCtrl(reference="branch", start=0.5)):
        changed = result(calm, made, method)
        assert changed.isfinite().all()
        assert not torch.allclose(changed, made.latents[:1], atol=1e-3)


def test_the_object_sees_the_object_only(calm, source, monkeypatch):
    """With keys and values of the object replaced in the bank, only the object's own cells can tell."""

    rules = []
    monkeypatch.setattr(masactrl, "attend", lambda unet, rule, layers: rules.append(rule) or attend(unet, rule, layers))
    after = {"box": (20, 8, 60, 44)}
    result(calm, source, MasaCtrl(start=0.0), mask=OBJECT, target_mask=after)
    x = torch.randn(2, 192, 32)
    layer = "up_blocks.3.attentions.0.transformer_blocks.0.attn1.processor"
    hidden = rules[0](layer, x, x, x)[3].mask
    there, here = (np.zeros((12, 16), bool) for _ in range(2))
    there[2:8, 3:10], here[2:11, 5:15] = True, True
    assert hidden.shape == (192, 192)
    assert np.array_equal(hidden.numpy(), here.reshape(-1, 1) != there.reshape(1, -1))


def test_a_mask_smaller_than_a_cell_hides_nothing_it_should_not(calm, source):
    dot = np.zeros((48, 64), bool)
    dot[5, 7] = True
    found = result(calm, source, MasaCtrl(start=0.0, block=0), mask=PngMask.of(dot), target_mask=OBJECT)
    assert found.isfinite().all()


@pytest.mark.parametrize(("grid", "reference"), [(1, "bank"), (0.5, "branch"), (0.25, "bank"), (0.125, "branch")])
def test_words_say_where_the_object_is(calm, source, grid, reference, monkeypatch):
    """The map of the source is that of its own prompt's word, the edit's that of the new one's."""
    asked, inner = [], masactrl.word_map
    monkeypatch.setattr(masactrl, "word_map", lambda *a: asked.append(a[1:]) or inner(*a))
    method = MasaCtrl(grid=grid, reference=reference)
    whole = result(calm, source, method)
    assert not asked
    worded = result(calm, source, method, words=["red", "blue"], source_prompt=OLD)
    assert worded.isfinite().all()
    assert not torch.allclose(worded, whole, atol=1e-4)
    shape = (math.ceil(12 * grid), int(16 * grid))
    assert asked == 3 * [(shape, [2, 3, 4], 0), (shape, [2, 3, 4, 5], 1)]


def test_maps_of_words_become_masks_by_threshold_and_nearest_cell(calm, source, monkeypatch):
    look = torch.zeros(2, 3, 4)
    look[0, 1, 2], look[1, 0, :2] = 0.5, 0.05
    monkeypatch.setattr(masactrl, "word_map", lambda *a: look[a[3]])
    task = job(calm, source, Reprompt(prompt=NEW, words=["cup"]), 3.0)
    there, here = MasaCtrl()._objects(calm, task, 4, source.latents[-1:])
    assert {n: int(m.sum()) for n, m in there.items()} == {192: 16, 48: 4, 12: 1, 4: 1}
    assert there[192].view(12, 16)[4:8, 8:12].all()
    assert not any(m.any() for m in here.values())
    _, here = MasaCtrl(threshold=0.05)._objects(calm, task, 4, source.latents[-1:])
    assert here[48].view(6, 8)[:2, :4].all()


def test_with_the_published_settings_the_maps_are_those_of_the_controlled_pass(calm, source):
    """Layers of the words' grid all run before those that are controlled."""
    maps, task = {}, job(calm, source, Reprompt(prompt=NEW, words=["cup"]), 1.0)
    z = source.latents[-1:]
    looked = MasaCtrl()._look(calm, task, 4, z)
    with attend_words(calm.unet, collect(maps)):
        MasaCtrl(start=0).eps(calm, task, 4, z)  # looks as well, with two latents
    controlled = [m for m in maps[12] if len(m) == 1]
    assert len(controlled) == len(looked[12]) == 3
    assert all(torch.allclose(a[0], b[1], atol=1e-6) for a, b in zip(controlled, looked[12], strict=True))


def test_words_cost_a_pass_of_two_at_controlled_levels(calm, source, passes):
    result(calm, source, MasaCtrl(start=0.5), words=["cup"])
    assert passes == [2, 2, 2, 2, 2, 2]
    passes.clear()
    result(calm, source, MasaCtrl(start=0.5, reference="branch"), words=["cup"])
    assert passes == [2, 2, 2, 4, 2, 4]
    passes.clear()
    result(calm, source, MasaCtrl(start=0.5), words=["cup"], mask=OBJECT)  # a mask says more than a word
    assert passes == [2, 2, 2, 2]


def test_words_that_one_prompt_lacks_are_refused(calm, source, blank):
    with pytest.raises(ValueError, match='"a red cup" has no "blue"; name the object in both prompts'):
        result(calm, source, MasaCtrl(), words=["blue"])
    with pytest.raises(ValueError, match='"" has no "cup"'):
        result(calm, blank, MasaCtrl(), words=["cup"])
    assert result(calm, source, MasaCtrl(), words=["red", "blue"], source_prompt=OLD).isfinite().all()  # one in each


def test_everything_is_put_back(calm, source):
    before = dict(calm.unet.attn_processors)
    for step in MasaCtrl().run(calm, job(calm, source, Reprompt(prompt=NEW, words=["cup"]), 3.0)):
        assert not step.latents.requires_grad
        assert calm.unet.attn_processors == before
        if step.level == 1:
            break
    assert calm.unet.attn_processors == before


@pytest.mark.parametrize("edit", [{}, {"mask": OBJECT}, {"words": ["cup"]}])
def test_training_free_drag_without_points_is_the_same(calm, source, edit):
    task = job(calm, source, Reprompt(prompt=NEW, **edit), 3.0)
    drag = AttentionDrag(attend=0.25, block=1)
    ours, theirs = (list(m.run(calm, task))[-1].latents for m in (MasaCtrl(start=0.25, block=1), drag))
    assert torch.equal(ours, theirs)


def test_a_pair_is_guided_as_each_of_it_alone(calm, source):

    text = torch.stack([source.text, calm.embed(["dull", NEW])], 1).flatten(0, 1)
    pair = source.latents[1:3]
    for guidance in (1.0, 3.0):
        found = paired_eps(calm, pair, 500, 0.3, text, guidance)
        alone = [guided_eps(calm, pair[k : k + 1], 500, 0.3, text[k::2], guidance) for k in range(2)]
        assert torch.allclose(found, torch.cat(alone), atol=1e-5)


def test_names_have_the_papers_numbers_and_the_toy_its_own():
    published = METHODS["masactrl"]
    assert published == MasaCtrl()
    assert (published.guidance, published.start * 50, published.block) == (7.5, 4, 2)
    assert (published.grid * 64, published.threshold) == (16, 0.1)
    assert for_model("masactrl", "toy") != published
    for f in dataclasses.fields(MasaCtrl):
        assert f.metadata["help"], f.name
        assert f.metadata["source"], f.name


def test_it_reprompts_and_says_so():
    assert MasaCtrl().kinds == {"reprompt"}
    assert not MasaCtrl().random(None)
    with pytest.raises(ValueError, match="MasaCtrl can do reprompt but not drag"):
        check(MasaCtrl(), [Drag(handles=[(1, 1)], targets=[(2, 2)])])
    with pytest.raises(ValueError, match=r"DragDiffusion can do .* but not reprompt"):
        check(DragDiffusion(), [Reprompt(prompt=NEW)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": -0.1}, {"start": 1.1}, {"block": 5}, {"block": -1}, {"reference": "union"}, {"grid": 0.3},
        {"grid": 0}, {"threshold": 1.5},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="give"):
        MasaCtrl(**wrong)
