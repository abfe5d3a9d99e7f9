"""Which samples are called worst and best where some have no score of their own."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from iterate.reporting.sections import predictions
from iterate_core.inference.judging.judged import Judgement
from iterate_core.tasks.declarations import CHANGE_DETECTION, SEGMENTATION, TaskDeclaration
from iterate_core.tasks.sample_sums import SampleSums

# True negatives, false positives, false negatives and true positives of no change and of change.
NOTHING = [0, 0, 0, 16, 16, 0, 0, 0]
ALL_FOUND = [8, 0, 0, 8, 8, 0, 0, 8]
HALF_FOUND = [4, 4, 0, 8, 8, 0, 4, 4]
FALSE_ALARM = [0, 0, 4, 12, 12, 4, 0, 0]
NO_PIXEL = [0] * 8
RIGHT = np.array([1, 1, 0.75, 0.75, np.nan, 1])


def kinds_of(task: TaskDeclaration, name: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    rows = [NOTHING, ALL_FOUND, HALF_FOUND, FALSE_ALARM, NO_PIXEL, NOTHING]
    SampleSums(task.name, np.array(rows)).write(folder / "sums.npz")
    repeat = {"folder": "repeats/0000-0"}
    study: Any = SimpleNamespace(
        objective=name,
        metric=task.metric,
        chosen=repeat,
        tested=[repeat],
        sums=[folder / "sums.npz"],
    )
    found = Judgement(certainty=np.linspace(0.5, 0.9, len(rows)), right=RIGHT)
    scores = predictions._scores(study, found, len(rows))
    split: Any = SimpleNamespace(target=SimpleNamespace(form="mask"))
    kinds = predictions._kinds(split, found, scores)
    return scores, {title: (note, indices) for title, note, indices in kinds}


@pytest.mark.parametrize("name", ["f1", "iou", "precision", "recall"])
def test_nothing_to_find_has_no_score(name: str, tmp_path: Path) -> None:
    scores, kinds = kinds_of(CHANGE_DETECTION, name, tmp_path)
    assert np.flatnonzero(np.isnan(scores.values)).tolist() == [0, 4, 5]
    note, worst = kinds["Worst"]
    assert worst == [3, 2, 1]
    assert kinds["Best"][1] == [1, 2, 3]
    assert "3 samples with nothing to find have none" in note
    assert kinds["Least certain"][1] == [0, 1, 2, 3, 4, 5]


def test_what_is_all_right_has_a_score_where_classes_occur(tmp_path: Path) -> None:
    scores, kinds = kinds_of(SEGMENTATION, "miou", tmp_path)
    assert scores.values[0] == 1  # one class occurs, and is found
    assert np.isnan(scores.values[4])
    assert kinds["Best"][1] == [0, 1, 5, 2, 3]


def test_the_page_says_that_there_was_nothing_to_find(tmp_path: Path) -> None:
    scores, _ = kinds_of(CHANGE_DETECTION, "f1", tmp_path)
    found = Judgement(certainty=np.full(6, 0.9), right=RIGHT)
    sample: Any = SimpleNamespace(index=0, name="a", pictures=[], truth=None, told=None)
    drawn = predictions._drawn(sample, found, scores, "mask")
    assert re.match(r"f1 –, nothing to find, right 100.0 %", drawn.score)
