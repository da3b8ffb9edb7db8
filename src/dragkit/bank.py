"""The memory bank: what source passes left at every level, kept within a budget, and made again where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dragkit.attention import Memory
from dragkit.machine import accelerates

GIB = 2**30


class Record(NamedTuple):
    """What one source pass left behind: decoder keys and values, and up-block features [1, c, h, w] by block."""

    memory: Memory
    features: dict[int, Tensor]

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for pair in self.memory.values() for x in pair) + sum(
            x.nbytes for x in self.features.values()
        )

    def to(self, device: torch.device, dtype: torch.dtype | None = None, *, pinned: bool = False) -> Record:
        """The same elsewhere or in another precision. pinned: in pages from which an accelerator copies by itself."""

        def moved(x: Tensor) -> Tensor:
            there = x.to(device, dtype, non_blocking=not pinned)
            return there.pin_memory() if pinned else there

        memory = {layer: (moved(k), moved(v)) for layer, (k, v) in self.memory.items()}
        return Record(memory, {block: moved(x) for block, x in self.features.items()})


@dataclass(frozen=True)
class Keep:
    """How much is kept of what could be made again.

    budget: bytes of records a source keeps; the levels beyond it are recorded anew, by a pass each time they are read.
    half: records in half precision.  away: in the machine's own memory, not on the accelerator.  checkpoint: of a pass
    with a gradient only what goes into blocks, the rest being made again on the way back.
    """

    budget: int
    half: bool = False
    away: bool = False
    checkpoint: bool = False

    def takes(self, levels: int, record: int, device: torch.device) -> int:
        """Bytes on a device of so many levels' records, each of so many bytes in the model's precision."""
        return 0 if self.away and accelerates(device) else min(levels * record, self.budget)

    def stored(self, record: Record) -> Record:
        """A record as it is kept."""
        some = next(iter(record.features.values()))
        away = self.away and accelerates(some.device)
        small = torch.float16 if self.half and some.dtype == torch.float32 else some.dtype
        if not away and small == some.dtype:
            return record
        return record.to(torch.device("cpu") if away else some.device, small, pinned=away and some.is_cuda)


# Budgets, by arithmetic: a record of Stable Diffusion 1.5 at 512x512 has 3 x 2 x (256 x 1280 + 1024 x 640 + 4096 x 320)
# numbers of keys and values and 32 x 32 x 1280 + 64 x 64 x 640 of features, so 50 levels take 1.6 GiB in half
# precision, 3.3 GiB in full.
KEEP = {
    "fast": Keep(8 * GIB),
    "balanced": Keep(4 * GIB, half=True, away=True),
    "small": Keep(0, checkpoint=True),
}


class Bank:
    """Records of one source, level by level from the cleanest, while it is made."""

    def __init__(self, keep: Keep) -> None:
        self.records: list[Record | None] = []
        self._keep, self._room = keep, keep.budget

    def add(self, record: Record) -> None:
        """Keep a record, or None where there is no room for it: then there is none for those that follow either."""
        kept = self._keep.stored(record) if self._room else None
        if kept is not None and kept.nbytes > self._room:
            kept = None
        self._room = 0 if kept is None else self._room - kept.nbytes
        self.records.append(kept)
