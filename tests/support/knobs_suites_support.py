"""What a suite declares, seen on the page of its leaderboard and on what its runs would train."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from bench_support import SMALL
from knobs_support import Case, Knob, Scene, refused, small

from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.portion import WHOLE
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import read_results, write_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.score import Repeats, Score
from iterate.bench.leaderboard.submission import check_submission
from iterate.bench.runs.backbones import contestants
from iterate.bench.runs.board import write_all
from iterate.bench.runs.plan import Plan, Request, cells_of
from iterate.bench.runs.protocol import load_protocol, run_name
from iterate.bench.runs.published_data import unlike_published
from iterate.bench.suites.download import Offer, want
from iterate.bench.suites.suite import (
    PublishedResults,
    Suite,
    SuiteBackbone,
    SuiteDataset,
    SuiteMetric,
    load_suite,
)
from iterate.cli.bench.run import _request
from iterate.cli.data.download import _entry

SECTIONS = (Suite, SuiteDataset, SuiteMetric, SuiteBackbone, PublishedResults)
FACTS = {
    "SuiteDataset": {
        *("bands", "pixels", "metres", "defects", "inputs"),
        *("splits_note", "licence_note"),
    },
    "SuiteBackbone": {"size"},
    "PublishedResults": {"title"},
}
"""What a suite says for people who read it: no options. `test_bench_suites` holds it against the
readers, and `test_data_download` what is said of files (`SuiteSource`)."""

PLACES = {
    "SuiteDataset": ("datasets", "alpha"),
    "SuiteMetric": ("metrics", "Accuracy"),
    "SuiteBackbone": ("backbones", "one"),
}


def suite_knobs() -> Iterator[Knob]:
    """Every field of a suite that is no mere fact."""
    for section in SECTIONS:
        for field in section.model_fields:
            if field not in FACTS.get(section.__name__, set()):
                yield Knob(f"{section.__name__}.{field}", section, field)


def written(scene: Scene) -> Path:
    """A small suite with the field at its value."""
    content = yaml.safe_load(SMALL) | {"backbones": {"one": {"name": "One"}}}
    section = content
    for part in PLACES.get(scene.knob.owner.__name__, ()):
        section = section[part]
    section[scene.knob.field] = scene.value
    content.setdefault("submission", True)  # without it, nothing is checked
    for dataset in content["datasets"].values():
        dataset.setdefault("reader", "geobench_v1")
    known = set(content["datasets"])
    content["groups"] = {
        name: [one for one in members if one in known]
        for name, members in content["groups"].items()
    }
    file = scene.folder / "suite.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def suite(scene: Scene) -> Suite:
    """The same, read."""
    return load_suite(str(written(scene)))


SCORE = Score("one", "alpha", "full_ft", "Accuracy", seed=1, value=0.5)


def results(folder: Path) -> Path:
    """Scores of two backbones on one dataset."""
    path = folder / "results_and_parameters.csv"
    scores = {"one": (0.5, 0.6), "two": (0.7, 0.8)}
    cells = [
        [replace(SCORE, backbone=name, value=value, seed=seed) for seed, value in enumerate(values)]
        for name, values in scores.items()
    ]
    return write_results(path, [Repeats(tuple(own)) for own in cells]).path


def board(known: Suite, folder: Path) -> Leaderboard:
    """Their leaderboard."""
    entries, notes = entries_of(read_results([results(folder)], known), known)
    return build(entries, known, notes=notes)


def shown(scene: Scene) -> str:
    """Its page."""
    return page(board(suite(scene), scene.folder))


def published(scene: Scene) -> bool:
    """Whether a results file is known by its content."""
    digest = hashlib.sha256(results(scene.folder).read_bytes()).hexdigest()
    value = [{"title": "Known", "sha256": digest}] if scene.value else []
    known = suite(Scene(Knob("", Suite, "published"), value, scene.folder))
    return all(entry.published for entry in board(known, scene.folder).entries)


def checked(scene: Scene) -> str:
    """What is wrong with a submission of one row."""
    write_results(scene.folder / "results_and_parameters.csv", [Repeats((SCORE,))])
    return str(check_submission(scene.folder, suite(scene)))


def asked(scene: Scene) -> Request:
    """A run of the suite's first dataset."""
    known, root = suite(scene), scene.folder / "data"
    for folder in ("alpha", "elsewhere"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    taking_part = tuple(contestants(["resnet10t=none"], {}, "here"))
    return Request(known, load_protocol("quick", known), taking_part, ("alpha",), root)


def planned(scene: Scene) -> Any:
    """What it would train, and its gaps."""
    found, gaps = cells_of(asked(scene))
    recipes = [cell.loaded.recipe for cell in found]
    return [(str(one.data).replace(str(scene.folder), ""), one.objective) for one in recipes], [
        gap.reason for gap in gaps
    ]


def named(scene: Scene) -> str:
    """The run's name."""
    request = asked(scene)
    return run_name(request.suite, request.protocol, WHOLE)


def drafted(scene: Scene) -> bool:
    """Whether a run leaves a draft of what a submission must say."""
    request = asked(scene)
    files = write_all(board(request.suite, scene.folder), request, scene.folder)
    assert files
    return (scene.folder / "additional_info.json").exists()


def protocol(scene: Scene) -> str:
    """Of a run that names none."""
    file, root = str(written(scene)), scene.folder / "data"
    labels = (None, None, None)
    return _request(file, None, labels, None, ["resnet10t"], ["alpha"], root).protocol.name


def told(scene: Scene) -> list[str]:
    """How a dataset on disk is not the one declared."""
    study: Any = SimpleNamespace(name="study", recipe=small())
    cell: Any = SimpleNamespace(dataset="alpha")
    plan = Plan(cells={"study": cell}, studies=[study])
    return unlike_published(asked(scene), plan)


def offered(scene: Scene) -> Any:
    """What a download says of the dataset before it begins."""
    content = yaml.safe_load(written(scene).read_text())
    content["datasets"]["alpha"].setdefault("source", SOURCE)
    path = scene.folder / "suite.yaml"
    path.write_text(yaml.safe_dump(content))
    return _entry(Offer(want(["alpha"], str(path), scene.folder)[0]), True)["licence"]


def score(scene: Scene) -> float:
    """A score in the suite's terms."""
    return suite(scene).metrics["Accuracy"].score(0.25)


TWO = ({"Images": ["alpha"], "Rest": ["beta"]}, {"Pictures": ["alpha"]})
SOURCE = {"repository": "a/b", "files": [{"name": "c"}]}
ALPHA = yaml.safe_load(SMALL)["datasets"]
OTHERWISE = {**ALPHA["alpha"], "metric": "F1"}
SIZES = {"train": 8, "val": 4, "test": 4}

SUITES: dict[str, Case] = {
    "Suite.name": Case(("small", "large"), named, ("small-quick", "large-quick")),
    "Suite.title": Case(("One", "Other"), shown),
    "Suite.reference": Case(("one", "other"), shown),
    "Suite.seeds": Case((None, 5), checked),
    "Suite.tracks": Case(({"full_ft": "Full"}, {"full_ft": "Whole"}), shown),
    "Suite.groups": Case(TWO, shown),
    "Suite.datasets": Case((ALPHA, {**ALPHA, "alpha": OTHERWISE}), planned),
    "Suite.backbones": Case(({"one": {"name": "One"}}, {"one": {"name": "First"}}), shown),
    "Suite.published": Case((False, True), published, (False, True)),
    "Suite.submission": Case((False, True), drafted, (False, True)),
    "Suite.protocol": Case(("quick", "knn-5"), protocol, ("quick", "knn-5")),
    "Suite.metrics": Case(
        ({"Accuracy": {"of": "accuracy"}}, {"Accuracy": {"of": "f1_macro"}}), planned
    ),
    "SuiteDataset.task": Case(("classification", "captioning"), planned),
    "SuiteDataset.classes": Case((8, 99), told),
    "SuiteDataset.splits": Case((SIZES, {**SIZES, "test": 99}), told),
    "SuiteDataset.metric": Case(("Accuracy", "F1"), planned),
    "SuiteDataset.meaning": Case(("one", "other"), shown),
    "SuiteDataset.direction": Case(("max", "min"), shown),
    "SuiteDataset.normaliser": Case(([0.0, 1.0], [0.3, 0.9]), shown),
    "SuiteDataset.reader": Case(("geobench_v1", None), planned),
    "SuiteDataset.folder": Case(("alpha", "elsewhere"), planned),
    "SuiteDataset.licence": Case(("CC0", "MIT"), offered, ("CC0", "MIT")),
    "SuiteDataset.source": Case((SOURCE, None), refused(offered)),
    "SuiteMetric.of": Case(("accuracy", "f1_macro"), planned),
    "SuiteMetric.factor": Case((1.0, 2.0), score, (0.25, 0.5)),
    "SuiteMetric.range": Case(
        ((0.0, 2.0), (None, 1.0)),
        lambda s: suite(s).metrics["Accuracy"].limits("classification"),
        ((0.0, 2.0), (-math.inf, 1.0)),
    ),
    "SuiteMetric.offset": Case((0.0, 1.0), score, (0.25, 1.25)),
    "SuiteBackbone.name": Case(("One", "First"), shown),
    "PublishedResults.sha256": Case((False, True), published, (False, True)),
}
