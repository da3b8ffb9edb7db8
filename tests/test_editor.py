import dataclasses

import numpy as np
import pytest
from PIL import Image

from dragkit import editor as editors
from dragkit import references
from dragkit import source as sources
from dragkit.editor import Editor
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.jobs import REFINE
from dragkit.memorise import Training
from dragkit.methods import DragDiffusion, DragonDiffusion, MasaCtrl, Warp, dragondiffusion
from dragkit.regions import edited

SIZE = (70, 45)  # not what the model takes: its canvas is another
OBJECT = {"box": (10, 10, 30, 26)}
QUICK = DragonDiffusion(guidance=1.0)
REMEMBERING = DragDiffusion(rounds=2, lora=Training(steps=2, batch=1, rank=2, rate=0.1))


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.fixture(scope="module")
def editor(calm):
    return Editor(calm)


@pytest.fixture
def calls(calm, monkeypatch):
    """The timesteps of every U-Net pass."""
    seen = []
    inner = calm.unet.forward
    monkeypatch.setattr(calm.unet, "forward", lambda z, t, *a, **k: seen.append(int(t)) or inner(z, t, *a, **k))
    return seen


EDITS = {
    "move": Move(mask=OBJECT, offset=(20, 5), scale=1.2, angle=15),
    "remove": Remove(mask=OBJECT, fill_like={"box": (40, 0, 60, 40)}),
    "drag": Drag(handles=[(20, 20)], targets=[(26, 20)]),
    "drag in a mask": Drag(handles=[(20, 20)], targets=[(40, 20)], mask={"box": (10, 10, 50, 40)}),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_the_result_has_the_pictures_size_and_keeps_what_is_outside(editor, picture, edit):
    result = editor(picture, edit, steps=2, method=QUICK)
    assert isinstance(result.image, Image.Image)
    assert result.image.size == SIZE
    far = np.ones(SIZE[::-1], bool)
    far &= ~edited(edit, SIZE)
    far[:, 5:65] = False  # well beyond the feathered edge
    assert far.any()
    changed = (np.asarray(result.image) != picture).any(-1)
    assert not changed[far].any()
    assert changed[edited(edit, SIZE)].mean() > 0.5


def test_pictures_from_elsewhere(editor, picture):
    other = np.random.default_rng(1).integers(0, 256, (60, 40, 3), np.uint8)
    paste = Paste(reference=other, reference_mask={"ellipse": (5, 5, 25, 30)}, offset=(20, 0))
    replace = Replace(mask={"box": (45, 25, 65, 40)}, reference=other, reference_mask={"box": (0, 0, 20, 20)})
    result = editor(picture, [paste, replace], steps=2, method=QUICK)
    changed = (np.asarray(result.image) != picture).any(-1)
    assert changed[15:20, 33:38].all() or changed[15:20, 33:38].mean() > 0.5
    assert not changed[:8, :8].any()


def test_a_second_edit_of_a_source_inverts_nothing(editor, picture, calls):
    source = editor.invert(picture, "a mug", steps=3)
    assert len(calls) == REFINE * 3 + 2  # two levels have nothing to extrapolate from
    calls.clear()
    editor(source, EDITS["move"], method=QUICK)
    first = list(calls)
    calls.clear()
    editor(source, EDITS["drag"], method=QUICK)
    assert calls == first
    assert len(first) == 3 + 2  # noise at every level, features at the two guided ones of three


@pytest.mark.parametrize(
    ("method", "edit", "remade"),
    [
        (QUICK, "move", []),
        (MasaCtrl(guidance=1.0), None, []),
        (DragDiffusion(rounds=2, lora=None), "drag in a mask", []),
        (Warp(), "move", ["previewed"]),  # what pixels make of each edit is another picture, and is inverted
    ],
    ids=["dragondiffusion", "masactrl", "dragdiffusion", "warp"],
)
def test_a_second_edit_inverts_and_records_nothing(editor, picture, monkeypatch, method, edit, remade):
    source = editor.invert(picture, "", steps=4)
    seen = []
    for room, name, said in (
        (editors, "invert", "again"),
        (references, "invert", "previewed"),
        (sources, "recorded_eps", "record"),
    ):
        inner = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *a, inner=inner, said=said, **k: seen.append(said) or inner(*a, **k))
    wish = EDITS[edit] if edit else Reprompt(prompt="a cup")
    editor(source, wish, method=method)
    assert [s for s in seen if s != "record" or not remade] == remade


