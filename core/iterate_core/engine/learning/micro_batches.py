"""Batches in parts, where a whole one is more than memory holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from iterate_core.data.loading.loader import Indices
from iterate_core.engine.order import Course
from iterate_core.errors import DeviceMemoryError
from iterate_core.recipe import Recipe

T = TypeVar("T")


def in_parts(course: Course, at_once: int | None, *, pairs: bool) -> tuple[Course, list[int]]:
    """Cut each batch of a course into parts of about equal size.

    Args:
        course: The batches.
        at_once: Samples of a part at most; None leaves batches whole.
        pairs: No part is of one sample, whose variance batch normalisation cannot estimate.

    Returns:
        The parts as a course, and into how many each batch was cut.
    """
    counts = [_count(len(chunk), at_once, 2 if pairs else 1) for chunk in course.chunks]
    chosen = None if course.chosen is None else _cut(course.chosen, counts)
    return Course(_cut(course.chunks, counts), chosen, course.draws), counts


def _count(samples: int, at_once: int | None, least: int) -> int:
    if at_once is None:
        return 1
    return max(1, min(math.ceil(samples / at_once), samples // least))


def _cut(chunks: list[Indices], counts: list[int]) -> list[Indices]:
    cut = (np.array_split(chunk, count) for chunk, count in zip(chunks, counts, strict=True))
    return [part for parts in cut for part in parts]


def halved(recipe: Recipe, at_once: int | None, batch_size: int) -> int | None:
    """How many samples to try at once where so many were too many.

    Args:
        recipe: Says in `trainer.micro_batch` whether fewer may be tried.
        at_once: How many were; None was a whole batch.
        batch_size: Samples of that.

    Returns:
        Half as many; None where that is not asked for, or it was one.
    """
    if recipe.trainer.micro_batch != "auto":
        return None
    return (at_once or batch_size) // 2 or None


def fitting(recipe: Recipe, batch_size: int, attempt: Callable[[int | None], T]) -> T:
    """Do something with whole batches or, where memory runs out, with fewer samples at once.

    Args:
        recipe: See `halved`.
        batch_size: Samples of a batch.
        attempt: Told how many samples may be at once; it leaves nothing behind where it fails.

    Raises:
        DeviceMemoryError: A single sample is too many, or fewer than a batch are not asked for.
    """
    at_once: int | None = None
    while True:
        try:
            return attempt(at_once)
        except DeviceMemoryError:
            half = halved(recipe, at_once, batch_size)
            if half is None:
                raise
        at_once = half  # here, where the error no longer holds on to what filled the memory
