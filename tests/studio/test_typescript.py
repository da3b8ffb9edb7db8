from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dragkit.studio import app, typescript

STUDIO = Path(__file__).parents[2] / "studio"


def test_the_pages_types_are_those_of_the_schema():
    kept = (STUDIO / "src" / "schema.ts").read_text(encoding="utf-8")
    assert kept == typescript.written(), "write it anew: python -m dragkit.studio.typescript > studio/src/schema.ts"


def test_the_page_is_the_build_of_its_sources(tmp_path):
    vite = STUDIO / "node_modules" / ".bin" / "vite"
    if shutil.which("node") is None or not vite.exists():
        pytest.skip("no Node with the page's tools: run `npm ci` in studio/ to compare the build")
    subprocess.run([vite, "build", "--outDir", str(tmp_path), "--logLevel", "error"], cwd=STUDIO, check=True)
    built = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    kept = {p.relative_to(app.STATIC): p.read_bytes() for p in app.STATIC.rglob("*") if p.is_file()}
    assert built.keys() == kept.keys()
    for name, data in built.items():
        assert data == kept[name], f"{name} is not the build of its sources: run `npm run build` in studio/"
