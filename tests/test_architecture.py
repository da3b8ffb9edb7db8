"""Imports run one way, and importing is silent and light (docs/concepts.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "dragkit"

# What each room may import from inside dragkit; a folder stands for all its files.
MAY = {
    "metadata": set(),
    "pictures": {"metadata"},
    "forms": {"pictures"},
    "edits": {"forms"},
    "checks": {"edits", "forms", "pictures"},
    "schedule": set(),
    "geometry": set(),
    "machine": set(),
    "hub": set(),
    "energy": set(),
    "attention": {"machine"},
    "bank": {"attention", "machine"},
    "words": {"attention"},
    "nulltext": {"model", "schedule", "source"},
    "features": set(),
    "singlefile": {"hub", "loading"},
    "loading": {"hub", "machine", "singlefile", "schedule"},
    "model": {"bank", "loading", "machine", "schedule"},
    "source": {"attention", "bank", "features", "geometry", "lora", "model", "schedule"},
    "motion": {"energy"},
    "lora": {"model"},
    "memorise": {"footprint", "geometry", "lora", "model", "source"},
    "points": {"energy", "geometry"},
    "regions": {"edits", "forms", "geometry"},
    "windows": {"edits", "forms", "geometry", "regions"},
    "displacement": {"geometry"},
    "warp": {"checks", "displacement", "edits", "forms", "geometry", "regions"},
    "ground": {"edits", "forms", "geometry"},
    "previews": {"displacement", "edits", "geometry", "ground", "warp"},
    "references": {
        "edits",
        "geometry",
        "ground",
        "methods",
        "model",
        "previews",
        "source",
        "toy",
        "warp",
    },  # methods: what a result knows
    "plans": {"points", "edits", "energy", "geometry", "methods", "regions", "source"},  # methods, source: types only
    "carry": {"attention", "geometry", "methods", "plans"},  # methods: types only
    "methods": {
        "attention",
        "bank",
        "carry",
        "checks",
        "edits",
        "energy",
        "features",
        "geometry",
        "memorise",
        "methods",
        "model",
        "motion",
        "nulltext",
        "plans",
        "regions",
        "schedule",
        "source",
        "warp",
        "words",
    },
    "jobs": {"checks", "edits", "ground", "lora", "methods", "model", "references", "source"},
    "footprint": {"geometry", "machine", "model"},  # model: types only
    "shortage": {"machine", "model"},
    "editor": {
        "checks",
        "edits",
        "footprint",
        "geometry",
        "jobs",
        "lora",
        "memorise",
        "methods",
        "model",
        "references",
        "regions",
        "schedule",
        "shortage",
        "source",
        "windows",
    },
    "records": {"edits", "forms", "metadata", "pictures"},
    "sheet": {"edits", "forms", "geometry"},
    "demo": {"editor", "sheet", "toy"},
    "bench": {
        "attention",
        "bench",
        "checks",
        "displacement",
        "editor",
        "edits",
        "energy",
        "features",
        "forms",
        "geometry",
        "jobs",
        "machine",
        "memorise",
        "methods",
        "model",
        "pictures",
        "plans",
        "previews",
        "schedule",
        "sheet",
        "regions",
        "source",
        "toy",
        "warp",
    },
    "toy": {"edits", "forms", "pictures", "schedule", "toy"},
    "studio": {
        "checks",
        "editor",
        "edits",
        "forms",
        "geometry",
        "loading",
        "machine",
        "metadata",
        "methods",
        "pictures",
        "previews",
        "records",
        "regions",
        "source",
        "studio",
        "toy",
        "warp",
        "windows",
    },
    "cli": {
        "bench",
        "checks",
        "cli",
        "demo",
        "displacement",
        "editor",
        "edits",
        "forms",
        "loading",
        "lora",
        "machine",
        "memorise",
        "metadata",
        "methods",
        "pictures",
        "previews",
        "records",
        "shortage",
        "source",
        "studio",
        "toy",
        "windows",
    },
}


def imported(file: Path) -> set[str]:
    """Rooms of dragkit that a file imports, lazily or not."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            rooms.add(file.relative_to(SOURCE).parts[0])
        elif isinstance(node, ast.ImportFrom) and node.module == "dragkit":
            rooms |= {alias.name for alias in node.names if (SOURCE / f"{alias.name}.py").exists()}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dragkit."):
            rooms.add((node.module or "").split(".")[1])
    return rooms


@pytest.mark.parametrize("room", MAY)
def test_imports_run_one_way(room):
    files = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else list((SOURCE / room).rglob("*.py"))
    assert files
    for file in files:
        assert imported(file) <= MAY[room], f"{file.name} imports {sorted(imported(file) - MAY[room])}"


def test_every_room_is_listed():
    rooms = {p.stem for p in SOURCE.glob("*.py")} | {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    assert rooms - {"__init__"} == set(MAY)


@pytest.mark.parametrize("module", ["edits", "geometry", "schedule", "energy", "motion"])
def test_mathematics_and_wishes_know_no_diffusers(module):
    code = f"import dragkit.{module}, sys; sys.exit('diffusers' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_is_silent_and_loads_no_torch():
    code = "import dragkit, dragkit.cli, sys; sys.exit('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert found.returncode == 0
    assert found.stdout == found.stderr == b""
