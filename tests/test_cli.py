"""The command line with a fake editor: requests, records, files, sentences and exit codes."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import logging
import subprocess
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from safetensors.torch import load_file
from typer.testing import CliRunner

from dragkit import Editor, pictures, records
from dragkit.cli import INTERRUPTED, main, work
from dragkit.cli.app import app
from dragkit.cli.options import with_sentences
from dragkit.edits import Edit
from dragkit.lora import Lora
from dragkit.methods import METHODS, AttentionDrag, MasaCtrl
from dragkit.methods.speeds import preset
from dragkit.model import StableDiffusion
from dragkit.windows import Window

SIZE = (40, 24)  # (width, height)
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
MASK = np.zeros((24, 40), bool)
MASK[5:12, 8:20] = True


@dataclass
class FakeEditor:
    """Stands for the Editor: a result is the picture plus seed + 1, a drawing is the seed's noise."""

    weights_hash: str = "w1"
    random: bool = True
    calls: list[tuple[str, Any]] = field(default_factory=list)
    stop_after: int | None = None
    window: Window | None = None
    framed: list[bool] = field(default_factory=list)  # whether a window was asked for

    def source(self, picture: np.ndarray, **rest: Any) -> SimpleNamespace:
        size = (picture.shape[1], picture.shape[0])
        known = {"schedule": SimpleNamespace(levels=rest.get("steps") or 4), "guidance": 1.0}
        return SimpleNamespace(picture=picture, size=size, **known)

    def invert(self, picture: np.ndarray, **rest: Any) -> SimpleNamespace:
        self.calls.append(("invert", rest))
        rest.pop("progress")(1, 4)
        return self.source(picture, **rest)

    def generate(self, prompt: str, *, size: Any, seed: int, steps: int | None, **rest: Any) -> SimpleNamespace:
        self.calls.append(("generate", {"prompt": prompt, "size": size, "seed": seed, "steps": steps, **rest}))
        width, height = size or SIZE
        picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        return self.source(picture, steps=steps)

    def frame(self, picture: np.ndarray, edits: Any, window: bool) -> tuple[Window, Any]:
        self.framed.append(window)
        size = (picture.shape[1], picture.shape[0])
        return self.window if window and self.window else Window.all(size), edits

    def memorise(self, picture: np.ndarray, prompt: str, **rest: Any) -> Lora:
        self.calls.append(("memorise", {"prompt": prompt, **rest}))
        rest.pop("progress")(1, 4)
        return Lora({"mid.to_q.lora_A.weight": torch.ones(1, 2), "mid.to_q.lora_B.weight": torch.ones(2, 1)})

    def preview(self, step: Any, source: Any) -> np.ndarray:
        return np.full_like(source.picture, step.level)

    def __call__(self, source: Any, edits: tuple[Edit, ...], **rest: Any) -> SimpleNamespace:
        self.calls.append(("edit", {"edits": edits, **rest}))
        levels = source.schedule.levels
        for level in range(levels - 1, -1, -1):
            if self.stop_after is not None and levels - level > self.stop_after:
                raise KeyboardInterrupt
            rest["callback"](SimpleNamespace(level=level, levels=levels))
        image = Image.fromarray(source.picture + np.uint8(rest["seed"] + 1))
        settings = asdict(rest["method"])
        return SimpleNamespace(image=image, random=self.random, notes=("a note",), settings=settings, steps=levels)

    def named(self, name: str) -> list[Any]:
        return [rest for called, rest in self.calls if called == name]


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEditor:
    """The fake in place of every model, and a folder with in.png, mask.png and ref.png to stand in."""
    fake = FakeEditor()
    monkeypatch.setattr(work, "loaded", lambda *_: fake)
    monkeypatch.chdir(tmp_path)
    pictures.write(Path("in.png"), PICTURE)
    pictures.write(Path("ref.png"), PICTURE[::-1].copy())
    Path("mask.png").write_bytes(pictures.encode_png(MASK))
    return fake


def ran(line: str, *more: str) -> Any:
    found = CliRunner().invoke(app, [*line.split(), *more])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def done(line: str, *more: str) -> Any:
    found = ran(line, *more)
    assert found.exit_code == 0, found.stderr
    return found


def refused(line: str, *more: str) -> str:
    before = sorted(Path.cwd().rglob("*"))
    found = ran(line, *more)
    assert found.exit_code == 2, found.stdout
    assert found.stderr.startswith("dragkit: ")
    assert found.stderr.count("\n") == 1
    assert sorted(Path.cwd().rglob("*")) == before
    return str(found.stderr)


def record(path: str) -> Any:
    return records.read_record(Path(path).read_bytes())


