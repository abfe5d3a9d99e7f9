"""Segmentation with a frozen vision transformer: its features computed anew, kept, shared, resumed.

    .venv/bin/python benchmarks/speed/features.py
    .venv/bin/python benchmarks/speed/features.py --backbone vit_large_patch16_224 --size 224

Every row is one command, or two at once, that trains a linear decoder on all levels of features.
"images" is how many the backbone was given, in each of the commands. "loss" is that of validation
after the last epoch: what is kept in half the bytes differs in its last digits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring
from measuring import Command, Measured, measure
from reporting import machine, table, versions

EVALUATED = 64  # samples of validation; as many of test


def recipe(options: argparse.Namespace, features: str) -> dict[str, Any]:
    """A frozen backbone under a linear decoder, without flips unless asked for."""
    return {
        "data": {
            "name": "generated", "kind": "segmentation",
            "samples": [options.samples, EVALUATED, EVALUATED], "size": 64,
            "image_size": options.size, "bands": ["red", "green", "blue"],
        },
        "model": {
            "backbone": {"name": options.backbone, "weights": "none"},
            "decoder": {"name": "linear"},
        },
        "tuning": {"name": "frozen"},
        "optimiser": {"name": "adamw"}, "scheduler": {"name": "constant"},
        "augmentation": {"flip": options.flip, "rotate": False},
        "trainer": {"epochs": options.epochs, "threads": 1, "features": features},
    }  # fmt: skip


def train(words: list[str]) -> None:
    """A command: how many images the backbone is given, and the last epoch's loss."""
    from iterate_core.engine import fit
    from iterate_core.engine.order import Supplies
    from iterate_core.engine.resolved import prepare
    from iterate_core.models.backbones.base import Backbone
    from iterate_core.recipe import Recipe

    given, encode = [0], Supplies.encode

    def counting(*arguments: object) -> object:
        given[0] += len(arguments[1])
        return encode(*arguments)

    Supplies.encode = counting
    prepared = prepare(Recipe.parse(json.loads(words[1])))
    if prepared.recipe.trainer.features == "off":  # then it is the model that runs the backbone
        from torch import nn

        def note(module: nn.Module, inputs: tuple[object, ...], _: object) -> None:
            given[0] += len(inputs[0]) if isinstance(module, Backbone) else 0

        nn.modules.module.register_module_forward_hook(note)
    for split in ("train", "val"):
        prepared.pack.names(split)
    print("begins", flush=True)
    *_, last = fit.epochs(prepared, Path(words[0]))
    print("told", given[0], last.metrics["val/loss"], flush=True)


def command(folder: Path, content: dict[str, object], cache: Path) -> Command:
    """A training in a process of its own."""
    words = [sys.executable, __file__, "--train", str(folder), json.dumps(content)]
    return Command(words, {"ITERATE_CACHE": str(cache)})


def kill_midway(folder: Path, content: dict[str, object], cache: Path) -> float:
    """Begin, and end the process by SIGKILL once half of the blocks of training are finished."""
    one = command(folder, content, cache)
    environment = {**os.environ, **{k: v for k, v in one.environment.items() if v is not None}}
    process = subprocess.Popen(list(one.words), env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        marks = b"".join(path.read_bytes() for path in cache.glob("features/*/train-*.done"))
        if marks and marks.count(1) >= len(marks) / 2:
            process.kill()
            process.wait()
            return marks.count(1) / len(marks)
        time.sleep(0.02)
    raise SystemExit("it had ended before it could be killed: take more samples.")


def row(name: str, found: Measured, cache: Path) -> list[str]:
    """A row of the table."""
    told = [line.split() for _, line in found.lines if line.startswith("told")]
    kept = sum(path.stat().st_blocks * 512 for path in cache.glob("features/*/*"))
    images, losses = (
        " + ".join(words) for words in zip(*((t[1], t[2]) for t in told), strict=True)
    )
    loss = losses.split(" + ", maxsplit=1)[0]
    return [
        name, f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{found.memory / 1e9:.2f}",
        f"{kept / 1e9:.2f}", images, f"{float(loss):.6f}",
    ]  # fmt: skip


def measured(options: argparse.Namespace, scratch: Path) -> list[list[str]]:
    """All rows."""
    kept, rows = recipe(options, options.precision), []
    caches = {name: scratch / name for name in ("off", "alone", "two", "killed")}

    def run(name: str, cache: str, content: dict[str, object], count: int = 1) -> None:
        folders = [scratch / f"{name}-{number}" for number in range(count)]
        found = measure([command(folder, content, caches[cache]) for folder in folders])
        rows.append(row(name, found, caches[cache]))
        print(f"  {name}: {found.wall:.1f} s", file=sys.stderr)

    _pack(options, list(caches.values()), scratch)
    run("anew", "off", recipe(options, "off"))
    run("kept, first", "alone", kept)
    run("kept, again", "alone", kept)
    run("two at once", "two", kept, 2)
    share = kill_midway(scratch / "dies", kept, caches["killed"])
    run(f"after kill at {share:.0%}", "killed", kept)
    return rows


def _pack(options: argparse.Namespace, caches: Sequence[Path], scratch: Path) -> None:
    """Packing is no part of it: a small recipe does it, once for all caches."""
    content = recipe(options, "off")
    content["model"]["backbone"] = {"name": "test_vit", "weights": "none"}
    content["trainer"]["epochs"] = 1
    first, *others = caches
    measure([command(scratch / "packs", content, first)])
    for other in others:
        shutil.copytree(first, other)


def main() -> None:
    """Measure and print a table."""
    if sys.argv[1:2] == ["--train"]:
        train(sys.argv[2:])
        return
    options = arguments()
    cores = measuring.pin(options.cores)
    with measuring.scratch(options.scratch) as scratch:
        rows = measured(options, scratch)
    print(machine(cores))
    print(versions(("torch", "timm", "geo-iterate")))
    views = " in 4 views" if options.flip else ""
    print(f"{options.backbone}, {options.samples} samples{views}, {options.epochs} epochs")
    heads = ("", "wall, s", "processors, s", "memory, GB", "kept, GB", "images", "loss")
    print(table(heads, rows))


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = measuring.options(__doc__ or "", runs=1)
    parser.add_argument("--samples", type=int, default=2_000, help="of training")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--backbone", default="vit_tiny_patch16_224")
    parser.add_argument("--size", type=int, default=64, help="pixels that images are resized to")
    parser.add_argument("--precision", default="float16", choices=("float16", "float32", "auto"))
    parser.add_argument("--flip", action="store_true", help="four views of each training sample")
    return parser.parse_args()


if __name__ == "__main__":
    main()
