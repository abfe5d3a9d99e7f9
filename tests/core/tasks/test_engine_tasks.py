"""Scores against scikit-learn and torchmetrics; the loss; the declarations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, log_loss, recall_score
from torch.nn import functional

from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import CLASSIFICATION, SEGMENTATION, TaskDeclaration

IGNORED = 255


def measured(
    task: TaskDeclaration,
    logits: torch.Tensor,
    targets: torch.Tensor,
    classes: int,
    ignored: int = IGNORED,
    batch: int = 5,
) -> dict[str, float]:
    taken = ConfusionScores(task.metrics, classes, ignored)
    for start in range(0, len(logits), batch):
        part, wanted = logits[start : start + batch], targets[start : start + batch]
        loss = functional.cross_entropy(part, wanted, ignore_index=ignored, reduction="sum")
        taken.update(part, wanted, loss, (wanted != ignored).sum())
    return taken.compute()


def test_classification_scores_are_scikit_learns_whatever_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(103, 4, generator=generator)
    targets = torch.randint(0, 4, (103,), generator=generator)
    true, predicted = targets.numpy(), logits.argmax(1).numpy()
    expected = {
        "accuracy": accuracy_score(true, predicted),
        "accuracy_macro": recall_score(true, predicted, average="macro"),
        "f1_macro": f1_score(true, predicted, average="macro"),
        "loss": log_loss(true, logits.double().softmax(1).numpy()),
    }
    for batch in (5, 7, 200):
        values = measured(CLASSIFICATION, logits, targets, 4, batch=batch)
        for name, value in expected.items():
            assert values[name] == pytest.approx(value, rel=1e-6), name


def test_segmentation_scores_are_scikit_learns_over_the_pixels_that_count() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(11, 3, 9, 7, generator=generator)
    targets = torch.randint(0, 3, (11, 9, 7), generator=generator)
    targets[torch.rand(targets.shape, generator=generator) < 0.3] = IGNORED
    counted = (targets != IGNORED).flatten().numpy()
    true = targets.flatten().numpy()[counted]
    predicted = logits.argmax(1).flatten().numpy()[counted]
    values = measured(SEGMENTATION, logits, targets, 3)
    expected = {
        "miou": jaccard_score(true, predicted, average="macro"),
        "iou_micro": jaccard_score(true, predicted, average="micro"),
        "pixel_accuracy": accuracy_score(true, predicted),
        "accuracy_macro": recall_score(true, predicted, average="macro"),
        "f1_macro": f1_score(true, predicted, average="macro"),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9), name


labels = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 4, IGNORED]), st.integers(0, 5)), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=100)
@given(labels)
def test_absent_classes_are_treated_as_torchmetrics_does(pairs: list[tuple[int, int]]) -> None:
    """Six classes, of which some are absent from targets, predictions or both."""
    true, predicted = (torch.tensor(column) for column in zip(*pairs, strict=True))
    logits = functional.one_hot(predicted, 6).float()
    values = measured(SEGMENTATION, logits, true, 6)
    if bool((true == IGNORED).all()):
        assert all(np.isnan(value) for value in values.values())
        return
    options = {"num_classes": 6, "ignore_index": IGNORED}
    macro, micro = options | {"average": "macro"}, options | {"average": "micro"}
    expected = {
        "pixel_accuracy": reference.multiclass_accuracy(predicted, true, **micro),
        "accuracy_macro": reference.multiclass_accuracy(predicted, true, **macro),
        "f1_macro": reference.multiclass_f1_score(predicted, true, **macro),
        "miou": reference.multiclass_jaccard_index(predicted, true, **macro),
        "iou_micro": reference.multiclass_jaccard_index(predicted, true, **micro),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(float(value), abs=1e-6), name


def test_a_class_that_is_ignored_is_left_out_of_the_means() -> None:
    """What is wrongly told to be of it is a false positive all the same."""
    counts = np.array([[3, 0, 1], [0, 0, 0], [1, 1, 2]])
    true, predicted = (
        torch.tensor(cells.repeat(counts.ravel())) for cells in np.indices((3, 3)).reshape(2, -1)
    )
    logits = functional.one_hot(predicted, 3).float()
    values = measured(SEGMENTATION, logits, true, 3, ignored=1)
    assert values["miou"] == pytest.approx((3 / 5 + 2 / 5) / 2)
    assert values["accuracy_macro"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert values["iou_micro"] == pytest.approx(5 / (5 + 5 + 1))


def test_rows_are_true_classes() -> None:
    taken = ConfusionScores(CLASSIFICATION.metrics, 2, IGNORED)
    taken.take(torch.eye(2)[[1, 1, 1]], torch.tensor([0, 0, 1]))
    assert taken.matrix().tolist() == [[0, 2], [0, 1]]


@pytest.mark.parametrize("task", [CLASSIFICATION, SEGMENTATION])
def test_every_declared_metric_is_produced(task) -> None:  # type: ignore[no-untyped-def]
    values = measured(task, torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]), 3)
    assert [metric.name for metric in task.metrics] == list(values)
    assert task.primary.mode == "max"
    assert [metric.name for metric in task.metrics if metric.mode == "min"] == ["loss"]
