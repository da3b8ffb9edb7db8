"""Parts of the pages that people read of a run: each page is one file that needs nothing else.

Names and titles come as they are and are escaped here; the cells of a table are HTML already.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from dragkit.bench.intervals import number
from dragkit.bench.results import plain
from dragkit.bench.samples import SCENES, Stored
from dragkit.bench.tables import RANKS

SHOWN = 24  # scenes of a grid, the worst ones: 64 of every kind would make a page of 100 MB
STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;background:#fff;color:#222}"
    "table{border-collapse:collapse}td,th{padding:3px 8px;text-align:left;vertical-align:top}"
    "tr:nth-child(even){background:#f5f5f5}.bad{color:#b00020}"
    "img{width:160px;image-rendering:pixelated;border-radius:3px}"
)


def page(title: str, body: Iterable[str]) -> str:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{STYLE}</style>{''.join(body)}</html>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def opened(title: str, inside: str) -> str:
    """A part of a page that can be folded away."""
    return f"<details open><summary>{escape(title)}</summary>{inside}</details>"


def bad(text: str) -> str:
    """A paragraph that warns."""
    return f'<p class="bad">{escape(text)}</p>'


def picture(path: Path, alt: str) -> str:
    """A PNG file inside the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def origin(samples: Sequence[Stored]) -> str:
    """The splits and weights that samples are of."""
    weights = ", ".join(sorted({s.weights for s in samples if s.weights})) or "none"
    return f"Split {', '.join(sorted({s.split for s in samples}))}, weights {weights}."


def settings(named: Iterable[tuple[str, Stored]]) -> Iterable[str]:
    """Every row's settings, once. named: samples with what their rows are called."""
    for name, sample in dict(named).items():
        if sample.settings:
            text = json.dumps(plain(sample.settings), indent=1)
            yield f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>"


def grid(
    named: Iterable[tuple[str, Stored]],
    rows: Sequence[str],
    error: str,
    head: tuple[str, str, str, str],
    out: Path,
    about: Mapping[str, str] | None = None,
    note: str = "",
) -> str:
    """The scenes of samples, those first on which the methods come out worst: source, request, results, target.

    named: samples with what their rows are called; rows: those that are shown; error: the metric by which scenes are
    sorted, and which stands below a result; head: titles of scene, source, request and target; out: where the pictures
    lie; about: a line on a scene, by its name; note: what the title ends in.
    """
    scenes: dict[str, dict[str, Stored]] = {}
    for name, sample in named:
        scenes.setdefault(sample.scene, {})[name] = sample
    judged = [row for row in rows if row not in RANKS] or rows
    worst = {
        scene: max((_error(found[row], error) for row in judged if row in found), default=0.0)
        for scene, found in scenes.items()
    }
    lines = []
    for scene in sorted(scenes, key=lambda scene: (-worst[scene], scene))[:SHOWN]:
        found = scenes[scene]
        one = next(iter(found.values()))
        source, request, target = (picture(one.scene_picture(out, what), what) for what in SCENES)
        title = escape(scene) + (f"<br>{escape(about[scene])}" if about and scene in about else "")
        lines.append([title, source, request, *(_result(found.get(row), error, out) for row in rows), target])
    title = f"{len(lines)} of {len(scenes)} {head[0]}s, from worst to best{note}"
    return opened(title, table([*head[:3], *rows, head[3]], lines))


def _error(sample: Stored, metric: str) -> float:
    """What sorts a scene: a failure is the worst."""
    return sample.metrics.get(metric, math.inf)


def _result(sample: Stored | None, error: str, out: Path) -> str:
    if sample is None:
        return ""
    if sample.failure:
        return f'<span class="bad">{escape(sample.failure)}</span>'
    return f"{picture(sample.place(out).with_suffix('.png'), sample.row)}<br>{number(_error(sample, error))}"
