"""Which loss trains a recipe: completed by the task, refused where it does not fit, one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from torch import Tensor

import iterate
from iterate.config.load import load_study
from iterate_core.engine import fit
from iterate_core.engine.learning.gradients import learning_of
from iterate_core.engine.resolved import decisive, prepare
from iterate_core.engine.setup import Setup, built_task
from iterate_core.errors import RequestError
from iterate_core.losses.base import Loss
from iterate_core.losses.focal import Focal
from iterate_core.losses.options import FocalOptions, LossOptions
from iterate_core.recipe import Recipe
from iterate_core.tasks.supervised import SupervisedTask


def chosen(loss: dict[str, Any] | None, kind: str = "segmentation") -> Recipe:
    return recipe(kind, **({} if loss is None else {"loss": loss}))


def refusal(loss: dict[str, Any], kind: str = "segmentation") -> dict[str, str]:
    with pytest.raises(RequestError) as error:
        prepare(chosen(loss, kind))
    return {
        problem.where: f"{problem.what} {problem.hint or ''}" for problem in error.value.problems
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("classification", "cross_entropy"),
        ("segmentation", "cross_entropy"),
        ("multilabel", "binary_cross_entropy"),
        ("regression", "mse"),
    ],
)
def test_a_recipe_without_a_word_is_completed_by_its_task(kind: str, name: str) -> None:
    decoder = {"name": "linear"}
    whole = prepare(recipe("segmentation", data={"kind": kind}, model={"decoder": decoder})).recipe
    assert whole.loss.name == name
    assert prepare(whole).recipe == whole
    assert Recipe.parse(whole.to_mapping()) == whole


def test_the_default_within_a_sum_is_the_tasks_too() -> None:
    parts = {"first": {"name": "default"}, "second": {"name": "dice"}}
    whole = prepare(chosen({"name": "sum", **parts})).recipe
    names = [(where, options.name) for where, options in whole.loss.parts("loss")]
    expected = [("loss", "sum"), ("loss.first", "cross_entropy"), ("loss.second", "dice")]
    assert names == expected


def test_a_loss_of_other_targets_is_refused() -> None:
    told = refusal({"name": "huber"})["loss.name"]
    assert told.startswith("loss 'huber' does not serve segmentation. These do: cross_entropy,")
    assert "mse" not in told
    inner = {"name": "sum", "first": {"name": "dice"}, "second": {"name": "mse"}}
    told = refusal({"name": "sum", "first": {"name": "default"}, "second": inner})
    assert list(told) == ["loss.second.second.name"]


def test_weights_that_do_not_fit_the_classes_are_refused() -> None:
    classes = prepare(chosen(None)).info.classes
    near = f"{classes[1][:-1]}"
    told = refusal({"name": "focal", "class_weights": {near: 2.0}})
    assert "no such class" in told[f"loss.class_weights.{near}"]
    assert classes[1] in told[f"loss.class_weights.{near}"]
    few = refusal({"name": "cross_entropy", "class_weights": [1.0, 2.0]})["loss.class_weights"]
    assert f"are 2 numbers, but there are {len(classes)} classes" in few
    none = {"name": "cross_entropy", "class_weights": [0.0] * len(classes)}
    part = {"name": "sum", "first": {"name": "dice"}, "second": none}
    assert "all 0" in refusal(part)["loss.second.class_weights"]


def test_what_counts_no_errors_or_hides_them_is_refused() -> None:
    nothing = {"name": "tversky", "alpha": 0.0, "beta": 0.0}
    assert "both 0" in refusal(nothing)["loss.alpha"]
    part = {"name": "sum", "first": {"name": "dice"}, "second": nothing}
    assert list(refusal(part)) == ["loss.second.alpha"]
    assert prepare(chosen({**nothing, "beta": 1.0})).recipe.loss.name == "tversky"
    for name in ("dice", "jaccard", "tversky"):
        with pytest.raises(RequestError, match=r"loss\.smooth: .*less than or equal to 100"):
            chosen({"name": name, "smooth": 1e6})


@pytest.mark.parametrize("weights", ["inverse", [1.0, -1.0], {"class": -2.0}, 3, True])
def test_what_is_no_weights_is_told_in_one_sentence(weights: Any) -> None:
    with pytest.raises(RequestError) as error:
        chosen({"name": "cross_entropy", "class_weights": weights})
    (problem,) = error.value.problems
    assert problem.where == "loss.class_weights"
    assert "must be inverse_frequency, a list" in problem.what


def test_an_epochs_loss_is_over_the_weights_of_all_its_batches() -> None:
    classes = prepare(chosen(None)).info.classes
    by_name = {name: 30.0 / 10**index for index, name in enumerate(classes)}
    setup = Setup(prepare(chosen({"name": "cross_entropy", "class_weights": by_name})))
    task = setup.module.eval()
    total, weight = torch.zeros(()), torch.zeros(())
    for number, batch in enumerate(setup.supplies.evaluated("val")):
        task.validation_step(batch, number)
        with torch.no_grad():
            outputs = task(batch)
        each = torch.tensor([by_name[name] for name in classes])
        logs = outputs.log_softmax(1).gather(1, batch.targets[:, None])[:, 0]
        total -= (each[batch.targets] * logs).sum()
        weight += each[batch.targets].sum()
    assert number > 0
    assert task.reported(task.scores)["loss"] == pytest.approx(float(total / weight), rel=1e-5)


def test_a_step_takes_the_gradient_of_the_weighted_mean() -> None:
    """Weights far below 1 are no smaller steps."""
    steps = []
    for factor in (1.0, 1e-6):
        classes = prepare(chosen(None)).info.classes
        weights = [factor * (1 + index) for index in range(len(classes))]
        setup = Setup(prepare(chosen({"name": "cross_entropy", "class_weights": weights})))
        batch = next(iter(setup.supplies.evaluated("val")))
        steps.append(setup.module.eval().training_step(batch, 0)["loss"].item())
    assert steps[0] == pytest.approx(steps[1], rel=1e-5)


def test_a_sum_trains_and_is_tested(tmp_path: Path) -> None:
    entropy = {"name": "cross_entropy", "class_weights": "inverse_frequency"}
    loss = {"name": "sum", "first": entropy, "second": {"name": "dice"}, "weight": 0.5}
    whole = prepare(recipe("segmentation", loss=loss, optimiser={"name": "adamw", "lr": 0.01}))
    result = fit.fit(whole, tmp_path)
    losses = [report.metrics["train/loss"] for report in result.reports]
    assert losses[-1] < losses[0]
    assert fit.test(whole, tmp_path)["test/loss"] > 0


def test_inverse_frequency_counts_what_is_trained_on() -> None:
    weighted = {"name": "cross_entropy", "class_weights": "inverse_frequency"}
    found = []
    for data in ({}, {"share": 0.25}):
        prepared = prepare(recipe("segmentation", loss=weighted, data=data))
        labels = np.array(prepared.pack.targets("train"))[prepared.training]
        counts = np.bincount(labels[labels != 255], minlength=len(prepared.info.classes))
        occurs = counts > 0
        expected = np.where(occurs, counts.sum() / (occurs.sum() * np.maximum(counts, 1)), 1.0)
        loss: Any = built_task(prepared).loss
        assert loss.weights.tolist() == pytest.approx(expected)
        found.append(loss.weights.tolist())
    assert found[0] != found[1]


def test_losses_are_no_part_of_a_tasks_state() -> None:
    loss = {"name": "cross_entropy", "class_weights": "inverse_frequency"}
    task = built_task(prepare(chosen(loss)))
    assert task.state_dict().keys() == built_task(prepare(chosen(None))).state_dict().keys()


# --- losses of one's own ------------------------------------------------------------------------


class HalfOptions(LossOptions):
    power: float = 1.0


class Half(Focal):
    """Half the focal loss."""

    options = HalfOptions

    def __init__(self, options: Any, training: Any) -> None:
        super().__init__(FocalOptions(name="focal"), training)
        self.power = options.power

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        total, weight = super().forward(outputs, targets)
        return total / 2**self.power, weight


def validated(loss: dict[str, Any]) -> float:
    setup = Setup(prepare(chosen(loss)))
    batch = next(iter(setup.supplies.evaluated("val")))
    setup.module.eval().validation_step(batch, 0)
    return float(setup.module.reported(setup.module.scores)["loss"])


@pytest.mark.usefixtures("own_components")
def test_a_loss_of_ones_own_is_chosen_by_its_name() -> None:
    iterate.register_loss("half", tasks=("mask",))(Half)
    whole = validated({"name": "focal"})
    assert validated({"name": "half"}) == pytest.approx(whole / 2)
    assert validated({"name": "half", "power": 2.0}) == pytest.approx(whole / 4)
    assert (
        "does not serve classification" in refusal({"name": "half"}, "classification")["loss.name"]
    )


OWN = """
from iterate_core.losses.base import Loss

