"""Two prompts word by word: which words stay, which stand in place of others, which are new.

The attention to the words of a new prompt is made of the attention to the old one's (Prompt-to-Prompt, arXiv
2208.01626, section 3.2): that is one matrix, for swapped, added and dropped words alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dragkit.words import positions

Found = list[int | None]  # for each of the new words the old one that it is or stands for
Word = tuple[int, ...]  # its tokens


class Wording(NamedTuple):
    """What the tokens of a new prompt take of the attention to an old one's.

    taken: [old tokens, new tokens] shares.  own: [new tokens] 1 for new words, which keep what they have, else 0.
    gain: [new tokens] factors of the result.
    """

    taken: Tensor
    own: Tensor
    gain: Tensor

    def attention(self, old: Tensor, new: Tensor) -> Tensor:
        """Weights [..., old tokens] and [..., new tokens] as the new prompt gets them: [..., new tokens]."""
        return old @ self.taken.to(old) + new * self.own.to(new)


def reword(tokenizer: Any, old: str, new: str, gains: Mapping[str, float]) -> Wording:
    """How a new prompt follows from an old one. gains: factor of words or phrases, those of the new prompt count.

    A word that stands for another of as many tokens takes theirs one by one, else all of them in equal shares.
    """
    before, after = split(tokenizer, old), split(tokenizer, new)
    starts, ends = _spans(before), _spans(after)
    found = swapped(align(before, after), len(before))
    taken, own, gain = torch.zeros(starts[-1], ends[-1]), torch.ones(ends[-1]), torch.ones(ends[-1])
    for j, i in enumerate(found):
        if i is not None:
            rows, columns = slice(*starts[i : i + 2]), slice(*ends[j : j + 2])
            n, m = len(before[i]), len(after[j])
            taken[rows, columns] = torch.eye(n) if n == m else torch.full((n, m), 1 / m)
            own[columns] = 0
    for word, factor in gains.items():
        gain[positions(tokenizer, new, word)] = factor
    return Wording(taken, own, gain)


def split(tokenizer: Any, prompt: str) -> list[Word]:
    """All tokens that the model reads, padding as well, in words; the marks of begin and end are words.

    tokenizer: CLIP's, of any vocabulary.
    """
    limit = tokenizer.model_max_length
    ids = tokenizer(prompt, padding="max_length", truncation=True, max_length=limit, verbose=False).input_ids
    words: list[Word] = []
    inside = False  # of a word
    for token, name in zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True):
        mark = token in tokenizer.all_special_ids
        if inside and not mark:
            words[-1] += (token,)
        else:
            words.append((token,))
        inside = not mark and not str(name).endswith("</w>")
    return words


def align(old: Sequence[Any], new: Sequence[Any]) -> Found:
    """For each of `new` its place in `old`, in order and as many as can be found; None for the others.

    Needleman-Wunsch with 1 for a match and nothing for a gap, as the released code.
    """
    most = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]  # [i][j]: matches of old[i:] and new[j:]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            same = old[i] == new[j]
            most[i][j] = most[i + 1][j + 1] + 1 if same else max(most[i + 1][j], most[i][j + 1])
    found: Found = []
    i = 0
    while len(found) < len(new):
        j = len(found)
        if i < len(old) and old[i] == new[j]:
            found.append(i)
            i += 1
        elif i < len(old) and most[i + 1][j] >= most[i][j + 1]:
            i += 1
        else:
            found.append(None)
    return found


def swapped(found: Found, count: int) -> Found:
    """As `align` found, and those between two that stayed stand for the `count` old ones there, if as many."""
    stayed = [(i, j) for j, i in enumerate(found) if i is not None]
    whole = list(found)
    for (i, j), (below, right) in pairwise([(-1, -1), *stayed, (count, len(found))]):
        if below - i == right - j:
            whole[j + 1 : right] = range(i + 1, below)
    return whole


def _spans(words: Sequence[Word]) -> list[int]:
    """Where each word begins among the tokens, and where the last one ends."""
    return list(accumulate(map(len, words), initial=0))
