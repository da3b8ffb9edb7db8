import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dragkit import singlefile
from dragkit.attention import attend_words
from dragkit.words import collect, positions, tokens_of, word_map
from tiny import TOKENS
from tiny import tokenizer as letterwise

LETTERS = letterwise()  # every letter is a token, so every word is several


@pytest.mark.parametrize(
    ("prompt", "word", "wanted"),
    [
        ("a red cup", "a", [1]),
        ("a red cup", "red", [2, 3, 4]),
        ("a red cup", "Cup", [5, 6, 7]),
        ("a red cup", "red cup", [2, 3, 4, 5, 6, 7]),
        ("A RED, red", "red", [2, 3, 4, 6, 7, 8]),
        ("a cup's", "cup", [2, 3, 4]),
        ("a carcup", "cup", []),  # the end of a word, the same tokens
        ("a cupcar", "cup", []),
        ("a red cup", "blue", []),
        ("a red cup", "", []),
        ("", "cup", []),
    ],
)
def test_a_word_is_found_wherever_it_stands_alone(prompt, word, wanted):
    assert positions(LETTERS, prompt, word) == wanted


def test_words_of_stable_diffusion_may_be_several_tokens():
    clip = singlefile.tokenizer(singlefile.CONFIGS / "sd15")
    prompt = "a photo of a strawberry berry with hydrangeaceae, corgi's corgi"
    wanted = {"berry": [6], "hydrangeaceae": [8, 9], "corgi": [11, 13], "corgi's": [11, 12], "Photo of a": [2, 3, 4]}
    assert {word: positions(clip, prompt, word) for word in wanted} == wanted


def test_a_word_that_is_not_read_is_not_found():
    long = "x " * (TOKENS - 4) + "cat"
    assert positions(LETTERS, long, "cat") == []  # one letter of it fits
    assert positions(LETTERS, "x " * (TOKENS - 5) + "cat", "cat") == [TOKENS - 4, TOKENS - 3, TOKENS - 2]


@given(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4), st.data())
def test_the_tokens_of_a_word_spell_it(words, data):
    word = data.draw(st.sampled_from(words))
    found = positions(LETTERS, " ".join(words), word)
    ids = LETTERS(" ".join(words)).input_ids
    spelt = "".join(LETTERS.convert_ids_to_tokens([ids[k] for k in found])).replace("</w>", "")
    assert spelt == word * words.count(word)


def test_tokens_of_several_words_are_joined():
    assert tokens_of(LETTERS, "a red cup", ["cup", "a", "mug"]) == [1, 5, 6, 7]


def test_collecting_changes_nothing_and_sees_every_layer(tiny):
    generator = torch.Generator().manual_seed(1)
    z, text = torch.randn(2, 4, 12, 16, generator=generator), torch.randn(2, 7, 32, generator=generator)
    maps: dict[int, list[torch.Tensor]] = {}
    with torch.no_grad():
        plain = tiny.predict(z, 500, text)
        with attend_words(tiny.unet, collect(maps)):
            seen = tiny.predict(z, 500, text)
    assert torch.allclose(plain, seen, atol=1e-6)
    assert {n: len(found) for n, found in maps.items()} == {192: 3, 48: 3, 12: 3, 4: 1}  # down, up, up; the middle
    assert all(m.shape == (2, n, 7) for n, found in maps.items() for m in found)
    assert torch.allclose(maps[48][0].sum(-1), torch.ones(2, 48))


def test_a_map_is_the_mean_of_a_grid_stretched_to_one():
    first = torch.tensor([[0.0, 0.5, 0.5], [0.2, 0.2, 0.6]]).repeat(3, 1)[None]  # [1 6 3]
    maps = {6: [first, 3 * first], 2: [torch.ones(1, 2, 3)]}
    assert word_map(maps, (2, 3), [1]).tolist() == pytest.approx(torch.tensor([[1.0, 0, 1], [0, 1, 0]]))
    assert word_map(maps, (3, 2), [0, 1])[0].tolist() == pytest.approx([1, 0])
    assert not word_map(maps, (1, 2), [0]).any()  # flat
    both = {6: [torch.cat([first, first.roll(1, 1)])]}
    assert torch.allclose(word_map(both, (2, 3), [1], item=0), 1 - word_map(both, (2, 3), [1]))


def test_grids_and_tokens_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no attention to words on a grid of 3x1"):
        word_map({6: [torch.ones(1, 6, 3)]}, (1, 3), [1])
    with pytest.raises(ValueError, match="no token"):
        word_map({6: [torch.ones(1, 6, 3)]}, (2, 3), [])
