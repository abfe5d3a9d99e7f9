"""Runs of a benchmark on given curves: what is asked, done, skipped, kept and missing."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import bench_support
import pytest
import ray
from bench_support import folders, play, request_of, score_of, settings_in, small_suite

from iterate.bench.runs import scores
from iterate.bench.runs.plan import Plan, Request, cells_of
from iterate.bench.runs.run import BenchResult, check_question
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.replay import Recorded
from iterate.run.session import Silent
from iterate_core.errors import RequestError

QUICK = ("search.trials=2", "resources.concurrent=1")


@pytest.fixture(scope="module", autouse=True)
def _stand_ins_travel(one_ray: None) -> Iterator[None]:
    # Workers do not see this folder, so what it defines travels with the job.
    for module in (bench_support, sys.modules[__name__]):
        ray.cloudpickle.register_pickle_by_value(module)
    yield
    for module in (bench_support, sys.modules[__name__]):
        ray.cloudpickle.unregister_pickle_by_value(module)


def never(job: Job) -> list[float]:
    raise AssertionError(f"{job.key} was trained again")


def rows_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "results_and_parameters.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request, BenchResult, Plan]:
    """Two backbones and one that fits nothing, four datasets with folders, one without."""
    base = tmp_path_factory.mktemp("bench")
    suite = small_suite(base)
    root = folders(base / "data", suite)
    (root / "delta").rmdir()
    request = request_of(
        root, suite, "quick", "resnet10t=none,resnet14t=none,resnet26=none", overrides=QUICK
    )
    result, plan = play(request, base / "run")
    return base, request, result, plan


Run = tuple[Path, Request, BenchResult, Plan]


def test_one_pool_trains_every_cell_and_tests_every_repeat(first: Run) -> None:
    base, _, result, plan = first
    assert [study.name for study in plan.studies] == [
        f"{dataset}/{backbone}"
        for dataset in ("alpha", "beta", "gamma")
        for backbone in ("resnet10t", "resnet14t")
    ]
    summary = json.loads((base / "run/summary.json").read_text())
    assert [study["trials"]["complete"] for study in summary["studies"]] == [2] * 6
    assert [len(study["repeats"]) for study in summary["studies"]] == [2] * 6
    assert result.failed == ()
    assert (base / "run/gamma/resnet14t").is_dir()


def test_rows_hold_seeds_parameters_and_the_suites_own_metric(first: Run) -> None:
    base, _, _, _ = first
    rows = rows_in(base / "run")
    assert len(rows) == 12
    assert {(row["dataset"], row["Metric"]) for row in rows} == {
        ("alpha", "Accuracy"), ("beta", "F1"), ("gamma", "Jaccard"),
    }  # fmt: skip
    summary = json.loads((base / "run/summary.json").read_text())
    for study in summary["studies"]:
        dataset, backbone = study["name"].split("/")
        own = [row for row in rows if (row["dataset"], row["backbone"]) == (dataset, backbone)]
        assert [int(row["Seed"]) for row in own] == [913, 205]
        best = study["best"]["params"]
        for row in own:
            expected = 0.5 + (int(row["Seed"]) % 97) / 400 + best["optimiser.lr"] / 10
            assert float(row["test metric"]) == pytest.approx(expected, abs=1e-15)
            assert float(row["lr"]) == best["optimiser.lr"]
            assert int(row["batch_size"]) == best["data.batch_size"]
            assert row["batch_size_selection"] == "HPO"
            assert row["decoder"] == ("unet" if dataset == "gamma" else "linear")
            assert row["frozen_or_full_ft"] == "full_ft"
            assert row["partition name"] == "100%"
            assert row["n_trials"] == "2"


def test_gaps_are_named_with_their_reasons(first: Run) -> None:
    base, _, result, _ = first
    reasons = {(gap.dataset, gap.backbone): gap.reason for gap in result.gaps}
    assert set(reasons) == {
        *((name, "resnet26") for name in ("alpha", "beta", "gamma")),
        *((name, one) for name in ("delta", "epsilon")
          for one in ("resnet10t", "resnet14t", "resnet26")),
    }  # fmt: skip
    assert reasons["alpha", "resnet26"] == "data.bands: alpha has no band nir. It has red."
    assert "no engine for tracking" in reasons["epsilon", "resnet10t"]
    assert "there is no folder" in reasons["delta", "resnet10t"]
    assert "delta" in reasons["delta", "resnet10t"]
    summary = json.loads((base / "run/summary.json").read_text())
    assert len(summary["gaps"]) == 9
    board = (base / "run/leaderboard.md").read_text()
    assert "epsilon (resnet10t, resnet14t, resnet26): this version has no engine" in board


def test_a_task_that_is_misspelt_is_a_gap_that_says_what_may_be_meant(tmp_path: Path) -> None:
    suite = Path(small_suite(tmp_path))
    suite.write_text(suite.read_text().replace("task: multilabel", "task: multi-label"))
    _, gaps = cells_of(request_of(tmp_path, str(suite), "quick", "resnet10t=none"))
    reasons = {gap.dataset: gap.reason for gap in gaps}
    assert reasons["beta"] == (
        "this version has no engine for multi-label. Did you mean 'multilabel'?"
    )
    assert reasons["epsilon"] == "this version has no engine for tracking."


def test_the_leaderboard_is_written_in_every_form(first: Run) -> None:
    base, _, result, _ = first
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.json", "leaderboard.html",
                 "datasets.csv", "normaliser.json"):  # fmt: skip
        assert (base / "run" / name).stat().st_size > 0
    assert result.board is not None
    values = {(row.group, row.backbone): row.value for row in result.board.groups}
    assert values["Images", "resnet10t"] is not None
    assert values["Maps", "resnet10t"] is None
    rows = rows_in(base / "run")
    for row in result.board.datasets:
        own = [float(r["test metric"]) for r in rows
               if (r["dataset"], r["backbone"]) == (row.dataset, row.backbone)]  # fmt: skip
        assert row.mean == pytest.approx(sum(own) / 2)


def test_the_second_call_trains_nothing(first: Run) -> None:
    base, request, result, _ = first
    again, _ = play(request, base / "run", Recorded(never))
    assert again.summary["studies"] == result.summary["studies"]
    assert again.to_mapping()["leaderboard"] == result.to_mapping()["leaderboard"]


def test_a_deleted_dataset_leaves_its_results_and_a_new_backbone_trains_alone(
    first: Run, tmp_path: Path
) -> None:
    base, request, _, _ = first
    (request.root / "gamma").rename(tmp_path / "gamma")
    more = request_of(
        request.root, str(base / "small.yaml"), "quick", "resnet10t=none,resnet18=none",
        overrides=QUICK,
    )  # fmt: skip

    def only_new(job: Job) -> list[float]:
        assert job.recipe["model"]["backbone"]["name"] == "resnet18", job.key
        return list(score_of(job))

    try:
        result, _ = play(more, base / "run", Recorded(only_new))
    finally:
        (tmp_path / "gamma").rename(request.root / "gamma")
    gaps = {(gap.dataset, gap.backbone): gap.kept for gap in result.gaps}
    assert gaps["gamma", "resnet10t"] is True
    assert gaps["gamma", "resnet18"] is False
    cells = {(row["dataset"], row["backbone"]) for row in rows_in(base / "run")}
    assert ("gamma", "resnet10t") in cells
    assert ("gamma", "resnet18") not in cells
    # Backbones of earlier calls stay in the table.
    assert {("alpha", "resnet14t"), ("alpha", "resnet18"), ("beta", "resnet18")} <= cells
    assert result.board is not None
    assert any("results of an earlier run stand" in note for note in result.board.notes)


def test_another_protocol_partition_or_word_is_refused_in_the_same_folder(first: Run) -> None:
    base, request, _, _ = first
    suite = str(base / "small.yaml")
    for changed, says in (
        ({"partition": "0.10x"}, "--partition: was 100%, now 10%."),
        ({"shots": 5}, "--shots: was left out, now 5."),
        (
            {"overrides": (*QUICK, "trainer.epochs=7")},
            "trainer.epochs: was left out, now trainer.epochs=7.",
        ),
        ({"protocol": "geobench-2-full"}, "--protocol: trainer.epochs was 3, now 100."),
    ):
        wanted = {"protocol": "quick", "overrides": QUICK, **changed}
        other = request_of(request.root, suite, backbones="resnet10t=none", **wanted)  # type: ignore[arg-type]
        with pytest.raises(RequestError, match="are of other options") as error:
            play(other, base / "run", Recorded(never))
        assert says in str(error.value)
        with pytest.raises(RequestError) as before:  # a preview finds the same
            check_question(other, settings_in(base / "run"))
        assert str(before.value) == str(error.value)
        assert "Take back what changed; or name another folder with --out" in str(error.value)


def test_a_crashed_repeat_is_a_named_gap_and_not_a_smaller_average(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite, "alpha")
    request = request_of(root, suite, "quick", "resnet10t=none", "alpha", QUICK)

    def crashes(job: Job) -> list[float]:
        if job.kind == "repeat" and job.recipe["seed"] == 205:
            raise RuntimeError("memory ran out")
        return list(score_of(job))

    result, _ = play(request, tmp_path / "run", Recorded(crashes))
    assert [row["Seed"] for row in rows_in(tmp_path / "run")] == ["913"]
    (gap,) = result.failed
    assert (gap.dataset, gap.backbone) == ("alpha", "resnet10t")
    assert "seed 205" in gap.reason
    assert "memory ran out" in gap.reason


def test_a_score_that_its_metric_cannot_have_is_a_named_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Path] = []
    monkeypatch.setattr(scores, "over_samples", lambda files, _: judged.extend(files))
    suite = small_suite(tmp_path)
    text = Path(suite).read_text()
    Path(suite).write_text(text.replace("of: accuracy", "of: accuracy\n    range: [0, 0.55]"))
    root = folders(tmp_path / "data", suite, "alpha")
    request = request_of(root, suite, "quick", "resnet10t=none", "alpha", QUICK)
    result, _ = play(request, tmp_path / "run")
    # Seed 913 scores 0.60 and seed 205 scores 0.53; the learning rate adds 0.0001 at most.
    assert [row["Seed"] for row in rows_in(tmp_path / "run")] == ["205"]
    # The interval over samples is of the same repeats as the mean beside it.
    assert {file.parent.name[4:] for file in judged} == {"-1"}
    (gap,) = result.failed
    assert "1 repeat failed: seed 913: its Accuracy must lie in 0 to 0.55, but is" in gap.reason


class _Watching(Silent):
    """Remembers what the results file held while the run lasted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[int] = []

    def changed(self, ledger: Ledger, job: Job) -> None:
        if (self.folder / "results_and_parameters.csv").exists():
            self.seen.append(len(rows_in(self.folder)))

    def end(self) -> None:
        self.seen.append(len(rows_in(self.folder)))
        assert (self.folder / "unfinished.json").exists()
        assert not (self.folder / "leaderboard.md").exists()


