"""Counting what work costs, on a U-Net whose parts are known. Latents are 8x12."""

import pytest
import torch

from dragkit.bench import cost
from dragkit.bench.cost import BACKWARD, counted, measured, stages
from dragkit.editor import Editor
from dragkit.features import observe
from hand import FakeEditor, FakeUnet

SHARES = [0.5, 0.25, 0.125, 0.125]  # down, middle, up, rest


def hooks(module):
    return sum(len(part._forward_hooks) for part in module.modules())


def test_a_batch_counts_its_items_and_an_early_stop_what_it_did():
    unet, z = FakeUnet(), torch.zeros(3, 4, 8, 12)
    with counted(unet, SHARES) as done:
        unet(z)
        assert sum(done) == 3
        with observe(unet, [0], stop=True):
            unet(z)
    assert sum(done) == 3 + 3 * 0.875
    assert hooks(unet) == 0


def test_a_backward_counts_twice_the_parts_that_it_goes_through():
    unet = FakeUnet().requires_grad_(False)
    z = torch.ones(1, 4, 8, 12, requires_grad=True)
    with counted(unet, SHARES) as done:
        out = unet(z)
        first = torch.autograd.grad(out.sum(), z, retain_graph=True)[0]
        assert sum(done) == 1 + BACKWARD
        torch.autograd.grad(out.sum(), z)
        assert sum(done) == 1 + 2 * BACKWARD
        done.clear()
        with observe(unet, [0], stop=True) as seen:
            unet(z)
        torch.autograd.grad(seen[0].sum(), z)
        assert sum(done) == 0.875 * (1 + BACKWARD)
    again = torch.autograd.grad(unet(z).sum(), z)[0]
    assert torch.equal(first, again)


def test_weights_are_trained_back_to_the_first_that_learns():
    unet = FakeUnet().requires_grad_(False)
    unet.up_blocks.requires_grad_(True)
    with counted(unet, SHARES) as done:
        unet(torch.zeros(2, 4, 8, 12)).sum().backward()
    assert sum(done) == 2 * (1 + BACKWARD * 0.25)


def test_hooks_are_taken_off_after_an_exception():
    unet = FakeUnet()
    with pytest.raises(KeyError), counted(unet, SHARES):
        raise KeyError
    assert hooks(unet) == 0


def test_shares_are_those_of_the_multiplications():
    shares = cost._shares(FakeEditor(), (48, 32))
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_a_real_unet_is_counted_and_left_as_it_was(tiny):
    editor, size = Editor(tiny), (96, 64)
    z, text = torch.randn(2, 4, 16, 24), tiny.embed(["", ""])
    with torch.no_grad():
        before = tiny.predict(z, 500, text)
        with measured(editor, size) as spent:
            inside = tiny.predict(z, 500, text)
            with observe(tiny.unet, [1], stop=True):
                tiny.predict(z[:1], 500, text[:1])
    assert torch.equal(before, inside)
    shares = cost._shares(editor, size)
    assert len(shares) == len(stages(tiny.unet)) + 1
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0
    assert spent["forwards"] == pytest.approx(2 + sum(shares[:7]))  # four down, the middle, two up
    assert hooks(tiny.unet) == 0


@pytest.mark.skipif(not cost._begin_anew(), reason="no system that tells the peak of a while")
def test_the_peak_is_that_of_the_work_inside(tiny):
    peaks = []
    for mib in (0, 400, 0):
        with measured(Editor(tiny), (96, 64)) as spent:
            torch.ones(mib * 2**18)
        peaks.append(spent["peak_mib"])
    assert peaks[1] == pytest.approx(peaks[0] + 400, abs=60)
    assert peaks[2] == pytest.approx(peaks[0], abs=60)


def test_a_system_that_cannot_tell_leaves_the_peak_out(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "PROC", tmp_path / "none")
    with measured(Editor(tiny), (96, 64)) as spent:
        pass
    assert spent == {"forwards": 0}
