import numpy as np
import pytest
import torch

from dragkit.edits import Face, Move, Paste, Reprompt
from dragkit.jobs import make_job, told
from dragkit.methods import DragonDiffusion, MasaCtrl, Warp
from dragkit.source import generate, invert
from tiny import SIZE

BOX = {"box": (8, 8, 20, 20)}
MOVE = Move(mask=BOX, offset=(12, 4))


def test_what_is_left_open_is_settled(calm, source):
    job = make_job(calm, DragonDiffusion(), source, [MOVE])
    assert job.guidance == DragonDiffusion().guidance
    assert job.text is source.text
    assert (job.references, job.warped, job.pictures) == ([None], None, [source])
    made = generate(calm, SIZE, calm.schedule(2), source.text, 2.5, torch.Generator().manual_seed(0))
    assert make_job(calm, DragonDiffusion(), made, [MOVE]).guidance == 2.5
    assert make_job(calm, DragonDiffusion(), made, [MOVE], guidance=1.5).guidance == 1.5


def test_words_that_change_the_picture_are_the_jobs_own(calm, source):
    job = make_job(calm, MasaCtrl(), source, [Reprompt(prompt="a blue cup")])
    assert torch.equal(job.text[0], source.text[0])
    assert torch.equal(job.text[1:], calm.embed(["a blue cup"]))


def test_what_is_taken_from_elsewhere_is_inverted(calm, source):
    paste = Paste(reference=source.picture, reference_mask=BOX, offset=(12, 4))
    job = make_job(calm, DragonDiffusion(), source, [MOVE, paste])
    assert [reference is None for reference in job.references] == [True, False]
    ahead = make_job(calm, DragonDiffusion(start="warp"), source, [MOVE, paste])
    assert ahead.references == [None, None]
    assert ahead.warped.size == source.size
    assert ahead.field is ahead.field  # which is made once


def test_a_face_gets_the_landmarks_that_it_says(calm, source):
    points = [(float(k % 10), float(k // 10)) for k in range(68)]
    face = Face(landmarks=points, reference_landmarks=points[::-1])
    (found,) = make_job(calm, DragonDiffusion(), source, [face]).edits
    assert found.landmarks == face.landmarks


def test_a_loose_mask_is_trimmed_for_those_who_want_it(calm):
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    picture = np.repeat((60 + x)[..., None], 3, 2).astype(np.uint8)
    picture[(abs(x - 20) < 8) & (abs(y - 20) < 8)] = (200, 30, 30)
    source = invert(calm, picture, SIZE, calm.schedule(2), calm.embed(["", ""]), depth=0.0)
    loose = Move(mask={"ellipse": (8, 8, 33, 33)}, offset=(20, 6))
    (as_it_is,), (trimmed,) = (make_job(calm, Warp(trim=trim), source, [loose]).edits for trim in (False, True))
    assert as_it_is is loose
    assert trimmed.mask.array(SIZE).sum() < 0.6 * loose.mask.array(SIZE).sum()


def test_too_little_of_a_source_is_refused(calm, source):
    picture = source.picture
    part = invert(calm, picture, SIZE, calm.schedule(2), source.text, depth=0.5)
    with pytest.raises(ValueError, match=r"up to level 1 of 2, but DragonDiffusion .* depth=1"):
        make_job(calm, DragonDiffusion(), part, [MOVE])


def test_words_that_nobody_reads_are_told(calm, source):
    job = make_job(calm, MasaCtrl(), source, [Reprompt(prompt="a cup " * 20, source_prompt="a mug")])
    cut, other = told(calm, job, ["a cup"])
    assert cut.startswith('the prompt is too long: "')
    assert other == f'the source was made with the prompt "{source.prompt}", which is used'
