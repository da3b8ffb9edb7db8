"""Self-attention rules: what one call does with its queries, keys and values, and a `with` that installs them.

A rule is a function (layer, q, k, v) -> (q, k, v, hidden): q, k, v are [batch, tokens, channels] before the heads are
split; `hidden` says which queries must not look at which keys, None that all see all.

Attention to words has rules of its own, functions (layer, weights) -> weights: [batch, heads, q tokens, words].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from dragkit.machine import accelerates

Memory = Mapping[str, tuple[Tensor, Tensor]]  # layer -> keys and values [1, tokens, channels] of a source pass
WordRule = Callable[[str, Tensor], Tensor]
Tokens = Mapping[int, Tensor]  # number of tokens of a layer -> bool [tokens]


# Queries for which a mask costs less than a call for each of two groups: 256 take 0.27 ms and 0.30, 1024 take 3.7 and
# 3.3 (4 heads of 24, two cores, 2026-11-21).
FEW = 1024
GROUPS = 4  # at most: every call has its price


@dataclass(frozen=True, eq=False)
class Hidden:
    """A mask, bool [q tokens, k tokens] or [batch, 1, q tokens, k tokens], True where a query must not look."""

    mask: Tensor

    @cached_property
    def groups(self) -> list[tuple[Tensor, Tensor]]:
        """Queries [q tokens] that see the same keys [k tokens], and these, group by group; empty where that is no use,
        as on accelerators, which would be waited for to find them.

        Attention of each group to its keys alone is the masked attention, without the slower kernel that a mask needs.
        """
        if self.mask.ndim > 2 or len(self.mask) < FEW or accelerates(self.mask.device):
            return []
        mark = torch.arange(1, self.mask.shape[1] + 1, device=self.mask.device, dtype=torch.float64).sqrt()
        kinds, of = torch.unique(self.mask.double() @ mark, return_inverse=True)
        if len(kinds) > GROUPS:
            return []
        found = [(of == kind, ~self.mask[(of == kind).nonzero()[0, 0]]) for kind in range(len(kinds))]
        exact = all(keys.any() and (self.mask[queries] == ~keys).all() for queries, keys in found)
        return found if exact else []


Ruled = tuple[Tensor, Tensor, Tensor, Hidden | None]
Rule = Callable[[str, Tensor, Tensor, Tensor], Ruled]


class Part(NamedTuple):
    """Keys and values that take part: those of `memory`, of all tokens or of the tokens in `keep`.

    closed: pairs (queries, keys) of token masks; these queries do not see these keys of this part.
    """

    memory: Memory
    keep: Tokens | None = None
    closed: Sequence[tuple[Tokens, Tokens]] = ()


def record(store: MutableMapping[str, tuple[Tensor, Tensor]], item: int = 0) -> Rule:
    """Keep keys and values of batch item `item` and change nothing. Idempotent, so gradient checkpointing is safe."""

    def rule(layer: str, q: Tensor, k: Tensor, v: Tensor) -> Ruled:
        store[layer] = alone(k, item), alone(v, item)
        return q, k, v, None

    return rule


def alone(x: Tensor, item: int) -> Tensor:
    """One item [1, ...] of a batch, without gradient; a copy where the others would stay in memory with it."""
    at = item % len(x)
    one = x[at : at + 1].detach()
    return one if len(x) == 1 else one.clone()


def inject(parts: Sequence[Part], own: bool = False) -> Rule:
    """Use the keys and values of `parts`, after the layer's own if `own`.

    One part is DragonDiffusion's replacement (move) and MasaCtrl's mutual self-attention, own=True its concatenation
    (drag, face), two parts with token masks its region selection (appearance, paste).
    """

    masks: dict[tuple[int, int], Hidden] = {}  # by numbers of queries and keys: layers of one grid share theirs

    def rule(layer: str, q: Tensor, k: Tensor, v: Tensor) -> Ruled:
        keys, values, taken = ([k], [v], [k.shape[1]]) if own else ([], [], [])
        for part in parts:
            mk, mv = (x.to(k) for x in part.memory[layer])  # [1 tokens channels]
            taken.append(mk.shape[1])
            if part.keep is not None:
                keep = part.keep[mk.shape[1]].to(k.device)
                mk, mv = mk[:, keep], mv[:, keep]
            keys.append(mk.expand(len(k), -1, -1))
            values.append(mv.expand(len(v), -1, -1))
        one = len(keys) == 1
        return q, keys[0] if one else torch.cat(keys, 1), values[0] if one else torch.cat(values, 1), hidden(q, taken)

    def hidden(q: Tensor, taken: Sequence[int]) -> Hidden | None:
        if not any(part.closed for part in parts):
            return None
        size = q.shape[1], sum(taken)
        if size not in masks:
            there = [torch.zeros(q.shape[1], taken[0], dtype=torch.bool, device=q.device)] if own else []
            there += [_hidden(q, n, p) for n, p in zip(taken[own:], parts, strict=True)]
            masks[size] = Hidden(torch.cat(there, 1))
        return masks[size]

    return rule


def mutual(_layer: str, q: Tensor, k: Tensor, v: Tensor) -> Ruled:
    """Of every two items of the batch both use the first one's keys and values (MasaCtrl, arXiv 2304.08465)."""
    k, v = (x[::2].repeat_interleave(2, 0) for x in (k, v))
    return q, k, v, None


