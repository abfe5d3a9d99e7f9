"""The learning-rate range test: its curve, its advice, and that it leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate.cli.views.rates import rates_table
from iterate_core.engine import fit
from iterate_core.engine.learning.range_test import range_test
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError

RECIPE: dict[str, Any] = {"optimiser": {"lr": 0.01}, "trainer": {"epochs": 2}}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_loss_of_each_step_is_that_of_training_at_its_rate() -> None:
    """As by plain PyTorch on the same batches."""
    given = {"model": {"decoder": {"name": "mlp", "dropout": 0.0}}, "optimiser": {"name": "sgd"}}
    prepared = prepare(recipe(**given))
    found = range_test(prepared, 1e-4, 1e-1, 20)
    assert np.allclose(np.diff(np.log(found.rates)), np.log(1000) / 19)
    trainer = Trainer(prepared)  # its weights are those that the test began with
    options: Any = prepared.recipe.optimiser
    plain = torch.optim.SGD(
        trainer.setup.module.parameters(), momentum=options.momentum, nesterov=options.nesterov
    )
    for group, own in zip(
        *(optimiser.param_groups for optimiser in (plain, trainer.learner.learning.optimiser)),  # type: ignore[attr-defined]
        strict=False,
    ):
        assert own["momentum"] == group["momentum"]
    losses = []
    trainer.setup.module.train()
    for epoch in range(1, 8):
        course = trainer.learner.course(epoch)  # type: ignore[attr-defined]
        for batch in trainer.setup.supplies.batches("train", course):
            if len(losses) == 20:
                break
            loss = trainer.setup.module.training_step(batch, 0)["loss"]
            plain.zero_grad()
            loss.backward()
            for group in plain.param_groups:
                group["lr"] = float(found.rates[len(losses)])
            for value in trainer.setup.module.parameters():
                if value.ndim > 1:
                    value.grad += options.weight_decay * value.detach()
            plain.step()
            losses.append(loss.item())
    np.testing.assert_allclose(found.losses, losses, rtol=1e-3)


def test_it_stops_where_the_loss_breaks_away_and_suggests_a_rate_below() -> None:
    found = range_test(prepare(recipe(optimiser={"name": "sgd"})), 1e-5, 1e6, 60)
    assert found.diverged
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 60
    assert found.suggested is not None
    assert found.suggested <= found.lowest < found.rates[-1]
    assert found.suggested in found.rates


def curve(losses: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is made of so many losses at rates from 1e-7 to 1."""
    from iterate_core.engine.learning import range_test as module

    monkeypatch.setattr(module, "_losses", lambda *_: iter(losses))
    return module.range_test(prepare(recipe()))


def test_the_steepest_fall_of_a_known_curve_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.arange(100)
    fall = 2 - 1.5 / (1 + np.exp(-(steps - 55) / 4)) + np.exp((steps - 95) / 4)
    found = curve(fall.tolist(), monkeypatch)
    # Step 55, and later by the memory of the smoothed loss, of some ten steps.
    assert found.rates[55] < found.suggested < found.rates[66]
    assert found.rates[75] < found.lowest < found.rates[90]
    rising = curve((2 + steps / 100).tolist(), monkeypatch)
    assert rising.suggested is None
    broken = curve([2.0] * 5 + [float("nan")] * 95, monkeypatch)
    assert (len(broken.losses), broken.diverged) == (6, True)


def test_accumulated_batches_are_one_step() -> None:
    prepared = prepare(recipe(trainer={"accumulate": 2}))
    found = range_test(prepared, 1e-9, 1e-8, 4)
    assert len(found.losses) == 4
    alone = range_test(prepare(recipe()), 1e-9, 1e-8, 4)
    # 24 samples by 8: the first step is of two batches. At such rates nothing is learnt.
    assert found.losses[0] == pytest.approx(alone.losses[:2].mean(), rel=1e-4)
    assert found.losses[1] == pytest.approx(alone.losses[2], rel=1e-4)


def test_a_run_in_the_same_process_and_its_folder_know_nothing_of_it(tmp_path: Path) -> None:
    recipe(**RECIPE).write(tmp_path / "mine.yaml")
    run = CliRunner().invoke
    before = torch.get_rng_state()
    words = ["fit", "mine.yaml", "--lr-range-test", "--lr-range", "1e-6", "1", "--lr-steps", "20"]
    shown = run(app, words, catch_exceptions=False)
    assert shown.exit_code == 0
    assert torch.equal(torch.get_rng_state(), before)
    assert not (tmp_path / "runs").exists()
    told = json.loads(run(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert len(told["rates"]) == 20
    assert f"optimiser.lr={told['suggested']:.2g}" in shown.stderr.replace("\n", "")
    fit.fit(prepare(recipe(**RECIPE)), tmp_path / "run")
    kept = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    run(app, words, catch_exceptions=False)
    with pytest.raises(RequestError, match="--out: is the folder of a training"):
        run(app, [*words, "--out", "run"], catch_exceptions=False)
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == kept


def test_what_has_no_rate_and_what_is_no_range_is_refused(tmp_path: Path) -> None:
    knn = recipe(model={"decoder": {"name": "knn"}}, tuning={"name": "frozen"})
    with pytest.raises(RequestError, match="is fitted at once: it has no rate"):
        range_test(prepare(knn))
    recipe(**RECIPE).write(tmp_path / "mine.yaml")
    words = ["fit", "mine.yaml", "--lr-range-test", "--lr-range", "1", "0.1"]
    with pytest.raises(RequestError, match="--lr-range: must be two rates above 0"):
        CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.parametrize("option", [["--lr-steps", "50"], ["--lr-range", "0.1", "1"]])
def test_its_options_are_refused_without_it(option: list[str], tmp_path: Path) -> None:
    recipe(**RECIPE).write(tmp_path / "mine.yaml")
    with pytest.raises(RequestError, match=f"{option[0]}: is of --lr-range-test"):
        CliRunner().invoke(app, ["fit", "mine.yaml", *option], catch_exceptions=False)
    assert not (tmp_path / "runs").exists()


def test_bars_show_the_fall_and_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.arange(100)
    fall = 2 - 1.5 / (1 + np.exp(-(steps - 55) / 4)) + np.exp((steps - 90) / 2)
    found = curve(fall.tolist(), monkeypatch)
    table = rates_table(found)
    rates, bars = ([*table.columns[column].cells] for column in (0, 3))
    assert f"{found.lowest:.2e}" in rates
    least = str(bars[rates.index(f"{found.lowest:.2e}")])
    assert least.endswith("← least")
    assert str(bars[0]).count("█") == 40
    assert least.count("█") < 20
    assert max(str(bar).count("█") for bar in bars) == 40
