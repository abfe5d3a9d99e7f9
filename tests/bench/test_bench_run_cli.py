"""``iterate bench --suite`` as its users see it: real training on a few small images."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from iterate.bench.leaderboard.portion import WHOLE
from iterate.bench.runs.backbones import contestants
from iterate.bench.runs.check import checking
from iterate.bench.runs.plan import Plan, Request, cells_of, check_cells
from iterate.bench.runs.protocol import load_protocol, protocols, run_name
from iterate.bench.runs.published_data import unlike_published
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app
from iterate.config.load import load_study
from iterate.reporting.report import write_report
from iterate.resources import shipped
from iterate.run.sample_intervals import over_samples
from iterate.run.session import RunSettings
from iterate_core.errors import RequestError

SMALL = ["--suite", "geobench", "--protocol", "quick"]
LITTLE = ["search.trials=2", "trainer.epochs=1"]


def demo(name: str = "demo") -> ModuleType:
    """The script that makes a folder laid out like a suite."""
    path = shipped("benchmarks") / "geobench" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"geobench_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bench(*words: str) -> tuple[dict[str, Any], str]:
    """Run the command; its JSON, and what it told people."""
    done = CliRunner().invoke(app, [*SMALL, *words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene set and a mask set, both small."""
    folder = tmp_path_factory.mktemp("root")
    demo().make_root(folder, drawn=("m-forestnet", "m-pv4ger-seg"), samples=(12, 6, 6), size=32)
    return folder


