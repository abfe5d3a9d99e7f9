"""What a process keeps between recipes: the most recently used, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
GIB = 1 << 30


class Shelf:
    """A least-recently-used store bounded by bytes.

    Args:
        limit: Bytes it may hold; what is larger alone is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(size for _, size in self._held.values())

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value kept under `key`, made now if there is none.

        Args:
            key: Fixes the value wholly.
            make: Makes it.
            size: Its size in bytes.
        """
        if key in self._held:
            self._held.move_to_end(key)
            value: T = self._held[key][0]
            return value
        value = make()
        taken = size(value)
        if taken <= self._limit:
            while self.size + taken > self._limit:
                self._held.popitem(last=False)
            self._held[key] = (value, taken)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()


backbones = Shelf(2 * GIB)
"""Backbones as loaded, which trials copy or, frozen, share."""

arrays = Shelf(4 * GIB)
"""Images, masks and features on a GPU; on a CPU the mapped files themselves are used."""
