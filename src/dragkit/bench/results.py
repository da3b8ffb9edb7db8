"""What programs read of a run: results.json and results.csv, beside the pages for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dragkit import pictures
from dragkit.bench.samples import write_text

FORM, TABLE = "results.json", "results.csv"


class Table(NamedTuple):
    """A table for the docs, as texts. name: of the markers that it goes between; rows: each begins with its own name;
    counts: scenes behind each row, None behind one that was not run here; note: what the figures are of."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    counts: Sequence[int | None]
    note: str


def write(out: Path, form: Mapping[str, Any], table: str, pages: Mapping[str, str] | None = None) -> list[Path]:
    """Write a run's form as JSON, its table and its pages, texts by the names of their files; the files' paths."""
    texts = {FORM: json.dumps(plain(form), indent=1, allow_nan=False), TABLE: table, **(pages or {})}
    paths = [out / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def read(path: Path) -> dict[str, Any]:
    """The form of a run or a study: of its folder or its JSON file; ValueError where there is none."""
    file = path / FORM if path.is_dir() else path
    data = pictures.read_bytes(file)
    try:
        form = json.loads(data)
    except ValueError:
        form = None
    if not isinstance(form, dict) or not form.keys() & {"samples", "records", "tables"}:
        raise ValueError(f"{file} is no file of results; give the folder of a `dragkit bench` run, or a study's .json")
    return form


def plain(value: Any) -> Any:
    """A value as JSON knows it: what has fields becomes an object of them, what is not finite becomes null."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
