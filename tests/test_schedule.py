from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from dragkit.schedule import Schedule, belm, belm_back, clean, ddim, eps_from_v

SHAPE = (2, 4, 3, 5)  # latents, never square
SD = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def latents(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_published_alphas() -> None:
    schedule = Schedule.make(50)
    assert schedule.levels == 50
    assert schedule.t[[0, 1, 2, 50]].tolist() == [0, 1, 21, 981]
    assert schedule.alpha[[0, 1, 2, 50]].tolist() == pytest.approx([0.99915, 0.998296, 0.980381, 0.005776], abs=1e-6)
    assert schedule.alpha.dtype == torch.float64


@given(st.integers(1, 999))
def test_grid_ascends_within_the_training_steps(steps: int) -> None:
    schedule = Schedule.make(steps)
    assert len(schedule.t) == len(schedule.alpha) == steps + 1
    assert (schedule.t.diff() > 0).all()
    assert (schedule.alpha.diff() < 0).all()  # so the first inversion move is not the identity
    assert schedule.alpha[-1] > 0
    assert schedule.t[-1] < 1000


@pytest.mark.parametrize("steps", [0, -3, 1000, 2.5, "9", True])
def test_steps_that_do_not_fit(steps: object) -> None:
    with pytest.raises(ValueError, match=r"steps is .* but the model has 1000 noise levels; give 1 to 999 steps"):
        Schedule.make(steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("betas", [(0.0, 0.01), (0.02, 0.01), (0.1, 1.0), (math.nan, 0.1)])
def test_betas_that_make_no_schedule(betas: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="betas"):
        Schedule.make(10, betas)


def test_a_trailing_grid_ends_at_the_noisiest_timestep() -> None:
    assert Schedule.make(4, trailing=True).t.tolist() == [0, 249, 499, 749, 999]
    assert Schedule.make(7, trailing=True).t[-1] == 999


def test_levels_up_to_a_share() -> None:
    schedule = Schedule.make(10)
    assert [schedule.up_to(depth) for depth in (0.0, 0.05, 0.7, 0.71, 1.0)] == [0, 1, 7, 8, 10]
    with pytest.raises(ValueError, match="share of the levels"):
        schedule.up_to(1.1)


def test_shares_of_the_papers_steps() -> None:
    schedule = Schedule.make(50)
    for step in range(51):  # step i counts from the noisy end
        assert schedule.level_at(step / 50) == 50 - step
        assert schedule.share(50 - step) == pytest.approx(step / 50)
    assert Schedule.make(7).level_at(0.5) == 3  # 3.5 moves done: the cleaner of two as near
    for share in (-0.01, 1.01, math.nan):
        with pytest.raises(ValueError, match="share"):
            schedule.level_at(share)
    with pytest.raises(ValueError, match="levels 0 to 50"):
        schedule.share(51)


@pytest.mark.parametrize("steps", [50, 20, 7])
def test_equals_diffusers_both_ways(steps: int) -> None:
    """Same moves as DDIMScheduler and DDIMInverseScheduler, with a stand-in network that depends on z and t."""

    def network(z: torch.Tensor, t: int) -> torch.Tensor:
        return torch.tanh(z) * (1 - t / 2000)

    ours = Schedule.make(steps)
    t, alpha = ours.t.tolist(), ours.alpha.tolist()
    down = DDIMScheduler(**SD)
    down.set_timesteps(steps)
    assert down.timesteps.tolist() == t[:0:-1]
    z = theirs = latents().float()
    for n in range(steps, 0, -1):
        z = ddim(z, network(z, t[n]), alpha[n], alpha[n - 1])
        theirs = down.step(network(theirs, t[n]), t[n], theirs).prev_sample
        assert torch.allclose(z, theirs, atol=2e-5), n
    up = DDIMInverseScheduler.from_config(down.config)
    up.set_timesteps(steps)
    assert up.timesteps.tolist() == t[1:]
    z = theirs = latents(1).float()
    for n in range(1, steps + 1):
        z = ddim(z, network(z, t[n]), alpha[n - 1], alpha[n])
        theirs = up.step(network(theirs, t[n]), t[n], theirs).prev_sample
        assert torch.allclose(z, theirs, atol=2e-5), n


def test_equals_diffusers_with_fresh_noise() -> None:
    down = DDIMScheduler(**SD)
    down.set_timesteps(50)
    schedule, z, eps, noise = Schedule.make(50), latents(), latents(1), latents(2)
    a, b = schedule.alpha[30], schedule.alpha[29]
    sigma = 0.4 * float(((1 - b) / (1 - a) * (1 - a / b)).sqrt())  # eta times DDPM's
    theirs = down.step(eps, int(schedule.t[30]), z, eta=0.4, variance_noise=noise).prev_sample
    assert torch.allclose(ddim(z, eps, a, b, sigma=sigma, noise=noise), theirs, atol=1e-6)


@given(st.floats(0.003, 0.9995), st.floats(0.003, 0.9995))
def test_a_move_and_back_is_nothing(a: float, b: float) -> None:
    z, eps = latents(), latents(1)
    assert torch.allclose(ddim(ddim(z, eps, a, b), eps, b, a), z, atol=1e-11)


def test_constant_noise_round_trip_is_exact() -> None:
    alpha, z, eps = Schedule.make(20).alpha, latents(), latents(1)
    there = z
    for a, b in pairwise(alpha.tolist()):
        there = ddim(there, eps, a, b)
    assert not torch.allclose(there, z, atol=0.1)
    for a, b in pairwise(alpha.flip(0).tolist()):
        there = ddim(there, eps, a, b)
    assert torch.allclose(there, z, atol=1e-12)


def test_guidance_bends_only_the_clean_estimate() -> None:
    z, eps, g, a, b = latents(), latents(1), latents(2), 0.3, 0.35
    bent = ddim(z, eps, a, b, clean_eps=eps + g)
    assert torch.allclose(bent - ddim(z, eps, a, b), -math.sqrt(b) * math.sqrt(1 - a) / math.sqrt(a) * g, atol=1e-12)
    assert torch.equal(ddim(z, eps, a, b, clean_eps=eps), ddim(z, eps, a, b))


def test_sigma_needs_noise_and_room() -> None:
    z = latents()
    with pytest.raises(ValueError, match="no noise is given"):
        ddim(z, z, 0.5, 0.6, sigma=0.1)
    with pytest.raises(ValueError, match="give a smaller sigma"):
        ddim(z, z, 0.5, 0.6, sigma=0.9, noise=z)


def test_v_prediction_converts_back() -> None:
    x0, eps, a = latents(), latents(1), 0.37
    z = math.sqrt(a) * x0 + math.sqrt(1 - a) * eps
    v = math.sqrt(a) * eps - math.sqrt(1 - a) * x0
    found = eps_from_v(v, z, a)
    assert torch.allclose(found, eps, atol=1e-12)
    assert torch.allclose(clean(z, found, a), x0, atol=1e-12)


@given(st.integers(1, 18))
def test_belm_step_is_undone_exactly(n: int) -> None:
    alpha = Schedule.make(20).alpha
    p, c, b = alpha[n + 1], alpha[n], alpha[n - 1]
    above, z, eps = latents(), latents(1), latents(2)
    assert torch.allclose(belm_back(belm(above, z, eps, p, c, b), z, eps, p, c, b), above, atol=1e-9)


def test_belm_follows_a_gaussian_and_round_trips_where_ddim_does_not() -> None:
    """For data N(0, s^2) the flow is known: z / sqrt(a s^2 + 1 - a) stays constant along it."""
    s2, schedule = 0.49, Schedule.make(40)
    a = schedule.alpha.tolist()

    def scale(level: int) -> float:
        return math.sqrt(a[level] * s2 + 1 - a[level])

    def network(z: torch.Tensor, level: int) -> torch.Tensor:
        return z * math.sqrt(1 - a[level]) / scale(level) ** 2

    unit = latents()
    start = unit * scale(0)
    path = [start, ddim(start, network(start, 0), a[0], a[1])]
    for n in range(1, 40):
        path.append(belm_back(path[n - 1], path[n], network(path[n], n), a[n + 1], a[n], a[n - 1]))
    above, z = path[40], path[39]
    for n in range(39, 0, -1):
        above, z = z, belm(above, z, network(z, n), a[n + 1], a[n], a[n - 1])
    assert torch.allclose(z, start, atol=1e-10)

    def plain(z: torch.Tensor) -> torch.Tensor:
        for n in range(1, 41):
            z = ddim(z, network(z, n), a[n - 1], a[n])
        for n in range(40, 0, -1):
            z = ddim(z, network(z, n), a[n], a[n - 1])
        return z

    assert not torch.allclose(plain(start), start, atol=1e-4)
    above, z = unit * scale(40), unit * scale(39)  # sampled from the known flow: near it all the way
    for n in range(39, 0, -1):
        above, z = z, belm(above, z, network(z, n), a[n + 1], a[n], a[n - 1])
    assert torch.allclose(z, start, atol=0.02)
