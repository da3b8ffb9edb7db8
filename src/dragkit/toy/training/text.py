"""Tokenizer and text encoder of the toy model: CLIP's classes, small, with one token per word of the toy world."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import torch
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LENGTH = 32  # tokens; the longest caption has 20 words
WIDTH = 128
LAYERS = 3
HEADS = 4
WORD_STD, PLACE_STD = 1.0, 0.3  # CLIP's 0.02 drowns in what the layers add: words hardly told apart after 1,600 steps
START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"


def learn_merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent pair first, until every word is a single token."""
    split = [[*word[:-1], word[-1] + WORD_END] for word in sorted(set(words))]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for word in split for pair in pairwise(word)):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        split = [_merged(word, best) for word in split]
    return merges


def tokenizer(words: Sequence[str]) -> CLIPTokenizer:
    """A CLIP tokenizer for `words`; any other text falls apart into the bytes of its UTF-8 form."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = learn_merges(words)
    tokens = [*letters, *(letter + WORD_END for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocab = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(
        vocab=vocab, merges=merges, bos_token=START, eos_token=END, unk_token=END, pad_token=END,
        model_max_length=LENGTH,
    )  # fmt: skip


def text_encoder(tokens: CLIPTokenizer) -> CLIPTextModel:
    """A text encoder with random weights for that tokenizer."""
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokens), hidden_size=WIDTH, projection_dim=WIDTH, intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=LENGTH,
            bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id,
        )
    )  # fmt: skip
    for name, parameter in encoder.named_parameters():
        if "token_embedding" in name:
            torch.nn.init.normal_(parameter, std=WORD_STD)
        elif "position_embedding" in name:
            torch.nn.init.normal_(parameter, std=PLACE_STD)
    return encoder


def token_ids(tokens: CLIPTokenizer, captions: Sequence[str]) -> torch.Tensor:
    """[n, 32] integers, padded as Stable Diffusion pads."""
    ids = tokens(list(captions), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
    out: torch.Tensor = ids.input_ids
    return out


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for symbol in word:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return out
