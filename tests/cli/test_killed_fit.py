"""A training that is killed and goes on in another process ends as one that was let be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate.resources import shipped
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.engine import run as training
from iterate_core.engine.checkpoints import LAST, FitProgress, save_progress

DRIVER = """
    import os, signal
    from iterate_core.engine import run

    save_progress = run.save_progress

    def save_and_die(folder, progress):
        save_progress(folder, progress)
        os.kill(os.getpid(), signal.SIGKILL)

    run.save_progress = save_and_die
    from iterate.cli.main import main
    main()
"""
SMALL = ("~space", "trainer.epochs=3", "trainer.threads=1", "data.batch_size=4")
DRAWN = (*SMALL, "data.samples=[12,6,6]", "model.backbone.name=test_resnet")
OBJECTS = (*SMALL, "data.image_size=32", "model/backbone=timm", "model.backbone.name=test_resnet",
           "model.backbone.weights=none", "model.decoder.channels=32", "model.decoder.hidden=32",
           "model.decoder.proposals=50", "optimiser.lr=0.003")  # fmt: skip
TASKS = {
    "scalar_regression": DRAWN,
    "change_detection": DRAWN,
    "downscaling": (*DRAWN, "data.size=16", "data.image_size=32"),
    "detection": (*OBJECTS, "data.dataset=nzcattle"),
    "instance_segmentation": (*OBJECTS, "data.dataset=substation", "model.decoder.mask_channels=8"),
}
FILES = {"detection": "nzcattle", "instance_segmentation": "substation"}


def run(words: list[str]) -> dict[str, Any]:
    """What a command tells as JSON."""
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def trained(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[int]]:
    """What ``iterate fit`` tells, and the epochs that it trained itself."""
    epochs = []

    def save(folder: Path, progress: FitProgress) -> None:
        epochs.append(len(progress.reports))
        save_progress(folder, progress)

    monkeypatch.setattr(training, "save_progress", save)
    return run(["fit", *words]), epochs


@pytest.mark.parametrize(
    "task",
    [task if task == "scalar_regression" else pytest.param(task, marks=pytest.mark.slow)
     for task in TASKS],
)  # fmt: skip
def test_a_killed_training_goes_on_to_the_same_numbers(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    words = [str(shipped("search_spaces") / f"{task}.yaml"), *TASKS[task]]
    if task in FILES:
        generate(FILES[task], tmp_path / "data", (8, 4, 4), pixels=32)
        words.append(f"data.root={tmp_path / 'data'}")
    whole, killed = (["--out", str(tmp_path / name)] for name in ("whole", "killed"))

    undisturbed, epochs = trained([*words, *whole], monkeypatch)
    assert epochs == [1, 2, 3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRIVER), "fit", *words, *killed],
        env=os.environ, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "killed" / LAST).exists()
    resumed, epochs = trained([*words, *killed], monkeypatch)
    assert epochs == [2, 3]
    for key in ("epochs", "best", "best_epoch"):
        assert resumed[key] == undisturbed[key]
    assert run(["test", *words, *killed]) == run(["test", *words, *whole])
