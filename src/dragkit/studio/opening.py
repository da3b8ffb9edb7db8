"""Pictures that people send: decoded, refused or scaled down, and kept as plain PNG, or JPEG where they were that."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from dragkit import metadata, pictures, records
from dragkit.geometry import resize
from dragkit.metadata import Metadata
from dragkit.studio.api import Opened
from dragkit.studio.desk import Desk
from dragkit.studio.jpeg import bare

LONGEST = 120  # letters of a name that are kept


def opened(data: bytes, name: str, desk: Desk) -> Opened:
    """A picture file that was sent: kept upright, without alpha, EXIF (a photograph's may tell a place) or folders in
    its name, with its colour profile.

    Raises:
        ValueError: one sentence, for what is no picture or too large.
    """
    name = (PurePath(name.replace("\\", "/")).name or "picture")[:LONGEST]
    pixels = pictures.decode(data, name)
    h, w = pixels.shape[:2]
    most = desk.settings.max_side
    scale = min(1.0, most / max(h, w))
    record = records.read_record(data)
    generated = json.dumps(record) if record and record["kind"] == "generate" and scale == 1 else None
    if scale < 1:
        pixels = resize(pixels, (max(1, round(w * scale)), max(1, round(h * scale))))
    plain = bare(data) if scale == 1 else None  # a PNG of 12 megapixels takes a second, and is several times as large
    about = Metadata(icc=metadata.read(data).icc)
    key = desk.shelve(plain or pictures.encode_png(pixels, generated, about, level=1))
    h, w = pixels.shape[:2]
    prompt = _prompt(record)
    return Opened(name=name, sha256=key, width=w, height=h, prompt=prompt, scaled=scale < 1, record=record)


def _prompt(record: dict[str, Any] | None) -> str:
    """What a picture shows by its own record: the prompt it was drawn by."""
    drawing = (record or {}).get("drawing")
    prompt = drawing.get("prompt") if isinstance(drawing, dict) else ""
    return prompt if isinstance(prompt, str) else ""
