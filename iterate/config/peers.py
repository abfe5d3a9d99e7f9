"""Recognises the files of tools that people come from, and says what stands for them here."""

from __future__ import annotations

import re
from pathlib import Path

from iterate.config.messages import shown
from iterate_core.errors import Problem, RequestError

# What they call a thing, and what it is called here.
_SAME = {
    "backbone": "model.backbone.name",
    "decoder": "model.decoder.name",
    "lr": "optimiser.lr",
    "weight_decay": "optimiser.weight_decay",
    "batch_size": "data.batch_size",
    "max_epochs": "trainer.epochs",
    "precision": "trainer.precision",
    "n_trials": "search.trials",
    "run_repetitions": "search.repeats",
    "storage_uri": "tracking.uri",
}
_MOST_CHARACTERS = 200_000


def refuse_peers(file: Path) -> None:
    """Refuse a file that another tool reads. Whatever else is wrong with it is told elsewhere.

    Raises:
        RequestError: It is TerraTorch's (LightningCLI) or terratorch-iterate's.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            text = lines.read(_MOST_CHARACTERS)
    except (OSError, ValueError):
        return
    tops = set(re.findall(r"^([A-Za-z_]\w*):", text, re.MULTILINE))
    kind = _kind(text, tops)
    if kind is None:
        return
    what = f"is a file of {kind}, which says other things than a search file."
    raise RequestError(Problem(shown(file), what, _equivalents(text)))


def _kind(text: str, tops: set[str]) -> str | None:
    if "tasks" in tops and tops & {"n_trials", "experiment_name", "optimization_space"}:
        return "terratorch-iterate"
    nested = re.search(r"^\s+(- )?class_path:", text, re.MULTILINE)
    if nested and tops & {"model", "data", "trainer"}:
        return "TerraTorch (LightningCLI)"
    return None


def _equivalents(text: str) -> str:
    """What of the file has a name here, and where to read on."""
    told = []
    for theirs, ours in _SAME.items():
        found = re.search(rf"^\s*{theirs}:\s*([\w./+-]+)\s*(#.*)?$", text, re.MULTILINE)
        if found:
            told.append(f"{theirs}: {found[1]} is {ours}")
    begin = "Begin with search_spaces/recipe.yaml: `defaults: [recipe, _self_]`"
    there = f", where {', '.join(told)}" if told else ""
    hint = " A backbone of TerraTorch alone is named terratorch/NAME." if "backbone" in text else ""
    return f"{begin}{there}.{hint}"
