"""A choice of a config group, and a name below it that says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from iterate.config.load import load_recipe, load_study
from iterate_core.errors import RequestError

BASE = "defaults: [recipe, _self_]\n"
FULL = BASE + "tuning: {name: full}\n"
SEARCHED = FULL + "space: {tuning: 'choice(frozen, bitfit)'}\n"
SGD = BASE + "optimiser: {name: sgd}\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "search.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (FULL, ["tuning=frozen"],
         r"search\.yaml: tuning\.name: names 'full', so that tuning=frozen would have no effect"),
        (SEARCHED, [], r"tuning\.name: names 'full', so that tuning=(frozen|bitfit) would have no"),
        (SGD, [], r"optimiser\.name: names 'sgd', and for 'adamw' says .*adamw\.yaml what would"
         r" stay: lr, weight_decay\. Write `- override optimiser: sgd` in the defaults list"),
        (BASE, ["optimiser.name=sgd"], r"command line: optimiser\.name: .* Write optimiser=sgd"),
        (BASE + "scheduler: {name: constant, warmup_epochs: 0}\n", [],
         r"search\.yaml: scheduler\.name: .* floor"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(
    text: str, words: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=said):
        load_study(written(tmp_path, text), words)


@pytest.mark.parametrize(
    ("text", "words", "name", "lr"),
    [
        (BASE, ["optimiser=sgd"], "sgd", 1e-2),
        (BASE + "optimiser: {name: sgd, lr: 0.1, weight_decay: 0}\n", [], "sgd", 0.1),
        (SGD, ["optimiser.lr=0.1", "optimiser.weight_decay=0"], "sgd", 0.1),
        (BASE.replace("_self_", "override optimiser: sgd, _self_"), [], "sgd", 1e-2),
        (SGD, ["optimiser=sgd"], "sgd", 1e-2),
    ],
)  # fmt: skip
def test_what_says_all_it_means_is_taken(
    text: str, words: list[str], name: str, lr: float, tmp_path: Path
) -> None:
    optimiser = load_recipe(written(tmp_path, text), words).to_mapping()["optimiser"]
    assert (optimiser["name"], optimiser["lr"]) == (name, lr)


def test_a_backbone_of_a_groups_kind_needs_no_file_of_its_own(tmp_path: Path) -> None:
    text = BASE + "model: {backbone: {name: resnet10t}}\n"
    backbone = load_recipe(written(tmp_path, text)).to_mapping()["model"]["backbone"]
    assert (backbone["name"], backbone["weights"]) == ("resnet10t", "hub")