def apart(rule: Rule, there: Tokens, here: Tokens, items: slice | None = None) -> Rule:
    """`rule`, and the queries of an object see only the keys of an object, the others only the others (MasaCtrl).

    there, here: the object among the keys and among the queries. Where it is all keys of a layer or none, nothing is
    hidden.  items: of the batch, which are concerned; default all.
    """

    def parted(layer: str, q: Tensor, k: Tensor, v: Tensor) -> Ruled:
        q, k, v, hidden = rule(layer, q, k, v)
        keys, queries = there[k.shape[1]].to(q.device), here[q.shape[1]].to(q.device)
        if keys.all() or not keys.any():
            return q, k, v, hidden
        across = queries[:, None] != keys[None, :]  # [q tokens k tokens]
        if items is not None:
            concerned = torch.zeros(len(q), 1, 1, 1, dtype=torch.bool, device=q.device)
            concerned[items] = True
            across = across & concerned
        return q, k, v, Hidden(across if hidden is None else hidden.mask | across)

    return parted


def _hidden(q: Tensor, tokens: int, part: Part) -> Tensor:
    """Which of a part's keys the queries must not see: [q tokens, those of `tokens` that are kept]."""
    hidden = torch.zeros(q.shape[1], tokens, dtype=torch.bool, device=q.device)
    for queries, keys in part.closed:
        hidden |= queries[q.shape[1]].to(q.device)[:, None] & keys[tokens].to(q.device)[None, :]
    return hidden if part.keep is None else hidden[:, part.keep[tokens].to(q.device)]


class _SelfAttention:
    """Attention processor that asks a rule; projections are called as modules, so LoRA wrappers work."""

    def __init__(self, layer: str, rule: Rule) -> None:
        self.layer, self.rule = layer, rule

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        q, k, v = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        q, k, v, hidden = self.rule(self.layer, q, k, v)
        q, k, v = (_heads(x, attn.heads) for x in (q, k, v))  # [b heads n d]
        out = _attention(q, k, v, hidden, attn.scale)
        mixed: Tensor = attn.to_out[0](out.transpose(1, 2).flatten(2))
        return mixed


