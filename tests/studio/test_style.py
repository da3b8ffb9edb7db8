"""The page's colours are told apart by everybody: WCAG 2.2 AA."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "studio" / "src" / "style.css").read_text(encoding="utf-8")
PAIRS = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)}
PLAIN = dict(re.findall(r"--([\w-]+): (#\w{6});", CSS))


def colour(name: str, dark: bool) -> str:
    return PLAIN.get(name) or PAIRS[name][dark]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("text", "panel", 4.5), ("text", "raised", 4.5), ("text", "field", 4.5), ("text", "ground", 4.5),
        ("quiet", "panel", 4.5), ("quiet", "raised", 4.5), ("quiet", "field", 4.5), ("accent-text", "accent", 4.5),
        ("accent-text", "bad", 4.5), ("edge", "panel", 3.0), ("edge", "field", 3.0), ("link", "panel", 3.0),
        ("link", "ground", 3.0), ("accent", "panel", 3.0),
    ],
)  # fmt: skip
def test_contrast(front, back, least, dark):
    assert contrast(colour(front, dark), colour(back, dark)) >= least


def test_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
