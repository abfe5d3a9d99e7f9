"""Are the results of two commits the same to the last digit?

    python benchmarks/parity/compare_commits.py OLD NEW --data FOLDER [--out FOLDER] [--only NAMES]

Each commit's code runs, with the libraries of the environment that runs this, one trial at a time
and with fixed seeds: the quick start, the decoders of `search_spaces/decoders.yaml` on real clouds,
a probe, a small benchmark, and the leaderboard of published rows. Compared are every trial's
parameters, state and values of each epoch, every repeat's and test's scores, and each number of the
leaderboards. What differs is printed, and the exit status is 1; so it is where a command left no
results to compare. Some ten minutes on two cores.

FOLDER holds `eurosat_rgb/eurosat_rgb_3000.npz`, `segmentation/cloudshadow_64.npz` and
`leaderboard/full_ft/` with published results files.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna

REPOSITORY = Path(__file__).resolve().parents[2]
IN_TURN = ("resources.concurrent=1", "trainer.threads=1")
# Times, versions and places are not results.
APART = ("about", "files", "written")


def commands(data: Path) -> dict[str, list[str]]:
    """What is run, by name; each leaves a folder of that name."""
    clouds = ("data=geobench_v1", "data.root=clouds")
    return {
        "quickstart": ["hpo", "search_spaces/quickstart.yaml", *IN_TURN],
        "decoders": [
            *("hpo", "decoders.yaml", *clouds, *IN_TURN),
            *("trainer.epochs=2", "search.trials=4", "search.repeats=1"),
        ],
        "probe": ["hpo", "search_spaces/probe.yaml", "search.trials=6", *IN_TURN],
        "bench": [
            *("bench", "--suite", "geobench", "--protocol", "quick", "--data", "demo-data"),
            *("--datasets", "m-eurosat,m-pv4ger-seg", "--backbones"),
            *("resnet10t=none,mobilenetv3_small_050=none", *IN_TURN),
        ],
        "published": [
            *("bench", "leaderboard", str(data / "leaderboard" / "full_ft")),
            *("--suite", "geobench-2"),
        ],
    }


class Checkout:
    """The code of one commit, and what it makes.

    Args:
        commit: Which.
        folder: Where to work.
    """

    def __init__(self, commit: str, folder: Path) -> None:
        self.folder = folder
        self.code = folder / "code"
        folder.mkdir(parents=True)
        archive = folder / "code.tar"
        _run(["git", "-C", str(REPOSITORY), "archive", "-o", str(archive), commit], folder)
        self.code.mkdir()
        _run(["tar", "-xf", str(archive), "-C", str(self.code)], folder)
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(self.code), str(self.code / "core"))),
            "OMP_NUM_THREADS": "1",
            "ITERATE_CACHE": str(folder / "cache"),
        }

    def prepare(self, data: Path) -> None:
        """Make the datasets that the commands read, and a search that either commit can run."""
        clouds = data / "segmentation" / "cloudshadow_64.npz"
        self._iterate(["data", "convert", str(clouds), "clouds"])
        shipped = (self.code / "search_spaces" / "decoders.yaml").read_text(encoding="utf-8")
        # No UNet had layer norm before 0.3: the library's own does not take maps.
        known = re.sub(r" +layernorm:\n.*\n", "", shipped)
        (self.folder / "decoders.yaml").write_text(known, encoding="utf-8")
        demo = [sys.executable, str(self.code / "benchmarks" / "geobench" / "demo.py")]
        eurosat = data / "eurosat_rgb" / "eurosat_rgb_3000.npz"
        drawn = ("--drawn", "m-pv4ger-seg")
        _run(
            [*demo, "demo-data", "--eurosat", str(eurosat), *drawn], self.folder, self._environment
        )

    def results(self, name: str, command: list[str]) -> dict[str, Any]:
        """Run one of the commands; every number that it leaves."""
        words = [
            str(self.code / word) if word.startswith("search_spaces/") else word for word in command
        ]
        self._iterate([*words, "--out", name])
        return dict(_numbers(self.folder / name))

    def _iterate(self, words: list[str]) -> None:
        _run([sys.executable, "-m", "iterate", *words], self.folder, self._environment)


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nexit {done.returncode}\n{done.stderr[-4000:]}")


def _numbers(folder: Path) -> Iterator[tuple[str, Any]]:
    """Every result below a folder, by its place."""
    for path in sorted(folder.rglob("*.db")):
        if path.name != "mlflow.db":
            yield from _trials(path)
    for name in ("summary.json", "leaderboard.json"):
        for path in sorted(folder.rglob(name)):
            if "mlartifacts" in path.parts:
                continue  # copies, in folders of random names
            place = str(path.relative_to(folder))
            yield from _leaves(json.loads(path.read_text(encoding="utf-8")), place)


def _trials(path: Path) -> Iterator[tuple[str, Any]]:
    """Every trial, read from the storage by Optuna itself."""
    storage = f"sqlite:///{path}"
    for name in sorted(optuna.get_all_study_names(storage)):
        for trial in optuna.load_study(study_name=name, storage=storage).trials:
            place = f"{name} trial {trial.number}"
            yield f"{place} state", trial.state.name
            yield f"{place} value", trial.value
            yield f"{place} params", trial.params
            yield f"{place} epochs", trial.intermediate_values


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in APART and not key.endswith("seconds"):
                yield from _leaves(below, f"{place} / {key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _leaves(below, f"{place} / {index}")
    elif isinstance(value, int | float | None):
        yield place, value


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is not the same, or only on one side; NaN equals NaN."""
    told = []
    for place in sorted(old.keys() | new.keys()):
        before, after = (repr(found.get(place, "(absent)")) for found in (old, new))
        if before != after:
            told.append(f"{place}: {before} → {after}")
    return told


def main() -> None:
    """Read the command line, run both commits, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="keep what was made here")
    parser.add_argument("--only", default="", help="names of commands, with commas")
    asked = parser.parse_args()
    root = asked.out or Path(tempfile.mkdtemp(prefix="compare-commits-"))
    data = asked.data.resolve()
    checkouts = [
        Checkout(commit, root.resolve() / side)
        for side, commit in (("old", asked.old), ("new", asked.new))
    ]
    for checkout in checkouts:
        checkout.prepare(data)
    wrong = 0
    for name, command in commands(data).items():
        if asked.only and name not in asked.only.split(","):
            continue
        old, new = (checkout.results(name, command) for checkout in checkouts)
        told = differences(old, new) if old or new else ["neither commit left any result"]
        wrong += len(told)
        print(f"{name}: {len(old)} results, {len(told)} differ", flush=True)
        for line in told[:20]:
            print(f"  {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
