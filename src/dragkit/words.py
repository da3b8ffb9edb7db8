"""Words of a prompt and where a network looks for them: tokens of a word, maps of the attention to words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import torch
from torch import Tensor

from dragkit.attention import WordRule

Maps = Mapping[int, list[Tensor]]  # number of tokens of a layer -> maps [batch, tokens, words] of the layers passed
FLAT = 1e-12  # least range of a map that is stretched: a flat one stays 0


def positions(tokenizer: Any, prompt: str, word: str) -> list[int]:
    """Indices, among the tokens that the model reads, of those of a word wherever it stands in a prompt, ascending.

    tokenizer: CLIP's, of any vocabulary.  word: one word or several that follow one another; part of a word is none.
    Empty where the prompt does not hold it, or only beyond the tokenizer's limit.
    """
    read = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length, verbose=False).input_ids
    wanted = tokenizer(word, add_special_tokens=False, verbose=False).input_ids
    ends = [k == 0 or str(name).endswith("</w>") for k, name in enumerate(tokenizer.convert_ids_to_tokens(read))]
    n = len(wanted)
    starts = [k for k in range(1, len(read)) if n and ends[k - 1] and read[k : k + n] == wanted]
    return sorted({k + j for k in starts for j in range(n)})


def tokens_of(tokenizer: Any, prompt: str, words: Iterable[str]) -> list[int]:
    """`positions` of all words that the prompt holds, each once, ascending."""
    return sorted({k for word in words for k in positions(tokenizer, prompt, word)})


def collect(store: MutableMapping[int, list[Tensor]]) -> WordRule:
    """Keep the weights of every layer, averaged over heads, by the layer's number of tokens, and change nothing."""

    def rule(_layer: str, weights: Tensor) -> Tensor:
        store.setdefault(weights.shape[2], []).append(weights.mean(1).detach())
        return weights

    return rule


def word_map(maps: Maps, shape: tuple[int, int], tokens: Iterable[int], item: int = -1) -> Tensor:
    """Where item `item` of a batch looks for some tokens: [h, w] from 0 to 1.

    The maps collected on a grid of `shape` (h, w) are averaged, summed over the tokens and stretched to 0..1 (MasaCtrl
    section 3.3, released code).

    Raises:
        ValueError: where no layer has that grid, or there are no tokens.
    """
    chosen = sorted(tokens)
    if shape[0] * shape[1] not in maps:
        raise ValueError(f"no attention to words on a grid of {shape[1]}x{shape[0]}; give 1, 1/2 or 1/4 of the latents")
    if not chosen:
        raise ValueError("no token of a word to look for; give words of the prompt")
    seen = torch.stack([layer[item].float() for layer in maps[shape[0] * shape[1]]]).mean(0)[:, chosen].sum(1)
    low, high = seen.aminmax()
    return ((seen - low) / (high - low).clamp(min=FLAT)).view(shape)