@pytest.fixture(scope="module")
def ran(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    out = tmp_path_factory.mktemp("out") / "run"
    found, told = bench(
        "--data", str(root), "--out", str(out), "--backbones", "test_resnet=none,resnet10t=none",
        "--datasets", "m-forestnet,m-pv4ger-seg,m-NeonTree", *LITTLE,
    )  # fmt: skip
    return out, found, told


Ran = tuple[Path, dict[str, Any], str]


def test_two_backbones_on_two_datasets_are_ranked(ran: Ran) -> None:
    out, found, told = ran
    assert {study["name"] for study in found["studies"]} == {
        f"{dataset}/{backbone}"
        for dataset in ("m-forestnet", "m-pv4ger-seg")
        for backbone in ("test_resnet", "resnet10t")
    }
    assert all(study["trials"]["complete"] == 2 for study in found["studies"])
    assert [repeat["seed"] for repeat in found["studies"][0]["repeats"]] == [913, 205]
    means = {
        (row["group"], row["backbone"]): row["mean"]
        for row in found["leaderboard"] if row["kind"] == "dataset"
    }  # fmt: skip
    for study in found["studies"]:
        metric = study["objective"]["metric"]
        assert means[study["dataset"], study["backbone"]] == pytest.approx(
            study["test"][metric]["mean"]
        )
    groups = {row["group"] for row in found["leaderboard"] if row["value"] is not None}
    assert "2 of 12 datasets" in groups
    assert "m-NeonTree (test_resnet, resnet10t): it is not on this machine" in told
    assert (out / "leaderboard.html").exists()
    assert (out / "m-forestnet/test_resnet/recipe.yaml").exists()


WITHOUT_TORCH = """
import sys
from iterate.cli.main import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


def test_models_are_tried_where_torch_is_already(root: Path, tmp_path: Path) -> None:
    tested = ["--backbones", "test_resnet=none", "--datasets", "m-forestnet,m-NeonTree"]
    places = ["--data", str(root), "--out", str(tmp_path / "run")]
    command = [sys.executable, "-c", WITHOUT_TORCH, "bench", *SMALL, *places, *tested, "--strict"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "check  m-forestnet/test_resnet" in said.stderr
    assert "it is not on this machine" in said.stderr
    assert said.returncode == 2, said.stderr


def test_means_have_intervals_over_seeds_and_over_test_samples(ran: Ran) -> None:
    out, found, _ = ran
    for row in (row for row in found["leaderboard"] if row["kind"] == "dataset"):
        folder = out / row["group"] / row["backbone"] / "repeats"
        files = sorted(folder.glob("*/test_samples.npz"))
        assert len(files) == 2
        metric = {"m-forestnet": "accuracy", "m-pv4ger-seg": "miou"}[row["group"]]
        expected = over_samples(files, metric)
        assert expected is not None
        assert expected.value == pytest.approx(row["mean"])
        assert (row["sample_low"], row["sample_high"]) == (expected.low, expected.high)
        if row["sample_low"] is not None:
            assert row["sample_low"] <= row["mean"] <= row["sample_high"]
        if row["sd"] > 0:
            assert row["mean_low"] < row["mean"] < row["mean_high"]
        else:  # six test samples: two seeds may well tie
            assert (row["mean_low"], row["mean_high"]) == (None, None)
    assert "over test samples" in (out / "leaderboard.md").read_text()
    assert "intervals over test samples" in (out / "leaderboard.html").read_text()


def test_the_leaderboard_is_in_mlflow_with_scores_and_files(ran: Ran) -> None:
    from mlflow import MlflowClient

    out, found, _ = ran
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    experiment = client.get_experiment_by_name("geobench-quick")
    assert experiment is not None
    (run,) = client.search_runs(
        [experiment.experiment_id], "attributes.run_name = 'geobench-quick leaderboard'"
    )
    assert run.info.status == "FINISHED"
    for row in found["leaderboard"]:
        if row["kind"] == "group" and row["value"] is not None:
            key = f"{row['track']}/{row['group']}/{row['backbone']}"
            assert run.data.metrics[key] == pytest.approx(row["value"])
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"leaderboard.html", "leaderboard.md", "results_and_parameters.csv"} <= files
    assert run.data.tags["iterate.gaps"] == "m-NeonTree/test_resnet; m-NeonTree/resnet10t"


def test_generated_data_stand_on_no_published_scale(ran: Ran) -> None:
    out, found, told = ran
    assert "m-forestnet does not count as the published dataset: 12 train samples" in told
    kept = json.loads((out / "leaderboard.json").read_text())
    scales = kept["normaliser"]["scales"]
    assert (scales["m-forestnet"], scales["m-pv4ger-seg"]) == ([0.0, 1.0], [0.0, 1.0])
    assert "6 test samples instead of 993" in kept["unlike"]["m-forestnet"]
    assert "the suite declares no number of samples" in kept["unlike"]["m-pv4ger-seg"]
    raw = {
        (row["group"], row["backbone"]): row
        for row in found["leaderboard"] if row["kind"] == "dataset"
    }  # fmt: skip
    for row in raw.values():
        assert row["value"] == pytest.approx(100 * row["mean"])
    # Two datasets and two seeds: the middle two of four scores, on the metric's own scale.
    group = {
        row["backbone"]: row for row in found["leaderboard"] if row["group"] == "2 of 12 datasets"
    }
    with (out / "results_and_parameters.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    middle = {
        name: sorted(float(row["test metric"]) for row in rows if row["backbone"] == name)[1:3]
        for name in group
    }
    assert {name: row["value"] for name, row in group.items()} == pytest.approx(
        {name: 50 * sum(scores) for name, scores in middle.items()}
    )
    best = max(middle, key=lambda name: sum(middle[name]))
    assert group[best]["rank"] == 1
    for row in found["leaderboard"]:
        assert row.get("rank_low") is None or row["rank_low"] <= row["rank"] <= row["rank_high"]
        assert row["low"] is None or 0 <= row["low"] <= row["value"] <= row["high"] <= 100


def test_the_leaderboard_says_how_its_numbers_were_made(ran: Ran) -> None:
    out, found, told = ran
    kept = json.loads((out / "leaderboard.json").read_text())["about"]
    (source,) = kept["sources"]
    run = source["run"]
    content = (out / "results_and_parameters.csv").read_bytes()
    assert source["sha256"] == hashlib.sha256(content).hexdigest()
    assert (run["protocol"], run["words"]) == ("quick", LITTLE)
    assert set(kept["versions"]) == {"iterate", "torch"}
    assert [(one["dataset"], one["backbone"], one["weights"]) for one in run["cells"]] == [
        (dataset, backbone, "random")
        for dataset in ("m-forestnet", "m-pv4ger-seg")
        for backbone in ("test_resnet", "resnet10t")
    ]
    for one in run["cells"]:
        assert (one["trials"], one["repeats"], one["epochs"]) == (2, 2, 1)
        study = json.loads((out / "summary.json").read_text())["studies"]
        (own,) = [s for s in study if s["name"] == f"{one['dataset']}/{one['backbone']}"]
        assert one["settings"] == own["best"]["params"]
        assert one["versions"] == kept["versions"]
        assert one["finished"].endswith("UTC")
        assert one["folder"] == own["name"]
        folders = [out / one["folder"] / repeat["folder"] for repeat in own["repeats"]]
        assert all((folder / "test.json").is_file() for folder in folders)
        assert 0 < one["repeat_seconds"] < found["worker_seconds"]
        assert one["flops"] > 1e5
        assert one["devices"] == ["CPU"]
    counts = {one["backbone"]: one["parameters"] for one in run["cells"]}
    assert counts["resnet10t"] > 4_000_000 > counts["test_resnet"] > 100_000
    page = (out / "leaderboard.html").read_text()
    for text in (page, (out / "leaderboard.md").read_text(), " ".join(told.split())):
        assert "These numbers mean nothing." in text
        assert "quick: 2 trials, 2 repeats of the best, up to 1 epoch each" in text
        assert "random" in text
        assert kept["written"] in text
        assert f"iterate {kept['versions']['iterate']}, torch {kept['versions']['torch']}" in text
    assert "optimiser.lr = " in page


def test_the_leaderboard_links_to_reports_of_the_run_and_its_studies(
    ran: Ran, tmp_path: Path
) -> None:
    out, _, _ = ran
    study = out / "m-forestnet/test_resnet"
    reports = [write_report([folder], predict=False) for folder in (out, study)]
    command = ["leaderboard", str(out), "--suite", "geobench", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, command).exit_code == 0
    page = (tmp_path / "leaderboard.html").read_text()
    links = re.findall(r'href="([^"]+)"', page)
    assert [(tmp_path / unquote(link)).resolve() for link in links] == [
        report.resolve() for report in reports
    ]
    for report in reports:
        report.unlink()


def test_a_leaderboard_of_a_runs_results_knows_what_the_run_knew(ran: Ran, tmp_path: Path) -> None:
    out, found, _ = ran
    command = ["leaderboard", str(out), "--suite", "geobench", "--json"]
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert "These numbers mean nothing." in again.stderr
    values = {(row["backbone"], row["group"]): row["value"] for row in found["leaderboard"]}
    rows = [row for row in json.loads(again.stdout) if row["value"] is not None]
    assert rows
    assert all(row["value"] == values[row["backbone"], row["group"]] for row in rows)
    # Beside results on the published dataset, those on other data of its name are left out.
    theirs = tmp_path / "theirs.csv"
    theirs.write_text(
        "model,dataset,partition name,seed,test metric\n"
        "a,m-pv4ger-seg,1.00x train,1,0.94\na,m-pv4ger-seg,1.00x train,2,0.93\n"
    )
    both = CliRunner().invoke(app, [*command[:2], str(theirs), *command[2:]])
    assert "m-pv4ger-seg of run is left out" in " ".join(both.stderr.split())
    cells = {(row["backbone"], row["group"]) for row in json.loads(both.stdout)}
    assert ("a", "m-pv4ger-seg") in cells
    assert ("test_resnet", "m-forestnet") in cells
    assert ("test_resnet", "m-pv4ger-seg") not in cells
    # Copied away from the run, a results file says nothing of how it was made.
    alone = tmp_path / "alone.csv"
    shutil.copy(out / "results_and_parameters.csv", alone)
    told = CliRunner().invoke(app, ["leaderboard", str(alone), "--suite", "geobench"]).stderr
    assert "not known: results files do not say how they were made" in " ".join(told.split())


def test_a_recorded_download_is_the_published_dataset(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "data")
    suite = load_suite("geobench")
    (one,) = contestants(["resnet18=none"], {}, "protocol")
    names = ("m-forestnet", "m-pv4ger-seg")
    request = Request(suite, load_protocol("quick", suite), (one,), names, tmp_path / "data")
    plan = Plan()
    for cell in cells_of(request)[0]:
        plan.cells[cell.name] = cell
        plan.studies.append(SimpleNamespace(name=cell.name, recipe=cell.loaded.recipe))  # type: ignore[arg-type]
    assert set(unlike_published(request, plan)) == set(names)
    source = suite.datasets["m-pv4ger-seg"].source
    assert source is not None
    record = {
        "repository": source.repository,
        "revision": source.revision,
        "files": [{"filename": "m-pv4ger-seg.zip", "size": 1, "sha256": "0" * 64}],
    }
    for name in names:
        folder = tmp_path / "data" / (suite.datasets[name].folder or name)
        (folder / "SOURCE.json").write_text(json.dumps(record))
    # The other has as many samples as it has, whatever is recorded.
    assert set(unlike_published(request, plan)) == {"m-forestnet"}
    (folder / "SOURCE.json").write_text(json.dumps({**record, "revision": "another"}))
    assert set(unlike_published(request, plan)) == set(names)


def test_a_second_call_trains_nothing_and_a_preview_knows_it(ran: Ran, root: Path) -> None:
    out, found, _ = ran
    words = [
        *("--data", str(root), "--out", str(out), "--datasets", "m-forestnet,m-pv4ger-seg"),
        *("--backbones", "test_resnet=none,resnet10t=none"),
    ]
    again, _ = bench(*words, *LITTLE)
    assert again["studies"] == found["studies"]
    assert again["train_seconds"] == found["train_seconds"]
    previewed, told = bench(*words, "--dry-run", "search.trials=4", "trainer.epochs=1")
    assert [(one["done"], one["trials"], one["repeats"]) for one in previewed["studies"]] == [
        (4, 4, 2)
    ] * 4
    assert all(one["measured"] and one["hours"] > 0 for one in previewed["studies"])
    assert "4 studies, 8 trainings left" in told
    assert "From the epochs that this run has trained" in told


def test_a_preview_of_a_fresh_run_counts_operations_and_makes_no_folder(
    root: Path, tmp_path: Path
) -> None:
    words = ["--data", str(root), "--out", str(tmp_path / "run"), "--datasets", "m-forestnet",
             "--backbones", "test_resnet=none,resnet10t=none", "--dry-run"]  # fmt: skip
    found, told = bench(*words)
    small, large = found["studies"]
    # Training samples count thrice (forward and backward), validation samples once.
    assert small["hours"] < large["hours"]
    doubled, _ = bench(*words, "trainer.epochs=6")
    assert doubled["hours"] == pytest.approx(2 * found["hours"])
    assert "Operations of each model, counted" in told
    assert not (tmp_path / "run").exists()


def test_the_partition_is_a_share_of_the_training_samples(root: Path, tmp_path: Path) -> None:
    words = ["--data", str(root), "--out", str(tmp_path / "run"), "--datasets", "m-forestnet",
             "--backbones", "test_resnet=none", "--dry-run"]  # fmt: skip
    whole, _ = bench(*words)
    half, _ = bench(*words, "--partition", "0.50x")
    # 12 or 6 training samples and 6 validation samples.
    assert half["hours"] / whole["hours"] == pytest.approx((3 * 6 + 6) / (3 * 12 + 6))
    assert half["title"] == "geobench-quick-50pct"
    # By the name of the file that defines it, too; a share without such a file is drawn.
    again, _ = bench(*words, "--partition", "0.50x_train_partition.json")
    assert again["hours"] == half["hours"]
    third, _ = bench(*words, "--partition", "0.3x")
    assert third["hours"] / whole["hours"] == pytest.approx((3 * 4 + 6) / (3 * 12 + 6))
    with pytest.raises(RequestError, match="--partition: must be a share"):
        bench(*words, "--partition", "some")


def test_strict_refuses_gaps_before_anything_is_made(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "classification_v1.0", tmp_path / "data/classification_v1.0")
    with pytest.raises(RequestError, match="m-NeonTree/test_resnet: it is not on this machine"):
        bench(
            *("--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--strict"),
            *("--backbones", "test_resnet=none", "--datasets", "m-forestnet,m-NeonTree"),
        )
    assert not (tmp_path / "run/studies.db").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--backbones", "resnte18"], "'resnet18'"),
        (["--backbones", "resnet18", "--datasets", "m-eurosatt"], "Did you mean 'm-eurosat'"),
        ([], "no backbone is asked for"),
        (["--backbones", "resnet18", "--protocol", "quik"], "Did you mean 'quick'"),
        (["--backbones", "resnet18=none,resnet18=hub"], "is asked for twice"),
        (["--backbones", "missing.yaml"], "missing.yaml"),
        (["--backbones", "resnet18", "trainer.epohcs=2"], "trainer.epohcs"),
    ],
)
def test_wrong_requests_are_told_at_once(root: Path, words: list[str], says: str) -> None:
    with pytest.raises(RequestError) as error:
        bench("--data", str(root), *words)
    assert says in str(error.value)


@pytest.mark.parametrize("name", protocols())
def test_a_protocol_opens_with_a_command_that_is_legal(name: str, root: Path) -> None:
    path = protocols()[name]
    found = re.search(r"^# (iterate bench .*)$", path.read_text(), re.MULTILINE)
    assert found is not None
    words = shlex.split(found[1].replace("FOLDER", str(root)))
    asked = {word: words[words.index(word) + 1] for word in words if word.startswith("--")}
    assert asked["--protocol"] == name
    suite = load_suite(asked["--suite"])
    protocol = load_protocol(name, suite)
    assert run_name(suite, protocol, WHOLE).endswith(name)
    # It is an ordinary search file besides.
    loaded = load_study(path, ["data.name=geobench_v1", "data.root=somewhere"])
    assert loaded.config.name == name


def test_the_published_budget_is_the_protocols(root: Path) -> None:
    for name, frozen in (("geobench-2-full", False), ("geobench-2-frozen", True)):
        config = load_protocol(name, load_suite("geobench-2")).config
        assert config.search.trials == 16
        assert config.search.seeds == (913, 205, 2254, 2007, 1829)
        assert config.search.repeats == 5
        assert config.trainer.patience == 10
        assert config.tuning.constant is frozen
        space = load_study(protocols()[name]).space.to_mapping()
        assert space == {
            "optimiser.lr": "tag(log, interval(1e-06, 0.001))",
            "data.batch_size": "choice(8, 16, 32)",
        }


def test_a_run_says_of_every_cell_what_its_protocol_says_of_the_task(root: Path) -> None:
    suite = load_suite("geobench")
    protocol = load_protocol("linear-probe", suite)
    (one,) = contestants(["resnet18=none"], {}, "protocol")
    names = ("m-forestnet", "m-pv4ger-seg")
    cells, gaps = cells_of(Request(suite, protocol, (one,), names, root))
    assert gaps == []
    scenes, maps = sorted(cells, key=lambda cell: names.index(cell.dataset))
    assert scenes.loaded.config.model.decoder.name == "logistic"
    assert scenes.loaded.space.size() == 40
    assert scenes.loaded.config.search.repeats == 1
    assert maps.loaded.config.model.decoder.name == "linear"
    assert maps.loaded.space.to_mapping() == {"model.decoder.level": "choice(8, 16, 32)"}
    assert maps.loaded.config.search.repeats == 5


def test_options_of_backbones_come_from_a_file(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "backbones.yaml"
    file.write_text(
        "resnet10t: {weights: none}\n"
        f"lite: {{name: tf_efficientnet_lite0, weights: '{tmp_path}/of mine, 1.pth'}}\n"
        "deep:\n"
        "  name: resnet18\n  weights: none\n  drop_path: interval(0, 0.2)\n"
        "  data: {image_size: 64}\n  model/decoder: mlp\n"
    )
    suite = load_suite("geobench")
    found = contestants([str(file), "resnet26=none"], {}, "protocol")
    assert [one.name for one in found] == ["resnet10t", "lite", "deep", "resnet26"]
    request = Request(suite, load_protocol("quick", suite), tuple(found), ("m-forestnet",), root)
    plain, lite, deep, _ = (cell.loaded for cell in cells_of(request)[0])
    backbones = [one.config.recipe().to_mapping()["model"]["backbone"] for one in (plain, lite)]
    assert backbones[0]["weights"] == "none"
    assert backbones[1]["name"] == "tf_efficientnet_lite0"
    assert backbones[1]["weights"] == f"{tmp_path}/of mine, 1.pth"
    assert deep.space.to_mapping()["model.backbone.drop_path"] == "interval(0.0, 0.2)"
    assert (deep.config.data.image_size, deep.config.model.decoder.name) == (64, "mlp")
    assert plain.config.data.image_size == 32


def test_larger_backbones_and_more_epochs_are_known_to_take_longer(
    root: Path, tmp_path: Path
) -> None:
    suite, names = load_suite("geobench"), ("m-forestnet",)
    both = tuple(contestants(["test_resnet=none", "resnet10t=none"], {}, "protocol"))

    def operations(epochs: int) -> list[float]:
        protocol = load_protocol("quick", suite)
        words = (f"trainer.epochs={epochs}",)
        plan = Plan()
        request = Request(suite, protocol, both, names, root, overrides=words)
        settings = RunSettings("run", tmp_path / "run")
        with checking(settings) as check:
            check_cells(request, cells_of(request)[0], plan, settings, check)
        return [study.operations or 0.0 for study in plan.studies]

    small, large = operations(1)
    assert 0 < small < large
    assert operations(3) == [3 * small, 3 * large]


def test_a_refused_run_leaves_no_folder(tmp_path: Path) -> None:
    where = ["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*SMALL, *where, "--backbones", "resnet10t=none"])
    assert isinstance(done.exception, RequestError)
    assert list(tmp_path.iterdir()) == []
