"""What the pool costs: a search of short trials, and the same trainings in one plain loop.

    .venv/bin/python benchmarks/speed/overhead.py --trials 24

Both run the same recipes on the same machine, one after the other. The pool's clock runs from
`search()` to its result: workers, imports, storage, MLflow and plots included. The loop's
runs from the first training to the last, in this process, which has imported everything.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from iterate import load_study, search
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import prepare
from iterate_core.provenance import usable_cores
from iterate_core.recipe import Recipe

QUICKSTART = Path(__file__).parents[2] / "search_spaces/quickstart.yaml"


def pooled(folder: Path, trials: int, epochs: int) -> tuple[dict[str, float], list[Recipe]]:
    """Run the search; its times, and the recipes it trained."""
    words = [
        f"search.trials={trials}",
        f"trainer.epochs={epochs}",
        "search.repeats=0",
        "search.scheduler=none",
    ]
    study = load_study(QUICKSTART, words)
    began = time.perf_counter()
    result = search(study, folder)
    wall = time.perf_counter() - began
    recipes = [Recipe.parse(json.loads(line)) for line in _recipes(folder / "trials")]
    summary = result.summary
    return {
        "wall_seconds": wall,
        "train_seconds": summary["train_seconds"],
        "worker_seconds": summary["worker_seconds"],
    }, recipes


def _recipes(trials: Path) -> list[str]:
    import yaml

    files = sorted(trials.glob("*/recipe.yaml"))
    return [json.dumps(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files]


def looped(folder: Path, recipes: list[Recipe]) -> dict[str, float]:
    """Train the same recipes one after the other in this process."""
    import torch

    torch.set_num_threads(1)  # as a trial of the pool, which holds one core
    began = time.perf_counter()
    train = 0.0
    for number, recipe in enumerate(recipes):
        result = fit(prepare(recipe), folder / str(number))
        train += sum(report.seconds for report in result.reports)
    return {"wall_seconds": time.perf_counter() - began, "train_seconds": train}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    workers = usable_cores()
    with tempfile.TemporaryDirectory() as scratch:
        pool, recipes = pooled(Path(scratch) / "pool", arguments.trials, arguments.epochs)
        loop = looped(Path(scratch) / "loop", recipes)
    figures = {
        "trials": arguments.trials,
        "workers": workers,
        "pool": pool | {"ratio": pool["train_seconds"] / (pool["wall_seconds"] * workers)},
        "loop": loop | {"ratio": loop["train_seconds"] / loop["wall_seconds"]},
        "pool_wall_over_loop_wall": pool["wall_seconds"] / loop["wall_seconds"],
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
