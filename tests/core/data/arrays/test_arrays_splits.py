"""Splits of arrays: as told, drawn, and drawn so that places stay apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arrays_support import COUNT, arrays, opened, written

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.draws import draw_group_splits
from iterate_core.errors import IterateError

TOLD = {"split": "is_test", "split_values": {"train": 0, "test": 1}}


def rows(path: Path, **given: Any) -> dict[Split, list[int]]:
    reader = opened(path, **given)
    return {split: [int(name) for name in reader.names(split)] for split in SPLITS}


def test_an_array_of_words_says_all(tmp_path: Path) -> None:
    fold = arrays()["fold"]
    found = rows(written(tmp_path), split="fold")
    assert found == {split: np.flatnonzero(fold == split).tolist() for split in SPLITS}


def test_validation_samples_that_nobody_told_are_drawn_from_training(tmp_path: Path) -> None:
    found = rows(written(tmp_path), **TOLD)
    assert found["test"] == list(range(30, COUNT))
    assert sorted(found["train"] + found["val"]) == list(range(30))
    assert len(found["val"]) == round(30 * 0.2 / 0.8)


def test_drawn_splits_keep_proportions_and_follow_the_seed(tmp_path: Path) -> None:
    path, shares = written(tmp_path), (0.5, 0.25, 0.25)
    found = rows(path, split_shares=shares)
    assert [len(found[split]) for split in SPLITS] == [20, 10, 10]
    severity = arrays()["severity"]
    for split, share in zip(SPLITS, shares, strict=True):
        counts = np.bincount(severity[found[split]], minlength=4)[1:]
        assert np.abs(counts - share * np.bincount(severity)[1:]).max() <= 1
    assert rows(path, split_shares=shares) == found
    assert rows(path, split_shares=shares, split_seed=1) != found


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "by", [{"split_by": "site"}, {"split_degrees": 0.5, "places": "latlon"}], ids=str
)
def test_places_are_never_in_two_splits(tmp_path: Path, by: dict[str, Any], seed: int) -> None:
    held, path = arrays(), written(tmp_path)
    found = rows(path, split_seed=seed, **by)
    places = [tuple(place) for place in np.floor(held["latlon"] / 0.5)]
    keys = held["site"].tolist() if "split_by" in by else places
    apart = [{keys[row] for row in found[split]} for split in SPLITS]
    assert sum(map(len, apart)) == len(set(keys))
    assert rows(path, split_seed=seed, **by) == found
    assert sorted(row for split in SPLITS for row in found[split]) == list(range(COUNT))
    largest = max(keys.count(key) for key in keys)
    for split, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(found[split]) - share * COUNT) <= largest


def test_validation_keeps_places_apart_from_training_too(tmp_path: Path) -> None:
    path = written(tmp_path, is_test=(np.arange(COUNT) >= 32).astype(np.int64))
    found, site = rows(path, split_by="site", **TOLD), arrays()["site"]
    assert not set(site[found["train"]]) & set(site[found["val"]])


def test_groups_of_unequal_size_come_as_near_to_their_shares_as_they_can() -> None:
    groups = np.repeat(np.arange(60), np.arange(60) % 7 + 1)
    shares = (0.6, 0.2, 0.2)
    for seed in range(20):
        splits = draw_group_splits(groups, shares, np.random.default_rng(seed))
        for split, share in zip(SPLITS, shares, strict=True):
            assert abs(splits.count(split) - share * len(groups)) <= 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "is_test"}, "no sample falls to the split 'test'.*split_values"),
        ({"split": "severity"}, "'severity' holds 3, which names no split"),
        ({**TOLD, "split_by": "site"}, r"data\.split_by: 1 of 10 groups are in several splits"),
        (
            {"split_degrees": 90.0, "places": "latlon"},
            r"data\.split_degrees: keeps together one group, too few for 3 splits.*smaller blocks",
        ),
        (
            {"split_by": "is_test"},
            r"data\.split_by: keeps together 2 groups, too few for 3 splits: train, val, test\.",
        ),
        (
            {**TOLD, "split_by": "is_test"},
            r"data\.split_by: keeps together one group, too few for 2 splits: train, val\.",
        ),
        ({"split_degrees": 1.0}, r"^data\.split_degrees: needs places\.$"),
        (
            {"split_degrees": 1.0, "places": "latlon", "split_by": "site"},
            r"^data\.split_degrees: .*by split_by already\.$",
        ),
        ({"split_shares": [0.5, 0.2, 0.2]}, "must sum to 1"),
        ({"split_values": {"train": 0}}, r"^data\.split_values: needs split\.$"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_told(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(IterateError, match=rf"(?s){message}"):
        opened(written(tmp_path), **given)


def test_what_was_drawn_is_noted(tmp_path: Path) -> None:
    path = written(tmp_path)
    (note,) = opened(path, split_by="site").info.notes
    assert note == (
        "train/val/test drawn in proportion 0.6/0.2/0.2 with seed 0, samples of one site together"
    )
    assert opened(path, split="fold").info.notes == ()
