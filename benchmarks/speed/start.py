"""What a search waits for: from the command to the first training step, and from the last trial on.

    .venv/bin/python benchmarks/speed/start.py --runs 5

The quick start, each time in a new folder with an empty cache, by the installed command. Its files
are in memory: it runs once before it counts. `first step`: seconds from the command to the first
training step, which is the end of the first epoch less what that took. `prompt`: seconds from the
end of the last trial or repeat until the prompt is back. Memory: see `measuring`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from measuring import Command, Measured, alternate, once, options, pin, scratch
from reporting import keep, machine, overview, versions

from iterate.hpo.trials.view import TrialView

QUICKSTART = Path(__file__).parents[2] / "search_spaces/quickstart.yaml"
PROGRAM = Path(sys.executable).with_name("iterate")


def quickstart(folder: Path) -> Sequence[Command]:
    """The command."""
    words = [str(PROGRAM), "hpo", str(QUICKSTART), "--out", str(folder / "run")]
    return [Command(words, {"ITERATE_CACHE": str(folder / "cache")}, folder)]


def look(folder: Path, run: Measured) -> Mapping[str, float]:
    """When the first training step began and the last trial ended, as the run itself noted it."""
    storage = f"sqlite:///{folder / 'run/studies.db'}"
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    trials = [TrialView("trial", trial) for study in studies for trial in study.trials]
    begins = [
        epoch["time_ms"] / 1000 - epoch["seconds"]
        for trial in trials
        for epoch in trial.epochs().values()
    ]
    ends = [trial.ended.timestamp() for trial in trials if trial.ended is not None]
    over = run.began + run.wall
    return {"first step, s": min(begins) - run.began, "prompt, s": over - max(ends)}


def main() -> None:
    chosen = options(__doc__, runs=5).parse_args()
    cores = pin(chosen.cores)
    with scratch(chosen.scratch) as place:
        once(quickstart, place)
        measured = alternate({"quick start": quickstart}, chosen.runs, place, {"quick start": look})
    print(overview(measured, "quick start"))
    print(f"\n{machine(cores)}")
    print(versions(("geo-iterate", "torch", "timm", "lightning", "ray", "optuna", "mlflow")))
    keep(chosen.json, {"start": measured})


if __name__ == "__main__":
    main()