EVERY_EDIT = {
    "move in.png --mask mask.png --by 6,-2 --scale 1.2 --angle 15 --fill-like mask.png": "move",
    "move in.png --box 1,2,9,12 --by -3,4": "move",
    "resize in.png --ellipse 3,4,20,20 --scale 1.3": "move",
    "remove in.png --mask mask.png": "remove",
    "replace in.png --mask mask.png --reference ref.png --reference-mask mask.png": "replace",
    "paste in.png --reference ref.png --reference-box 3,3,12,12 --by 4,5 --scale 0.5": "paste",
    "drag in.png --point 6,8->6,16 --point 1,1 --mask mask.png": "drag",
    "drag in.png --point 6,8->6,16": "drag",
    "face in.png --reference ref.png --points 17": "face",
}


@pytest.mark.parametrize(("line", "kind"), EVERY_EDIT.items())
def test_every_edit_goes_from_png_to_png_and_repeats_itself(editor: FakeEditor, line: str, kind: str) -> None:
    assert done(f"{line} --prompt cup --seed 3 --steps 6 -o out.png").stdout == "out.png\n"
    assert np.array_equal(pictures.read("out.png"), PICTURE + np.uint8(4))
    done("run out.png -o again.png")
    first, second = editor.named("edit")
    assert [edit.kind for edit in first["edits"]] == [kind]
    assert first["prompt"] == "cup"
    for edit in (*first["edits"], *second["edits"]):
        assert not getattr(edit, "mask", None) or edit.mask.array(SIZE).any()
    assert record("again.png") == record("out.png")
    assert np.array_equal(pictures.read("again.png"), pictures.read("out.png"))


def test_options_reach_the_edit(editor: FakeEditor) -> None:
    done(next(iter(EVERY_EDIT)) + " --guidance 2 --no-preserve --negative-prompt fog --reference-prompt hat -o out.png")
    (call,) = editor.named("edit")
    edit = call["edits"][0]
    assert (edit.offset, edit.scale, edit.angle) == ((6, -2), 1.2, 15)
    assert np.array_equal(edit.fill_like.array(SIZE), MASK)
    assert (call["guidance"], call["preserve"]) == (2, False)
    assert (call["negative_prompt"], call["reference_prompt"]) == ("fog", "hat")


def test_the_record_names_no_folders(editor: FakeEditor, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "model").mkdir()
    for name in ("in.png", "mask.png"):
        (tmp_path / name).rename(tmp_path / "secret" / name)
    folder = tmp_path / "secret"
    done(f"remove {folder}/in.png --mask {folder}/mask.png --model {folder}/model -o out.png")
    assert "secret" not in json.dumps(record("out.png"))
    assert record("out.png")["request"]["image"].keys() == {"name", "sha256"}
    assert record("out.png")["request"]["model"] == "model"
    refusal = refused("run out.png -o again.png")
    assert "the picture in.png is missing; put it into the folder" in refusal


def test_a_changed_source_is_refused(editor: FakeEditor) -> None:
    done("remove in.png --mask mask.png -o out.png")
    pictures.write(Path("in.png"), 255 - PICTURE, force=True)
    assert "is not the in.png of the record" in refused("run out.png -o again.png")


def test_an_embedded_source_needs_no_files(editor: FakeEditor) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.fromarray(PICTURE).save("photo.png", exif=exif)
    done(f"{list(EVERY_EDIT)[4].replace('in.png', 'photo.png')} --embed-source -o out.png")
    for name in ("photo.png", "mask.png", "ref.png"):
        Path(name).unlink()
    embedded = base64.b64decode(record("out.png")["request"]["image"]["png"])
    assert b"taken at home" in Path("out.png").read_bytes()
    assert b"taken at home" not in embedded
    done("run out.png -o again.png")
    assert np.array_equal(pictures.read("again.png"), pictures.read("out.png"))