def _attention(q: Tensor, k: Tensor, v: Tensor, hidden: Hidden | None, scale: float) -> Tensor:
    """Attention [b, heads, q tokens, d] of queries to the keys that they may see."""
    if hidden is None or not hidden.groups:
        mask = None if hidden is None else ~hidden.mask
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    out = torch.empty_like(q)
    for queries, keys in hidden.groups:
        seen = (k, v) if keys.all() else (k[:, :, keys], v[:, :, keys])
        out[:, :, queries] = F.scaled_dot_product_attention(q[:, :, queries], *seen, scale=scale)
    return out


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


class _WordAttention:
    """Attention processor that lets a rule change the weights of words."""

    def __init__(self, layer: str, rule: WordRule) -> None:
        self.layer, self.rule = layer, rule

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        words = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected: tuple[Tensor, ...] = attn.to_q(hidden_states), attn.to_k(words), attn.to_v(words)
        q, k, v = (_heads(x, attn.heads) for x in projected)  # [b heads n d]
        weights = self.rule(self.layer, (q @ k.mT * attn.scale).softmax(-1))
        mixed: Tensor = attn.to_out[0]((weights @ v).transpose(1, 2).flatten(2))
        return mixed


# Found once for a U-Net: the walk through it takes longer than a block.
_ATTENTIONS: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def _attentions(unet: Any) -> Mapping[str, Any]:
    """The attention modules of a U-Net by the names of their processors, in order of execution."""
    if unet not in _ATTENTIONS:
        named = ((name, module) for name, module in unet.named_modules() if hasattr(module, "set_processor"))
        _ATTENTIONS[unet] = {f"{name}.processor": module for name, module in named}
    return _ATTENTIONS[unet]


def decoder_layers(unet: Any, blocks: Sequence[int] | None = None) -> list[str]:
    """Names of the self-attention processors of the up blocks (all, or those listed), in order of execution."""
    names = [n for n in _attentions(unet) if n.startswith("up_blocks.") and n.endswith("attn1.processor")]
    return [n for n in names if blocks is None or int(n.split(".")[1]) in blocks]


def word_layers(unet: Any) -> list[str]:
    """Names of all processors of attention to words, down, middle and up."""
    return [n for n in _attentions(unet) if n.endswith("attn2.processor")]


@contextmanager
def attend(unet: Any, rule: Rule, layers: Sequence[str] | None = None) -> Iterator[None]:
    """Let `rule` govern the self-attention of `layers` (default: the whole decoder); all is put back on leaving."""
    chosen = decoder_layers(unet) if layers is None else layers
    with _processors(unet, {n: _SelfAttention(n, rule) for n in chosen}):
        yield


@contextmanager
def attend_words(unet: Any, rule: WordRule, layers: Sequence[str] | None = None) -> Iterator[None]:
    """Let `rule` govern the attention to words of `layers` (default: all); all is put back on leaving."""
    chosen = word_layers(unet) if layers is None else layers
    with _processors(unet, {n: _WordAttention(n, rule) for n in chosen}):
        yield


@contextmanager
def _processors(unet: Any, ours: Mapping[str, Any]) -> Iterator[None]:
    modules = {name: _attentions(unet)[name] for name in ours}
    before = {name: module.processor for name, module in modules.items()}
    again = torch.is_grad_enabled() and unet.is_gradient_checkpointing  # blocks would run again without the rules
    try:
        if again:
            unet.disable_gradient_checkpointing()
        for name, module in modules.items():
            module.set_processor(ours[name])
        yield
    finally:
        for name, module in modules.items():
            module.set_processor(before[name])
        if again:
            unet.enable_gradient_checkpointing()


def token_masks(
    cells: Callable[[tuple[int, int]], Tensor], latent: tuple[int, int], depth: int = 4
) -> dict[int, Tensor]:
    """A mask on the token grid of every level of the U-Net, by number of tokens.

    cells(shape) gives the mask [h, w] on a grid of that shape; latent is (h, w); each level halves, rounding up.
    """
    shapes = [(-(-latent[0] // 2**k), -(-latent[1] // 2**k)) for k in range(depth)]
    return {h * w: cells((h, w)).flatten() for h, w in shapes}
