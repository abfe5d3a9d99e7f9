"""Numbers in sentences."""

from __future__ import annotations


def counted(count: float, noun: str, plural: str | None = None) -> str:
    """A number of things: ``1 band``, ``3 bands``, ``2 classes``, ``0.5 hours``.

    Args:
        count: How many.
        noun: What one is called.
        plural: What others are called, where that is not the noun with an s.
    """
    number = count if isinstance(count, int) else f"{count:g}"
    return f"{number} {noun if count == 1 else plural or f'{noun}s'}"
