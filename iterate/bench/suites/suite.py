"""Suites: a named list of datasets with their metrics, groups and normaliser, as YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iterate.bench.suites.data import ReaderName, SuiteBands, SuiteSource
from iterate.config.yaml_files import read_yaml
from iterate.resources import shipped
from iterate.statistics.intervals import UNBOUNDED, Range
from iterate.statistics.scores import Scale
from iterate_core.engine.complete import declaration_of
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.registry import registries
from iterate_core.registry.options import Section
from iterate_core.registry.parsing import parse
from iterate_core.storage.names import is_file_name, is_inside


class SuiteDataset(Section):
    """One dataset of a suite.

    Attributes:
        task: What is predicted; one that no engine here trains is a gap of every run.
        classes: How many, the background included where it is one; None where that means nothing.
        metric: The name that results files give the score.
        meaning: The metric's exact definition.
        direction: Which direction of the stored score is better.
        splits: Number of samples of each split; None where not known for certain.
        bands: How many bands a sample has; None where that differs within the dataset.
        pixels: Height and width of a sample; None where it differs.
        metres: Ground size of a pixel; None where it differs.
        normaliser: The scores that count as 0 and 1; None: computed from the results at hand.
        defects: What is known to be wrong with the published files.
        reader: Which reader opens it; None for a dataset that is only ranked.
        folder: Where it lies below the folder of all datasets.
        inputs: Its bands, sensor by sensor, as the reader gives them.
        splits_note: Where `splits` comes from, or why it is not given.
        licence: Under which its data are published; None where `licence_note` says why not.
        licence_note: What there is to say about the licence.
        source: Where it is published; None where it is not.
    """

    task: str
    classes: int | None = None
    metric: str
    meaning: str
    direction: Literal["max", "min"] = "max"
    splits: dict[Literal["train", "val", "test"], int] | None = None
    bands: int | None = None
    pixels: int | None = None
    metres: float | None = None
    normaliser: tuple[float, float] | None = None
    defects: tuple[str, ...] = ()
    reader: ReaderName | None = None
    folder: str | None = None
    inputs: tuple[SuiteBands, ...] = ()
    splits_note: str | None = None
    licence: str | None = None
    licence_note: str | None = None
    source: SuiteSource | None = None

    @property
    def scale(self) -> Scale | None:
        """The normaliser as worst and best."""
        return None if self.normaliser is None else Scale(*self.normaliser)


class SuiteMetric(Section):
    """What the scores of a metric can be, and how a run's own test metric becomes one.

    Attributes:
        of: The engine's name: ``miou``; None where the engine has no such metric.
        factor: The score is ``offset + factor × value``.
        offset: See `factor`.
        range: The least and the greatest score, None for no limit; left out, as `of` says.
    """

    of: str | None = None
    factor: float = 1.0
    offset: float = 0.0
    range: tuple[float | None, float | None] | None = None

    def score(self, value: float) -> float:
        """The score of the engine's value."""
        return self.offset + self.factor * value

    def limits(self, task: str) -> Range:
        """The least and the greatest score on datasets of a task."""
        if self.range is not None:
            low, high = self.range
            return -math.inf if low is None else low, math.inf if high is None else high
        known = None
        if self.of is not None and task in registries.tasks.names():
            known = declaration_of(task).metric(self.of)
        if known is None:
            return UNBOUNDED
        low, high = sorted((self.score(known.lowest), self.score(known.highest)))
        return low, high


class SuiteBackbone(Section):
    """How a leaderboard shows a backbone."""

    name: str
    size: str | None = None


class PublishedResults(Section):
    """A published results file, known by its content."""

    title: str
    sha256: str


class Suite(Section):
    """A benchmark as data.

    Attributes:
        name: How commands call it.
        title: How people call it.
        reference: The paper.
        seeds: How many repeats a submission needs for each backbone and dataset; None: any.
        tracks: Track → its title. The first is the default of files that name none.
        groups: Capability group → its datasets.
        datasets: Dataset → its declaration.
        backbones: Backbone → how it is shown.
        published: Results files that count as published baselines.
        submission: Whether a submission folder is defined for the suite.
        protocol: The protocol of its runs unless another is named.
        metrics: A dataset's metric → what it can be, and how a run of ours gives it.
    """

    name: str
    title: str
    reference: str
    seeds: int | None = None
    tracks: Annotated[dict[str, str], Field(min_length=1)]
    groups: Annotated[dict[str, tuple[str, ...]], Field(min_length=1)]
    datasets: Annotated[dict[str, SuiteDataset], Field(min_length=1)]
    backbones: Annotated[dict[str, SuiteBackbone], Field(default_factory=dict)]
    published: tuple[PublishedResults, ...] = ()
    submission: bool = False
    protocol: str = "quick"
    metrics: Annotated[dict[str, SuiteMetric], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _groups_name_datasets(self) -> Self:
        for group, members in self.groups.items():
            strange = [name for name in members if name not in self.datasets]
            if strange or not members:
                raise ValueError(f"group {group!r} must list datasets of the suite, not {strange}")
        return self

    @model_validator(mode="after")
    def _names_are_no_paths(self) -> Self:
        for name in (self.name, *self.datasets):
            if not is_file_name(name):
                raise ValueError(f"{name!r} cannot name a folder")
        for dataset in self.datasets.values():
            if dataset.folder is not None and not is_inside(dataset.folder):
                raise ValueError(
                    f"folder {dataset.folder!r} leads out of the folder of all datasets"
                )
        return self

    def limits(self, dataset: str) -> Range:
        """The least and the greatest score that a dataset's metric can have."""
        declared = self.datasets[dataset]
        metric = self.metrics.get(declared.metric)
        return UNBOUNDED if metric is None else metric.limits(declared.task)

    def shown(self, backbone: str) -> str:
        """A backbone's name for people."""
        known = self.backbones.get(backbone)
        return backbone if known is None else known.name


def suites() -> dict[str, Path]:
    """The suites that ship: name → file."""
    return {path.stem: path for path in sorted((shipped("benchmarks") / "geobench").glob("*.yaml"))}


def load_suite(name: str) -> Suite:
    """A suite that ships, by its name, or one's own, by the path of its YAML.

    Raises:
        RequestError: There is no such suite, or its file is wrong: all that is wrong with it.
    """
    known = suites()
    path = known.get(name, Path(name))
    if not path.is_file():
        raise RequestError(Problem("--suite", f"there is no suite {name!r}.", nearest(name, known)))
    return parse(Suite, _mapping(path), "")


def _mapping(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise RequestError(Problem(str(path), "must hold key: value pairs."))
    return content