def test_a_record_too_large_is_refused_before_the_work(editor: FakeEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_RECORD", 1000)
    assert "leave out --embed-source" in refused("remove in.png --mask mask.png --embed-source -o out.png")
    assert editor.calls == []


def test_other_weights_are_told(editor: FakeEditor) -> None:
    done("remove in.png --mask mask.png -o out.png")
    editor.weights_hash = "w2"
    assert "the weights are not those of the record" in done("run out.png -o again.png").stderr


def test_a_request_file_runs(editor: FakeEditor, tmp_path: Path) -> None:
    edits = [
        {"kind": "move", "mask": {"path": "mask.png"}, "offset": [3, 4]},
        {"kind": "remove", "mask": {"box": [1, 1, 9, 9]}},
    ]
    asked = {
        "image": {"path": "in.png"},
        "edits": edits,
        "method": "dragondiffusion",
        "settings": {"reference": "branch"},
        "seed": 5,
    }
    (tmp_path / "request.json").write_text(json.dumps(asked))
    (tmp_path / "elsewhere").mkdir()
    done("run request.json --count 2 -o elsewhere/out.png")
    calls = editor.named("edit")
    assert [call["seed"] for call in calls] == [5, 6]
    assert calls[0]["method"].reference == "branch"
    assert len(calls[0]["edits"]) == 2
    assert len(editor.named("invert")) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is neither a result PNG nor JSON"),
        ("[]", "holds no request"),
        ("{}", "edits: is missing"),
        ('{"edits": [{"kind": "remove", "mask": {"box": [1, 1, 9, 9]}}]}', "names no picture"),
        ('{"image": {"path": "none.png"}, "edits": [{"kind": "remove", "mask": {"box": [1, 1, 9, 9]}}]}', "no file"),
        (
            '{"image": {"path": "in.png"}, "edits": [{"kind": "remove", "mask": {"path": "in.jpg"}}]}',
            "there is no file",
        ),
        (
            '{"image": {"path": "in.png"}, "edits": [{"kind": "remove", "mask": {"box": [1, 1, 9]}}]}',
            "edits[0].mask.box",
        ),
        ('{"kind": "edit"}', "no record of"),
        ('{"kind": "generate"}', "no record of"),
        ('{"kind": "dance"}', "no record of"),
    ],
)
def test_bad_request_files_get_a_sentence(editor: FakeEditor, text: str, sentence: str) -> None:
    Path("request.json").write_text(text)
    assert sentence in refused("run request.json -o out.png")
    assert editor.calls == []


def test_a_png_without_record_is_refused(editor: FakeEditor) -> None:
    assert "in.png carries no record" in refused("run in.png -o out.png")


MOVED = "move apple.png --mask mask.png --by 3,3 --method dragondiffusion --set start=source"


def test_generated_pictures_are_not_inverted(editor: FakeEditor) -> None:
    done("generate --size 40x24 --seed 7 --steps 5 -o apple.png", "--prompt", "a red apple")
    made = record("apple.png")
    asked = made["drawing"]
    assert (asked["prompt"], asked["seed"], asked["size"], made["weights"]) == ("a red apple", 7, [40, 24], "w1")
    found = done(f"{MOVED} -o moved.png")
    assert "its own trajectory is used instead of an inversion" in found.stderr
    assert editor.named("invert") == []
    first, second = editor.named("generate")
    assert {**first, "progress": 0, "guidance": 0} == {**second, "progress": 0, "guidance": 0}
    done("run moved.png -o again.png")
    assert editor.named("invert") == []
    done(f"{MOVED} --invert -o inverted.png")
    assert len(editor.named("invert")) == 1
    done("run inverted.png -o inverted-again.png")
    assert len(editor.named("invert")) == 2
    pixels = pictures.read("apple.png")  # a record of another world is no reason to fail
    odd = json.dumps({"kind": "generate", "drawing": {"by": "hand"}, "pixels": pictures.pixel_hash(pixels)})
    pictures.write(Path("apple.png"), pixels, odd, force=True)
    done(f"{MOVED} -o odd.png")
    assert len(editor.named("invert")) == 3


def test_a_method_that_reads_no_source_has_none_drawn_again(editor: FakeEditor) -> None:
    done("generate --size 40x24 --steps 5 -o apple.png", "--prompt", "a red apple")
    done("move apple.png --mask mask.png --by 3,3 --method warp -o moved.png")
    assert len(editor.named("generate")) == 1
    assert [(asked["steps"], asked["depth"]) for asked in editor.named("invert")] == [(10, 0.0)]


def test_generated_pictures_are_repeated(editor: FakeEditor) -> None:
    done("generate --prompt apple --seed 7 -o apple.png")
    done("run apple.png -o again.png")
    assert np.array_equal(pictures.read("again.png"), pictures.read("apple.png"))
    assert record("again.png") == record("apple.png")


def test_an_embedded_generated_source_keeps_its_trajectory(editor: FakeEditor) -> None:
    done("generate --prompt apple --seed 7 -o apple.png")
    done("remove apple.png --mask mask.png --method dragondiffusion --set start=source --embed-source -o out.png")
    Path("apple.png").unlink()
    assert "its own trajectory" in done("run out.png -o again.png").stderr


