"""An epoch on a set twice as large as the memory there is for it, beside one read from memory.

    .venv/bin/python benchmarks/speed/larger.py

Both sides train the same recipe on the same packed set, which one of them may hold in the page
cache whole, and the other, in a control group whose memory is limited, by half at most. Linux; it
needs the right to make a control group (root, or a container that delegates them).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import measuring
from measuring import Command, measure
from reporting import machine, table, versions

GROUPS = Path("/sys/fs/cgroup")
NAME = "iterate-larger"


def recipe(samples: int, backbone: str, epochs: int, workers: int) -> dict[str, object]:
    """Full fine-tuning on drawn scenes of 13 bands, 64 × 64 pixels of 16 bits."""
    return {
        "data": {
            "name": "generated", "samples": [samples, 64, 8], "size": 64,
            "batch_size": 32, "workers": workers,
        },
        "model": {"backbone": {"name": backbone, "weights": "none"}, "decoder": {"name": "linear"}},
        "optimiser": {"name": "adamw"}, "scheduler": {"name": "constant"},
        "trainer": {"epochs": epochs, "threads": 1},
    }  # fmt: skip


def train(words: list[str]) -> None:
    """One side, in a process of its own: the seconds of each epoch, and its memory after it."""
    from iterate_core.engine import fit
    from iterate_core.engine.resolved import prepare
    from iterate_core.recipe import Recipe

    folder, content = Path(words[0]), json.loads(words[1])
    if len(words) > 2:
        (Path(words[2]) / "cgroup.procs").write_text(str(os.getpid()))
    prepared = prepare(Recipe.parse(content))
    for split in ("train", "val"):
        prepared.pack.names(split)
    print("packed", prepared.pack.images("train").nbytes, own_memory(), flush=True)
    for report in fit.epochs(prepared, folder):
        print("epoch", report.seconds, own_memory(), flush=True)


def own_memory() -> int:
    """Bytes of this process and those it started that no file stands behind."""
    import psutil

    me = psutil.Process()
    held = [each.memory_full_info() for each in (me, *me.children(recursive=True))]
    return sum(each.uss for each in held)


@contextmanager
def limited(size: int) -> Iterator[Path]:
    """A control group with so much memory, the page cache of its files included."""
    second = (GROUPS / "cgroup.controllers").exists()
    folder = GROUPS / NAME if second else GROUPS / "memory" / NAME
    try:
        folder.mkdir()
    except OSError as error:
        raise SystemExit(f"no control group can be made here ({error}).") from None
    try:
        limit = "memory.max" if second else "memory.limit_in_bytes"
        (folder / limit).write_text(str(size))
        yield folder
    finally:
        while (folder / "cgroup.procs").read_text():
            time.sleep(0.1)
        folder.rmdir()


def side(folder: Path, content: dict[str, object], group: Path | None = None) -> list[list[float]]:
    """Bytes of the packed images and of memory; then seconds and memory of each epoch."""
    words = [sys.executable, __file__, "--train", str(folder), json.dumps(content)]
    found = measure([Command(words if group is None else [*words, str(group)])])
    told = [line.split() for _, line in found.lines]
    return [[float(part) for part in line[1:]] for line in told if line[0] in ("packed", "epoch")]


def main() -> None:
    """Measure both sides and print a table."""
    if sys.argv[1:2] == ["--train"]:
        train(sys.argv[2:])
        return
    options = arguments()
    cores = measuring.pin(options.cores)
    with measuring.scratch(options.scratch) as scratch:
        os.environ["ITERATE_CACHE"] = str(scratch / "cache")
        chosen = (options.samples, options.backbone, options.epochs, options.workers)
        content = recipe(*chosen)
        once = side(scratch / "once", recipe(*chosen[:2], 1, options.workers))
        packed, base = once[0][0], once[1][1]
        rows = []
        for run in range(options.runs):
            whole = side(scratch / f"whole-{run}", content)[1:]
            with limited(int(base + packed / 2)) as group:
                half = side(scratch / f"half-{run}", content, group)[1:]
            rows.append(row(run, whole, half))
        print(machine(cores))
        print(versions(("torch", "timm", "geo-iterate")))
        print(f"{packed / 1e9:.2f} GB packed; {base / 1e9:.2f} GB of memory and half of that")
        heads = ("run", "from memory, s", "from disk, s", "ratio", "growth, MB")
        print(table(heads, rows))


def row(run: int, whole: Sequence[Sequence[float]], half: Sequence[Sequence[float]]) -> list[str]:
    """Medians over epochs, the first left out; growth of memory from the second to the last."""
    fast, slow = (statistics.median(each[0] for each in epochs[1:]) for epochs in (whole, half))
    growth = (half[-1][1] - half[1][1]) / 1e6
    return [str(run + 1), f"{fast:.1f}", f"{slow:.1f}", f"{fast / slow:.2f}", f"{growth:.0f}"]


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = measuring.options(__doc__ or "", runs=1)
    parser.add_argument("--samples", type=int, default=12_000, help="of training")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--backbone", default="test_resnet")
    parser.add_argument("--workers", type=int, default=1, help="processes that read ahead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
