"""`dragkit preview`: from options, requests and results to a picture, without a model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dragkit import pictures, preview, records
from dragkit.cli.app import app
from dragkit.displacement import rigid
from dragkit.edits import Drag, Face, Move, Paste, Remove, Request

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
OTHER = PICTURE[::-1].copy()
MASK = np.zeros((48, 80), bool)
MASK[10:24, 16:40] = True
START, END = ((10, 10), (30, 10), (20, 30)), ((12, 10), (32, 14), (20, 34))
REGION = ("--region", "10,10 30,10 20,30->12,10 32,14 20,34")
FACE = np.random.default_rng(0).uniform(10, 40, (17, 2)).tolist()
SMILE = (np.array(FACE) + 2).tolist()
PULL = {"handles": [(12, 16), (2, 2)], "targets": [(16, 20), (2, 2)]}

LINES: dict[str, tuple[str, tuple[str, ...], Any]] = {
    "move": ("--mask mask.png --by 12,4", (), Move(mask=MASK, offset=(12, 4))),
    "turn": ("--box 4,4,20,30 --scale 1.2 --angle 30", (), Move(mask={"box": (4, 4, 20, 30)}, scale=1.2, angle=30)),
    "remove": ("--mask mask.png --remove", (), Remove(mask=MASK)),
    "drag": ("--point 12,16->16,20 --point 2,2 --mask mask.png", (), Drag(mask=MASK, **PULL)),
    "region": ("", REGION, Drag(regions=[(START, END)])),
    "both": ("--point 60,16->64,20", REGION, Drag(handles=[(60, 16)], targets=[(64, 20)], regions=[(START, END)])),
    "paste": (
        "--reference ref.png --reference-mask mask.png --by 4,8 --scale 0.5",
        (),
        Paste(reference=OTHER, reference_mask=MASK, offset=(4, 8), scale=0.5),
    ),
    "face": (
        "--landmarks own.json --reference-landmarks smile.json",
        (),
        Face(points=17, landmarks=FACE, reference_landmarks=SMILE),
    ),
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    pictures.write(Path("in.png"), PICTURE)
    pictures.write(Path("ref.png"), OTHER)
    Path("mask.png").write_bytes(pictures.encode_png(MASK))
    Path("own.json").write_text(json.dumps(FACE))
    Path("smile.json").write_text(json.dumps({"landmarks": SMILE}))


def ran(line: str, *more: str) -> Any:
    found = CliRunner().invoke(app, ["preview", *line.split(), *more])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def refused(line: str, *more: str) -> str:
    before = sorted(Path.cwd().iterdir())
    found = ran(line, *more)
    assert found.exit_code == 2, found.stdout
    assert found.stderr.startswith("dragkit: ")
    assert found.stderr.count("\n") == 1
    assert sorted(Path.cwd().iterdir()) == before
    return str(found.stderr)


@pytest.mark.parametrize("name", LINES)
def test_the_options_of_edits_give_their_preview(name: str) -> None:
    line, more, edit = LINES[name]
    found = ran(f"in.png {line} -o out.png", *more)
    assert found.exit_code == 0, found.stderr
    assert found.stdout == "out.png\n"
    shown = pictures.read("out.png")
    assert np.array_equal(shown, preview(PICTURE, edit))
    assert not np.array_equal(shown, PICTURE)


def test_parts_may_be_rigid() -> None:
    assert ran("in.png --point 12,16->16,20 --rigid -o out.png").exit_code == 0
    edit = Drag(handles=[(12, 16)], targets=[(16, 20)])
    assert np.array_equal(pictures.read("out.png"), preview(PICTURE, edit, rigid))


def test_requests_and_results_are_shown_too() -> None:
    move = {"kind": "move", "mask": {"path": "mask.png"}, "offset": [12, 4]}
    drag = {"kind": "drag", "handles": [[60, 30]], "targets": [[66, 30]]}
    asked = {"image": {"path": "in.png"}, "edits": [move, drag]}
    Path("request.json").write_text(json.dumps(asked))
    assert ran("request.json").stdout == "request-preview.png\n"
    request = Request.model_validate(asked, context={"folder": Path.cwd()})
    wanted = preview(PICTURE, request.edits)
    assert np.array_equal(pictures.read("request-preview.png"), wanted)
    pictures.write(Path("result.png"), OTHER, records.edit_record(request, "w1", embed=False, invert=False))
    assert ran("result.png").stdout == "result-preview.png\n"
    assert np.array_equal(pictures.read("result-preview.png"), wanted)
    assert ran("result.png").stdout == "result-preview-2.png\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("in.png", "nothing to do with in.png; give --by, --scale"),
        ("in.png --mask mask.png", "a mask, but nothing to do with it"),
        ("in.png --by 3,4", "no mask; give --mask M.png"),
        ("in.png --mask mask.png --by 3", 'got "3" for --by'),
        ("in.png --mask mask.png --by 3,4 --remove", "got a move and a remove; give one, or several in a request"),
        ("in.png --mask mask.png --by 300,4", "pushes the object wholly out"),
        ("in.png --point 12,16->90,20", "the target (90, 20) lies outside the picture of 80x48 px"),
        ("in.png --landmarks own.json", "no face to imitate"),
        ("in.png --reference-landmarks smile.json", "reference_landmarks has 17 points; give 68"),
        ("gone.png --point 1,1->2,2", "gone.png; check the spelling"),
        ("gone.json", "there is no file gone.json"),
        ("mask.png -o out.png", "nothing to do with mask.png"),
        ("in.png --point 1,1->2,2 -o out.gif", "cannot write out.gif"),
        ("in.png --point 1,1->2,2 -o ref.png", "ref.png exists already"),
        ("request.json", "the request names no picture"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(line: str, sentence: str) -> None:
    drag = {"kind": "drag", "handles": [[60, 30]], "targets": [[66, 30]]}
    Path("request.json").write_text(json.dumps({"edits": [drag]}))
    assert sentence in refused(line)


def test_regions_that_cross_themselves_are_refused() -> None:
    text = "10,10 30,30 30,10 10,30->10,10 30,10 30,30 10,30"
    assert "crosses itself" in refused("in.png", "--region", text)


def test_no_torch_is_loaded() -> None:
    code = """
