"""Targets on their way into a batch, and what is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_support import RGB, give, random_images, recipe

from iterate_core.data.dataset import DatasetInfo
from iterate_core.data.target import target_of
from iterate_core.engine.order import evaluation_course, pixel_supply
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError


@pytest.mark.parametrize("ignored", [255, 300, 65535, -1])
def test_masks_come_into_batches_as_they_are(ignored: int) -> None:
    masks = np.random.default_rng(0).integers(0, 3, (6, 16, 16)).astype(np.int64)
    masks[:, :4] = ignored
    data = give(random_images((6, 3, 16, 16)), masks, RGB, 3, ignore_index=ignored)
    prepared = prepare(recipe("segmentation", data=data))
    supply = pixel_supply(prepared, "val", torch.device("cpu"), 0)
    batches = list(supply.batches(evaluation_course(prepared, "val").chunks, None))
    found = torch.cat([batch.targets for batch in batches])
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found.numpy(), masks[: len(found)])


def test_a_misspelt_task_is_told() -> None:
    info = DatasetInfo("m", "classifcation", ("a",), RGB, {"train": 1, "val": 1, "test": 1}, 8, 8)
    with pytest.raises(RequestError, match=r"classifcation.*Did you mean 'classification'"):
        target_of(info)
