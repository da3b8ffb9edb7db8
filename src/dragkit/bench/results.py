"""What programs read of a run: results.json and results.csv, beside the pages for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from dragkit.bench.samples import write_text

FORM, TABLE = "results.json", "results.csv"


def write(out: Path, form: Mapping[str, Any], table: str, pages: Mapping[str, str] | None = None) -> list[Path]:
    """Write a run's form as JSON, its table and its pages, texts by the names of their files; the files' paths."""
    texts = {FORM: json.dumps(plain(form), indent=1, allow_nan=False), TABLE: table, **(pages or {})}
    paths = [out / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


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
