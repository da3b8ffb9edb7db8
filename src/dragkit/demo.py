"""`dragkit demo`: every kind of edit on held-out toy scenes, with the true answer beside each result."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dragkit import sheet
from dragkit.editor import Editor
from dragkit.toy.tasks import Task, task

# (title, kind of task, held-out seed); chosen for variety by looking at the *scenes*, not at results
EDITS = (
    ("move", "move", 3),
    ("resize", "resize", 6),
    ("rotate", "rotate", 4),
    ("remove", "remove", 1),
    ("replace", "replace", 2),
    ("paste", "paste", 0),
    ("drag", "drag", 5),
    ("drag a face", "face_drag", 2),
    ("face 17 points", "face17", 2),
    ("face 68 points", "face68", 4),
)
COLUMNS = ("source", "request", "reference", "result", "true target")


@dataclass(frozen=True)
class Shown:
    title: str
    task: Task
    result: np.ndarray  # uint8 [h, w, 3]
    seconds: float

    @property
    def gain(self) -> float:
        """dB nearer to the true target than the unedited picture, over the pixels that should change."""
        where = self.task.destination | self.task.revealed
        return nearest_db(self.result, self.task, where) - nearest_db(self.task.picture, self.task, where)


def nearest_db(picture: np.ndarray, of: Task, where: np.ndarray) -> float:
    """PSNR in dB to the nearest true target over the pixels in `where` [h, w]."""
    errors = [np.square(picture[where].astype(float) - target[where]).mean() for target in of.targets]
    return float(10 * np.log10(255**2 / max(min(errors), 1e-9)))


def run(out: Path, say: Callable[[str], None] = print) -> list[Shown]:
    """Edit the demo's pictures into `out`: sources, results, targets, contact-sheet.png and index.html."""
    out.mkdir(parents=True, exist_ok=True)
    editor = Editor.from_pretrained("toy")
    shown = []
    for title, kind, seed in EDITS:
        wish = task(kind, seed, "test")
        result = editor(wish.picture, wish.edits, seed=seed)
        seconds = sum(result.seconds.values())
        shown.append(Shown(title, wish, np.asarray(result.image), seconds))
        _save(out, shown[-1])
        say(f"{title:16} {seconds:5.1f} s   {shown[-1].gain:+5.1f} dB towards the true target   {wish.prompt}")
    rows = [(s.title, _row(s)) for s in shown]
    Image.fromarray(sheet.contact_sheet(rows, COLUMNS)).save(out / "contact-sheet.png")
    (out / "index.html").write_text(_page(shown), encoding="utf-8")
    say(f"contact sheet: {out / 'contact-sheet.png'}")
    say(f"page:          {out / 'index.html'}")
    return shown


def _row(shown: Shown) -> list[np.ndarray | None]:
    wish = shown.task
    reference = None if wish.reference is None else sheet.enlarge(wish.reference)
    drawn = sheet.annotate(wish.picture, wish.edits)
    return [sheet.enlarge(wish.picture), drawn, reference, sheet.enlarge(shown.result), sheet.enlarge(wish.targets[0])]


def _name(shown: Shown, what: str) -> str:
    return f"{shown.title.replace(' ', '-')}-{what}.png"


def _save(out: Path, shown: Shown) -> None:
    for what, picture in zip(COLUMNS, _row(shown), strict=True):
        if picture is not None:
            plain = {"source": shown.task.picture, "result": shown.result, "true target": shown.task.targets[0]}
            Image.fromarray(plain.get(what, picture)).save(out / _name(shown, what.replace(" ", "-")))


def _page(shown: list[Shown]) -> str:
    """The contact sheet as a page that needs nothing but the PNG files beside it."""
    head = "".join(f"<th>{c}</th>" for c in ("edit", *COLUMNS))
    rows = []
    for s in shown:
        cells = []
        for what, picture in zip(COLUMNS, _row(s), strict=True):
            alt = f"{s.title}: {what}"
            image = (
                f'<img alt="{html.escape(alt)}" src="{_name(s, what.replace(" ", "-"))}">'
                if picture is not None
                else ""
            )
            cells.append(f"<td>{image}</td>")
        label = f"<b>{html.escape(s.title)}</b><br>{html.escape(s.task.prompt)}<br>{s.seconds:.1f} s, {s.gain:+.1f} dB"
        rows.append(f"<tr><td>{label}</td>{''.join(cells)}</tr>")
    style = (
        "body{font:15px/1.4 system-ui,sans-serif;margin:2em;background:#fff;color:#222}"
        "td,th{padding:6px;text-align:left;vertical-align:top}td:first-child{max-width:12em}"
        "img{width:256px;image-rendering:pixelated;border-radius:4px}"
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>dragkit demo</title>"
        f"<style>{style}</style><h1>dragkit demo</h1>"
        "<p>Every edit is done by diffusion with the embedded toy model, on held-out scenes of which the true answer "
        "is known. dB: how much nearer to it than the unedited picture, over the pixels that should change."
        f"</p><table><tr>{head}</tr>{''.join(rows)}</table></html>"
    )
