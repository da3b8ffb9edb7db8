"""What a network said of a stored result: a JSON file for each question, asked once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from dragkit.bench.samples import sentence, write_text


class Answer(NamedTuple):
    """metrics: empty where `trouble` says what went wrong, or where they are not defined."""

    metrics: dict[str, float]
    trouble: str = ""


def kept(place: Path, about: Mapping[str, str] | None = None) -> Answer | None:
    """The answer in a file; None where there is none, or none about this: what the question depends on besides the
    file's name."""
    try:
        form = json.loads(place.read_text("utf-8"))
        if any(form[fact] != value for fact, value in (about or {}).items()):
            return None
        return Answer(dict(form.get("metrics", {})), form.get("trouble", ""))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError, KeyError):
        return Answer({}, "the record is damaged")


def asked(place: Path, ask: Callable[[], dict[str, float]], about: Mapping[str, str] | None = None) -> Answer:
    """The answer in a file, asked for now and kept where there is none or only trouble."""
    known = kept(place, about)
    if known is not None and not known.trouble:
        return known
    try:
        found = Answer(ask())
    except (Exception, SystemExit) as error:  # whatever goes wrong, the other samples are asked about
        found = Answer({}, sentence(error))
    said = {"trouble": found.trouble} if found.trouble else {"metrics": found.metrics}
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps({**(about or {}), **said}))
    return found
