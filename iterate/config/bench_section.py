"""What a search file says besides a search, so that it can be the protocol of a benchmark."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from iterate_core.registry.options import Section

Words = dict[str, Any]
"""Key → value, each what ``key=value`` is on the command line; nested mappings are keys too."""


class ProtocolSection(Section):
    """How a protocol's recipe differs from task to task, dataset to dataset, backbone to backbone.

    A later one of the three wins over an earlier one, and the command line over all.

    Attributes:
        track: The suite's track that the results belong to; None: ``frozen`` if the backbone
            stays as it is, ``full_ft`` if all of it trains, else the tuning's name.
        warning: What its numbers are not good for: stands above every leaderboard of its runs; None
            where there is nothing to warn of.
        partition: Share of the training samples, such as ``0.10x``: the one that a dataset's files
            define, else a seeded draw that is balanced over classes. None: all.
        shots: Training samples of each class, in place of `partition`.
        episodes: Draws of `shots`, each a repeat of its own; None: as many as `search.repeats`.
        block_metres: Side of the square blocks of ground by which all three splits are drawn anew,
            in place of the published ones; None: those. What has no places is a gap.
        distance_metres: Between such splits, at least.
        tasks: Task → words: ``segmentation: {model/decoder: unet}``.
        datasets: Dataset of the suite → words.
        backbones: Name in the leaderboard → its options, and words.
    """

    track: str | None = None
    warning: str | None = None
    partition: str | None = None
    shots: Annotated[int, Field(gt=0)] | None = None
    episodes: Annotated[int, Field(gt=0)] | None = None
    block_metres: Annotated[float, Field(gt=0)] | None = None
    distance_metres: Annotated[float, Field(ge=0)] | None = None
    tasks: dict[str, Words] = Field(default_factory=dict)
    datasets: dict[str, Words] = Field(default_factory=dict)
    backbones: dict[str, Words] = Field(default_factory=dict)
