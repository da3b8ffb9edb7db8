import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dragkit.methods.wording import align, reword, split, swapped
from tiny import TOKENS
from tiny import tokenizer as letterwise

LETTERS = letterwise()  # every letter is a token, so words have several
WORDS = st.lists(st.text("ab", min_size=1, max_size=3), max_size=3)


@pytest.mark.parametrize(
    ("old", "new", "found", "stand"),
    [
        ("a red cup", "a red cup", [0, 1, 2], [0, 1, 2]),
        ("a red cup", "a blue cup", [0, None, 2], [0, 1, 2]),  # a swap
        ("a red cup", "the blue mug", [None] * 3, [0, 1, 2]),
        ("a cup", "a red cup", [0, None, 1], [0, None, 1]),  # an insertion
        ("a red cup", "a cup", [0, 2], [0, 2]),  # a deletion
        ("a red cup", "a cup of tea", [0, 2, None, None], [0, 2, None, None]),
        ("a red cup", "a very blue cup", [0, None, None, 2], [0, None, None, 2]),  # one for two
        ("a red cup here", "a blue cup on top", [0, None, 2, None, None], [0, 1, 2, None, None]),
        ("cup and cup", "cup", [0], [0]),
        ("cup", "cup and cup", [0, None, None], [0, None, None]),
        ("", "a cup", [None, None], [None, None]),
        ("a cup", "", [], []),
    ],
)
def test_words_are_found_again(old, new, found, stand):
    before, after = old.split(), new.split()
    assert align(before, after) == found
    assert swapped(found, len(before)) == stand


@given(WORDS, WORDS)
def test_what_is_found_is_the_same_and_in_order(old, new):
    found = align(old, new)
    places = [i for i in found if i is not None]
    assert len(found) == len(new)
    assert all(old[i] == new[j] for j, i in enumerate(found) if i is not None)
    assert places == sorted(set(places))
    assert len(places) == sum(i is not None for i in align(new, old))
    assert align(old, old) == list(range(len(old)))
    stand = swapped(found, len(old))
    assert all(i is None or stand[j] == i for j, i in enumerate(found))
    assert (taken := [i for i in stand if i is not None]) == sorted(set(taken))


@given(WORDS, WORDS)
def test_every_token_takes_one_of_its_kind_or_its_words_share_or_none(old, new):
    before, after = " ".join(old), " ".join(new)
    ids = [[k for word in split(LETTERS, text) for k in word] for text in (before, after)]
    wording = reword(LETTERS, before, after, {})
    kept = {j for j, i in enumerate(align(split(LETTERS, before), split(LETTERS, after))) if i is not None}
    places = [j for j, word in enumerate(split(LETTERS, after)) for _ in word]  # word of a token
    for j in range(TOKENS):
        taken = wording.taken[:, j]
        assert bool(taken.any()) == (wording.own[j] == 0)
        if places[j] in kept:
            (i,) = taken.nonzero()[:, 0].tolist()
            assert taken[i] == 1
            assert ids[0][i] == ids[1][j]
    assert (wording.taken.sum(1) < 1 + 1e-6).all()  # no attention is given twice


def test_a_prompt_is_split_into_words_with_marks_and_padding():
    words = split(LETTERS, "a red cup")
    assert [len(word) for word in words] == [1, 1, 3, 3, *[1] * 8]
    assert [k for word in words for k in word] == LETTERS("a red cup", padding="max_length").input_ids
    assert split(LETTERS, "")[1] == (LETTERS.eos_token_id,)
    assert sum(map(len, split(LETTERS, "x" * 40))) == TOKENS  # cut off


def test_the_same_prompt_takes_all_attention_as_it_is():
    wording = reword(LETTERS, "a red cup", "a red cup", {})
    old, new = torch.rand(2, 5, TOKENS), torch.rand(2, 5, TOKENS)
    assert torch.equal(wording.attention(old, new), old)


def test_a_word_in_the_place_of_another_takes_its_tokens_one_by_one_or_in_shares():
    old, new = torch.rand(5, TOKENS), torch.rand(5, TOKENS)
    assert torch.equal(reword(LETTERS, "a red cup", "a tan cup", {}).attention(old, new), old)
    mixed = reword(LETTERS, "a red cup", "a blue cup", {}).attention(old, new)  # one token longer
    assert torch.allclose(mixed[:, 2:6], old[:, 2:5].sum(1, keepdim=True).expand(-1, 4) / 4)
    assert torch.equal(mixed[:, 6:], old[:, 5:-1])
    assert torch.allclose(mixed.sum(1), old[:, :-1].sum(1))


def test_a_new_word_has_its_own_attention_and_the_others_keep_theirs():
    old, new = torch.rand(5, TOKENS), torch.rand(5, TOKENS)
    mixed = reword(LETTERS, "a cup", "a red cup", {}).attention(old, new)
    assert torch.equal(mixed[:, 2:5], new[:, 2:5])
    assert torch.equal(mixed[:, :2], old[:, :2])
    assert torch.equal(mixed[:, 5:], old[:, 2:-3])
    dropped = reword(LETTERS, "a red cup", "a cup", {}).attention(old, new)
    assert torch.equal(dropped[:, 2:-3], old[:, 5:])
    assert torch.equal(dropped[:, -3:], new[:, -3:])  # padding that the old prompt had no room for


def test_words_have_factors_where_the_new_prompt_has_them():
    gain = reword(LETTERS, "a red cup", "a tan cup", {"tan": 2.0, "red": 5.0, "cup": 0.0}).gain
    assert gain.tolist() == [1, 1, 2, 2, 2, 0, 0, 0, *[1] * 8]