def test_the_same_seed_gives_the_same_pixels_and_preserve_can_be_left_out(editor, picture):
    source = editor.invert(picture, steps=2)
    noisy = DragonDiffusion(guidance=1.0, fresh=1.0)
    a, b, c = (np.asarray(editor(source, EDITS["move"], method=noisy, seed=s).image) for s in (4, 4, 5))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    whole = np.asarray(editor(source, EDITS["move"], method=noisy, seed=4, preserve=False).image)
    assert (whole != picture).any(-1)[:5, 60:].any()


def test_steps_come_one_by_one_and_can_be_looked_at(editor, picture):
    source = editor.invert(picture, steps=3)
    levels = []
    for step in editor.iterate(source, EDITS["move"], method=QUICK):
        levels.append(step.level)
        assert editor.preview(step, source).shape == picture.shape
        if step.level == 1:
            break
    assert levels == [2, 1]


def test_a_generated_picture_is_edited_without_inversion(editor, calls):
    source = editor.generate("a red mug", size=(60, 44), seed=3, steps=2, guidance=2.0)
    assert source.size == (60, 44)
    calls.clear()
    result = editor(source, EDITS["move"], method=DragonDiffusion())
    assert result.image.size == (60, 44)
    assert len(calls) == 2 + 2  # noise twice, features twice; no inversion


def test_wrong_wishes_are_refused_before_any_work(editor, picture, calls):
    with pytest.raises(ValueError, match="empty"):
        editor(picture, Move(mask=np.zeros((45, 70), bool), offset=(5, 5)))
    with pytest.raises(ValueError, match="out of the picture"):
        editor(picture, Move(mask=OBJECT, offset=(500, 0)))
    with pytest.raises(ValueError, match="uint8"):
        editor(picture.astype(float), EDITS["move"])
    assert not calls


