import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dragkit.energy import sample
from dragkit.motion import (
    confidence,
    flow_supervision,
    headings,
    leak,
    moving,
    next_place,
    on_map,
    patch,
    supervision,
    template_loss,
    track,
)

SHAPE = (17, 24)  # (h, w), never square


def noise(seed=0, channels=5, shape=SHAPE):
    return torch.randn(channels, *shape, generator=torch.Generator().manual_seed(seed))


def points(*xy):
    return torch.tensor(xy, dtype=torch.float32)


def test_a_patch_is_a_square_of_cells_round_its_point():
    cells = patch(1, points((4, 2.5)))
    assert cells.shape == (1, 9, 2)
    assert cells[0, 0].tolist() == [3, 1.5]
    assert cells[0, 4].tolist() == [4, 2.5]
    assert cells[0, 5].tolist() == [5, 2.5]  # x runs first


def test_x_goes_along_the_width():
    assert on_map(points((23, 16), (16, 23), (-0.5, 0), (-0.6, 0), (23.5, 0)), noise()).tolist() == [1, 0, 1, 0, 0]


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_a_shifted_map_is_tracked_exactly(dx, dy):
    before = noise()
    now = torch.roll(before, (dy, dx), (1, 2))
    handles = points((10, 8), (6, 9.0))
    found = track(now, sample(before, handles), handles, 3)
    assert torch.equal(found, handles + torch.tensor([dx, dy]))


def test_points_stay_on_a_map_that_says_nothing_and_windows_end_at_the_border():
    flat = torch.ones(3, *SHAPE)
    corners = points((0, 0), (23, 16), (0.4, 15.8))
    assert torch.equal(track(flat, sample(flat, corners), corners, 3), corners)
    now = noise(1)
    assert on_map(track(now, torch.zeros(3, 5), corners, 12), now).all()


@given(st.floats(0.1, 6), st.floats(-20, 20), st.floats(-15, 15))
def test_a_step_is_of_the_stride_and_never_goes_too_far(stride, x, y):
    start, end = points((1, 2)), points((1 + x, 2 + y))
    step = headings(start, end, stride)
    length = min(stride, float(torch.hypot(*(end - start)[0])))
    assert step.norm().item() == pytest.approx(length, abs=1e-4)
    assert torch.isfinite(step).all()


def test_points_within_reach_have_arrived():
    assert moving(points((0, 0), (0, 0), (3, 3)), points((2, 0), (1.9, 0), (3, 3)), 2.0).tolist() == [
        True,
        False,
        False,
    ]


def test_a_constant_map_has_nothing_to_supervise():
    flat = torch.full((4, *SHAPE), 2.0, requires_grad=True)
    at = points((5, 6))
    assert supervision(flat, flat, at, at + 1, 1).item() == 0


def test_supervision_is_the_mean_over_channels_times_the_cells_of_a_patch():
    """On a ramp along x every cell differs by the step from the one a step away, whatever the number of channels."""
    ramp = torch.arange(24.0).expand(7, *SHAPE)
    at = points((10, 8))
    assert supervision(ramp, ramp, at, at + points((1, 0)), 1).item() == pytest.approx(9)
    assert supervision(ramp, ramp, at, at + points((0, 1)), 1).item() == 0
    assert supervision(ramp, ramp, at, at + points((0.5, 0)), 2).item() == pytest.approx(12.5)
    both = at.repeat(2, 1)
    assert supervision(ramp, ramp, both, both + points((1, 0)), 1).item() == pytest.approx(18)


def test_the_patch_left_behind_gets_no_gradient():
    now = noise().requires_grad_(True)
    supervision(now, now, points((5, 8)), points((9, 8)), 1).backward()
    touched = now.grad.abs().sum(0) > 0
    assert touched[7:10, 8:11].all()
    assert touched.sum() == 9


def test_following_the_gradient_moves_a_blob():
    y, x = torch.meshgrid(torch.arange(17.0), torch.arange(24.0), indexing="ij")

    def blob(cx):
        return torch.exp(-((x - cx) ** 2 + (y - 8) ** 2) / 8)[None]

    centre = torch.tensor(10.0, requires_grad=True)
    now = blob(centre)
    supervision(now, now, points((10, 8)), points((11, 8)), 3).backward()
    assert centre.grad < 0  # the loss falls as the blob goes to the right


@given(st.floats(-0.5, 23.4), st.floats(-0.5, 16.4), st.floats(-2, 2), st.floats(-2, 2))
def test_patches_at_the_border_are_finite(x, y, dx, dy):
    now = noise().requires_grad_(True)
    loss = supervision(now, now, points((x, y)), points((x + dx, y + dy)), 3)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(now.grad).all()


def test_an_original_patch_is_kept_as_the_goal():
    """Information-preserving: nothing is left to do where the original patch has arrived, whatever lies there now."""
    before = noise()
    now = torch.roll(before, (0, 4), (1, 2))
    start, end = points((8, 8)), points((12, 8))
    assert supervision(now, before, start, end, 2).item() == pytest.approx(0, abs=1e-5)
    assert supervision(now, now, start, end, 2).item() > 1


def test_a_leak_is_counted_outside_alone():
    before, outside = torch.zeros(1, 4, 3, 5), torch.zeros(3, 5, dtype=torch.bool)
    outside[0, 1:] = True
    after = before.clone()
    after[..., 1:, :] = 7
    assert leak(after, before, outside).item() == 0
    after[0, :, 0, 1] = -2
    assert leak(after, before, outside).item() == 8
    live = torch.ones(1, 4, 3, 5, requires_grad=True)
    leak(live, before, outside).backward()
    assert torch.equal(live.grad[0, 0] != 0, outside)


def test_a_region_that_arrived_needs_no_more():
    before = noise()
    now = torch.roll(before, (2, 3), (1, 2))
    cells = points(*[(x, y) for x in range(6, 12) for y in range(5, 9)])
    assert flow_supervision(now, before, cells, cells - points((3, 2))).item() == pytest.approx(0, abs=1e-4)
    assert flow_supervision(now, before, cells, cells).item() > 1


def test_templates_trust_what_fits():
    assert confidence(0.2, 1.0) == pytest.approx(0.5)
    assert confidence(0.8, 1.0) == pytest.approx(0.1)
    assert confidence(1e9, 1.0) == pytest.approx(0)


def test_a_template_walks_on_stays_or_steps_back():
    before = noise(channels=8)
    place, target = points((8, 8))[0], points((18, 8))[0]
    template = sample(before, patch(2, place[None])[0])
    assert template_loss(before, template[None], place[None], 2).item() == 0

    def go(began, ended, now=before):
        return next_place(now, template, place, target, 2, reach=5, expected=0.4, began=began, ended=ended)

    on, stay, back = go(1, 0.1), go(1, 0.5), go(0.5, 0.6, torch.roll(before, -3, 2))
    assert place[0] < on[0] <= place[0] + 5
    assert torch.equal(stay, place)
    assert back.tolist() == pytest.approx([5, 8])  # the content is there, found again
    assert np.allclose([p[1] for p in (on, stay, back)], 8)
