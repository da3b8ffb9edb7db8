"""Metrics of pictures, on cases whose answer is known by hand. Pictures are 48x32 px."""

import sys
import types

import numpy as np
import pytest
import torch

from dragkit.bench import metrics
from dragkit.bench.intervals import TALK
from dragkit.bench.metrics import (
    background_error,
    colour_error,
    ghosting,
    image_fidelity,
    nearest,
    pattern_error,
    psnr,
    squared_error,
    ssim,
    untouched,
)

H, W = 32, 48
ALL = np.ones((H, W), bool)
LEFT = np.arange(W) < 12  # a quarter


def plain(*colour):
    return np.full((H, W, 3), colour, np.uint8)


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (H, W, 3), np.uint8)


def region(columns):
    return np.broadcast_to(columns, (H, W)).copy()


def stripes(period, phase=0, along="x", low=60, high=180):
    y, x = np.mgrid[0:H, 0:W]
    wave = ((x if along == "x" else y) + phase) % period < period // 2
    return np.repeat(np.where(wave, high, low)[..., None], 3, 2).astype(np.uint8)


# --- to the target ---


def test_squared_error_counts_only_its_pixels():
    a, b = plain(10, 10, 10), plain(10, 10, 10)
    b[:, :12] = (13, 6, 10)  # squared 9, 16, 0; levels below it must not wrap round
    assert squared_error(a, b, region(LEFT)) == squared_error(b, a, region(LEFT)) == pytest.approx(25 / 3)
    assert squared_error(a, b, ALL) == pytest.approx(25 / 12)
    assert squared_error(a, b, region(~LEFT)) == 0
    assert background_error(a, b, region(LEFT)) == 0
    assert background_error(a, b, region(~LEFT)) == pytest.approx(25 / 3)


def test_psnr_of_known_errors():
    assert psnr(plain(0, 0, 0), plain(255, 255, 255), ALL) == 0
    assert psnr(plain(100, 100, 100), plain(110, 110, 110), ALL) == pytest.approx(28.1308, abs=1e-4)
    assert psnr(noise(), noise(), ALL) == np.inf


def test_the_nearest_of_several_targets_is_chosen_by_the_region():
    first, second = plain(0, 0, 0), plain(50, 50, 50)
    first[:, :12] = 50
    second[:, :12] = 0
    picture = plain(40, 40, 40)
    assert nearest(picture, [first, second], region(LEFT)) is first
    assert nearest(picture, [first, second], ALL) is second
    with pytest.raises(ValueError, match="no target"):
        nearest(picture, [], ALL)


def test_ssim_of_equal_and_of_plain_pictures():
    assert ssim(noise(), noise(), region(LEFT)) == 1
    # of plain pictures only the term of means is left: (2 a b + C1) / (a^2 + b^2 + C1)
    c1 = (0.01 * 255) ** 2
    known = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(plain(100, 100, 100), plain(150, 150, 150), ALL) == pytest.approx(known, abs=1e-9)
    assert abs(ssim(noise(0), noise(1), ALL)) < 0.1


def test_ssim_sees_at_most_5_px_beyond_its_region():
    a, b = noise(0), noise(0)
    b[:, 12 + 5 :] = noise(1)[:, 12 + 5 :]
    assert ssim(a, b, region(LEFT)) == 1
    b[:, 12:] = noise(1)[:, 12:]
    assert 0.5 < ssim(a, b, region(LEFT)) < 1
    assert ssim(a, b, region(~LEFT)) < 0.2


# --- of the edit ---


