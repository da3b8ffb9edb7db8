"""Scenes: determinism, splits, sizes, captions, masks, tags, speed, and the truth after an edit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dragkit.toy import objects, scenes, truth
from dragkit.toy.stills import Scene
from dragkit.toy.things import COLOURS

SIZE = (128, 96)  # width, height


def stills(count: int, split: str = "dev", size: tuple[int, int] = SIZE) -> Iterator[Scene]:
    return (scenes.sample(seed, split, size, "still") for seed in range(count))


def having(tag: str, count: int = 1) -> Scene:
    """The first scene with a tag whose first object stands in full view."""
    for scene in stills(250):
        full = scene.mask(0, visible=False)
        fit = scene.objects[0].kind != "mountain" and (scene.mask(0) == full).all() and len(scene.objects) >= count
        if tag in scene.tags and fit:
            return scene
    raise AssertionError(f"no scene with {tag}")


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b.astype(int)).max(2)


# --- sampling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(128, 128), (96, 128), (128, 96), (160, 128)])
def test_a_seed_is_a_picture_of_the_size_asked_for(size: tuple[int, int]) -> None:
    for seed in range(12):
        scene = scenes.sample(seed, "train", size)
        picture = scene.picture()
        assert picture.shape == (size[1], size[0], 3)
        assert picture.dtype == np.uint8
        assert scene.size == size
        assert (picture == scenes.sample(seed, "train", size).picture()).all()


def test_the_look_belongs_to_the_version() -> None:
    """Weights are trained on a look: whoever changes these colours raises VERSION and trains again."""
    means = np.array([scene.picture().mean((0, 1)) for scene in stills(4, "train", (128, 128))])
    assert scenes.VERSION == 1
    assert means == pytest.approx(np.array(LOOK), abs=0.5)


LOOK = [[186.6, 169.4, 147.8], [141.4, 180.6, 157.2], [140.7, 163.5, 130.1], [188.6, 158.4, 145.9]]


def test_splits_share_no_scene() -> None:
    pictures = {split: {s.picture().tobytes() for s in stills(25, split)} for split in scenes.SPLITS}
    assert all(len(p) == 25 for p in pictures.values())
    assert len(set.union(*pictures.values())) == 75


def test_families_are_mixed_or_chosen() -> None:
    mixed = [scenes.sample(seed, "train", SIZE) for seed in range(200)]
    share = np.mean([s.family == "face" for s in mixed])
    assert 0.25 < share < 0.45
    face = scenes.sample(3, "train", SIZE, "face")
    assert face.family == "face"
    assert face.objects == ()
    assert face.landmarks is not None
    assert face.landmarks.shape == (68, 2)
    assert scenes.sample(3, "train", SIZE, "still").landmarks is None


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="split is 'val'; choose one of train, dev, test"):
        scenes.sample(0, "val")
    with pytest.raises(ValueError, match="family is 'cat'"):
        scenes.sample(0, family="cat")
    with pytest.raises(ValueError, match="size is 64x128 px; scenes need at least 96"):
        scenes.sample(0, size=(64, 128))


def test_all_kinds_colours_patterns_and_tags_occur() -> None:
    seen = list(stills(250))
    things = [t for s in seen for t in s.objects]
    assert {t.kind for t in things} == set(objects.KINDS)
    assert {t.colour for t in things} == set(COLOURS)
    assert len(COLOURS) >= 10
    assert {t.pattern for t in things} == {"plain", "striped", "dotted", "checked"}
    tags = set().union(*(s.tags for s in seen))
    assert tags == {"shading", "shadow", "reflection", "occlusion", "bend", "perspective"}
    assert {len(s.objects) for s in seen} == {1, 2, 3, 4}


def test_captions_name_every_object_in_known_words() -> None:
    words = set(scenes.vocabulary())
    for seed in range(300):
        scene = scenes.sample(seed, "train", SIZE)
        assert set(scene.caption.split()) <= words, scene.caption
        assert len(scene.caption.split()) <= 20
        for thing in scene.objects:
            pattern = "" if thing.pattern == "plain" else thing.pattern + " "
            assert f"{pattern}{thing.colour} {thing.kind}" in scene.caption
    empty = replace(having("shadow"), objects=())
    assert set(empty.caption.split()) <= words


def test_colour_names_can_be_read_from_the_picture() -> None:
    """The mean colour of a plain object's body under even light is nearest to its own name's colour."""
    names = list(COLOURS)
    table = np.array([COLOURS[n] for n in names], float)
    right = []
    for scene in stills(150):
        for i, thing in enumerate(scene.objects):
            part = {"apple": "body", "car": "body", "house": "wall", "mug": "body", "mushroom": "cap"}.get(thing.kind)
            night = scene.place is None or scene.place.sky == "night" or scene.place.pool
            if part and thing.pattern == "plain" and not night and scene.mask(i, part).sum() > 100:
                mean = np.median(scene.picture()[scene.mask(i, part)], axis=0)
                right.append(names[int(np.linalg.norm(table - mean, axis=1).argmin())] == thing.colour)
    assert len(right) > 50
    assert np.mean(right) > 0.95


def test_drawing_is_fast() -> None:
    chosen = list(stills(20, size=(128, 128)))
    times = []
    for scene in chosen:
        start = time.thread_time()
        scene.picture()
        times.append(time.thread_time() - start)
    assert np.median(times) < 0.010  # s of processor time; about 0.0024 where it was written


# --- masks and tags --------------------------------------------------------------------------------------------------


def test_visible_masks_do_not_overlap_and_lie_inside_the_full_ones() -> None:
    for scene in stills(40):
        total = np.zeros(SIZE[::-1], int)
        for i in range(len(scene.objects)):
            visible, full = scene.mask(i), scene.mask(i, visible=False)
            assert visible.dtype == bool
            assert not (visible & ~full).any()
            total += visible
        assert total.max() <= 1


def test_masks_are_where_the_object_is() -> None:
    """Another colour changes the picture inside the mask, and hardly outside (edges, reflections)."""
    for scene in stills(30):
        plain = replace(scene, place=replace(scene.place, glossy=False)) if scene.place else scene
        thing = replace(plain.objects[0], rgb=(8.0, 8.0, 8.0), pattern="plain")
        changed = difference(plain.picture(), replace(plain, objects=(thing, *plain.objects[1:])).picture()) > 40
        mask = plain.mask(0)
        assert (changed & ~mask).sum() <= 0.06 * mask.sum() + 8


def test_part_masks_and_unknown_parts() -> None:
    scene = having("bend")
    index = next(i for i, t in enumerate(scene.objects) if t.kind in objects.BENDING)
    names = [p.name for p in scene.objects[index].parts()]
    whole = scene.mask(index, visible=False)
    for name in names:
        assert not (scene.mask(index, name) & ~whole).any()
    assert (scene.mask(index, tuple(names)) == scene.mask(index)).all()
    with pytest.raises(ValueError, match=f"part is 'wing', but a {scene.objects[index].kind} has {names[0]}"):
        scene.mask(index, "wing")
    with pytest.raises(ValueError, match="this scene is a face"):
        scenes.sample(0, "dev", SIZE, "face").mask(0)


# --- truth -----------------------------------------------------------------------------------------------------------


def test_a_moved_object_lands_where_it_was_sent_and_the_rest_stays() -> None:
    scene = replace(having("shadow"), shadows=False)
    assert scene.place is not None
    scene = replace(scene, place=replace(scene.place, glossy=False, pool=None, kind="table"))
    offset = (17.25 if scene.objects[0].x < SIZE[0] / 2 else -17.25, 3.5)
    (after,) = truth.moved(scene, 0, offset)
    start, end = truth.centroid(scene.mask(0)), truth.centroid(after.mask(0, visible=False))
    assert end == pytest.approx((start[0] + offset[0], start[1] + offset[1]), abs=0.35)
    away = ~(scene.mask(0, visible=False) | after.mask(0, visible=False))
    assert (difference(scene.picture(), after.picture())[away] > 60).sum() < 40  # soft edges only


def test_scale_and_angle_are_about_the_centroid() -> None:
    scene = having("shadow")
    start = truth.centroid(scene.mask(0))
    (small,) = truth.moved(scene, 0, scale=0.7)
    mask = small.mask(0, visible=False)
    assert truth.centroid(mask) == pytest.approx(start, abs=0.5)
    assert mask.sum() / scene.mask(0).sum() == pytest.approx(0.49, abs=0.04)
    (turned,) = truth.moved(scene, 0, angle=90)
    assert truth.centroid(turned.mask(0, visible=False)) == pytest.approx(start, abs=0.8)
    thing, x, y = scene.objects[0], *start
    right = thing.unplace((x + 10, y))
    assert turned.objects[0].place(right) == pytest.approx((x, y + 10), abs=1e-6)  # clockwise: right goes down
    with pytest.raises(ValueError, match="scale is 0; it must be more than 0"):
        truth.moved(scene, 0, scale=0)


@pytest.mark.parametrize("tag", ["shadow", "reflection"])
def test_shadows_and_reflections_follow(tag: str) -> None:
    scene = having(tag)
    assert scene.place is not None
    only = replace(scene.place, glossy=tag == "reflection")
    scene = replace(scene, shadows=tag == "shadow", place=only)
    gone = truth.removed(scene, 0)
    away = ~scene.mask(0, visible=False)
    away = cv2.erode(away.astype(np.uint8), np.ones((5, 5))) > 0
    assert (difference(scene.picture(), gone.picture())[away] > 5).sum() > 40  # it darkens or mirrors beyond itself
    assert tag not in replace(scene, objects=()).tags


def test_light_depends_on_where_an_object_stands() -> None:
    scene = having("shading")
    assert scene.place is not None
    assert scene.place.pool is not None
    near = replace(scene.objects[0], x=scene.place.pool[0])
    far = replace(near, x=scene.place.pool[0] + (80 if scene.place.pool[0] < SIZE[0] / 2 else -80))
    assert scene.lamp(near).power > scene.lamp(far).power * 1.1
    assert scene.lamp(far).towards[0] * (scene.place.pool[0] - far.x) > 0


def test_on_a_floor_size_follows_depth_or_stays() -> None:
    scene = having("perspective")
    assert scene.place is not None
    down = 12.0
    follows, stays = truth.moved(scene, 0, (0, down))
    assert follows.objects[0].height > stays.objects[0].height == scene.objects[0].height
    ratio = follows.objects[0].height / scene.objects[0].height
    depth = [scene.place.depth_scale(s.objects[0].y, SIZE) for s in (scene, follows)]
    assert ratio == pytest.approx(depth[1] / depth[0], rel=0.01)


def test_nearer_objects_hide_those_behind() -> None:
    scene = having("shadow", count=2)
    a, b = scene.objects[:2]
    near, far = (
        replace(a, x=64.0, y=90.0, kind="car", height=36.0),
        replace(b, x=64.0, y=80.0, kind="apple", height=40.0),
    )
    for things in ((near, far), (far, near)):
        both = replace(scene, objects=things)
        front = things.index(near)
        assert (both.mask(front) == both.mask(front, visible=False)).all()
        assert both.mask(1 - front).sum() < both.mask(1 - front, visible=False).sum()
        assert "occlusion" in both.tags


def test_removal_continues_what_is_behind() -> None:
    for scene in stills(20):
        if len(scene.objects) == 1:
            assert scene.place is not None
            expected = np.clip(scene.place.picture(SIZE) + 0.5, 0, 255).astype(np.uint8)
            assert (truth.removed(scene, 0).picture() == expected).all()


def test_a_pasted_object_is_the_other_scenes() -> None:
    scene, other = having("shadow"), having("reflection")
    after = truth.pasted(scene, other, 0, (5.0, -4.0), 0.9)
    start = truth.centroid(other.mask(0))
    assert len(after.objects) == len(scene.objects) + 1
    thing, last = other.objects[0], after.objects[-1]
    assert (last.kind, last.colour, last.pattern, last.pull) == (thing.kind, thing.colour, thing.pattern, thing.pull)
    end = truth.centroid(after.mask(len(after.objects) - 1, visible=False))
    assert end == pytest.approx((start[0] + 5, start[1] - 4), abs=0.5)
    assert (truth.removed(after, len(after.objects) - 1).picture() == scene.picture()).all()


def test_a_repainted_object_keeps_its_shape() -> None:
    scene, other = having("shadow"), having("reflection")
    look = replace(other.objects[0], pattern="striped", colour="teal", rgb=COLOURS["teal"])
    after = truth.repainted(scene, 0, look)
    assert len(after) == 3
    assert len({s.picture().tobytes() for s in after}) == 3
    for s in after:
        assert (s.mask(0) == scene.mask(0)).all()
        assert "striped teal " + scene.objects[0].kind in s.caption
    assert len(truth.repainted(scene, 0, replace(look, pattern="plain"))) == 1


def test_a_dragged_handle_lands_on_its_target() -> None:
    done = set()
    for scene in stills(120):
        for i, thing in enumerate(scene.objects):
            start = thing.handle()
            if start is not None:
                target = (start[0] + 7.5, start[1] + 4.25)
                assert truth.dragged(scene, i, target).objects[i].handle() == pytest.approx(target, abs=1e-6)
                done.add(thing.kind)
            else:
                with pytest.raises(ValueError, match=f"a {thing.kind} has no part to drag; choose one of mug"):
                    truth.dragged(scene, i, (40.0, 40.0))
    assert done == {k for k, shape in objects.KINDS.items() if shape.handle}


def test_an_imitated_face_has_the_others_landmarks_and_its_own_gaze() -> None:
    face, other = (scenes.sample(seed, "dev", SIZE, "face").face for seed in (1, 2))
    assert face is not None
    assert other is not None
    kept, full = truth.imitated(face, other, tuple(range(68)))
    for after in (kept, full):
        assert np.abs(after.landmarks - other.landmarks).max() < 1.0
        assert after.hair == face.hair
    assert (kept.gaze_x, full.gaze_x) == (face.gaze_x, other.gaze_x)
    assert truth.imitated(face, face, (0, 1)) == (face,)


def test_an_empty_mask_has_no_centroid() -> None:
    with pytest.raises(ValueError, match="the mask is empty"):
        truth.centroid(np.zeros((5, 7), bool))
