"""``iterate bench compare``: two results files, and how alike they rank."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from test_bench_leaderboard import classification, line, written
from typer.testing import CliRunner

from iterate.cli.bench.app import app
from iterate.resources import shipped
from iterate_core.errors import RequestError

CLASSIFICATION = ("so2sat", "forestnet", "benv2", "treesatai")


def compared(
    first: Path, second: Path, *words: str, suite: str = "geobench-2"
) -> tuple[dict[str, Any], str]:
    """What the command gives machines, and what it tells people."""
    command = ["compare", str(first), str(second), "--suite", suite, "--json", *words]
    done = CliRunner().invoke(app, command)
    if isinstance(done.exception, RequestError):
        raise done.exception
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout), " ".join(done.stderr.split())


def ranking(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in found["rankings"] if one["name"] == name]
    return one


def file_of(folder: Path, name: str, backbones: dict[str, float]) -> Path:
    lines = [row for one, base in backbones.items() for row in classification(one, base)]
    return written(folder / f"{name}.csv", lines)


SCALES = yaml.safe_load((shipped("benchmarks") / "geobench/geobench-2.yaml").read_text())


def published(folder: Path) -> pd.DataFrame:
    """The rows of a published file with their normalised scores, by pandas alone."""
    rows = pd.read_csv(folder / "results_and_parameters.csv")
    ends = [SCALES["datasets"][name]["normaliser"] for name in rows.dataset]
    worst, best = np.array(ends).T
    rows["score"] = (rows["test metric"] - worst) / (best - worst)
    return rows


def drawn_again(
    first: pd.DataFrame, second: pd.DataFrame, rng: np.random.Generator, rounds: int
) -> list[float]:
    """τ of each round of a bootstrap of seeds; cells that both have are drawn once."""
    keys = ["backbone", "dataset"]
    found = []
    for _ in range(rounds):
        taken: dict[Any, Any] = {}
        orders = []
        for side in (first, second):
            pools: dict[str, list[float]] = {}
            for key, cell in side.groupby(keys):
                scores = sorted(cell.score)
                if (key, *scores) not in taken:
                    taken[key, *scores] = rng.choice(scores, len(scores))
                pools.setdefault(key[0], []).extend(taken[key, *scores])
            orders.append([stats.trim_mean(pools[name], 0.25) for name in sorted(pools)])
        found.append(stats.kendalltau(*orders).statistic)
    return found


@pytest.mark.parametrize("group", ["Multi-Temporal", "kuro_siwo"])
def test_two_published_files_agree_as_scipy_and_a_bootstrap_written_apart_say(
    group: str, shared_data: Callable[[str], Path]
) -> None:
    paths = [shared_data("leaderboard/full_ft"), shared_data("leaderboard/full_ft_multimodal")]
    found = ranking(compared(*paths)[0], group)
    members = SCALES["groups"].get(group, [group])
    rows = [side[side.dataset.isin(members)] for side in map(published, paths)]
    shared = sorted(set(rows[0].backbone) & set(rows[1].backbone))
    rows = [side[side.backbone.isin(shared)] for side in rows]
    assert sorted(one["backbone"] for one in found["ranks"]) == shared
    average = (lambda x: stats.trim_mean(x, 0.25)) if len(members) > 1 else np.mean
    values = [side.groupby("backbone").score.agg(average).loc[shared] for side in rows]
    expected = stats.kendalltau(*values)
    assert found["tau"] == pytest.approx(expected.statistic, abs=1e-12)
    assert found["p"] == pytest.approx(expected.pvalue, abs=1e-12)
    assert len(found["left_out"]) == len(set(published(paths[0]).backbone)) - len(shared)
    if len(members) > 1:
        taus = drawn_again(*rows, np.random.default_rng(5), 250)
        ends = np.quantile(taus, [0.025, 0.975])
        assert (found["low"], found["high"]) == pytest.approx(
            (min(*ends, found["tau"]), max(*ends, found["tau"])), abs=1e-9
        )


def test_shares_of_one_file_are_compared(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("leaderboard/v1/baseline_segmentation_results.csv")
    words = ("--fraction", "1", "--fraction", "0.1")
    found, told = compared(path, path, *words, suite="geobench")
    assert "#2: protocol not known, 0.10x of the training data" in told
    rows = pd.read_csv(path)
    rows = rows[rows.dataset == "m-nz-cattle"].groupby(["partition name", "model", "seed"])
    means = rows["test metric"].mean().groupby(["partition name", "model"]).mean()
    whole, tenth = (means[name].sort_index() for name in ("1.00x train", "0.10x train"))
    one = ranking(found, "m-nz-cattle")
    assert one["tau"] == pytest.approx(stats.kendalltau(whole, tenth).statistic, abs=1e-12)
    told_ranks = {row["backbone"]: (row["first_rank"], row["second_rank"]) for row in one["ranks"]}
    expected = zip(stats.rankdata(-whole), stats.rankdata(-tenth), strict=True)
    assert told_ranks == dict(zip(whole.index, expected, strict=True))


def test_backbones_of_one_side_and_those_that_lack_a_dataset_are_named(tmp_path: Path) -> None:
    first = file_of(tmp_path, "first", {"a": 0.5, "b": 0.55, "c": 0.6})
    second = file_of(tmp_path, "second", {"a": 0.6, "b": 0.5, "d": 0.4})
    with second.open("a") as file:
        file.write(line("so2sat", 0.4, 1, "c") + "\n")
    found, told = compared(first, second, "--out", str(tmp_path / "out"))
    one = ranking(found, "Classification")
    assert one["left_out"] == {
        "c": "second lacks forestnet, benv2, treesatai",
        "d": "not in first",
    }
    assert one["tau"] == pytest.approx(-1)
    assert [(row["backbone"], row["move"]) for row in one["ranks"]] == [("b", 1), ("a", -1)]
    assert {row["backbone"] for row in ranking(found, "so2sat")["ranks"]} == {"a", "b", "c"}
    written_too = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    assert written_too == found
    text = (tmp_path / "out/comparison.md").read_text(encoding="utf-8")
    sentence = "Not compared: c (second lacks forestnet, benv2, treesatai); d (not in first)."
    assert sentence in told
    assert sentence in text
    with (tmp_path / "out/comparison.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "Classification"]
    assert [(row["backbone"], row["move"], row["tau"][:4]) for row in rows] == [
        ("b", "1", "-1.0"), ("a", "-1", "-1.0"),
    ]  # fmt: skip


def test_a_track_is_compared_with_the_only_other(tmp_path: Path) -> None:
    first = file_of(tmp_path, "first", {"a": 0.5, "b": 0.55})
    text = first.read_text(encoding="utf-8")
    frozen = tmp_path / "frozen.csv"
    frozen.write_text(text.replace(",full_ft", ",frozen"), encoding="utf-8")
    found, _ = compared(first, frozen)
    one = ranking(found, "Classification")
    assert (one["first_track"], one["second_track"]) == ("full_ft", "frozen")
    assert one["tau"] == pytest.approx(1)
    both = tmp_path / "both.csv"
    both.write_text(text + "\n".join(frozen.read_text().splitlines()[1:]) + "\n", encoding="utf-8")
    tracks = {one["first_track"] for one in compared(both, both)[0]["rankings"]}
    assert tracks == {"full_ft", "frozen"}


def refusal(first: Path, second: Path, words: Sequence[str]) -> str:
    done = CliRunner().invoke(app, ["compare", str(first), str(second), *words])
    assert isinstance(done.exception, RequestError)
    return str(done.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--suite: nothing beside the files says it."),
        (("--group", "Corr"), "--group: 'Corr' is no group or dataset of geobench-2. Did you mean"),
        (("--group", "Core"), "--group: the two share no two backbones that have all of 'Core'."),
        (("--fraction", "0.3"), "--fraction: no row has the share 0.3 of the training data."),
        (("--fraction", "1") * 3, "--fraction: comes twice at most"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    first = file_of(tmp_path, "first", {"a": 0.5, "b": 0.55})
    named = ("--suite", "geobench-2", *words) if words else words
    assert told in refusal(first, first, named)


def test_files_without_two_backbones_in_common_are_refused(tmp_path: Path) -> None:
    first = file_of(tmp_path, "first", {"a": 0.5, "b": 0.55})
    second = file_of(tmp_path, "second", {"a": 0.5, "c": 0.55})
    told = refusal(first, second, ("--suite", "geobench-2"))
    assert "first and second share no two backbones on any dataset." in told
