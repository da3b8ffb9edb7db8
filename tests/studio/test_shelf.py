from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragkit.studio.shelf import Shelf


def test_the_least_used_is_forgotten_first():
    shelf = Shelf(10, len)
    shelf.put("a", b"1234")
    shelf.put("b", b"1234")
    assert shelf.get("a") == b"1234"
    shelf.put("c", b"1234")
    assert shelf.get("b") is None
    assert shelf.get("a") is not None
    assert shelf.used == 8


def test_what_is_larger_than_the_shelf_is_not_kept():
    shelf = Shelf(3, len)
    shelf.put("a", b"12")
    shelf.put("a", b"12345")
    assert shelf.get("a") is None
    assert (shelf.used, len(shelf)) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=12))))
def test_no_more_than_the_limit_is_ever_held(things):
    shelf = Shelf(20, len)
    for key, value in things:
        shelf.put(key, value)
        assert shelf.get(key) == value
        assert shelf.used == sum(len(shelf.get(k) or b"") for k in "abcdef") <= 20