def test_the_results_file_grows_study_by_study(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite, "alpha,gamma")
    request = request_of(root, suite, "quick", "resnet10t=none", "alpha,gamma", QUICK)
    watching = _Watching(tmp_path / "run")
    play(request, tmp_path / "run", display=watching)
    assert watching.seen[-1] == 4
    assert not (tmp_path / "run/unfinished.json").exists()
    assert set(watching.seen) <= {2, 4}


def test_a_protocols_warning_stands_above_its_leaderboards(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite, "alpha")
    protocol = tmp_path / "mine.yaml"
    said = "Only a try."
    text = "defaults: [recipe, override search: random, _self_]\nname: mine\n"
    protocol.write_text(f"{text}bench: {{warning: '{said}', tasks: {{}}}}\n")
    words = ("search.trials=1", "search.repeats=2", "resources.concurrent=1")
    request = request_of(root, suite, str(protocol), "resnet10t=none", "alpha", words)
    result, _ = play(request, tmp_path / "run")
    assert result.board is not None
    assert result.board.about is not None
    assert result.board.about.warnings == (said,)
    assert said in (tmp_path / "run/leaderboard.md").read_text()
    banner = '<p class="warning" role="note"><b>Warning</b> Only a try.</p>'
    assert banner in (tmp_path / "run/leaderboard.html").read_text()
    protocol.write_text(f"{text}bench: {{tasks: {{}}}}\n")
    request = request_of(root, suite, str(protocol), "resnet10t=none", "alpha", words)
    play(request, tmp_path / "run", Recorded(never))
    assert 'class="warning"' not in (tmp_path / "run/leaderboard.html").read_text()