import sys
from dragkit.cli import main
sys.argv = ["dragkit", "preview", "in.png", "--point", "12,16->16,20", "-o", "out.png"]
try: main()
finally: sys.exit(bool({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert Path("out.png").exists()


COMMANDS = {
    "move": "move in.png --mask mask.png --by 12,4 --angle 15",
    "resize": "resize in.png --mask mask.png --scale 1.2",
    "remove": "remove in.png --mask mask.png",
    "paste": "paste in.png --reference ref.png --reference-mask mask.png --by 4,8",
    "drag": "drag in.png --point 12,16->16,20 --mask mask.png",
    "face": "face in.png --points 17 --landmarks own.json --reference-landmarks smile.json",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_that_edit_show_a_preview_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragkit.cli.work.loaded", None)  # no model is asked for
    found = CliRunner().invoke(app, [*COMMANDS[name].split(), "--preview"])
    assert found.exit_code == 0, found.stderr
    assert found.stdout == f"in-{name}.png\n"
    assert not np.array_equal(pictures.read(f"in-{name}.png"), PICTURE)
    assert CliRunner().invoke(app, [*COMMANDS[name].split(), "--preview", "-o", "ref.png"]).exit_code == 2


def test_a_preview_by_a_command_is_that_of_preview() -> None:
    assert CliRunner().invoke(app, [*COMMANDS["move"].split(), "--preview", "-o", "a.png"]).exit_code == 0
    assert ran("in.png --mask mask.png --by 12,4 --angle 15 -o b.png").exit_code == 0
    assert np.array_equal(pictures.read("a.png"), pictures.read("b.png"))


@pytest.mark.parametrize(
    "line",
    [
        "replace in.png --mask mask.png --reference ref.png --reference-mask mask.png --preview",
        "reprompt in.png --prompt cup --preview",
        "face in.png --reference ref.png --preview",
    ],
)
def test_what_has_no_preview_is_one_sentence(line: str) -> None:
    before = sorted(Path.cwd().iterdir())
    found = CliRunner().invoke(app, line.split())
    assert found.exit_code == 2
    assert found.stderr.startswith("dragkit: ")
    assert found.stderr.count("\n") == 1
    assert sorted(Path.cwd().iterdir()) == before


def test_commands_load_no_torch_for_a_preview() -> None:
    code = """
import sys
from dragkit.cli import main
sys.argv = ["dragkit", "move", "in.png", "--mask", "mask.png", "--by", "12,4", "--preview", "-o", "out.png"]
try: main()
finally: sys.exit(bool({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert Path("out.png").exists()


BAD_POINTS = {
    "crossing": ("--point 10,10->60,40 --point 60,10->10,40", 0),
    "folding": ("--point 20,24->60,24 --point 60,24->20,24", 0),
    "handle outside the mask": ("--mask mask.png --point 70,40->60,40", 0),
    "target outside the picture": ("--point 10,10->90,40", 2),
    "the same handle to two places": ("--point 10,10->20,20 --point 10,10->30,30", 2),
    "twice the same": ("--point 10,10->20,20 --point 10,10->20,20", None),
    "a hundred": (" ".join(f"--point {5 + i % 10 * 7},{3 + i // 10 * 4}->{6 + i % 10 * 7},9" for i in range(100)), 0),
}


@pytest.mark.parametrize("name", BAD_POINTS)
def test_points_that_make_trouble_give_a_picture_or_a_sentence(name: str) -> None:
    line, code = BAD_POINTS[name]
    found = ran(f"in.png {line} -o out.png")
    assert found.exit_code == (code if code is not None else found.exit_code)
    assert found.exit_code in (0, 2)
    assert Path("out.png").exists() == (found.exit_code == 0)
    assert found.exit_code == 0 or found.stderr.count("\n") == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_pictures_of_a_pixel_are_pictures(size: tuple[int, int]) -> None:
    pictures.write(Path("dot.png"), np.zeros((size[1], size[0], 3), np.uint8))
    found = ran(f"dot.png --point 0,0->{size[0]},{size[1]} -o out.png")
    assert found.exit_code == 0, found.stderr
    assert pictures.read("out.png").shape == (size[1], size[0], 3)


def test_files_without_a_picture_are_one_sentence() -> None:
    Path("none.png").write_bytes(b"")
    assert "none.png" in refused("none.png --point 1,1->2,2")
