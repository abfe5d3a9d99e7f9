"""Of which labels and splits a run is: all, a share or episodes of a few; published or drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.portion import WHOLE, Blocks, Portion, read_portion
from iterate.bench.runs.protocol import Protocol, Word
from iterate.config.messages import shown
from iterate.hpo.space.text import value_text
from iterate_core.data.options import DataSection
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import seed_for

_NAME = re.compile(r"(.*?)(?:_partition(?:\.json)?)?")


@dataclass(frozen=True)
class Labels:
    """What of the samples a run trains on, in which splits.

    Attributes:
        portion: A share, or samples of each class, of published or drawn splits.
        episodes: Draws of shots, each a repeat; None where the protocol's repeats say it.
        origin: Where the share or shots were said.
        split_origin: Where drawn splits were said.
    """

    portion: Portion = WHOLE
    episodes: int | None = None
    origin: str = "--partition"
    split_origin: str = "--block-metres"

    def words(self, protocol: Protocol, options: type[DataSection], root: Path) -> Iterator[Word]:
        """What a study says of it.

        Args:
            protocol: Of the run.
            options: Of the dataset's reader.
            root: Where the dataset lies.
        """
        if self.portion.shots is not None:
            yield Word(f"data.shots={self.portion.shots}", self.origin)
            # Every backbone gets the same episodes.
            seeds = episode_seeds(protocol, self.episodes)
            yield Word(f"search.repeats={len(seeds)}", "--episodes")
            yield Word(f"search.seeds=[{','.join(map(str, seeds))}]", "--episodes")
        elif self.portion.share != 1:
            shipped = self.shipped(options, root)
            for key, value in (shipped or {"share": self.portion.share}).items():
                yield Word(f"data.{key}={value_text(value)}", self.origin)
        if (blocks := self.portion.blocks) is not None:
            yield Word(f"data.split.block_metres={blocks.side!r}", self.split_origin)
            yield Word(f"data.split.distance_metres={blocks.apart!r}", self.split_origin)

    def shipped(self, options: type[DataSection], root: Path) -> dict[str, Any]:
        """The options under which a dataset's files define the share; empty: it is drawn.

        What they define is a share of the published training samples.
        """
        if self.portion.blocks is not None:
            return {}
        return options.shipped_share(root, self.portion.share)


ALL = Labels()
"""Every training sample."""


def episode_seeds(protocol: Protocol, episodes: int | None) -> list[int]:
    """The seed of each episode: the protocol's, and after those ones fixed by their numbers."""
    search = protocol.config.search
    count = search.repeats if episodes is None else episodes
    further = (seed_for("episode", number) for number in range(len(search.seeds), count))
    return [*search.seeds[:count], *further]


def labels_of(
    protocol: Protocol,
    partition: str | None = None,
    shots: int | None = None,
    episodes: int | None = None,
    block_metres: float | None = None,
    distance_metres: float | None = None,
) -> Labels:
    """What the command line asks for, or else the protocol.

    Args:
        protocol: Whose `bench` section says it where the command line does not.
        partition: ``0.10x``, ``0.10x_train``, ``10%``, ``default``.
        shots: Samples of each class.
        episodes: Draws of them.
        block_metres: Side of the blocks of ground that splits are drawn by; 0: the published ones.
        distance_metres: Between such splits.

    Raises:
        RequestError: It is no share, both are said, there are episodes of nothing, or a distance
            between splits that are not drawn.
    """
    section, file = protocol.config.bench, f"{shown(protocol.file)}: bench"
    told = partition is not None or shots is not None
    place = "--{}".format if told else f"{file}.{{}}".format
    if not told:
        partition, shots = section.partition, section.shots
    counted = "--episodes" if episodes is not None else f"{file}.episodes"
    count = section.episodes if episodes is None and shots is not None else episodes
    problems = []
    portion = WHOLE if partition is None else _share(partition)
    if portion is None:
        hint = "Write 0.10x, or 10%; default takes all."
        what = f"must be a share of the training samples, but is {partition!r}."
        problems.append(Problem(place("partition"), what, hint))
    if partition is not None and shots is not None:
        what = "says how many training samples there are, and so do shots: name one of them."
        problems.append(Problem(place("partition"), what))
    if count is not None and shots is None:
        what = "episodes are draws of so many samples of each class, and no number is named."
        problems.append(Problem(counted, what, "Add --shots 5; or set search.repeats."))
    blocks, told_in = _blocks(protocol, block_metres, distance_metres, problems)
    if problems:
        raise RequestError(problems)
    if shots is not None:
        return Labels(Portion(shots=shots, blocks=blocks), count, place("shots"), told_in)
    whole = replace(portion or WHOLE, blocks=blocks)
    return Labels(whole, None, place("partition"), told_in)


def _blocks(
    protocol: Protocol, side: float | None, apart: float | None, problems: list[Problem]
) -> tuple[Blocks | None, str]:
    """By which blocks splits are drawn, and where that was said."""
    section, place = protocol.config.bench, f"{shown(protocol.file)}: bench.{{}}".format
    where = place("distance_metres") if apart is None else "--distance-metres"
    told_in = place("block_metres") if side is None else "--block-metres"
    if side is None:
        side = section.block_metres
        apart = section.distance_metres if apart is None else apart
    if side:
        return Blocks(side, apart or 0.0), told_in
    if apart:
        what = "a distance lies between splits that are drawn by blocks, and none are."
        problems.append(Problem(where, what, "Add --block-metres 10000."))
    return None, told_in


def _share(text: str) -> Portion | None:
    """A share by its name, or that of the file that defines it."""
    whole = _NAME.fullmatch(text.strip())
    found = None if whole is None else read_portion(whole[1])
    return found if found is not None and found.shots is None else None
