"""What an exported model scored: the content of its ``metrics.json``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from iterate.hpo.execute import OUTCOMES_FILE, TEST_FILE
from iterate.run.models import Found, value_of
from iterate.run.sample_intervals import over_samples

METRICS_FILE = "metrics.json"
# What an exported model says of its training, which it is exported again with.
_OF_TRAINING = (
    *("objective", "validation", "test", "repeats", "test_over_repeats", "test_over_samples"),
    *("classes", "merged", "search_unfinished"),
)


def figures_of(found: Found, recipe: dict[str, Any]) -> dict[str, Any]:
    """Scores of a model, of its repeats and of their mean, as far as its run tells them.

    Args:
        found: The model.
        recipe: As its description has it.

    Returns:
        ``objective``; ``validation``, the objective's value there; ``test``, this model's; over
        repeats ``test_over_repeats``, each mean with its interval over training seeds, and
        ``test_over_samples``, with that over test samples; ``classes`` of this model's test.
    """
    exported = _json(found.folder / METRICS_FILE)
    if exported:
        return {name: told for name, told in exported.items() if name in _OF_TRAINING}
    objective = recipe["objective"]
    told: dict[str, Any] = {
        "objective": {"metric": objective["metric"], "mode": objective["mode"]},
        "validation": value_of(found.folder),
    }
    tested = _json(found.folder / TEST_FILE)
    told["test"] = {
        name.removeprefix("test/"): value
        for name, value in tested.items()
        if name.startswith("test/")
    }
    if "classes" in tested:
        told["classes"] = tested["classes"]
    if len(found.repeats) > 1 or told["test"]:
        told["repeats"] = len(found.repeats)
        told["test_over_repeats"] = (found.summary or {}).get("test", {})
        told["test_over_samples"] = _over_samples(found, list(told["test"]))
    return told


def _over_samples(found: Found, names: list[str]) -> dict[str, Any]:
    files = [folder / OUTCOMES_FILE for folder in found.repeats]
    estimates = {name: over_samples(files, name) for name in names}
    return {
        name: {"mean": one.value, "low": one.low, "high": one.high, "n": len(files)}
        for name, one in estimates.items()
        if one is not None and one.low is not None
    }


def _json(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}
