"""Small words of messages."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number of things: ``1 band``, ``3 bands``, ``2 classes``.

    Args:
        count: How many.
        noun: What one is called.
        plural: What others are called, where that is not the noun with an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