def test_face_landmarks_of_a_reference_of_another_size_are_scaled(editor, picture, monkeypatch):
    seen = []
    inner = dragondiffusion.make_plans
    monkeypatch.setattr(
        dragondiffusion, "make_plans", lambda m, job, there: seen.extend(job.edits) or inner(m, job, there)
    )
    points = [(10 + i % 17, 10 + i // 17) for i in range(68)]
    reference = np.zeros((90, 140, 3), np.uint8)
    edit = Face(reference=reference, landmarks=points, reference_landmarks=[(2 * x, 2 * y) for x, y in points])
    editor(picture, edit, steps=1, method=QUICK)
    assert np.allclose(seen[0].reference_landmarks, points)


def test_a_method_that_wants_a_lora_gets_it_for_inversion_and_edit(calm, picture, calls, tmp_path):
    editor = Editor(calm, cache=tmp_path)
    first = editor(picture, EDITS["drag"], prompt="a mug", steps=3, method=REMEMBERING)
    inversion = REFINE * 3 + 2
    assert len(calls) == 2 + inversion + (1 + 2 + 2)  # training, inversion, the drag: original, 2 rounds, 2 levels down
    calls.clear()
    second = editor(picture, EDITS["drag"], prompt="a mug", steps=3, method=REMEMBERING)
    assert len(calls) == inversion + 5
    assert np.array_equal(np.asarray(first.image), np.asarray(second.image))
    assert first.settings["lora"]["steps"] == 2
    without = editor(
        picture, EDITS["drag"], prompt="a mug", steps=3, method=dataclasses.replace(REMEMBERING, lora=None)
    )
    assert not np.array_equal(np.asarray(first.image), np.asarray(without.image))


def test_what_was_memorised_by_hand_is_used_as_it_is(editor, picture, calls):
    lora = editor.memorise(picture, "a mug", how=REMEMBERING.lora)
    source = editor.invert(picture, "a mug", steps=3, lora=lora)
    calls.clear()
    by_hand = editor(source, EDITS["drag"], method=REMEMBERING)  # the source remembers it
    assert len(calls) == 5
    whole = editor(picture, EDITS["drag"], prompt="a mug", steps=3, method=REMEMBERING)
    again = editor(editor.invert(picture, "a mug", steps=3), EDITS["drag"], method=REMEMBERING)
    assert np.array_equal(np.asarray(by_hand.image), np.asarray(whole.image))
    assert np.array_equal(np.asarray(by_hand.image), np.asarray(again.image))


def test_the_model_is_itself_between_steps_and_after_leaving(editor, picture):
    source = editor.invert(picture, steps=3)
    before = {name: id(module) for name, module in editor.model.unet.named_modules()}
    for step in editor.iterate(source, EDITS["drag"], method=REMEMBERING):
        assert {name: id(module) for name, module in editor.model.unet.named_modules()} == before
        assert len(step.points) == 1
        if step.level == 1:
            break
    assert {name: id(module) for name, module in editor.model.unet.named_modules()} == before


def test_a_generated_picture_needs_no_memory(editor, calls):
    source = editor.generate("a red mug", size=(60, 44), seed=3, steps=3, guidance=2.0)
    calls.clear()
    editor(source, EDITS["drag"], method=REMEMBERING)
    assert len(calls) == 5


def test_a_method_is_asked_only_for_what_it_can_do(editor, picture, calls):
    with pytest.raises(ValueError, match="DragDiffusion can do drag, face but not move"):
        editor(picture, [EDITS["drag"], EDITS["move"]], method=REMEMBERING)
    assert not calls


def test_a_reprompt_may_say_what_the_picture_shows(editor, picture):
    told = editor(picture, Reprompt(prompt="a blue cup", source_prompt="a red cup"), steps=2)
    asked = editor(picture, Reprompt(prompt="a blue cup"), prompt="a red cup", steps=2)
    assert told.settings == dataclasses.asdict(MasaCtrl())  # the method for it, where none is asked for
    assert np.array_equal(told.image, asked.image)
    other = editor(picture, Reprompt(prompt="a blue cup"), prompt="a green cup", steps=2)
    assert not np.array_equal(told.image, other.image)


def test_two_stories_of_what_a_picture_shows_are_refused(editor, picture, calls):
    with pytest.raises(ValueError, match='shows "a cup" and, by its source prompt, "a red cup"; give one'):
        editor(picture, Reprompt(prompt="b", source_prompt="a red cup"), prompt="a cup")
    assert not calls


def test_prompts_are_in_the_source_and_words_that_nobody_reads_are_told(editor, picture):
    long = "a cup " * 20
    source = editor.invert(picture, long, steps=2)
    assert source.prompt == long
    result = editor(source, Reprompt(prompt="a blue cup"))
    assert [note.startswith('the prompt is too long: "cup a cup') or note for note in result.notes] == [True]
    assert not editor(picture, Reprompt(prompt="a blue cup"), steps=2).notes


def test_a_source_keeps_its_own_prompt_and_says_so(editor, picture):
    source = editor.invert(picture, "a red cup", steps=2)
    told = editor(source, Reprompt(prompt="a blue cup", source_prompt="a green cup"))
    assert told.notes == ('the source was made with the prompt "a red cup", which is used',)
    assert not editor(source, Reprompt(prompt="a blue cup", source_prompt="a red cup")).notes


def test_a_source_that_was_inverted_in_part_serves_methods_that_read_no_more(calm, picture):
    editor = Editor(calm)
    part = editor.invert(picture, steps=4, depth=0.5)
    move = Move(mask={"box": (8, 8, 20, 20)}, offset=(8, 0))
    assert part.top == 2
    assert editor(part, move, method=Warp()).steps == 4
    with pytest.raises(ValueError, match=r"up to level 2 of 4, but DragonDiffusion .* depth=1"):
        editor(part, move, method=DragonDiffusion())


def test_a_result_can_be_edited_again_as_it_is(calm, picture, recwarn):
    editor, move = Editor(calm), Move(mask={"box": (8, 8, 20, 20)}, offset=(8, 0))
    first = editor(picture, move, method=Warp(), steps=2)
    editor(np.asarray(first.image), move, method=Warp(), steps=2)  # which is read-only
    assert not recwarn.list
