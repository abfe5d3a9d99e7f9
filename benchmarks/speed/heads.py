"""Many heads on kept features: one after another, and together.

    .venv/bin/python benchmarks/speed/heads.py --arrays eurosat_rgb_3000.npz \
        --weights tf_efficientnet_lite0_imagenet.safetensors

EuroSAT at 128 pixels, features of tf_efficientnet_lite0 computed and kept before any clock runs;
then linear heads of several learning rates, weight decays and seeds, each trained to its end with
checkpoints, patience and scores: one by one by `fit`, and in groups by `fit_together`, in one
process with one thread, in turns. Time is the processor's, of this process, which says the same on
a busy machine; wall time stands beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from measuring import pin
from reporting import machine, table, versions

from iterate_core.data.convert.convert import convert
from iterate_core.engine.fit import fit
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.engine.together.fit import fit_together
from iterate_core.recipe import Recipe

Values = dict[int, float]


def recipes(arguments: argparse.Namespace, root: Path) -> list[Recipe]:
    """The heads."""
    count = arguments.heads
    return [
        Recipe.parse(
            {
                "data": {
                    "name": "geobench_v1",
                    "root": str(root),
                    "image_size": arguments.size,
                    "normalisation": "backbone",
                    "batch_size": arguments.batch_size,
                },
                "model": {
                    "backbone": {
                        "name": "tf_efficientnet_lite0",
                        "weights": str(arguments.weights),
                    },
                    "decoder": {"name": arguments.decoder},
                },
                "tuning": {"name": "frozen"},
                "augmentation": {"flip": False, "rotate": False},
                "optimiser": {
                    "name": "adamw",
                    "lr": 1e-4 * 100 ** (number / count),
                    "weight_decay": 1e-4 * 1000 ** ((7 * number % count) / count),
                },
                "scheduler": {"name": "cosine"},
                "trainer": {"epochs": arguments.epochs, "threads": 1},
                "seed": number,
            }
        )
        for number in range(count)
    ]


def one_by_one(chosen: Sequence[Recipe], folder: Path) -> Values:
    """Each head's best value."""
    return {
        number: fit(prepare(one), folder / str(number)).value for number, one in enumerate(chosen)
    }


def in_groups(chosen: Sequence[Recipe], folder: Path, size: int) -> Values:
    """Each head's best value."""
    found: Values = {}
    for first in range(0, len(chosen), size):
        group = [prepare(one) for one in chosen[first : first + size]]
        folders = [folder / str(first + number) for number in range(len(group))]
        for number, told in fit_together(group, folders):
            if not isinstance(told, EpochReport):
                raise told
            found[first + number] = told.best
    return found


def timed(work: Callable[[Path], Values], scratch: Path) -> tuple[float, float, Values]:
    """Processor and wall time of some trainings, and what they came to."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        processor, wall = time.process_time(), time.perf_counter()
        found = work(Path(folder))
        return time.process_time() - processor, time.perf_counter() - wall, found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrays", type=Path, required=True, help="EuroSAT RGB as npz")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--heads", type=int, default=64)
    parser.add_argument("--group", type=int, default=16, help="heads that train as one")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--decoder", choices=("linear", "mlp"), default="linear")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    cores = pin(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("ITERATE_CACHE", f"{scratch}/cache")
        convert(arguments.arrays, Path(scratch) / "eurosat", licence="MIT")
        chosen = recipes(arguments, Path(scratch) / "eurosat")
        timed(lambda folder: one_by_one(chosen[:1], folder), Path(scratch))  # keeps the features
        rows, ratios = [], []
        for _ in range(arguments.rounds):
            alone = timed(lambda folder: one_by_one(chosen, folder), Path(scratch))
            both = timed(lambda folder: in_groups(chosen, folder, arguments.group), Path(scratch))
            for name, (processor, wall, _found) in (("one by one", alone), ("together", both)):
                hourly = 3600 * len(chosen) / processor
                rows.append((name, f"{processor:.1f}", f"{wall:.1f}", f"{hourly:.0f}"))
            ratios.append(alone[0] / both[0])
            furthest = max(abs(alone[2][number] - both[2][number]) for number in alone[2])
            rows.append(("ratio", f"{ratios[-1]:.2f}", f"{alone[1] / both[1]:.2f}", ""))
    print(table(("", "processor, s", "wall, s", "trials an hour"), rows))
    print(f"\nbest values differ by {furthest:.1e} at most")
    print(f"{arguments.heads} {arguments.decoder} heads, groups of {arguments.group}, "
          f"{arguments.epochs} epochs in batches of {arguments.batch_size}")  # fmt: skip
    print(machine(cores))
    print(versions(("torch", "timm", "geo-iterate")))


if __name__ == "__main__":
    main()
