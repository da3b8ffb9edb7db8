"""Counting what work costs, on a U-Net whose parts are known. Latents are 8x12."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dragkit.attention import Part, attend, inject, record
from dragkit.bench import cost
from dragkit.bench.cost import Shares, counted, measured, shares, stages
from dragkit.editor import Editor
from dragkit.features import observe, resumed, tapped
from hand import FakeEditor, FakeUnet
from tiny import tiny as build

BACK = (0.5, 0.5, 0.25, 0.125)  # forwards in the backward of down, middle, up and the rest
SHARES = Shares((0.5, 0.25, 0.125, 0.125), BACK, 1000.0)
SIZE = (72, 56)


def hooks(module):
    return sum(len(part._forward_hooks) for part in module.modules())


def truth(unet, work):
    """Forwards of a piece of work as torch counts them, operation by operation, the U-Net's whole pass being 1."""
    z, text = torch.zeros(1, 4, 14, 18), torch.zeros(1, 16, 32)
    with sdpa_kernel(SDPBackend.MATH):
        with FlopCounterMode(display=False) as one, torch.no_grad():
            unet(z, 500, encoder_hidden_states=text)
        with FlopCounterMode(display=False) as all_of_it:
            work()
    return all_of_it.get_total_flops() / one.get_total_flops()


def test_a_batch_counts_its_items_and_an_early_stop_what_it_did():
    unet, z = FakeUnet(), torch.zeros(3, 4, 8, 12)
    with counted(unet, SHARES) as done:
        unet(z)
        assert sum(done) == 3
        with observe(unet, [0], stop=True):
            unet(z)
    assert sum(done) == 3 + 3 * 0.875
    assert hooks(unet) == 0


def test_a_backward_counts_the_parts_that_it_goes_through():
    unet = FakeUnet().requires_grad_(False)
    z = torch.ones(1, 4, 8, 12, requires_grad=True)
    with counted(unet, SHARES) as done:
        out = unet(z)
        first = torch.autograd.grad(out.sum(), z, retain_graph=True)[0]
        assert sum(done) == 1 + sum(BACK)
        torch.autograd.grad(out.sum(), z)
        assert sum(done) == 1 + 2 * sum(BACK)
        done.clear()
        with observe(unet, [0], stop=True) as seen:
            unet(z)
        torch.autograd.grad(seen[0].sum(), z)
        assert sum(done) == 0.875 + sum(BACK[:3])
    again = torch.autograd.grad(unet(z).sum(), z)[0]
    assert torch.equal(first, again)


def test_weights_are_trained_back_to_the_first_that_learns():
    unet = FakeUnet().requires_grad_(False)
    unet.up_blocks.requires_grad_(True)
    with counted(unet, SHARES) as done:
        unet(torch.zeros(2, 4, 8, 12)).sum().backward()
    assert sum(done) == 2 * (1 + BACK[2] + BACK[3])


def test_hooks_are_taken_off_after_an_exception(tiny):
    unet, plain = FakeUnet(), cost.attention._SelfAttention.__call__
    with pytest.raises(KeyError), counted(unet, SHARES):
        raise KeyError(cost.attention._SelfAttention.__call__ is not plain)
    assert hooks(unet) == 0
    assert cost.attention._SelfAttention.__call__ is plain


def test_shares_are_those_of_the_multiplications():
    found = shares(FakeEditor().model, (48, 32))
    assert found.forward == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert found.backward == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])  # of the input alone
    assert found.whole == 3 * 2 * 4 * 4 * 8 * 12


def test_shares_are_found_once_for_a_shape(tiny, monkeypatch):
    first = shares(tiny, SIZE)
    assert len(first.forward) == len(first.backward) == len(stages(tiny.unet)) + 1
    assert sum(first.forward) == pytest.approx(1)
    assert 1 < sum(first.backward) < 1.3  # attention is twice its forward, words and timesteps have no gradient
    monkeypatch.setattr(cost, "_shares", None)
    assert shares(tiny, SIZE) is first
    with pytest.raises(TypeError):
        shares(tiny, (64, 64))


def test_a_real_unet_is_counted_and_left_as_it_was(tiny):
    editor, of = Editor(tiny), shares(tiny, SIZE)
    assert editor.canvas(SIZE) == SIZE
    z, text = torch.randn(2, 4, 14, 18), tiny.embed(["", ""])
    with torch.no_grad():
        before = tiny.predict(z, 500, text)
        with measured(editor, SIZE) as spent:
            inside = tiny.predict(z, 500, text)
            with observe(tiny.unet, [1], stop=True):
                tiny.predict(z[:1], 500, text[:1])
    assert torch.equal(before, inside)
    assert spent["forwards"] == pytest.approx(2 + sum(of.forward[:7]))  # four down, the middle, two up
    assert hooks(tiny.unet) == 0


