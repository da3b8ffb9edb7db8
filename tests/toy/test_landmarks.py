import cv2
import numpy as np
import pytest

from dragkit.toy import landmarks, scenes

SIZES = ((96, 128), (128, 96), (128, 128))


def _faces(size, count=12):
    return [scenes.sample(seed, "test", size, "face") for seed in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_finds_the_landmarks_of_held_out_faces(size):
    errors = [np.linalg.norm(landmarks.detect(s.picture()) - s.landmarks, axis=1).mean() for s in _faces(size)]
    assert np.mean(errors) < 1.0


def test_points_scale_with_the_picture():
    scene = _faces((96, 128), 1)[0]
    small = landmarks.detect(scene.picture())
    large = landmarks.detect(cv2.resize(scene.picture(), (288, 256), interpolation=cv2.INTER_CUBIC))
    assert large.shape == (68, 2)
    assert large.dtype == np.float32
    assert np.abs(large / (3, 2) - small).mean() < 0.5


def test_points_follow_a_shifted_face():
    picture = _faces((128, 96), 1)[0].picture()
    moved = cv2.warpAffine(picture, np.float32([[1, 0, 5], [0, 1, -3]]), (128, 96), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(landmarks.detect(moved) - landmarks.detect(picture) - (5, -3)).mean() < 0.6


def test_says_what_is_wrong_with_the_picture():
    with pytest.raises(ValueError, match="uint8"):
        landmarks.detect(np.zeros((96, 128, 3), np.float32))
    with pytest.raises(ValueError, match=r"\[96, 128\]"):
        landmarks.detect(np.zeros((96, 128), np.uint8))


def test_the_weights_are_small():
    assert landmarks.WEIGHTS.stat().st_size <= 2e6


def test_features_tell_faces_apart_and_are_those_that_points_are_read_from():
    one, other = (scene.picture() for scene in _faces((96, 128), 2))
    a, b = landmarks.features(one), landmarks.features(other)
    assert a.shape == (48,)
    assert a.dtype == np.float32
    assert (a >= 0).all()
    assert np.array_equal(a, landmarks.features(one))
    assert np.abs(a - b).max() > 10 * np.abs(a - landmarks.features(np.clip(one, 1, None))).max()
    with pytest.raises(ValueError, match="uint8"):
        landmarks.features(one.astype(np.float32))
