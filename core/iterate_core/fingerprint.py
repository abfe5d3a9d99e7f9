"""Identity by content: canonical form, fingerprints, and seeds fixed by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text.

    Raises:
        ValueError: The value holds a number that is not finite.
        TypeError: The value holds something JSON cannot say.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(value: Mapping[str, Any] | list[Any]) -> str:
    """16 hexadecimal digits (64 bits) of the SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def seed_for(*names: str | int) -> int:
    """A seed in [0, 2³¹) fixed by names alone, such as ``seed_for("study", "trial", 3)``."""
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def state_seed(seed: int, work: str | int) -> int:
    """Of the random state that a piece of a recipe's work starts from.

    Args:
        seed: The recipe's.
        work: The number of an epoch, or a word.
    """
    return seed_for(seed, "random state", work)
