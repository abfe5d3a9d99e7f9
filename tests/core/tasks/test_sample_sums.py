"""What each sample adds to a split's scores adds up to those scores, and is drawn anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_support import RGB, give, merged, random_images, recipe
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAUROC

from iterate.run.sample_intervals import over_samples
from iterate_core.data.store.pack import Pack
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError
from iterate_core.models.assembly import Model
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.tasks.class_counts import ClassCounts
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    SEGMENTATION,
    TaskDeclaration,
)
from iterate_core.tasks.exclusive import ExclusiveTask
from iterate_core.tasks.metrics import Metric, Sums, Values
from iterate_core.tasks.sample_sums import SampleSums

TASKS = (CLASSIFICATION, SEGMENTATION, MULTILABEL, REGRESSION)


def scored(asked: Recipe, folder: Path) -> tuple[dict[str, float], Path]:
    fit.fit(prepare(asked), folder)
    return fit.test(prepare(asked), folder, keep=folder / "samples.npz"), folder / "samples.npz"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_all_samples_once_give_the_scores(task: TaskDeclaration, tmp_path: Path) -> None:
    """To the last digit where they are counts; a sum of floats depends on its order."""
    asked = recipe(task.name, trainer={"epochs": 1}, model={"decoder": {"name": "linear"}})
    scores, file = scored(asked, tmp_path)
    assert len(SampleSums.read(file).sums) == 12
    tolerance = 1e-14 if task is REGRESSION else 0
    for metric in task.metrics:
        found = over_samples([file], metric.name)
        if metric.of_sums is None:
            assert found is None
        else:
            assert found is not None
            wanted = pytest.approx(scores[f"test/{metric.name}"], rel=tolerance, abs=0)
            assert found.value == wanted, metric.name


def test_what_is_no_function_of_sums_is_known() -> None:
    none = {task.name: [m.name for m in task.metrics if m.of_sums is None] for task in TASKS}
    assert none == {
        "classification": ["loss"],
        "segmentation": ["loss"],
        "multilabel": ["map_micro", "map_macro", "loss"],
        "regression": ["r2", "loss"],
    }


@pytest.mark.parametrize("task", [CLASSIFICATION, SEGMENTATION, MULTILABEL], ids=lambda t: t.name)
def test_draws_are_scored_as_an_epoch_is(task: TaskDeclaration) -> None:
    """Also where some of many classes are absent, and where nothing is counted."""
    rng = np.random.default_rng(0)
    sums = rng.integers(1, 50, (40, 2, 19, 4)).astype(float)
    sums *= rng.random((40, 2, 19, 1)) < 0.7
    sums[3] = 0
    sums = sums.reshape(40, 2, -1)
    for metric in task.metrics:
        if metric.of_sums is not None:
            found = metric.of_sums(sums)
            each = [[float(metric.of_sums(one)) for one in pair] for pair in sums.astype(int)]
            np.testing.assert_array_equal(found, each)


def test_absent_classes_are_left_out_of_the_mean_exactly() -> None:
    """Of ten classes the third and the last are neither there nor predicted."""
    sums = np.random.default_rng(1).integers(1, 50, (10, 4))
    sums[[2, 9], 1:] = 0
    counted = np.delete(sums, [2, 9], axis=0)
    expected = (counted[:, 3] / counted[:, 1:].sum(axis=1)).mean()
    miou = SEGMENTATION.metric("miou")
    assert miou is not None
    assert miou.of_sums is not None
    assert float(miou.of_sums(sums.ravel())) == expected


def test_ignored_pixels_and_an_ignored_class_count_nowhere(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (6, 32, 32))
    section = give(random_images((6, 3, 32, 32)), masks, RGB, 3, ignore_index=2)
    asked = recipe("segmentation", trainer={"epochs": 1})
    asked = Recipe.parse(merged(asked.to_mapping(), {"data": section}))
    scores, file = scored(asked, tmp_path)
    counts = ClassCounts.of(SampleSums.read(file).sums)
    assert counts.there.tolist() == [[np.sum(mask == k) for k in (0, 1)] for mask in masks]
    for name in ("miou", "iou_micro", "pixel_accuracy"):
        found = over_samples([file], name)
        assert found is not None
        assert found.value == scores[f"test/{name}"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    with pytest.raises(DataError, match="holds no sums"):
        SampleSums.read(path)
    SampleSums("regression", np.ones((3, 3))).write(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=str(path)):
        SampleSums.read(path)
    np.savez(path, task="regression", sums=np.array([{"an": "object"}]))
    with pytest.raises(DataError, match="holds no sums"):
        SampleSums.read(path)
    SampleSums("regression", np.ones(3)).write(path)
    with pytest.raises(DataError, match="of shape"):
        SampleSums.read(path)


def test_errors_give_the_root_of_the_mean_square(tmp_path: Path) -> None:
    sums = np.array([[9.0, 3.0, 1.0], [16.0, 4.0, 1.0]])
    SampleSums("regression", sums).write(tmp_path / "one.npz")
    found = over_samples([tmp_path / "one.npz"], "rmse")
    assert found is not None
    assert found.value == math.sqrt(12.5)


def test_the_interval_over_samples_is_that_of_the_mean_over_repeats(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    right = rng.random((2, 400)) < np.array([[0.7], [0.8]])
    for repeat, hits in enumerate(right):
        # Two classes, of which the truth is the first; tn, fp, fn and tp of each.
        sums = np.where(hits[:, None], [0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 1, 0, 0])
        SampleSums("classification", sums).write(tmp_path / f"{repeat}.npz")
    found = over_samples([tmp_path / "0.npz", tmp_path / "1.npz"], "accuracy")
    assert found is not None
    assert found.value == pytest.approx(right.mean())
    # The mean of n independent samples' mean scores: normal theory is exact to its second digit.
    spread = right.mean(axis=0).std(ddof=1) / math.sqrt(400)
    assert found.error == pytest.approx(spread, rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert over_samples([tmp_path / "0.npz", tmp_path / "absent.npz"], "accuracy") is None


# A task with a metric that nothing else knows


def misses(sums: Sums) -> Values:
    """The mean over classes of fn / n."""
    counts = ClassCounts.of(sums)
    return np.asarray((counts.fn / (counts.tn + counts.fp + counts.there)).mean(axis=-1))


MISSES = Metric("misses", "min", "mean over classes of fn / n", misses)
OWN = replace(CLASSIFICATION, metrics=(MISSES, *CLASSIFICATION.metrics))


class OwnTask(ExclusiveTask):
    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack.info, OWN)


def test_a_metric_that_is_declared_has_epochs_tests_and_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = registries.tasks.get("classification")
    own = replace(shipped, target=OwnTask, facts=shipped.facts | {"declaration": OWN})
    monkeypatch.setitem(registries.tasks._entries, "classification", own)
    asked = recipe(trainer={"epochs": 2})
    result = fit.fit(prepare(asked), tmp_path)
    assert result.value == min(report.metrics["val/misses"] for report in result.reports)
    scores, file = scored(asked, tmp_path)
    assert scores["test/misses"] > 0
    found = over_samples([file], "misses")
    assert found is not None
    assert found.value == scores["test/misses"]
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.value < found.high <= 1


class Ranked(ConfusionScores):
    """A family that holds a collection of torchmetrics' metrics."""

    def __init__(self, metrics: Sequence[Metric], classes: int) -> None:
        super().__init__(metrics, classes, 255)
        self.areas = MetricCollection({"area": MulticlassAUROC(classes)})

    def take(self, outputs: Tensor, targets: Tensor) -> None:
        super().take(outputs, targets)
        self.areas.update(outputs, targets)

    def others(self) -> dict[str, float]:
        return {"area": float(self.areas["area"].compute())}


def test_a_family_may_hold_a_metric_of_torchmetrics() -> None:
    area = Metric("area", "max", "under the receiver's curve, mean over classes")
    scores = Ranked((*CLASSIFICATION.metrics, area), 3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        logits, classes = torch.randn(20, 3, generator=generator), torch.arange(20) % 3
        for part in torch.arange(20).split(7):
            scores.update(logits[part], classes[part], torch.tensor(1.0), torch.tensor(len(part)))
        values = scores.compute()
        assert values["area"] == pytest.approx(
            roc_auc_score(classes, logits.softmax(1), multi_class="ovr"), abs=1e-6
        )
        assert values["accuracy"] == (logits.argmax(1) == classes).double().mean()
        scores.reset()