def test_ghosting_is_the_share_of_the_object_that_is_left():
    source, target, gone = noise(0), plain(90, 120, 150), region(LEFT)
    half = ((source.astype(int) + target) // 2).astype(np.uint8)
    assert ghosting(source, source, target, gone) == 1
    assert ghosting(target, source, target, gone) == 0
    assert ghosting(half, source, target, gone) == pytest.approx(0.5, abs=0.01)
    assert ghosting(noise(7), source, target, gone) < 0.15  # wrong, but no ghost
    overshot = (2 * target.astype(int) - source).clip(0, 255).astype(np.uint8)
    assert ghosting(overshot, source, target, gone) == 0  # cut
    with pytest.raises(ValueError, match="equal in the revealed area"):
        ghosting(source, target, target, gone)


def test_untouched_is_the_source_and_its_round_trip_but_no_edit():
    source = noise()
    rounded = (source.astype(int) + np.where(source > 128, -1, 1)).astype(np.uint8)
    edited = source.copy()
    edited[:, :2] = 255 - edited[:, :2]  # a twelfth of the region turned round
    assert untouched(source, source, region(LEFT))
    assert untouched(rounded, source, region(LEFT))
    assert not untouched(edited, source, region(LEFT))
    assert untouched(edited, source, region(~LEFT))
    trip = (source // 32 * 32 + 16).astype(np.uint8)  # stands for a coarse autoencoder: squared error about 85
    error = squared_error(trip, source, ALL)
    assert not untouched(trip, source, ALL)
    assert untouched(trip, source, ALL, round_trip=error)
    assert not untouched(trip, source, ALL, round_trip=error / TALK)


# --- colours and patterns ---


def test_lines_see_all_colours_alike():
    assert metrics.LINES.shape == (13, 3)
    moments = metrics.LINES.T @ metrics.LINES / 13
    assert moments == pytest.approx(np.eye(3) / 3, abs=1e-12)


def test_colour_error_of_plain_colours_is_the_squared_error():
    a, b = plain(10, 200, 30), plain(40, 180, 30)
    assert colour_error(a, ALL, b, ALL) == pytest.approx((900 + 400) / 3)
    assert colour_error(a, region(LEFT), b, ALL) == pytest.approx((900 + 400) / 3)  # regions of any size
    assert pattern_error(a, ALL, b, ALL) == 0


def test_colour_error_ignores_where_the_colours_are():
    a = noise()
    shuffled = np.random.default_rng(1).permutation(a.reshape(-1, 3)).reshape(a.shape)
    assert colour_error(a, ALL, shuffled, ALL) == 0
    assert squared_error(a, shuffled, ALL) > 5000
    other = (noise(2) // 2).astype(np.uint8)
    assert 0 < colour_error(a, ALL, other, ALL) < squared_error(a, other, ALL)
    # half black and half white to grey: each pixel of a channel moves by 100, in whatever order
    halves = plain(0, 0, 0)
    halves[:, ::2] = 200
    assert colour_error(halves, ALL, plain(100, 100, 100), ALL) == pytest.approx(100**2)


@pytest.mark.parametrize("phase", [1, 3, 4])
def test_a_shifted_pattern_is_the_same_and_another_is_not(phase):
    y, x = np.mgrid[0:H, 0:W]
    disc = (x - 23) ** 2 + (y - 15) ** 2 < 14**2
    wanted, shifted = stripes(8), stripes(8, phase)
    shift = pattern_error(shifted, disc, wanted, disc) + colour_error(shifted, disc, wanted, disc)
    for other in (stripes(16), stripes(8, along="y"), stripes(4), plain(120, 120, 120)):
        assert pattern_error(other, disc, wanted, disc) > 15 * shift
    recoloured = wanted.copy()
    recoloured[..., 2] //= 2
    assert colour_error(recoloured, disc, wanted, disc) > 5 * shift
    assert squared_error(shifted, wanted, disc) > 15 * shift  # what phase would have cost


def test_pattern_error_by_hand():
    # along x, 1 px stripes of 0 and 60: differences of +-60 at odd steps, of which there is only 1 px in x, and 0 else;
    # to plain: 3 of 4 directions of the first octave cross a stripe, so 3 of the 16 steps
    fine = np.repeat(np.where(np.arange(W) % 2, 60, 0)[None, :, None], H, 0).repeat(3, 2).astype(np.uint8)
    assert pattern_error(fine, ALL, plain(0, 0, 0), ALL) == pytest.approx(60**2 * 3 / 16)


def test_a_region_at_the_border_or_too_small_for_long_steps():
    thin = np.zeros((H, W), bool)
    thin[:, -2:] = True
    assert pattern_error(noise(), thin, noise(), thin) == 0
    assert pattern_error(noise(), thin, noise(3), thin) > 0
    dot = np.zeros((H, W), bool)
    dot[0, 0] = True
    with pytest.raises(ValueError, match="larger region"):
        pattern_error(noise(), dot, noise(), ALL)


# --- what is refused ---


@pytest.mark.parametrize("metric", [squared_error, psnr, ssim, untouched, background_error])
def test_wrong_pictures_and_regions_are_refused(metric):
    with pytest.raises(ValueError, match="give uint8"):
        metric(noise() / 255.0, noise(), region(LEFT))
    with pytest.raises(ValueError, match="48x32 and 32x48 px"):
        metric(noise(), noise().transpose(1, 0, 2), region(LEFT))
    with pytest.raises(ValueError, match=r"give bool \[32, 48\]"):
        metric(noise(), noise(), region(LEFT).T)
    with pytest.raises(ValueError, match="no pixels"):
        metric(noise(), noise(), ALL if metric is background_error else ~ALL)


def test_ssim_needs_room_for_its_window():
    small = noise()[:8]
    with pytest.raises(ValueError, match="48x8 px; SSIM needs 11"):
        ssim(small, small, ALL[:8])


# --- perceptual ---


def test_image_fidelity_hands_over_what_the_papers_hand_over():
    seen = []

    def network(a, b):
        seen.append((a, b))
        return torch.full((1, 1, 1, 1), 0.25)

    white, black = plain(255, 255, 255), plain(0, 0, 0)
    assert image_fidelity(network, white, black) == 0.75
    assert image_fidelity(network, white, black, side=224) == 0.75
    assert metrics.fidelities(network, white, black) == {"fidelity": 0.75, "fidelity_224": 0.75}
    assert [tuple(a.shape) for a, _ in seen] == 2 * [(1, 3, H, W), (1, 3, 224, 224)]
    for a, b in seen:
        assert a.numpy() == pytest.approx(1, abs=1e-6)
        assert b.numpy() == pytest.approx(-1, abs=1e-6)


def test_lpips_is_never_fetched(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match="not installed"):
        metrics.perceptual_network()
    said = []
    fake = types.ModuleType("lpips")
    fake.LPIPS = lambda **how: said.append(how) or "network"
    models = types.ModuleType("torchvision.models")
    url = "https://where.example/alexnet-owt.pth"
    models.AlexNet_Weights = types.SimpleNamespace(IMAGENET1K_V1=types.SimpleNamespace(url=url))
    for name, module in {"lpips": fake, "torchvision": types.ModuleType("torchvision")}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"alexnet-owt\.pth; put it there"):
        metrics.perceptual_network()
    assert not said
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "alexnet-owt.pth").touch()
    assert metrics.perceptual_network() == "network"
    assert said == [{"net": "alex", "verbose": False}]
