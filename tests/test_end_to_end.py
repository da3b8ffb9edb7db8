"""The shipped model edits held-out scenes: what was asked for happens, measured against the true answer.

Twenty steps instead of fifty keep this file under a minute; the benchmark measures the full number on many scenes.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dragkit import pictures, regions
from dragkit.cli.app import app
from dragkit.editor import Editor
from dragkit.edits import Face, Move, Remove, Reprompt
from dragkit.geometry import dilate
from dragkit.methods import MasaCtrl, Warp, for_model
from dragkit.model import StableDiffusion
from dragkit.previews import preview
from dragkit.source import replay, to_picture, to_tensor
from dragkit.toy import truth
from dragkit.toy.landmarks import detect
from dragkit.toy.scenes import sample
from dragkit.toy.tasks import Task, task
from dragkit.toy.things import COLOURS

STEPS = 20
MUCH, SOME = 0.6, 0.85  # shares of the squared error of doing nothing that an edit may leave


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor.from_pretrained("toy")


DRAGON = for_model("dragondiffusion", "toy")


def edited(editor: Editor, wish: Task) -> np.ndarray:
    result = editor(wish.picture, wish.edits, method=DRAGON, steps=STEPS)
    return np.asarray(result.image)


def error(picture: np.ndarray, target: np.ndarray, where: np.ndarray) -> float:
    """Mean squared error over the pixels of a mask [h, w], in squared grey levels."""
    return float(np.square(picture[where].astype(float) - target[where]).mean())


def left(picture: np.ndarray, wish: Task, where: np.ndarray) -> float:
    """The error to the nearest true answer as a share of what the unedited picture has: 1 for doing nothing."""
    return min(error(picture, t, where) / error(wish.picture, t, where) for t in wish.targets)


def psnr(picture: np.ndarray, target: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / error(picture, target, np.ones(picture.shape[:2], bool))))


def untouched(wish: Task) -> np.ndarray:
    """Pixels [h, w] that no edit of the task may change."""
    size = (wish.picture.shape[1], wish.picture.shape[0])
    region = np.logical_or.reduce([regions.edited(edit, size) for edit in wish.edits])
    return ~dilate(region, regions.FEATHER * min(size) + 2)


def assert_kept(picture: np.ndarray, wish: Task) -> None:
    outside = untouched(wish)
    assert outside.mean() > 0.2
    assert np.array_equal(picture[outside], wish.picture[outside])


def test_a_move_brings_the_object_there_and_leaves_nothing_behind(editor: Editor) -> None:
    wish = task("move", 8, "test")
    picture = edited(editor, wish)
    assert left(picture, wish, wish.destination) < MUCH
    assert left(picture, wish, wish.revealed) < MUCH
    assert_kept(picture, wish)


def test_a_removed_object_is_gone(editor: Editor) -> None:
    wish = task("remove", 7, "test")
    picture = edited(editor, wish)
    assert left(picture, wish, wish.revealed) < MUCH
    assert_kept(picture, wish)


def test_a_pasted_object_stands_where_it_was_put(editor: Editor) -> None:
    wish = task("paste", 9, "test")
    picture = edited(editor, wish)
    assert left(picture, wish, wish.destination) < MUCH
    assert_kept(picture, wish)


def test_a_replaced_object_takes_the_look_of_the_reference(editor: Editor) -> None:
    wish = task("replace", 2, "test")
    picture = edited(editor, wish)
    mask = wish.destination
    assert left(picture, wish, mask) < MUCH
    before, after, goal = (p[mask].mean(0) for p in (wish.picture, picture, wish.targets[0]))
    assert np.linalg.norm(after - goal) < 0.4 * np.linalg.norm(before - goal)
    assert_kept(picture, wish)


def test_a_drag_brings_the_part_towards_its_target(editor: Editor) -> None:
    wish = task("drag", 0, "dev")
    picture = edited(editor, wish)
    assert left(picture, wish, wish.destination | wish.revealed) < SOME
    assert_kept(picture, wish)


def test_a_drag_without_training_brings_the_part_towards_its_target(editor: Editor) -> None:
    wish = task("drag", 0, "dev")
    result = editor(wish.picture, wish.edits, method=for_model("attention-drag", "toy"), steps=10)
    picture = np.asarray(result.image)
    assert left(picture, wish, wish.destination | wish.revealed) < SOME
    assert_kept(picture, wish)


def test_a_face_takes_the_expression_of_another(editor: Editor) -> None:
    wish = task("face17", 3, "test")
    assert wish.reference is not None
    face = Face(reference=wish.reference, points=17)  # landmarks are found, not given
    picture = np.asarray(editor(wish.picture, face, method=DRAGON, steps=STEPS).image)
    goal = face.select(detect(wish.targets[0]))
    before, after = (np.linalg.norm(face.select(detect(p)) - goal, axis=1).mean() for p in (wish.picture, picture))
    assert after < SOME * before


@pytest.mark.parametrize(("kind", "seed"), [("move", 8), ("remove", 7), ("drag", 0)])
def test_warp_does_in_ten_steps_what_the_others_do_in_fifty(editor: Editor, kind: str, seed: int) -> None:
    wish = task(kind, seed, "dev")
    picture = np.asarray(editor(wish.picture, wish.edits, method=Warp()).image)
    assert left(picture, wish, wish.destination | wish.revealed) < 0.5 * MUCH
    assert_kept(picture, wish)


def test_warp_mostly_draws_what_was_hidden_better_than_pixels_can(editor: Editor) -> None:
    shares = []
    for seed in (500, 501, 502, 503):
        wish = task("remove", seed, "dev")
        drawn = np.asarray(editor(wish.picture, wish.edits, method=Warp()).image)
        shares.append(left(drawn, wish, wish.revealed) / left(preview(wish.picture, wish.edits), wish, wish.revealed))
    assert np.median(shares) < 0.8


def test_twenty_edits_in_a_row_leave_the_thing_as_it_was(editor: Editor) -> None:
    """A mug with a thin handle goes round in a circle; outside what was edited nothing changes at all."""
    wish = task("move", 601, "dev")
    (move,) = wish.edits
    assert isinstance(move, Move)
    mask = began = move.mask.array((128, 128))
    picture, touched = wish.picture, np.zeros_like(mask)
    places = [(round(10 * math.cos(k * math.pi / 10)), round(10 * math.sin(k * math.pi / 10))) for k in range(21)]
    for (x, y), (to_x, to_y) in itertools.pairwise(places):
        step = Move(mask=mask, offset=(to_x - x, to_y - y))
        touched |= regions.edited(step, (128, 128))
        picture = np.asarray(editor(picture, step, method=Warp(), steps=5).image)
        mask = np.roll(mask, (to_y - y, to_x - x), (0, 1))
    assert np.array_equal(mask, began)
    outside = ~dilate(touched, regions.FEATHER * 128 + 2)
    assert np.array_equal(picture[outside], wish.picture[outside])
    assert psnr_in(picture, wish.picture, began) > 24


def psnr_in(picture: np.ndarray, target: np.ndarray, where: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(error(picture, target, where), 1e-9)))


def test_two_edits_are_done_in_one_pass(editor: Editor) -> None:
    scene = sample(41, "test", family="still")
    assert [thing.kind for thing in scene.objects] == ["mushroom", "apple"]
    offset = (-62.0, 0.0)  # to the other side of the mushroom
    (after,) = truth.moved(scene, 1, offset)
    goal = truth.removed(after, 0).picture()
    given, mushroom, apple = scene.picture(), scene.mask(0), scene.mask(1)
    wishes = (Move(mask=apple, offset=offset), Remove(mask=mushroom))
    picture = np.asarray(editor(given, wishes, method=DRAGON, steps=STEPS).image)
    for where in (after.mask(1), apple, mushroom & ~apple):
        assert error(picture, goal, where) < MUCH * error(given, goal, where)


@pytest.mark.parametrize("exact", [False, True], ids=["ddim", "belm"])
def test_inversion_and_plain_sampling_give_the_autoencoders_round_trip(editor: Editor, exact: bool) -> None:
    wish = task("move", 8, "test")
    x = to_tensor(wish.picture, editor.model)
    ceiling = psnr(to_picture(editor.model.decode(editor.model.encode(x))), wish.picture)
    assert ceiling > 31
    steps = STEPS if exact else 50  # the error of DDIM falls with the number of steps
    source = editor.invert(wish.picture, wish.prompt, steps=steps, exact=exact)
    again = to_picture(editor.model.decode(replay(editor.model, source)))
    assert psnr(again, wish.picture) > ceiling - 1  # dB


def test_a_v_prediction_gives_the_same_round_trip(editor: Editor) -> None:
    model, unet = editor.model, copy.deepcopy(editor.model.unet)
    alphas = dict(zip(*(x.tolist() for x in (model.schedule(999).t, model.schedule(999).alpha)), strict=True))

    def as_velocity(_: object, told: tuple[torch.Tensor, int], out: SimpleNamespace) -> None:
        z, t = told
        a = alphas[t]
        out.sample = (out.sample - (1 - a) ** 0.5 * z) / a**0.5

    unet.register_forward_hook(as_velocity)
    other = Editor(StableDiffusion(unet, model.vae, model.text_encoder, model.tokenizer, prediction="v"))
    wish = task("paste", 9, "test", (96, 128))
    sources = [e.invert(wish.picture, wish.prompt, steps=STEPS, refine=2) for e in (editor, other)]
    trips = [to_picture(model.decode(replay(e.model, s))) for e, s in zip((editor, other), sources, strict=True)]
    assert psnr(trips[1], trips[0]) > 40  # dB; they differ by the first guess of every move up alone


def test_the_command_line_edits_a_png_and_repeats_it(
    editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = task("move", 4, "test", (96, 128))
    (move,) = wish.edits
    assert isinstance(move, Move)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(wish.picture).save("in.png")
    Image.fromarray(move.mask.array((96, 128))).save("mask.png")
    by = "{:g},{:g}".format(*move.offset)
    done(
        "move", "in.png", "--mask", "mask.png", f"--by={by}", "--prompt", wish.prompt, "--steps", "12", "-o", "out.png"
    )
    done("run", "out.png", "-o", "again.png")
    picture = pictures.read(Path("out.png"))
    assert picture.shape == (128, 96, 3)
    assert np.array_equal(pictures.read(Path("again.png")), picture)
    assert left(picture, wish, wish.destination) < SOME
    assert_kept(picture, wish)


def done(*line: str) -> None:
    found = CliRunner().invoke(app, list(line))
    assert found.exit_code == 0, found.output


def test_landmarks_of_held_out_faces_are_found() -> None:
    errors = []
    for seed in range(4):
        for size in ((128, 128), (96, 128)):
            scene = sample(seed, "test", size, "face")
            assert scene.landmarks is not None
            found = detect(scene.picture())
            errors.append(np.linalg.norm(found - scene.landmarks, axis=1).mean())
    assert max(errors) < 1.5  # px; 0.5 when the network was trained


def test_another_prompt_changes_the_colour_and_keeps_the_background(editor: Editor) -> None:
    """MasaCtrl draws from the picture's own keys and values: plain sampling of the prompt keeps less of it."""
    scene = sample(4, "dev", family="still")
    assert scene.caption == "an orange lamp on a stone table against a rose wall"
    picture, words = scene.picture(), scene.caption.replace("an orange", "a white")
    source = editor.invert(picture, scene.caption, steps=10)
    control = for_model("masactrl", "toy")
    assert isinstance(control, MasaCtrl)
    results = [
        np.asarray(editor(source, Reprompt(prompt=words), method=how).image)
        for how in (control, replace(control, block=4))
    ]
    lamp = scene.mask(0)
    colour = [p[lamp].mean(0) for p in (picture, results[0])]
    white = np.array(COLOURS["white"])
    assert np.linalg.norm(colour[1] - white) < 0.75 * np.linalg.norm(colour[0] - white)
    rest = ~dilate(lamp, 10)
    kept, free = (error(p, picture, rest) for p in results)
    assert kept < free
    assert kept < 8**2  # squared levels of 255


def test_a_word_in_the_place_of_another_changes_the_colour_and_nothing_else(editor: Editor) -> None:
    """Prompt-to-Prompt; away from where the words are looked for the latents are the picture's own."""
    wish = task("reprompt_colour", 3)
    assert wish.target_prompt == "a striped pink fish on a tiled floor against a mint wall"
    how = for_model("prompt-to-prompt", "toy")
    picture = np.asarray(editor(wish.picture, wish.edits, method=how, steps=8, preserve=False).image)
    assert left(picture, wish, wish.destination) < MUCH
    rest = ~dilate(wish.destination, 10)
    assert error(picture, wish.picture, rest) < 8**2
