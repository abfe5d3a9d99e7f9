"""How many labels the models of a run are trained with: all, a share, or episodes of a few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iterate.bench.leaderboard.portion import WHOLE, Portion, read_portion
from iterate.bench.runs.protocol import Protocol, Word
from iterate.config.messages import shown
from iterate.hpo.space.text import value_text
from iterate_core.data.options import DataSection
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import seed_for

_NAME = re.compile(r"(.*?)(?:_partition(?:\.json)?)?")


@dataclass(frozen=True)
class Labels:
    """What of the training samples a run trains on.

    Attributes:
        portion: A share, or samples of each class.
        episodes: Draws of shots, each a repeat; None where the protocol's repeats say it.
        origin: Where `portion` was said.
    """

    portion: Portion = WHOLE
    episodes: int | None = None
    origin: str = "--partition"

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
        elif self.portion != WHOLE:
            shipped = options.shipped_share(root, self.portion.share)
            for key, value in (shipped or {"share": self.portion.share}).items():
                yield Word(f"data.{key}={value_text(value)}", self.origin)


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
) -> Labels:
    """What the command line asks for, or else the protocol.

    Args:
        protocol: Whose `bench` section says it where the command line does not.
        partition: ``0.10x``, ``0.10x_train``, ``10%``, ``default``.
        shots: Samples of each class.
        episodes: Draws of them.

    Raises:
        RequestError: It is no share, both are said, or there are episodes of nothing.
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
    if problems:
        raise RequestError(problems)
    if shots is not None:
        return Labels(Portion(shots=shots), count, place("shots"))
    return Labels(portion or WHOLE, None, place("partition"))


def _share(text: str) -> Portion | None:
    """A share by its name, or that of the file that defines it."""
    whole = _NAME.fullmatch(text.strip())
    found = None if whole is None else read_portion(whole[1])
    return found if found is not None and found.shots is None else None
