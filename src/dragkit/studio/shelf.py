"""What a server keeps for a while: values by key, up to so many bytes, those least used of late forgotten first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Shelf(Generic[V]):
    """Values by key with a limit in bytes; several threads may use it."""

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        """size: bytes of a value. What is larger than `limit` by itself is not kept."""
        self.limit, self._size = limit, size
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = threading.Lock()
        self.used = 0  # bytes

    def put(self, key: str, value: V) -> None:
        """Keep a value, and forget old ones until all fit."""
        size = self._size(value)
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            while self.used + size > self.limit:
                self._drop(next(iter(self._values)))
            self._values[key] = value
            self.used += size

    def get(self, key: str) -> V | None:
        """The value of a key, which is then the last to be forgotten; None where it is not, or not any more."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def __len__(self) -> int:
        return len(self._values)

    def _drop(self, key: str) -> None:
        if key in self._values:
            self.used -= self._size(self._values.pop(key))
