"""The judges of results without a truth."""

from dataclasses import replace

import numpy as np
import pytest

from dragkit.bench import dift, judges, metrics
from dragkit.bench.datasets import Sample
from dragkit.bench.distances import drag_accuracy, pair_distances, region_distances

WIDTH, HEIGHT = 70, 46  # no whole cells of the tiny model's factor 4


def sample(**changes):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:40, 4:66] = True
    made = Sample(
        name="cup_0",
        category="",
        picture=np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        prompt="a cup",
        handles=np.array([[12.5, 20.5], [14.5, 30.5], [50.5, 22.5]]),
        targets=np.array([[40.5, 20.5], [42.5, 33.5], [30.5, 12.5]]),
        mask=mask,
    )
    return replace(made, **changes)


OTHER = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def test_content_tells_samples_apart():
    changed = [
        sample(picture=OTHER), sample(prompt="a mug"), sample(mask=None), sample(mask=~sample().mask),
        sample(handles=sample().targets), sample(targets=sample().targets + 1), sample(),
    ]  # fmt: skip
    assert len({judges.content(s) for s in changed}) == len(changed)
    assert judges.content(sample(name="else/where", warnings=("?",))) == judges.content(sample())


def test_pixels_are_judged_at_once():
    picture = sample().picture
    done = judges.measure(sample(), OTHER, picture)
    assert done["untouched"] == 0
    assert done["dai_5"] == drag_accuracy(OTHER, picture, sample().handles, sample().targets, 5)
    assert done["dai_5_as_coded"] == pytest.approx(done["dai_5"] / 3)
    assert judges.measure(sample(), picture, picture)["untouched"] == 1


def test_a_round_trip_counts_as_untouched_and_what_lies_away_from_the_paths_does_not_count():
    picture = sample(targets=sample().handles + 1).picture  # short paths
    near = sample(targets=sample().handles + 1, handles=sample().handles)
    far = picture.copy()
    far[:, -1:] ^= 255  # beyond 20 px of every path but the last pair's
    assert judges.measure(replace(near, handles=near.handles[:2], targets=near.targets[:2]), far, picture)["untouched"]
    trip = picture ^ np.uint8(7)
    assert judges.measure(near, trip, trip)["untouched"] == 1
    assert judges.measure(near, trip, picture)["untouched"] == 0


@pytest.mark.parametrize(("native", "canvas"), [(False, None), (True, (68, 44))])
def test_distances_are_those_of_the_features(tiny, native, canvas):
    then, now = (dift.features(tiny, p, "a cup", canvas=canvas) for p in (sample().picture, OTHER))
    asked = (then, now, sample().handles, sample().targets, (WIDTH, HEIGHT))
    found = judges.distances(tiny, native).ask(sample(), OTHER)
    assert found["md"] == pytest.approx(pair_distances(*asked).mean())
    assert found["m_md"] == pytest.approx(pair_distances(*asked, sample().mask).mean())
    assert found["region_md"] == pytest.approx(100 * region_distances(*asked).mean())


def test_without_a_mask_everything_may_change(tiny):
    found = judges.distances(tiny, False).ask(sample(mask=None), OTHER)
    assert found["m_md"] == found["md"]


def test_nothing_done_finds_every_handle_where_it_was(tiny):
    judge = judges.distances(tiny, False)
    length = np.linalg.norm(sample().targets - sample().handles, axis=1).mean()
    assert judge.ask(sample(), sample().picture)["md"] == pytest.approx(length, abs=2)
    turned = sample(handles=sample().targets, targets=sample().handles)
    assert judge.ask(turned, OTHER) != judge.ask(sample(), OTHER)  # no features of another sample


def test_a_source_is_looked_at_once_for_all_its_rows(tiny, monkeypatch):
    seen, real = [], dift.features
    monkeypatch.setattr(dift, "features", lambda *a, **k: (seen.append(1), real(*a, **k))[1])
    judge, one = judges.distances(tiny, False), sample()
    for picture in (one.picture, OTHER, OTHER[::-1]):
        judge.ask(one, np.ascontiguousarray(picture))
    assert len(seen) == 3  # the source and two results


def test_figures_by_other_features_are_kept_apart(tiny, calm):
    assert len({judges.distances(m, n).identity for m in (tiny, calm) for n in (False, True)}) == 4


def test_fidelity_at_both_sizes(monkeypatch):
    sides = []
    monkeypatch.setattr(metrics, "perceptual_network", lambda: "network")
    monkeypatch.setattr(metrics, "image_fidelity", lambda n, p, s, side=None: sides.append(side) or float(p.mean()))
    found = judges.fidelity().ask(sample(), OTHER)
    assert set(found) == {"fidelity", "fidelity_224"}
    assert sides == [None, 224]


def test_without_its_weights_there_is_no_fidelity(monkeypatch):
    def missing():
        raise FileNotFoundError("no weights")

    monkeypatch.setattr(metrics, "perceptual_network", missing)
    with pytest.raises(FileNotFoundError, match="no weights"):
        judges.fidelity()