@pytest.mark.parametrize("change", ["pixel", "weights", "steps", "world"])
def test_generated_pictures_are_inverted_when_anything_changed(editor: FakeEditor, change: str) -> None:
    done("generate --prompt apple --seed 7 --steps 5 -o apple.png")
    text = pictures.record(Path("apple.png").read_bytes())
    more = ""
    if change == "pixel":
        pixels = pictures.read("apple.png")
        pixels[0, 0, 0] ^= 1
        pictures.write(Path("apple.png"), pixels, text, force=True)
    elif change == "weights":
        editor.weights_hash = "w2"
    elif change == "steps":
        more = " --steps 6"
    else:
        editor.source = lambda picture, **rest: FakeEditor.source(editor, 255 - picture, **rest)  # type: ignore[method-assign]
    done(f"remove apple.png --mask mask.png{more} -o out.png")
    assert len(editor.named("invert")) == 1


def test_outputs_have_free_names(editor: FakeEditor) -> None:
    names = [done("remove in.png --mask mask.png").stdout.strip() for _ in range(3)]
    assert names == ["in-remove.png", "in-remove-2.png", "in-remove-3.png"]
    assert done("generate --prompt cup").stdout.strip() == "generated.png"


def test_nothing_is_overwritten_without_force(editor: FakeEditor) -> None:
    Path("out.png").write_text("mine")
    assert "exists already" in refused("remove in.png --mask mask.png -o out.png")
    assert Path("out.png").read_text() == "mine"
    assert editor.calls == []
    done("remove in.png --mask mask.png -o out.png --force")
    assert record("out.png")["kind"] == "edit"


def test_count_writes_seed_by_seed(editor: FakeEditor) -> None:
    found = done("remove in.png --mask mask.png --seed 4 --count 3 -o out.png")
    assert found.stdout.split() == ["out-1.png", "out-2.png", "out-3.png"]
    assert "random" not in found.stderr
    for seed, name in enumerate(found.stdout.split(), 4):
        assert record(name)["request"]["seed"] == seed
        assert record(name)["request"]["count"] == 1
        assert np.array_equal(pictures.read(name), PICTURE + np.uint8(seed + 1))
    assert len(editor.named("invert")) == 1


def test_count_says_when_nothing_is_random(editor: FakeEditor) -> None:
    editor.random = False
    found = done("remove in.png --mask mask.png --count 3 -o out.png")
    assert found.stderr.count("nothing in this setting is random: all 3 results") == 1
    assert len(editor.named("edit")) == 1
    assert Path("out-3.png").exists()
    assert "random" not in done("remove in.png --mask mask.png -o one.png").stderr


def test_previews(editor: FakeEditor) -> None:
    done("remove in.png --mask mask.png --steps 6 --preview-every 2 -o out.png")
    assert sorted(p.name for p in Path().glob("out.step-*")) == ["out.step-002.png", "out.step-004.png"]
    assert (pictures.read("out.step-002.png") == 4).all()
    Path("out.png").unlink()
    assert "out.step-00" in refused("remove in.png --mask mask.png --steps 6 --preview-every 3 -o out.png")


LOST = {
    "jpg": "JPEG does not keep the exact pixels and the record that repeats it; .png does",
    "webp": "WEBP does not keep the record that repeats it; .png does",
    "tiff": "TIFF does not keep the record that repeats it; .png does",
}


@pytest.mark.parametrize("ending", LOST)
def test_other_formats_say_what_they_lose(editor: FakeEditor, ending: str) -> None:
    for line in ("remove in.png --mask mask.png --count 2", "generate --prompt cup"):
        found = done(f"{line} -o {line[0]}.{ending}")
        assert found.stderr.count(f"dragkit: {LOST[ending]}") == 1
    with Image.open(f"r-2.{ending}") as image:
        assert (image.format, image.size) == (LOST[ending].split()[0], SIZE)
    assert "does not keep" not in done("remove in.png --mask mask.png -o out.png").stderr
    assert refused(f"remove in.png --mask mask.png --method magic -o bad.{ending}").startswith("dragkit: there is no")


def test_profile_and_exif_of_the_picture_are_carried(editor: FakeEditor) -> None:
    exif = Image.Exif()
    exif.update({0x010E: "at home", 0x0112: 8})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PICTURE).rotate(-90, expand=True).save("photo.tiff", exif=exif, icc_profile=profile)
    assert np.array_equal(pictures.read("photo.tiff"), PICTURE)
    done("remove photo.tiff --mask mask.png --preview-every 2 --steps 4 -o out.png")
    done("run out.png -o again.webp")
    for name in ("out.png", "out.step-002.png", "again.webp"):
        with Image.open(name) as image:
            assert (image.getexif()[0x010E], image.getexif()[0x0112]) == ("at home", 1)
            assert image.info["icc_profile"] == profile
            assert image.size == SIZE
    assert "at home" not in json.dumps(record("out.png"))
    assert np.array_equal(pictures.read("again.webp"), pictures.read("out.png"))


