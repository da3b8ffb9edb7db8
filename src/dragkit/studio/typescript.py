"""The page's types, made from the forms of requests and answers: `python -m dragkit.studio.typescript > schema.ts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dragkit.edits import Request
from dragkit.records import Drawing
from dragkit.studio.api import About, Faced, Landmarks, Lattice, Moved, Opened, Picked, Picking, Trouble
from dragkit.studio.jobs import Status

ASKED = (Request, Drawing, Picking, Faced, Moved)
ANSWERED = (Status, Opened, Picked, Landmarks, Lattice, About, Trouble)
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
Schema = Mapping[str, Any]


def written() -> str:
    """The TypeScript file: a type for every form, those that are asked with optional fields."""
    modes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = []
    modes += [(form, "validation") for form in ASKED]
    modes += [(form, "serialization") for form in ANSWERED]
    known = models_json_schema(modes, ref_template="{model}")[1]["$defs"]
    head = "// Written by `python -m dragkit.studio.typescript`; a test compares. Do not edit.\n"
    return head + "".join(f"\nexport type {name} = {_type(known[name])};\n" for name in sorted(known))


def _type(form: Schema) -> str:
    if "$ref" in form:
        return str(form["$ref"])
    if "const" in form:
        return repr(form["const"]).replace("'", '"')
    if "enum" in form:
        return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in form["enum"])
    for union in ("anyOf", "oneOf"):
        if union in form:
            return " | ".join(dict.fromkeys(map(_type, form[union])))
    if "prefixItems" in form:
        return f"[{', '.join(map(_type, form['prefixItems']))}]"
    match form.get("type"):
        case "array":
            return f"({_type(form.get('items', {}))})[]"
        case "object" if "properties" in form:
            return _fields(form)
        case "object":
            rest = form.get("additionalProperties")
            return f"Record<string, {_type(rest if isinstance(rest, dict) else {})}>"
        case kind if kind in PLAIN:
            return PLAIN[str(kind)]
    return "unknown"


def _fields(form: Schema) -> str:
    needed = form.get("required", ())
    lines = (f"  {name}{'' if name in needed else '?'}: {_type(part)};" for name, part in form["properties"].items())
    return "{\n" + "\n".join(lines) + "\n}"


if __name__ == "__main__":
    print(written(), end="")
