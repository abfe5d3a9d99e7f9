"""A trained model in use gives what training scored, without its data, whatever the task."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe

from iterate_core.data.loading.contexts import Contexts
from iterate_core.data.loading.tensors import tensor, widened
from iterate_core.data.target import target_of
from iterate_core.engine.checkpoints import load_best
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.inference.predictor import load_model

TASKS: dict[str, dict[str, Any]] = {
    "classification": {},
    "multilabel": {"model": {"decoder": {"name": "linear"}}, "data": {"image_size": 48}},
    "segmentation": {},
    "regression": {"tuning": {"name": "frozen"}},
    "scalar_regression": {"model": {"decoder": {"name": "linear"}}},
    "change_detection": {"data": {"frames": 2}},
    "downscaling": {},
}


def images_of(prepared: Prepared, split: Any = "test") -> torch.Tensor:
    stored = prepared.pack.images(split)
    return widened(tensor(np.array(stored)), stored.dtype)


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_those_that_were_scored(task: str, tmp_path: Path) -> None:
    prepared = prepare(recipe(task, **TASKS[task]))
    fit(prepared, tmp_path)
    setup = Setup(prepared)
    setup.take(load_best(tmp_path, prepared.identity)[0])
    setup.task.eval()
    with torch.no_grad():
        scored = [
            setup.module.predictions(setup.module(batch))
            for batch in setup.supplies.evaluated("test")
        ]

    model = load_model(tmp_path)
    everything = np.arange(len(prepared.pack.names("test")))
    context = Contexts(prepared.pack, "test", model.device).of(everything)
    predicted = model.predict(images_of(prepared), context)

    outputs = torch.cat(scored)
    if model.target.gives == "probabilities":
        inside = outputs.softmax(1) if target_of(prepared.info).exclusive else outputs.sigmoid()
        assert torch.allclose(predicted, inside, atol=1e-5)
    else:
        assert torch.allclose(predicted, outputs, rtol=1e-5, atol=1e-5)


def test_images_of_another_form_are_refused_in_a_sentence(tmp_path: Path) -> None:
    fit(prepare(recipe("classification", trainer={"epochs": 1})), tmp_path)
    model = load_model(tmp_path, accelerator="cpu")
    names = ", ".join(band.name for band in model.description.bands)
    for shape in ((2, 8, 32, 32), (2, 3, 32, 32), (4, 32, 32), (2, 4, 1, 32, 32)):
        told = f"images: expects (n, 4, height, width): {names}; got {shape}."
        with pytest.raises(RequestError, match=re.escape(told)):
            model.predict(torch.zeros(shape))
    with pytest.raises(RequestError, match="; got list"):
        model.predict([[1.0]])  # type: ignore[arg-type]
    images = torch.rand(2, 4, 32, 32)
    assert torch.equal(model.predict(images.numpy()), model.predict(images))
