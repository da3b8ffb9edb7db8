"""Self-attention rules: what one call does with its queries, keys and values, and a `with` that installs them.

A rule is a function (layer, q, k, v) -> (k, v, hidden): q, k, v are [batch, tokens, channels] before the heads are
split; `hidden` is None or a mask [q tokens, k tokens], True where a query must not look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Memory = Mapping[str, tuple[Tensor, Tensor]]  # layer -> keys and values [1, tokens, channels] of a source pass
Rule = Callable[[str, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor | None]]
Tokens = Mapping[int, Tensor]  # number of tokens of a layer -> bool [tokens]


class Part(NamedTuple):
    """Keys and values that take part: those of `memory`, of all tokens or of the tokens in `keep`.

    closed: pairs (queries, keys) of token masks; these queries do not see these keys of this part.
    """

    memory: Memory
    keep: Tokens | None = None
    closed: Sequence[tuple[Tokens, Tokens]] = ()


def record(store: MutableMapping[str, tuple[Tensor, Tensor]], item: int = 0) -> Rule:
    """Keep keys and values of batch item `item` and change nothing. Idempotent, so gradient checkpointing is safe."""

    def rule(layer: str, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        at = item % len(k)
        store[layer] = (k[at : at + 1].detach(), v[at : at + 1].detach())
        return k, v, None

    return rule


def inject(parts: Sequence[Part], own: bool = False) -> Rule:
    """Use the keys and values of `parts`, after the layer's own if `own`.

    One part is DragonDiffusion's replacement (move) and MasaCtrl's mutual self-attention, own=True its concatenation
    (drag, face), two parts with token masks its region selection (appearance, paste).
    """

    def rule(layer: str, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        keys, values, hidden = ([k], [v], [_none(q, k)]) if own else ([], [], [])
        for part in parts:
            mk, mv = (x.to(k) for x in part.memory[layer])  # [1 tokens channels]
            hide = _hidden(q, mk, part.closed)
            if part.keep is not None:
                keep = part.keep[mk.shape[1]].to(k.device)
                mk, mv, hide = mk[:, keep], mv[:, keep], hide[:, keep]
            keys.append(mk.expand(len(k), -1, -1))
            values.append(mv.expand(len(v), -1, -1))
            hidden.append(hide)
        k, v, mask = torch.cat(keys, 1), torch.cat(values, 1), torch.cat(hidden, 1)
        return k, v, mask if any(part.closed for part in parts) else None

    return rule


def _none(q: Tensor, k: Tensor) -> Tensor:
    return torch.zeros(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device)


def _hidden(q: Tensor, k: Tensor, closed: Sequence[tuple[Tokens, Tokens]]) -> Tensor:
    hidden = _none(q, k)
    for queries, keys in closed:
        hidden |= queries[q.shape[1]].to(q.device)[:, None] & keys[k.shape[1]].to(q.device)[None, :]
    return hidden


class _Ruled:
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
        k, v, hidden = self.rule(self.layer, q, k, v)
        q, k, v = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (q, k, v))  # [b heads n d]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=None if hidden is None else ~hidden, scale=attn.scale)
        mixed: Tensor = attn.to_out[0](out.transpose(1, 2).flatten(2))
        return mixed


def decoder_layers(unet: Any, blocks: Sequence[int] | None = None) -> list[str]:
    """Names of the self-attention processors of the up blocks (all, or those listed), in order of execution."""
    names = [n for n in unet.attn_processors if n.startswith("up_blocks.") and n.endswith("attn1.processor")]
    return [n for n in names if blocks is None or int(n.split(".")[1]) in blocks]


@contextmanager
def attend(unet: Any, rule: Rule, layers: Sequence[str] | None = None) -> Iterator[None]:
    """Let `rule` govern the self-attention of `layers` (default: the whole decoder); all is put back on leaving."""
    before = dict(unet.attn_processors)
    chosen = set(decoder_layers(unet) if layers is None else layers)
    try:
        unet.set_attn_processor({n: _Ruled(n, rule) if n in chosen else p for n, p in before.items()})
        yield
    finally:
        unet.set_attn_processor(dict(before))


def token_masks(
    cells: Callable[[tuple[int, int]], Tensor], latent: tuple[int, int], depth: int = 4
) -> dict[int, Tensor]:
    """A mask on the token grid of every level of the U-Net, by number of tokens.

    cells(shape) gives the mask [h, w] on a grid of that shape; latent is (h, w); each level halves, rounding up.
    """
    shapes = [(-(-latent[0] // 2**k), -(-latent[1] // 2**k)) for k in range(depth)]
    return {h * w: cells((h, w)).flatten() for h, w in shapes}
