"""Which training samples a recipe trains on: all, a share of them, or some of each class.

Validation and test splits stay whole, and so do the statistics that bands are normalised with: they
need no labels. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import DatasetInfo
from iterate_core.data.draws import draw_share, draw_shots
from iterate_core.data.options import DataSection
from iterate_core.data.store.pack import Pack
from iterate_core.data.target import target_class
from iterate_core.errors import Problem
from iterate_core.fingerprint import seed_for
from iterate_core.storage import memory


def selected(pack: Pack, section: DataSection, seed: int) -> npt.NDArray[np.int64]:
    """Indices of the training samples to train on, in the split's order.

    A share is one and the same whatever the seed, as one that a dataset ships; shots are drawn
    anew for each seed.

    Args:
        pack: The dataset.
        section: Of the recipe.
        seed: Of the training.
    """
    count = len(pack.names("train"))
    if section.shots is not None:
        rng = np.random.default_rng(seed_for(seed, "shots"))
        return np.sort(np.array(draw_shots(_present(pack), section.shots, rng), dtype=np.int64))
    if section.share is not None:
        rng = np.random.default_rng(seed_for("share", repr(section.share)))
        wanted = selected_count(section, pack.info)
        return np.sort(np.array(draw_share(_present(pack), wanted, rng), dtype=np.int64))
    return np.arange(count)


def selected_count(section: DataSection, info: DatasetInfo) -> int:
    """How many training samples there are to train on, told without a look at them.

    Of shots it is the most that there can be.
    """
    count = info.sizes["train"]
    if section.shots is not None:
        return min(count, section.shots * len(info.classes))
    return count if section.share is None else max(1, round(section.share * count))


def epoch_count(section: DataSection, info: DatasetInfo) -> int:
    """How many training samples an epoch has, told as `selected_count` tells it."""
    count = selected_count(section, info)
    return count if section.epoch_samples is None else min(count, section.epoch_samples)


def selection_problems(section: DataSection, info: DatasetInfo) -> Iterator[Problem]:
    """What keeps samples from being drawn."""
    if section.shots is None:
        return
    target = target_class(info.task)
    if not target.classed:
        what = f"samples of each class cannot be drawn for {info.task}: {target.unclassed}."
        yield Problem("data.shots", what, "Take data.share.")


def class_counts(pack: Pack) -> npt.NDArray[np.int64]:
    """(training samples, classes): how much of each class each holds; see `Target.counts`."""
    target, targets = pack.target, pack.targets("train")

    def look() -> npt.NDArray[np.int64]:
        each = (targets[np.array([index])][0] for index in range(len(targets)))
        return np.array([target.counts(one)[:-1] for one in each])

    key = ("classes of training samples", str(pack.folder))
    return memory.arrays.get(key, look, lambda found: found.nbytes)


def _present(pack: Pack) -> npt.NDArray[np.bool_]:
    """(training samples, classes): which classes each holds; one for all where there are none."""
    if not pack.target.classed:
        return np.ones((len(pack.names("train")), 1), dtype=bool)
    return class_counts(pack) > 0
