"""A leaderboard: every backbone on every capability group and every dataset, with uncertainty.

Scores of groups and normalised scores are in points (× 100), as leaderboards show them; raw scores
are in the dataset's own metric. Absent is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from iterate.bench.leaderboard.about import About
from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.suites.suite import Suite
from iterate.statistics.comparisons import Comparison
from iterate.statistics.friedman import CriticalDifference
from iterate.statistics.scores import Scale
from iterate.statistics.spread import Spread

POINTS = 100.0


@dataclass(frozen=True)
class GroupRow:
    """One entry on one capability group, in points.

    Score, error, interval and rank speak of the interquartile mean; what leaderboards publish
    stands apart from them.

    Attributes:
        backbone: The entry's label: the backbone's key, with its file where two files disagree.
        track: Its track.
        group: The capability group.
        value: The interquartile mean over the group's datasets and seeds.
        error: Its standard error over seeds; None where too few scores say nothing of it.
        low: Lower end of its 95 % interval over seeds (`statistics.intervals`); None as above.
        high: Upper end.
        rank: 1 the best, of the track's entries that have a value.
        rank_low: The best rank it might have, with the others' (simultaneously) 95 % sure.
        rank_high: The worst.
        published_value: What the benchmark's own leaderboard shows: a mean of bootstrapped
            interquartile means, see `statistics.published`.
        published_error: The ± that it shows; no sampling error. None where no dataset has seeds
            that differ.
        bootstrap_sd: The standard deviation of its bootstrap rounds; None where single seeds, or
            seeds that tie, leave nothing to draw.
        published: Whether it is a published baseline.
        missing: The group's datasets it has no results of: why the figures are None.
    """

    backbone: str
    track: str
    group: str
    value: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    published_value: float | None = None
    published_error: float | None = None
    bootstrap_sd: float | None = None
    published: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetRow:
    """One entry on one dataset.

    Attributes:
        mean: Raw mean over seeds; scores that share a seed count once, with their mean.
        sd: Raw standard deviation over seeds (ddof 1).
        sem: ``sd / √n``: the ± that leaderboards show with raw scores, where no seed comes twice.
        mean_low: Lower end of Student's 95 % interval of the mean, cut where the metric ends; None
            for one seed, and where all seeds tie.
        mean_high: Upper end.
        n: Distinct seeds.
        published_mean: Raw mean over the rows as stored.
        value: Interquartile mean of the normalised scores, in points.
        published_value: The same over the rows as stored.
        published_error: Standard error of the scores that `published_value` keeps, in points.
        bootstrap_sd: Standard deviation of 100 bootstrap rounds, in points.
        low: Lower end of the 95 % interval of `value`, in points; None as `mean_low`.
        high: Upper end.
        repeated: Whether an earlier file has the same scores.
        sample_low: Lower end of the 95 % interval of the mean over test samples, the trained
            models taken as they are; None where what each sample did is not known.
        sample_high: Upper end.
    """

    backbone: str
    track: str
    dataset: str
    mean: float
    sd: float | None
    sem: float | None
    mean_low: float | None
    mean_high: float | None
    n: int
    published_mean: float
    value: float | None = None
    published_value: float | None = None
    published_error: float | None = None
    bootstrap_sd: float | None = None
    low: float | None = None
    high: float | None = None
    published: bool = False
    repeated: bool = False
    sample_low: float | None = None
    sample_high: float | None = None


@dataclass(frozen=True)
class GroupFindings:
    """What a track's entries show together on one group.

    Attributes:
        comparisons: Every pair, Holm-corrected, over seeds; differences in points.
        alike: Groups in which no pair differs; every pair that does not differ shares one.
        friedman: Average ranks over datasets; None with fewer than two entries or datasets.
        spread: Each dataset's part in the spread; entries that repeat another's are left out.
    """

    track: str
    group: str
    comparisons: tuple[Comparison, ...]
    alike: tuple[tuple[str, ...], ...]
    friedman: CriticalDifference | None
    spread: dict[str, Spread]


@dataclass(frozen=True)
class Leaderboard:
    """All of it.

    Attributes:
        unlike: Dataset → how what was measured is not the published dataset; on the suite's scale
            it would mislead, so its points are raw scores × 100 there.
        about: Where the numbers come from.
    """

    suite: Suite
    entries: tuple[BoardEntry, ...]
    normaliser: dict[str, Scale]
    source: Literal["suite", "computed", "given"]
    groups: tuple[GroupRow, ...]
    datasets: tuple[DatasetRow, ...]
    findings: tuple[GroupFindings, ...]
    notes: tuple[str, ...]
    unlike: dict[str, str] = field(default_factory=dict)
    about: About | None = None
