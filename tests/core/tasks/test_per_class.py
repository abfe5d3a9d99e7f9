"""Scores by class, against scikit-learn, and where they are told."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_support import RGB, give, merged, random_images, recipe
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn import metrics as sklearn
from torch.nn import functional

from iterate.cli.views.classes import class_table
from iterate.cli.views.tables import outcome
from iterate.run.session import RunResult
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe
from iterate_core.tasks.class_counts import ClassCounts
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import MULTILABEL, SEGMENTATION
from iterate_core.tasks.multilabel import MultilabelScores
from iterate_core.tasks.per_class import SCORES, class_scores

IGNORED = 255
CLASSES = ("water", "forest", "crop", "ice")
labels = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 3, IGNORED]), st.sampled_from([0, 1, 2])), max_size=40
)


@settings(deadline=None)
@given(labels)
def test_classes_that_exclude_each_other_score_as_in_scikit_learn(
    pairs: list[tuple[int, int]],
) -> None:
    """The last class is never predicted, any may be absent, and ignored targets count nowhere."""
    true, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    taken = ConfusionScores(SEGMENTATION.metrics, 4, IGNORED)
    taken.take(functional.one_hot(torch.tensor(predicted), 4).float(), torch.tensor(true))
    found = class_scores(ClassCounts.of(taken.sums()), CLASSES, absent=False)
    counted = true != IGNORED
    true, predicted = true[counted], predicted[counted]
    if len(true):
        matrix = sklearn.confusion_matrix(true, predicted, labels=range(4))
        assert taken.matrix().tolist() == matrix.tolist()
    assert [row.name for row in found] == list(CLASSES)
    expected = reference(true, predicted)
    for index, row in enumerate(found):
        assert row.support == int((true == index).sum())
        if index in true or index in predicted:
            for name in SCORES:
                assert getattr(row, name) == pytest.approx(expected[name][index], abs=1e-6)
        else:
            assert {getattr(row, name) for name in SCORES} == {None}


def reference(true: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> dict[str, Any]:
    if not len(true):
        return {}
    options: dict[str, Any] = {"labels": range(4), "average": None, "zero_division": 0}
    precision, recall, f1, _ = sklearn.precision_recall_fscore_support(true, predicted, **options)
    iou = sklearn.jaccard_score(true, predicted, **options)
    return {"iou": iou, "precision": precision, "recall": recall, "f1": f1}


@settings(deadline=None)
@given(labels)
def test_their_means_are_the_macro_scores(pairs: list[tuple[int, int]]) -> None:
    """Also where one class, here the third, is ignored."""
    true, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    true[true == IGNORED] = 2
    taken = ConfusionScores(SEGMENTATION.metrics, 4, ignore_index=2)
    taken.take(functional.one_hot(torch.tensor(predicted), 4).float(), torch.tensor(true))
    names = [CLASSES[index] for index in taken.scored]
    assert names == ["water", "forest", "ice"]
    rows = class_scores(ClassCounts.of(taken.sums()), names, absent=False)
    means = {
        metric.name: metric.of_sums(taken.sums())
        for metric in SEGMENTATION.metrics
        if metric.of_sums
    }
    for name, macro in (("iou", "miou"), ("recall", "accuracy_macro"), ("f1", "f1_macro")):
        known = [getattr(row, name) for row in rows if getattr(row, name) is not None]
        if known:
            assert np.mean(known) == pytest.approx(means[macro], abs=1e-6)


def test_labels_score_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(50, 4)).astype(np.float32)
    logits[:, 3] = -1.0  # never predicted
    true = rng.random((50, 4)) < [0.5, 0.2, 0.0, 0.1]  # the third is nowhere
    taken = MultilabelScores(MULTILABEL.metrics, 4)
    for part in np.array_split(np.arange(50), 3):
        taken.take(torch.tensor(logits[part]), torch.tensor(true[part]))
    found = class_scores(ClassCounts.of(taken.sums()), CLASSES, absent=True)
    expected = sklearn.multilabel_confusion_matrix(true, logits > 0)
    assert taken.sums().tolist() == expected.ravel().tolist()
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(
        true, logits > 0, average=None, zero_division=0
    )
    iou = sklearn.jaccard_score(true, logits > 0, average=None, zero_division=0)
    for index, row in enumerate(found):
        wanted = (support[index], iou[index], precision[index], recall[index], f1[index])
        assert (row.support, row.iou, row.precision, row.recall, row.f1) == pytest.approx(
            wanted, abs=1e-6
        )


def test_a_split_is_told_class_by_class(tmp_path: Path) -> None:
    """Of segmentation, where pixels without a class count nowhere."""
    masks = np.random.default_rng(0).integers(0, 3, (6, 32, 32))
    masks[:, :5] = 255
    section = give(random_images((6, 3, 32, 32)), masks, RGB, 3)
    base = recipe("segmentation", trainer={"epochs": 1}).to_mapping()
    asked = Recipe.parse(merged(base, {"data": section}))
    fit.fit(prepare(asked), tmp_path)
    told = fit.evaluate(prepare(asked), tmp_path).to_mapping()
    assert json.loads(json.dumps(told)) == told
    assert told["confusion"] == fit.confusion(prepare(asked), tmp_path)
    supports = [int((masks == index).sum()) for index in range(3)]
    assert [row["support"] for row in told["classes"]] == supports
    assert sum(map(sum, told["confusion"])) == sum(supports)
    known = [row["iou"] for row in told["classes"] if row["iou"] is not None]
    assert np.mean(known) == pytest.approx(told["test/miou"])


def shown(*parts: Any) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(*parts)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def row(name: str, f1: float | None) -> dict[str, Any]:
    return {"name": name, "support": 8, "iou": 0.25, "precision": 0.5, "recall": 0.75, "f1": f1}


def test_the_table_of_a_run_tells_each_class() -> None:
    study = {
        "name": "land",
        "dataset": "d",
        "backbone": "b",
        "objective": {"metric": "f1_macro", "mode": "max"},
        "trials": {"complete": 1, "pruned": 0, "failed": 0},
        "failure": None,
        "best": {"number": 0, "value": 0.5, "params": {}},
        "repeats": [],
        "test": {"f1_macro": {"mean": 0.5, "low": None, "high": None, "n": 1}},
        "test_classes": [row("open [water]", 0.4), row("ice", None)],
    }
    summary = {"studies": [study], "wall_seconds": 1, "train_seconds": 1}
    lines = shown(outcome(RunResult(summary, Path("runs/land"), {}, None))).splitlines()
    table = [line.split() for line in lines if "0.2500" in line]
    assert table == [
        ["open", "[water]", "8", "0.2500", "0.5000", "0.7500", "0.4000"],
        ["ice", "8", "0.2500", "0.5000", "0.7500", "–"],
    ]


def test_of_many_classes_the_poorest_are_shown() -> None:
    rows = [row(f"class {index}", 1 - index / 100) for index in range(40)]
    text = shown(class_table(rows, "test"))
    assert "the 30 of 40 classes with the lowest F1" in text
    names = re.findall(r"class (\d+) ", text)
    assert names == [str(index) for index in range(39, 9, -1)]


def test_a_quantity_has_no_classes(tmp_path: Path) -> None:
    asked = recipe("regression", trainer={"epochs": 1}, model={"decoder": {"name": "unet"}})
    fit.fit(prepare(asked), tmp_path)
    found = fit.evaluate(prepare(asked), tmp_path)
    assert found.by_class is None
    assert set(found.to_mapping()) == set(fit.test(prepare(asked), tmp_path))