class Mine(Loss):
    tasks = ("mask",)

    def __init__(self, options, training):
        super().__init__()

    def forward(self, outputs, targets):
        return outputs.square().sum(), targets.new_tensor(outputs.numel())
"""


def test_a_loss_in_a_file_is_named_by_its_path_and_known_by_its_code(tmp_path: Path) -> None:
    file = tmp_path / "own_loss.py"
    file.write_text(OWN)
    mine = {"name": f"{file}:Mine"}
    assert validated(mine) > 0
    within = {"name": "sum", "first": {"name": "dice"}, "second": mine}
    before = [decisive(prepare(chosen(loss)).recipe)["code"] for loss in (mine, within)]
    assert [list(code) for code in before] == [["loss"], ["loss.second"]]
    file.write_text(OWN.replace("square", "abs"))
    assert decisive(prepare(chosen(within)).recipe)["code"] != before[1]
    file.write_text("def Mine(logits): pass")
    with pytest.raises(RequestError, match=r"is no loss: it does not take \(options, training\)"):
        chosen(mine)


# --- in a search --------------------------------------------------------------------------------


def test_losses_are_searched_as_decoders_are(tmp_path: Path) -> None:
    file = tmp_path / "search.yaml"
    file.write_text("""
        defaults: [recipe, override data: generated_segmentation, _self_]
        name: losses
        space:
          loss:
            cross_entropy: {loss.class_weights: 'choice(null, inverse_frequency)'}
            focal: {loss.gamma: 'interval(0.5, 4)'}
            sum:
              loss.weight: tag(log, interval(0.1, 10))
              loss.first.label_smoothing: choice(0, 0.1)
    """)
    study = load_study(file)
    (loss,) = study.space.parameters
    keys = {option: loss.branch(option).all_keys() for option in loss.dimension.values()}
    assert keys == {
        "cross_entropy": {"loss.class_weights"},
        "focal": {"loss.gamma"},
        "sum": {"loss.weight", "loss.first.label_smoothing"},
    }
    point = {"loss": "sum", "loss.weight": 2.5, "loss.first.label_smoothing": 0.1}
    whole = study.recipe_at(point, 0).to_mapping()["loss"]
    assert (whole["weight"], whole["first"]["label_smoothing"]) == (2.5, 0.1)


def test_a_task_learns_by_the_loss_it_was_built_with() -> None:
    task: SupervisedTask = built_task(prepare(chosen({"name": "focal", "gamma": 3.0})))
    assert isinstance(task.loss, Loss)
    learning = learning_of(prepare(chosen(None)).recipe, task.model, 1, fused=False)
    held = {id(value) for group in learning.optimiser.param_groups for value in group["params"]}
    assert held == {id(value) for value in task.parameters()}
