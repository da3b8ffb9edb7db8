"""Antialiased drawing: areas, subpixel movement, clipping, patterns."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dragkit.toy import draw

SIZE = (90, 60)  # width, height


def area(outline: draw.Array) -> float:
    patch = draw.coverage(outline, SIZE)
    return 0.0 if patch is None else float(patch.alpha.sum())


def test_coverage_is_the_area_of_the_outline() -> None:
    assert area(draw.box(10, 20, 50, 45)) == pytest.approx(40 * 25, rel=0.03)
    assert area(draw.ellipse(45, 30, 20, 10)) == pytest.approx(math.pi * 200, rel=0.03)


def test_half_a_pixel_of_movement_is_half_a_pixel_of_coverage() -> None:
    def middle(x: float) -> float:
        patch = draw.coverage(draw.ellipse(x, 30, 15, 12), SIZE)
        assert patch is not None
        columns = patch.x + 0.5 + np.arange(patch.alpha.shape[1])
        return float((patch.alpha.sum(0) * columns).sum() / patch.alpha.sum())

    assert middle(40) == pytest.approx(40, abs=0.1)
    assert middle(40.5) - middle(40) == pytest.approx(0.5, abs=0.02)
    patch = draw.coverage(draw.box(10.5, 20, 30.5, 40), SIZE)
    assert patch is not None
    assert 0.3 < patch.alpha[10, 0] < 0.8
    assert patch.alpha[10, 5] == 1


def test_what_sticks_out_is_clipped_and_what_is_outside_is_nothing() -> None:
    patch = draw.coverage(draw.box(-20, -20, 10, 10), SIZE)
    assert patch is not None
    assert patch.alpha.shape == (10, 10)
    assert patch.alpha.min() == 1
    assert draw.coverage(draw.box(100, 10, 120, 30), SIZE) is None
    assert draw.coverage(draw.box(10, -30, 20, -2), SIZE) is None


def test_ribbon_has_its_width_and_spline_passes_through_its_points() -> None:
    line = draw.arc((10, 30), (40, 30), (70, 30))
    assert area(draw.ribbon(line, 8)) == pytest.approx(60 * 8, rel=0.03)
    assert area(draw.ribbon(line, 8, 4)) == pytest.approx(60 * 6, rel=0.05)
    points = [(10.0, 10.0), (50.0, 12.0), (60.0, 40.0), (20.0, 50.0)]
    curve = draw.spline(*points)
    opened = draw.spline(*points, closed=False)
    for p in points:
        assert np.linalg.norm(curve - p, axis=1).min() < 1e-4
    assert opened[0] == pytest.approx(points[0])
    assert opened[-1] == pytest.approx(points[-1])


def test_angle_turns_clockwise_on_the_screen() -> None:
    tip = draw.ellipse(0, 0, 10, 1, angle=90)[0]  # the tip on the right turns down, where y is larger
    assert tip == pytest.approx((0, 10), abs=1e-4)


def test_light_from_the_left_brightens_the_left() -> None:
    outline = draw.ellipse(45, 30, 25, 20)
    patch = draw.coverage(outline, SIZE)
    assert patch is not None
    colour = draw.shaded((120, 120, 120), patch, outline, draw.Lamp((-1.0, 0.0)), 0.5, 0.0)
    height, width = patch.alpha.shape
    assert colour[height // 2, width // 5].mean() > colour[height // 2, -width // 5].mean() + 10
    dim = draw.shaded((120, 120, 120), patch, outline, draw.Lamp((-1.0, 0.0), power=0.5), 0.5, 0.0)
    assert np.allclose(dim, colour / 2)


def test_composite_changes_only_what_is_covered() -> None:
    canvas = np.full((SIZE[1], SIZE[0], 3), 100, np.float32)
    patch = draw.coverage(draw.box(10, 20, 30, 40), SIZE)
    assert patch is not None
    draw.composite(canvas, patch, np.array([0, 50, 200], np.float32), opacity=0.5)
    assert canvas[30, 20] == pytest.approx([50, 75, 150])
    assert canvas[30, 40] == pytest.approx([100, 100, 100])


@pytest.mark.parametrize("pattern", ["striped", "dotted", "checked"])
def test_patterns_show_both_colours_with_their_period(pattern: str) -> None:
    x, y = np.meshgrid(np.arange(60, dtype=np.float32), np.arange(40, dtype=np.float32))
    period = 11.5 if pattern == "checked" else 10.0
    share = draw.pattern_weight(pattern, x, y, 10.0, 1.2)
    assert 0.15 < share.mean() < 0.75
    assert share.min() == 0
    assert share.max() == 1
    shifted = draw.pattern_weight(pattern, x, y + np.float32(period), 10.0, 1.2)
    assert np.allclose(share, shifted, atol=0.02)
    assert not np.allclose(share, draw.pattern_weight(pattern, x, y + np.float32(period / 2), 10.0, 1.2), atol=0.5)


def test_unknown_pattern_is_named() -> None:
    with pytest.raises(ValueError, match="pattern is 'zigzag'; choose one of plain"):
        draw.pattern_weight("zigzag", np.zeros(3, np.float32), np.zeros(3, np.float32), 1, 1)