def test_a_large_picture_is_edited_in_a_window(editor: FakeEditor) -> None:
    editor.window = Window((8, 0, 32, 24), SIZE)
    found = done("remove in.png --mask mask.png --steps 4 --preview-every 2 --seed 4 -o out.png")
    assert "the model sees 24x24 px round the edit, at their own scale; --window off shows it all" in found.stderr
    changed = (pictures.read("out.png") != PICTURE).any((0, 2))
    assert changed[12:28].all()
    assert not changed[:8].any()
    assert not changed[32:].any()
    shown = pictures.read("out.step-002.png")
    assert (shown[:, 12:28] == 2).all()
    assert np.array_equal(shown[:, 32:], PICTURE[:, 32:])
    assert record("out.png")["request"]["window"] == "auto"
    done("remove in.png --mask mask.png --window off --seed 4 -o whole.png")
    assert (pictures.read("whole.png") != PICTURE).any((0, 2)).all()
    assert record("whole.png")["request"]["window"] == "off"
    for name in ("out", "whole"):
        done(f"run {name}.png -o {name}-again.png")
        assert np.array_equal(pictures.read(f"{name}-again.png"), pictures.read(f"{name}.png"))
    assert editor.framed == [True, False, True, False]


def test_a_generated_picture_has_a_trajectory_and_no_window(editor: FakeEditor) -> None:
    editor.window = Window((8, 0, 32, 24), SIZE)
    done("generate --prompt cup --size 40x24 -o cup.png")
    kept = "remove cup.png --mask mask.png --method dragondiffusion --set start=source -o out.png"
    assert "the model sees" not in done(kept).stderr
    assert "the model sees" in done("remove cup.png --mask mask.png --invert -o inverted.png").stderr


def test_settings_reach_the_method(editor: FakeEditor) -> None:
    settings = "--method dragondiffusion --set reference=branch --set guided=0.1,0.5 --set mapped=True --set repeats=2"
    done(f"remove in.png --mask mask.png {settings} -o out.png")
    method = editor.named("edit")[0]["method"]
    assert (method.reference, method.guided, method.mapped, method.repeats) == ("branch", (0.1, 0.5), True, 2)


def test_a_speed_becomes_numbers_that_the_record_has(editor: FakeEditor) -> None:
    done("remove in.png --mask mask.png --speed fast -o out.png")
    assert editor.named("invert")[0]["steps"] == preset("warp", "toy", "fast").steps
    found = record("out.png")["request"]
    assert (found["speed"], found["steps"]) == (None, preset("warp", "toy", "fast").steps)
    done("remove in.png --mask mask.png --speed fast --steps 9 -o other.png")
    assert editor.named("invert")[1]["steps"] == 9


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("remove none.png --mask mask.png -o out.png", "none.png"),
        ("remove in.png --mask none.png -o out.png", "there is no file"),
        ("remove in.png -o out.png", "no mask; give --mask M.png, --box x0,y0,x1,y1 or --ellipse"),
        ("remove in.png --mask mask.png --box 1,2,3,4 -o out.png", "got --mask and --box; give one"),
        ("remove in.png --box 1,2,3 -o out.png", 'got "1,2,3" for --box, want x0,y0,x1,y1'),
        ("remove in.png --box 5,2,3,9 -o out.png", "mask.box: got 5,2,3,9, want"),
        ("remove in.png --box 90,2,99,9 -o out.png", "the mask is empty"),
        ("move in.png --mask mask.png --by 3 -o out.png", 'got "3" for --by, want dx,dy'),
        ("move in.png --mask mask.png --by nan,3 -o out.png", "for --by, want dx,dy"),
        ("move in.png --mask mask.png --by 99,3 -o out.png", "wholly out of the picture"),
        ("move in.png --mask mask.png --by 1,3 --scale -1 -o out.png", "scale: got -1.0, want greater than 0"),
        ("resize in.png --mask mask.png --scale inf -o out.png", "scale: got inf, want a finite number"),
        (
            "paste in.png --reference ref.png --by 1,1 -o out.png",
            "no mask; give --reference-mask M.png, --reference-box",
        ),
        ("drag in.png --point 1,2->99,2 -o out.png", "the target (99, 2) lies outside the picture of 40x24 px"),
        ("drag in.png --point 1,2->3,4 --point 1,2->5,6 -o out.png", "the handle (1, 2) goes to (3, 4) and to (5, 6)"),
        ("drag in.png --point 1;2 -o out.png", 'got "1;2"'),
        ("face in.png -o out.png", "no face to imitate"),
        ("face in.png --reference ref.png --points 12 -o out.png", "points: got 12, want 17 or 68"),
        ("face in.png --reference ref.png --landmarks mask.png -o out.png", "mask.png is not JSON"),
        ("face in.png --reference ref.png --landmarks none.json -o out.png", "there is no file none.json"),
        ("remove in.png --mask mask.png -o none/out.png", "there is no folder none"),
        ("remove in.png --mask mask.png -o out.bmp", "the ending is not one of"),
        ("remove in.png --mask mask.png -o out", "cannot write out: the ending is not one of .png, .jpg"),
        ("remove in.png --mask mask.png --window on -o out.png", "window: got 'on', want 'auto' or 'off'"),
        (
            "remove in.png --mask mask.png --speed hasty -o out.png",
            "speed: got 'hasty', want 'fast', 'balanced' or 'best'",
        ),
        ("drag in.png --point 6,8->9,8 --method freedrag --speed fast -o out.png", "freedrag has no speed fast"),
        ("generate --prompt cup --size 20000x96 -o out.webp", "out.webp cannot hold 20000x96 px as WEBP"),
        ("remove in.png --mask mask.png --count 0 -o out.png", "count: got 0"),
        ("remove in.png --mask mask.png --seed -2 -o out.png", "seed: got -2"),
        ("remove in.png --mask mask.png --method magic -o out.png", "there is no method magic; give one of"),
        ("remove in.png --mask mask.png --method dragondiffusion --set magic=1 -o out.png", "has no setting magic"),
        ("remove in.png --mask mask.png --method dragondiffusion --set magic -o out.png", "want name=value"),
        (
            "remove in.png --mask mask.png --method dragondiffusion --set repeats=two -o out.png",
            "the setting repeats: got 'two'",
        ),
        ("remove in.png --mask mask.png --method dragondiffusion --set reference=cloud -o out.png", "'cloud'"),
        ("generate --prompt cup --size 12 -o out.png", 'got "12" for --size, want WxH'),
        ("generate --prompt cup --size 9.5x9 -o out.png", "size[0]: got 9.5, want"),
        ("generate --prompt cup --size 0x9 -o out.png", "size[0]: got 0"),
        ("generate --prompt cup --guidance nan -o out.png", "guidance"),
        ("run none.json -o out.png", "there is no file none.json"),
    ],
)
def test_bad_input_gets_one_sentence_before_any_work(editor: FakeEditor, line: str, sentence: str) -> None:
    assert sentence in refused(line)
    assert editor.calls == []


