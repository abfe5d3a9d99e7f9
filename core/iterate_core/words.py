"""Numbers in sentences."""

from __future__ import annotations


def counted(count: float, word: str) -> str:
    """``1 trial``, ``2 trials``, ``0.5 hours``."""
    number = count if isinstance(count, int) else f"{count:g}"
    return f"{number} {word}" if count == 1 else f"{number} {word}s"
