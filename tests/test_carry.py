import numpy as np
import pytest
import torch

from dragkit.carry import start, token_parts
from dragkit.edits import Drag, Move, Paste, Remove, Replace
from dragkit.methods import DragonDiffusion
from dragkit.plans import make_plans
from dragkit.source import invert
from tiny import SIZE, job

OBJECT = {"box": (8, 8, 24, 24)}


def test_noise_moves_with_the_object_and_does_not_wrap(source):
    far = job(source, Move(mask=OBJECT, offset=(44, 0)))
    plans = make_plans(DragonDiffusion(), far)
    z, old = start(far, plans, 0.0, 0.0), source.latents[-1:]
    assert torch.equal(z[..., 2:6, 13:], old[..., 2:6, 2:5])
    assert torch.equal(z[..., :13], old[..., :13])


def test_fresh_noise_fills_only_vacated_cells(source):
    wish = job(source, Remove(mask=OBJECT))
    z = start(wish, make_plans(DragonDiffusion(), wish), 1.0, 0.0)
    changed = (z != source.latents[-1:]).any(1)[0]
    assert changed[2:6, 2:6].all()
    assert changed.sum() == 16


def test_doing_nothing_changes_no_noise_and_leaves_no_hole(source):
    still = job(source, Move(mask=OBJECT))
    plans = make_plans(DragonDiffusion(), still)
    assert torch.equal(start(still, plans, 1.0, 0.0), source.latents[-1:])
    assert not plans[0].vacated.any()
    assert all(len(row.cells) == 0 for row in plans[0].outer)


def test_pasting_starts_from_the_noise_of_the_reference(source, calm):
    other = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    placed = invert(calm, other, SIZE, calm.schedule(2), source.text)
    edit = Paste(reference=other, reference_mask=OBJECT)
    wish = job(source, edit, references=[placed])
    z = start(wish, make_plans(DragonDiffusion(), wish), 0.0, 0.0)
    assert torch.equal(z[..., 2:6, 2:6], placed.latents[-1:, :, 2:6, 2:6])
    assert torch.equal(z[..., 6:, :], source.latents[-1:, :, 6:, :])


def test_all_noise_is_that_of_the_picture_that_pixels_alone_make(source, calm):
    other = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    ahead = invert(calm, other, SIZE, calm.schedule(2), source.text)
    paste = Paste(reference=other, reference_mask=OBJECT)
    wish = job(ahead, paste, Move(mask={"box": (40, 8, 56, 24)}, offset=(0, 16)))
    plans = make_plans(DragonDiffusion(), wish, there=True)
    assert torch.equal(start(wish, plans, 0.0, 0.0), ahead.latents[-1:])
    vacated = (start(wish, plans, 1.0, 0.0) != ahead.latents[-1:]).any(1)[0]
    assert torch.equal(vacated, plans[1].vacated)


def test_a_repainted_objects_noise_takes_mean_and_deviation_of_the_reference(source, calm):
    other = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    reference = invert(calm, other, SIZE, calm.schedule(2), source.text)
    edit = Replace(mask=OBJECT, reference=other, reference_mask={"box": (32, 16, 64, 40)})
    wish = job(source, edit, references=[reference])
    z = start(wish, make_plans(DragonDiffusion(), wish), 0.0, 1.0)
    mine, theirs = z[..., 2:6, 2:6].flatten(2), reference.latents[-1:, :, 4:10, 8:].flatten(2)
    assert torch.allclose(mine.mean(-1), theirs.mean(-1), atol=1e-5)
    assert torch.allclose(mine.std(-1, correction=0), theirs.std(-1, correction=0), atol=1e-5)
    assert torch.equal(z[..., 6:, :], source.latents[-1:, :, 6:, :])


def test_keys_follow_the_kind_of_edit(source):
    memory, other = source.records[0].memory, source.records[1].memory
    move = make_plans(DragonDiffusion(), job(source, Move(mask=OBJECT, offset=(20, 0))))
    drag = make_plans(DragonDiffusion(), job(source, Drag(handles=[(20, 20)], targets=[(30, 20)])))
    edit = Replace(mask=OBJECT, reference=source.picture, reference_mask={"box": (30, 20, 60, 40)})
    replace = make_plans(DragonDiffusion(), job(source, edit, references=[source]))
    assert [own for _, own in (token_parts(p, [memory, other], True, True, False) for p in (move, drag, replace))] == [
        False,
        True,
        False,
    ]
    parts, _ = token_parts(replace, [memory, other], True, True, False)
    assert [p.memory is m for p, m in zip(parts, (memory, other), strict=True)] == [True, True]
    assert parts[0].keep[12 * 16].sum() == 12 * 16 - 16
    assert parts[1].keep[12 * 16].sum() == 40  # 30 x 20 px at 4 px a token: 7.5 x 5, halves included
    assert token_parts(replace, [memory, other], True, False, False) == ([], True)


def test_the_vacated_cells_do_not_attend_to_the_object(source):
    plans = make_plans(DragonDiffusion(), job(source, Move(mask=OBJECT, offset=(8, 0))))
    parts, _ = token_parts(plans, [source.records[0].memory], True, True, True)
    ((queries, keys),) = parts[0].closed
    assert queries[12 * 16].sum() == 8
    assert keys[12 * 16].sum() == 16


def test_only_the_pasted_object_sees_the_reference(source):
    edit = Paste(reference=source.picture, reference_mask=OBJECT)
    plans = make_plans(DragonDiffusion(), job(source, edit, references=[source]))
    memory = source.records[0].memory
    base, other = token_parts(plans, [memory, memory], True, True, True)[0]
    assert not base.closed
    queries, keys = (mask[12 * 16].reshape(12, 16) for mask in other.closed[0])
    assert not queries[2:6, 2:6].any()
    assert queries.sum() == 12 * 16 - 16
    assert keys[2:6, 2:6].all()


@pytest.mark.parametrize("offset", [(24, 0), (0, 0)])
def test_only_vacated_cells_do_not_see_the_object_where_a_warped_picture_has_it(source, offset):
    plans = make_plans(DragonDiffusion(), job(source, Move(mask=OBJECT, offset=offset)), there=True)
    (only,) = token_parts(plans, [source.records[0].memory], True, True, True)[0]
    queries, keys = (mask[12 * 16].reshape(12, 16) for mask in only.closed[0])
    assert only.keep is None
    assert queries.sum() == (16 if offset[0] else 0)
    assert not offset[0] or queries[2:6, 2:6].all()
    assert keys[2:6, 2 + offset[0] // 4 : 6 + offset[0] // 4].all()
    assert keys[2:6, 2:6].all()  # nor what only fills the hole


def test_a_repainted_object_sees_the_reference_alone(source):
    edit = Replace(mask=OBJECT, reference=source.picture, reference_mask={"box": (30, 20, 60, 40)})
    plans = make_plans(DragonDiffusion(), job(source, edit, references=[source]))
    memory = source.records[0].memory
    base, _ = token_parts(plans, [memory, memory], True, True, True)[0]
    ((queries, keys),) = base.closed
    assert queries[12 * 16].reshape(12, 16)[2:6, 2:6].all()
    assert queries[12 * 16].sum() == 16
    assert keys[12 * 16].all()