def test_ctrl_c_leaves_no_file(editor: FakeEditor) -> None:
    editor.stop_after = 2
    found = ran("remove in.png --mask mask.png -o out.png")
    assert (found.exit_code, found.stderr) == (130, "dragkit: stopped\n")
    assert not list(Path().glob("*out*"))


def test_ctrl_c_while_loading_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dragkit.cli.app.app", interrupted)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == INTERRUPTED


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried"), OSError("no net\nat all")])
def test_troubles_of_the_machine_are_sentences(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def trouble() -> None:
        raise error

    with pytest.raises(Exception, match="2") as caught:
        with_sentences(trouble)
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_library_logs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("dragkit")
    with_sentences(lambda: library.getChild("shortage").warning("once more with %s", "small"))
    assert capsys.readouterr().err == "dragkit: once more with small\n"
    assert not library.handlers


def test_our_own_mistakes_are_not_hidden() -> None:
    def mistake() -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        with_sentences(mistake)


def test_the_schema_is_json(editor: FakeEditor) -> None:
    assert "edits" in json.loads(done("schema").stdout)["properties"]


def test_methods_are_listed_with_every_setting() -> None:
    text = done("methods").stdout
    for name, method in METHODS.items():
        assert f"{name}:" in text
        assert f"  for {', '.join(sorted(method.kinds))}" in text
        for setting in fields(method):
            assert f"  {setting.name} = " in text


def test_models_lists_the_toy_and_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "models--some--model" / "snapshots" / "1" / "model_index.json"
    index.parent.mkdir(parents=True)
    index.write_text('{"_class_name": "StableDiffusionPipeline"}')
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    text = done("models").stdout
    assert text.startswith("toy:")
    assert "some/model:" in text


COMMANDS = [
    "move",
    "resize",
    "remove",
    "replace",
    "paste",
    "drag",
    "face",
    "reprompt",
    "finetune",
    "generate",
    "run",
]
TELLING = ["schema", "methods", "models", "demo"]


HEAVY = {"numpy", "PIL", "pydantic", "torch", "diffusers", "transformers"}


def helped(line: str) -> tuple[str, set[str]]:
    """What `dragkit LINE --help` says, and which of the libraries that take their time it loads."""
    code = "import sys; from dragkit.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    given = [sys.executable, "-c", code, *line.split(), "--help"]
    found = subprocess.run(given, capture_output=True, text=True, check=True)
    return found.stdout, HEAVY & set(found.stderr.split())


def test_the_list_of_commands_loads_nothing_that_takes_time() -> None:
    said, loaded = helped("")
    assert "Commands:" in said
    assert not loaded


@pytest.mark.parametrize("line", ["move", "run", "preview", "studio", "bench", "bench truth"])
def test_help_on_a_command_is_quick_too(line: str) -> None:
    said, loaded = helped(line)
    assert "Usage:" in said
    assert loaded <= {"pydantic"}  # which typer may want for itself


def test_help_teaches_by_example() -> None:
    said = done("--help").stdout
    assert all(f"\n  {command} " in said for command in COMMANDS + TELLING)
    for command in COMMANDS:
        assert f"dragkit {command} " in done(f"{command} --help").stdout


def test_bare_dragkit_shows_help() -> None:
    assert "Usage:" in ran("").output
    assert done("--version").stdout.strip()


@pytest.mark.parametrize("line", [line for line in EVERY_EDIT if not line.startswith("face")])
def test_the_real_editor_is_called_as_it_wants(
    editor: FakeEditor, monkeypatch: pytest.MonkeyPatch, tiny: StableDiffusion, line: str
) -> None:
    monkeypatch.setattr(work, "loaded", lambda *_: Editor(tiny))
    done(f"{line} --prompt cup --steps 3 --preview-every 1 -o out.png")
    done("run out.png -o again.png")
    assert pictures.read("out.step-001.png").shape == PICTURE.shape
    assert np.array_equal(pictures.read("again.png"), pictures.read("out.png"))
    assert record("again.png") == record("out.png")


@pytest.mark.parametrize("method", METHODS)
def test_the_real_editor_repeats_every_method(
    editor: FakeEditor, monkeypatch: pytest.MonkeyPatch, tiny: StableDiffusion, method: str
) -> None:
    monkeypatch.setattr(work, "loaded", lambda *_: Editor(tiny))
    done("generate --prompt cup --steps 3 --size 40x24 -o cup.png")
    drag = "drag cup.png --point 6,8->9,8 --set rounds=2"
    edits = {"remove": "remove cup.png", "drag": drag, "reprompt": "reprompt cup.png --prompt mug"}
    edit = next(line for kind, line in edits.items() if kind in METHODS[method].kinds)
    found = done(f"{edit} --mask mask.png --method {method} --count 2 --seed 5 -o out.png")
    own = method not in ("warp", "dragondiffusion", "diffeditor")  # which read the warped picture's alone
    assert ("its own trajectory" in found.stderr) == own
    done("run out-2.png -o again.png")
    assert np.array_equal(pictures.read("again.png"), pictures.read("out-2.png"))
    assert record("again.png") == record("out-2.png")


DRAGGED = "drag in.png --point 6,8->6,16 --method dragdiffusion"


def test_dragdiffusion_memorises_first_and_repeats_itself(editor: FakeEditor) -> None:
    done(f'{DRAGGED} --prompt cup --set lora={{"steps":7,"batch":1}} -o out.png')
    (first,) = editor.named("memorise")
    assert (first["prompt"], first["how"].steps, first["how"].batch) == ("cup", 7, 1)
    assert [called for called, _ in editor.calls] == ["memorise", "invert", "edit"]
    assert editor.named("invert")[0]["lora"] is editor.named("edit")[0]["lora"] is not None
    done("run out.png -o again.png")
    assert editor.named("memorise")[1]["how"].steps == 7
    assert record("again.png") == record("out.png")


def test_without_a_lora_nothing_is_memorised(editor: FakeEditor) -> None:
    done(f"{DRAGGED} --lora none -o out.png")
    done("run out.png -o again.png")
    done("drag in.png --point 6,8->6,16 -o other.png")
    assert not editor.named("memorise")
    assert [call["lora"] for call in editor.named("edit")] == [None] * 3
    assert record("out.png")["request"]["settings"]["lora"] is None


def test_methods_and_loras_that_do_not_fit_are_refused(editor: FakeEditor) -> None:
    assert "can do drag, face but not remove" in refused(
        "remove in.png --mask mask.png --method dragdiffusion -o out.png"
    )
    assert "there is no LoRA cup.safetensors" in refused(f"{DRAGGED} --lora cup.safetensors -o out.png")
    assert "steps" in refused(f'{DRAGGED} --set lora={{"steps":0}} -o out.png')
    assert "give 0 <= dragged" in refused(f"{DRAGGED} --set strength=2 -o out.png")
    assert "no setting kinds" in refused(f"{DRAGGED} --set kinds=3 -o out.png")
    assert editor.calls == []


def test_finetune_writes_a_file_that_drag_takes(
    editor: FakeEditor, monkeypatch: pytest.MonkeyPatch, tiny: StableDiffusion
) -> None:
    assert done("finetune in.png --prompt cup --steps 9").stdout == "in-lora.safetensors\n"
    assert editor.named("memorise")[0]["how"].steps == 9
    assert set(load_file("in-lora.safetensors")) == {"unet.mid.to_q.lora_A.weight", "unet.mid.to_q.lora_B.weight"}
    assert "exists already" in refused("finetune in.png")
    assert "no folder" in refused("finetune in.png -o nowhere/cup.safetensors")
    assert "rate above 0" in refused("finetune in.png --rate 0 --force")
    monkeypatch.setattr(work, "loaded", lambda *_: Editor(tiny))
    assert "want LoRA weights" in refused(f"{DRAGGED} --lora in-lora.safetensors -o out.png")
    done("finetune in.png --steps 1 --batch 1 --rank 2 --force")
    done(f"{DRAGGED} --lora in-lora.safetensors --set rounds=1 --steps 2 -o out.png")


def test_weights_are_not_hashed_before_the_work(editor: FakeEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gigabytes are read for that, while a person waits for the first step."""

    def hashed(self: FakeEditor) -> str:
        assert self.named("edit")
        return "w1"

    monkeypatch.setattr(FakeEditor, "weights_hash", property(hashed), raising=False)
    del editor.__dict__["weights_hash"]
    done("remove in.png --mask mask.png -o out.png")
    assert len(editor.named("edit")) == 1


@pytest.mark.parametrize("trouble", [False, True])
def test_garbage_is_looked_for_again_after_the_imports(monkeypatch: pytest.MonkeyPatch, trouble: bool) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: seen.append(gc.isenabled()))
    assert gc.isenabled()
    with contextlib.suppress(ImportError), work.unswept():
        assert not gc.isenabled()
        if trouble:
            raise ImportError
    assert gc.isenabled()
    assert seen == [False]


def test_the_cache_is_where_people_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRAGKIT_CACHE", str(tmp_path / "mine"))
    assert work.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("DRAGKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert work.cache_folder() == tmp_path / "dragkit"


REPROMPT = "reprompt in.png --prompt mug --source-prompt cup"


def test_a_reprompt_says_what_was_and_what_is_to_be(editor: FakeEditor) -> None:
    done(f"{REPROMPT} --word mug=1.5 --word cup --mask mask.png -o out.png")
    assert editor.named("invert")[0]["prompt"] == "cup"
    (edit,) = editor.named("edit")[0]["edits"]
    assert (edit.prompt, edit.words, edit.target_mask) == ("mug", {"mug": 1.5, "cup": 1.0}, None)
    assert np.array_equal(edit.mask.array(SIZE), MASK)
    assert isinstance(editor.named("edit")[0]["method"], MasaCtrl)
    assert record("out.png")["request"]["method"] == "masactrl"
    done("run out.png -o again.png")
    assert record("again.png") == record("out.png")


def test_points_of_a_reprompt_come_after_it_and_take_the_mask(editor: FakeEditor) -> None:
    done(f"{REPROMPT} --point 6,8->6,16 --mask mask.png -o out.png")
    words, drag = editor.named("edit")[0]["edits"]
    assert (words.kind, words.mask, drag.kind, drag.targets) == ("reprompt", None, "drag", ((6, 16),))
    assert drag.mask is not None
    assert isinstance(editor.named("edit")[0]["method"], AttentionDrag)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("--word bowl", 'the word "bowl" is in neither prompt'),
        ("--word mug=much", 'got "much" for the weight of the word "mug"'),
        ("--word mug=-1", "greater than or equal to 0"),
        ("--method dragondiffusion", "can do drag, face, move, paste, remove, replace but not reprompt"),
        ("--point 6,8->6,16 --method masactrl", "can do reprompt but not drag"),
        ("--target-mask mask.png", "a target mask without a mask"),
        ("--point 6,8->6,99", "lies outside the picture"),
        ("--set start=2", "start is 2.0"),
        ("--set block=5", "block 5; give"),
    ],
)
def test_words_that_make_no_sense_are_refused(editor: FakeEditor, more: str, sentence: str) -> None:
    assert sentence in refused(f"{REPROMPT} {more} -o out.png")
    assert editor.calls == []


def test_a_reprompt_is_the_first_of_several_edits(editor: FakeEditor) -> None:
    edits = [{"kind": "drag", "handles": [[6, 8]], "targets": [[6, 9]]}, {"kind": "reprompt", "prompt": "mug"}]
    Path("request.json").write_text(json.dumps({"image": {"path": "in.png"}, "edits": edits}))
    assert "a reprompt comes after another edit; give one, first" in refused("run request.json -o out.png")
