"""Which model a path names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from iterate import load_model
from iterate.run.models import find_model
from iterate_core.errors import RequestError


def training(folder: Path, value: float, mode: str = "max") -> Path:
    folder.mkdir(parents=True)
    described = {"recipe": {"objective": {"metric": "loss", "mode": mode}}}
    (folder / "model.json").write_text(json.dumps(described))
    held = {"weight": np.zeros(1, np.float32)}
    save_file(held, folder / "best.safetensors", {"value": repr(value)})
    return folder


def summed_up(folder: Path, *studies: dict[str, Any]) -> None:
    (folder / "summary.json").write_text(json.dumps({"studies": studies}))


@pytest.mark.parametrize(("mode", "best"), [("max", "0001-1"), ("min", "0001-0")])
def test_of_a_run_the_best_repeat_and_then_the_others(tmp_path: Path, mode: str, best: str) -> None:
    training(tmp_path / "trials/0001", 0.9, mode)
    for name, value in (("0001-0", 0.1), ("0001-1", 0.5), ("0001-2", 0.3)):
        training(tmp_path / "repeats" / name, value, mode)
    found = find_model(tmp_path)
    assert found.folder == tmp_path / "repeats" / best
    assert len(found.repeats) == 3
    assert found.repeats[0] == found.folder
    assert found.repeats[1] == tmp_path / "repeats/0001-2"
    assert found.study == tmp_path


def test_repeats_of_what_was_the_best_point_once_are_passed_by(tmp_path: Path) -> None:
    old = training(tmp_path / "repeats/0001-0", 0.9)
    new = training(tmp_path / "repeats/0004-0", 0.5)
    summed_up(tmp_path, {"name": "s", "repeats": [{"folder": "repeats/0004-0"}]})
    assert find_model(tmp_path).repeats == (new,)
    assert find_model(old).folder == old


def test_without_repeats_the_trial_that_the_summary_calls_best(tmp_path: Path) -> None:
    training(tmp_path / "trials/0000", 0.9)  # pruned: its early epochs were better
    best = training(tmp_path / "trials/0001", 0.8)
    summary = {"name": "s", "repeats": [], "best": {"number": 1}}
    assert find_model(tmp_path).folder == tmp_path / "trials/0000"
    summed_up(tmp_path, summary)
    found = find_model(tmp_path)
    assert found.folder == best
    assert found.summary == summary


def test_a_training_is_itself_and_knows_its_study(tmp_path: Path) -> None:
    trial = training(tmp_path / "run/trials/0000", 0.9)
    summed_up(tmp_path / "run", {"name": "s"})
    found = find_model(trial)
    assert (found.folder, found.repeats) == (trial, (trial,))
    assert found.study == (tmp_path / "run").resolve()
    assert found.summary == {"name": "s"}
    alone = training(tmp_path / "fit", 0.9)
    assert find_model(alone).study is None


def test_of_several_studies_one_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        training(tmp_path / name / "trials/0000", 0.5)
    summed_up(tmp_path, {"name": "one"}, {"name": "two", "repeats": []})
    with pytest.raises(RequestError, match=r"several studies.*one, two.*Name one of them"):
        find_model(tmp_path)
    assert find_model(tmp_path / "two").summary == {"name": "two", "repeats": []}


def test_what_holds_no_model_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"nowhere: there is no such folder"):
        find_model(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="is no folder"):
        find_model(tmp_path / "file")
    with pytest.raises(RequestError, match="holds no trained model"):
        find_model(tmp_path)
    (tmp_path / "trials/0000").mkdir(parents=True)
    with pytest.raises(RequestError, match="no trial or repeat in it has finished an epoch"):
        find_model(tmp_path)
    (tmp_path / "trials/0000/best.safetensors").touch()
    with pytest.raises(RequestError, match="an earlier version"):
        find_model(tmp_path)


@pytest.mark.parametrize("folder", [None, 5, ""])
def test_what_is_no_path_is_refused(folder: Any) -> None:
    with pytest.raises(RequestError, match=r"folder: must be the path of a folder, and is"):
        load_model(folder)