def test_regression_scores_are_transformed_exactly(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite, "delta")
    request = request_of(root, suite, "quick", "resnet10t=none", "delta", QUICK)
    play(request, tmp_path / "run")
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    tested = [repeat["metrics"]["test/rmse"] for repeat in summary["studies"][0]["repeats"]]
    found = [float(row["test metric"]) for row in rows_in(tmp_path / "run")]
    assert found == [1 - value * 0.2537951171398163 for value in tested]


def test_nothing_at_all_to_do_is_refused_with_every_reason(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    (tmp_path / "data").mkdir()
    request = request_of(tmp_path / "data", suite, "quick", "resnet10t=none")
    with pytest.raises(RequestError, match="no engine for tracking") as error:
        play(request, tmp_path / "run")
    assert len(error.value.problems) == 5


@pytest.mark.parametrize("words", [("tuning=last_k",), ("tuning=choice(full,last_k)",)])
def test_a_way_between_the_tracks_is_on_neither_unless_told(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite, "alpha")
    asked = request_of(root, suite, "quick", "resnet18=none", "alpha", words)
    with pytest.raises(RequestError, match=r"has no track 'last_k'.* bench\.track"):
        cells_of(asked)
    protocol = tmp_path / "mine.yaml"
    protocol.write_text("defaults: [recipe, _self_]\nname: mine\nbench: {track: full_ft}\n")
    told = request_of(root, suite, str(protocol), "resnet18=none", "alpha", words)
    assert len(cells_of(told)[0]) == 1


def test_mistakes_are_told_where_they_were_written(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    root = folders(tmp_path / "data", suite)
    file = tmp_path / "backbones.yaml"
    file.write_text("resnte18: {}\nmine: {name: resnet18, weigths: none}\n")
    protocol = tmp_path / "mine.yaml"
    protocol.write_text(
        "defaults: [recipe, _self_]\nname: mine\n"
        "bench: {tasks: {segmentation: {model/decoder: unte}}}\n"
    )
    request = request_of(root, suite, str(protocol), str(file), overrides=("trainer.epohcs=3",))
    with pytest.raises(RequestError) as error:
        cells_of(request)
    text = str(error.value)
    assert f"{file}: resnte18" in text
    assert "'resnet18'" in text
    assert f"{file}: mine.weigths: unknown key." in text
    assert "mine.yaml: bench.tasks.segmentation.model/decoder" in text
    assert "command line: trainer.epohcs" in text
