"""Answers are asked for once, kept with what they are about, and asked for again where they are of no use."""

import pytest

from dragkit.bench.answers import Answer, asked, kept


class Oracle:
    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return {"md": float(self.times)}


def test_an_answer_is_asked_for_once(tmp_path):
    place, oracle = tmp_path / "deep" / "a.json", Oracle()
    assert kept(place) is None
    for _ in range(2):
        assert asked(place, oracle) == kept(place) == Answer({"md": 1.0})
    assert oracle.times == 1


def test_trouble_is_kept_by_name_and_asked_again(tmp_path):
    def bad():
        raise SystemExit("no\nidea")

    place = tmp_path / "a.json"
    assert asked(place, bad) == kept(place) == Answer({}, "SystemExit: no idea")
    assert asked(place, Oracle()) == kept(place) == Answer({"md": 1.0})


def test_an_answer_about_something_else_is_none(tmp_path):
    place, oracle = tmp_path / "a.json", Oracle()
    asked(place, oracle, {"result": "x"})
    assert kept(place, {"result": "x"}) == Answer({"md": 1.0})
    assert kept(place, {"result": "y"}) is None
    assert asked(place, oracle, {"result": "y"}) == Answer({"md": 2.0})


@pytest.mark.parametrize("text", ["", "3", "[]", "null", '{"metrics": 3}', '{"metrics": [1]}'])
def test_a_damaged_record_is_trouble_and_asked_again(tmp_path, text):
    place = tmp_path / "a.json"
    place.write_text(text)
    assert kept(place) == Answer({}, "the record is damaged")
    assert asked(place, Oracle()) == Answer({"md": 1.0})


def test_what_is_interrupted_or_cannot_be_stored_leaves_nothing(tmp_path, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    place = tmp_path / "a.json"
    with pytest.raises(KeyboardInterrupt):
        asked(place, stop)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dragkit.bench.answers.write_text", full)
    with pytest.raises(OSError, match="No space left"):
        asked(place, Oracle())
    assert not list(tmp_path.iterdir())
