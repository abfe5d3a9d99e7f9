"""What is wrong with a recipe is told before it is trained, all of it together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_support import RGB, give, random_images, recipe

from iterate_core.engine.fit import epochs
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.lightning import module_of
from iterate_core.recipe import Recipe


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def problems(check: Any, **changes: Any) -> dict[str, str]:
    with pytest.raises(RequestError) as raised:
        check(recipe(**changes))
    return {problem.where: str(problem) for problem in raised.value.problems}


def tried(recipe: Recipe) -> None:
    preflight(prepare(recipe))


@pytest.mark.parametrize(
    ("kind", "metric", "mode"),
    [("classification", "accuracy", "max"), ("segmentation", "miou", "max")],
)
def test_the_objective_is_the_tasks_own_unless_said(kind: str, metric: str, mode: str) -> None:
    found = prepare(recipe(kind)).recipe.objective
    assert (found.metric, found.mode, found.key) == (metric, mode, f"val/{metric}")
    chosen = prepare(recipe(kind, objective={"metric": "loss"})).recipe.objective
    assert (chosen.metric, chosen.mode) == ("loss", "min")


def test_bands_are_completed_by_the_datasets_names_in_the_order_asked() -> None:
    bands = prepare(recipe(data={"bands": ["red", "B02"]})).recipe.data.bands
    assert bands == ("04 - Red", "02 - Blue")
    everything = prepare(recipe(data={"bands": None})).recipe.data.bands
    assert everything is not None
    assert len(everything) == 13


def test_a_complete_recipe_stays_as_it_is() -> None:
    once = prepare(recipe()).recipe
    assert prepare(once).recipe == once


def test_every_mistake_is_told_at_once() -> None:
    found = problems(
        prepare,
        data={"bands": ["red", "purple"]},
        model={
            "decoder": {"name": "unet"},
            "backbone": {"name": "resnet18", "weights": "/nowhere/w.safetensors"},
        },
        objective={"metric": "acuracy"},
    )
    assert set(found) == {
        "data.bands.1",
        "model.decoder.name",
        "model.backbone.weights",
        "objective.metric",
    }
    assert "accuracy" in found["objective.metric"]
    assert "linear, logistic, mlp" in found["model.decoder.name"]
    assert "no file /nowhere/w.safetensors" in found["model.backbone.weights"]


def test_a_direction_against_the_metrics_own_is_refused() -> None:
    found = problems(prepare, objective={"metric": "loss", "mode": "max"})
    assert "better when it is lower" in found["objective.mode"]


def test_completing_imports_no_torch() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/support')\n"
        "from engine_support import recipe\n"
        "from iterate_core.engine.resolved import prepare\n"
        "prepare(recipe())\n"
        "assert not {'torch', 'timm', 'lightning'} & set(sys.modules)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
def test_a_sound_recipe_passes(kind: str) -> None:
    preflight(prepare(recipe(kind)))


def test_arithmetic_that_the_device_lacks_is_refused() -> None:
    changes = {"trainer": {"precision": "16-mixed", "accelerator": "cpu"}}
    found = problems(tried, **changes)
    assert "bf16-mixed" in found["trainer.precision"]
    with pytest.raises(RequestError, match="16-mixed needs a GPU"):
        list(epochs(prepare(recipe(**changes)), Path("never")))


def test_preflight_tells_several_things_at_once(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    data = give(random_images((4, 3, 8, 8)).astype(np.int16), np.zeros(4, np.int64), RGB, classes=2)
    found = problems(
        tried,
        data=data,
        model={"backbone": {"name": "test_resnet", "weights": str(tmp_path / "w.safetensors")}},
        trainer={"precision": "16-mixed", "accelerator": "cpu"},
    )
    assert set(found) == {"trainer.precision", "model.backbone.weights"}


def test_an_image_too_small_for_batch_statistics_is_refused() -> None:
    data = give(random_images((1, 3, 16, 16)), np.zeros((1, 16, 16), np.uint8), RGB, classes=2)
    found = problems(
        tried, kind="segmentation", data=data,
        model={"decoder": {"name": "upernet"}},
    )  # fmt: skip
    assert "1 × 3 × 16 × 16 pixels" in found["model"]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ({"batch_size": 1}, "Set data.batch_size to 2"),
        ({"share": 0.01}, "take two or more, by dat"),
    ],
    ids=str,
)
def test_a_batch_of_one_that_normalisation_cannot_take_trains_nothing(
    tmp_path: Path, data: dict[str, Any], hint: str
) -> None:
    def trained(recipe: Recipe) -> None:
        list(epochs(prepare(recipe), tmp_path / "run"))

    model = {"decoder": {"name": "upernet"}}
    for check in (trained, tried, module_of):
        found = problems(check, kind="segmentation", data={**data, "size": 16}, model=model)
        assert found.keys() == {"model"}
        assert "batch normalisation cannot take the variance of one value" in found["model"]
        assert hint in found["model"]
    assert not (tmp_path / "run").exists()


def test_a_batch_of_one_trains_where_normalisation_takes_it(tmp_path: Path) -> None:
    data = {"batch_size": 1, "samples": [2, 1, 1], "size": 64}
    found = prepare(recipe("segmentation", data=data, trainer={"epochs": 1}))
    assert len(list(epochs(found, tmp_path))) == 1
