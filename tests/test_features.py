import pytest
import torch

from dragkit.attention import Part, attend, inject, record
from dragkit.features import observe, resumed, tapped


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 4, 10, 18, generator=generator), torch.randn(1, 5, 32, generator=generator)


def test_observing_changes_nothing_and_removes_its_hooks(tiny, inputs):
    z, text = inputs
    with torch.no_grad():
        plain = tiny.predict(z, 300, text)
        with observe(tiny.unet, (1, 2)) as seen:
            assert torch.equal(tiny.predict(z, 300, text), plain)
    assert sorted(seen) == [1, 2]
    assert not any(block._forward_hooks for block in tiny.unet.up_blocks)


def test_an_early_stop_gives_the_same_features_and_skips_the_rest(tiny, inputs):
    z, text = inputs
    ran = []
    handle = tiny.unet.up_blocks[3].register_forward_hook(lambda *_: ran.append(1))
    with torch.no_grad():
        with observe(tiny.unet, (1, 2)) as whole:
            tiny.predict(z, 300, text)
        assert len(ran) == 1
        with observe(tiny.unet, (1, 2), stop=True) as part:
            tiny.predict(z, 300, text)
            raise AssertionError("the pass should have stopped")
    handle.remove()
    assert len(ran) == 1
    assert all(torch.equal(whole[b], part[b]) for b in (1, 2))


def test_other_exceptions_pass_and_hooks_go(tiny):
    with pytest.raises(KeyError), observe(tiny.unet, (0,), stop=True):
        raise KeyError("other")
    assert not any(block._forward_hooks for block in tiny.unet.up_blocks)


def test_gradients_reach_the_latents_and_no_weight(tiny, inputs):
    z, text = inputs
    z = z.clone().requires_grad_(True)
    with observe(tiny.unet, (1, 2), stop=True) as seen:
        tiny.predict(z, 300, text)
    sum(m.square().mean() for m in seen.values()).backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    assert all(p.grad is None for p in tiny.unet.parameters())


def test_a_pass_that_goes_on_from_a_trunk_is_the_whole_pass(tiny, inputs):
    z, text = inputs
    ran = []
    handle = tiny.unet.down_blocks[0].register_forward_hook(lambda *_: ran.append(1))
    before = [*tiny.unet.down_blocks, tiny.unet.mid_block]
    store = {}
    with torch.no_grad(), attend(tiny.unet, record(store)):
        tiny.predict(z + 1, 300, text)  # other keys and values
    with torch.no_grad(), attend(tiny.unet, inject([Part(store)])):
        whole = tiny.predict(z, 300, text)
    live = z.repeat(2, 1, 1, 1).requires_grad_(True)
    with tapped(tiny.unet) as trunk, observe(tiny.unet, (1,), stop=True):
        tiny.predict(live, 300, text.repeat(2, 1, 1))
    assert len(ran) == 3
    with torch.no_grad(), attend(tiny.unet, inject([Part(store)])), resumed(tiny.unet, trunk):
        assert torch.allclose(tiny.predict(z, 300, text), whole, atol=1e-5)
    assert len(ran) == 3  # the encoder did not run again
    with pytest.raises(KeyError), resumed(tiny.unet, trunk):
        raise KeyError("other")
    handle.remove()
    assert [*tiny.unet.down_blocks, tiny.unet.mid_block] == before
    assert not any(block._forward_hooks for block in before)


def test_without_a_trunk_a_pass_runs_whole(tiny, inputs):
    z, text = inputs
    with torch.no_grad(), resumed(tiny.unet, None):
        assert torch.equal(tiny.predict(z, 300, text), tiny.predict(z, 300, text))