def _guided(unet, text, blocks=(1,)):
    """A gradient that stops at a block, twice through one pass."""
    live = torch.zeros(1, 4, 14, 18).add(0.1).requires_grad_(True)
    with observe(unet, blocks, stop=True) as seen:
        unet(1 * live, 500, encoder_hidden_states=text)
    for again in (True, False):
        torch.autograd.grad(seen[blocks[-1]].square().sum(), live, retain_graph=again)


def _injected(unet, text, own):
    """Attention to another picture's keys, half of them, with a gradient."""
    memory, z = {}, torch.ones(1, 4, 14, 18)
    with torch.no_grad(), attend(unet, record(memory)):
        unet(z, 500, encoder_hidden_states=text)
    live = z.requires_grad_(True)
    keep = {n: torch.arange(n) % 2 == 0 for n in (14 * 18, 7 * 9, 4 * 5, 2 * 3)}
    with attend(unet, inject([Part(memory, keep), Part(memory)], own=own)):
        out = unet(1 * live, 500, encoder_hidden_states=text).sample
    torch.autograd.grad(out.sum(), live)


def _parted(unet, text):
    """Some queries see some keys of another picture, the others all."""
    memory, z = {}, torch.ones(2, 4, 14, 18)
    with torch.no_grad(), attend(unet, record(memory)):
        unet(z[:1], 500, encoder_hidden_states=text)
    some = {n: torch.arange(n) % 3 == 0 for n in (14 * 18, 7 * 9, 4 * 5, 2 * 3)}
    with torch.no_grad(), attend(unet, inject([Part(memory, None, [(some, some)])], own=True)):
        unet(z, 500, encoder_hidden_states=text.expand(2, -1, -1))


def _shared(unet, text):
    """The decoder alone, after a trunk."""
    z = torch.ones(1, 4, 14, 18)
    with torch.no_grad(), tapped(unet) as trunk:
        unet(z, 500, encoder_hidden_states=text)
    with torch.no_grad(), resumed(unet, trunk):
        unet(z, 500, encoder_hidden_states=text)


@pytest.mark.parametrize(
    ("work", "off"),
    [
        (_guided, 1e-3),
        (lambda unet, text: _injected(unet, text, own=True), 1e-3),
        (lambda unet, text: _injected(unet, text, own=False), 0.05),  # nobody asks for its own keys' gradients
        (_parted, 1e-3),
        (_shared, 0.02),  # the first convolution runs again
    ],
    ids=["guided", "injected", "replaced", "parted", "shared"],
)
def test_it_is_what_torch_counts_operation_by_operation(tiny, work, off, monkeypatch):
    monkeypatch.setattr(cost.attention, "FEW", 1)  # so few queries would take a mask otherwise
    text = tiny.embed([""])
    with counted(tiny.unet, shares(tiny, SIZE)) as done:
        work(tiny.unet, text)
    assert sum(done) == pytest.approx(truth(tiny.unet, lambda: work(tiny.unet, text)), rel=off)


def test_what_checkpointing_does_again_counts_again():
    model = build()
    text = model.embed([""])
    plain = sum(shares(model, SIZE).backward)
    model.unet.enable_gradient_checkpointing()
    with counted(model.unet, shares(model, SIZE)) as done:
        _guided(model.unet, text)
    assert sum(shares(model, SIZE).backward) > plain + 0.5
    assert sum(done) == pytest.approx(truth(model.unet, lambda: _guided(model.unet, text)), rel=1e-3)


@pytest.mark.skipif(not cost._begin_anew(), reason="no system that tells the peak of a while")
def test_the_peak_is_that_of_the_work_inside(tiny):
    peaks = []
    for mib in (0, 400, 0):
        with measured(Editor(tiny), SIZE) as spent:
            torch.ones(mib * 2**18)
        peaks.append(spent["peak_mib"])
    assert peaks[1] == pytest.approx(peaks[0] + 400, abs=60)
    assert peaks[2] == pytest.approx(peaks[0], abs=60)


def test_a_system_that_cannot_tell_leaves_the_peak_out(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "PROC", tmp_path / "none")
    with measured(Editor(tiny), SIZE) as spent:
        pass
    assert spent == {"forwards": 0}
