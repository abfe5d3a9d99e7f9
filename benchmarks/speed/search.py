"""A search: terratorch-iterate, ours, and the same trainings in a bare loop, one process a core.

    .venv/bin/python benchmarks/speed/search.py --clouds cloudshadow_64.npz

Parts: `full` and `frozen` are searches over the learning rate of ResNet-18 on drawn scenes of 13
bands, `segmentation` one of a UNet with that encoder. `pruned` and `pruned-frozen` are the same of
more trials and epochs, ours with ASHA; they take an hour or more, so ask for them by name. All
sides start from the same weights, take batches of the same size and use the same cores; none
trains again or tests. The peers are installed on first use.

Figures read from what each side wrote: `best`, its best validation score, and `trained`, the
seconds of training and validation summed over its trials; of searches with pruning `reached`, the
seconds after which ours had the peer's best score. Kept: the features of a frozen backbone are
there when the command starts.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from environments import peers
from measuring import Look, Measured, alternate, once, options, pin, scratch
from reporting import keep, machine, median, overview, versions
from samples import clouds, counts, scenes
from sides import LIMIT, LOOKS, OURS, PEER, Search, Sides, look_at_ours

Runs = dict[str, list[Measured]]


def reaching(target: float) -> Look:
    """Our figures, and after how many seconds a trial ended that was as good as `target`."""

    def look(folder: Path, run: Measured) -> Mapping[str, float]:
        query = (
            "SELECT MIN(datetime_complete) FROM trials JOIN trial_values USING (trial_id) "
            "WHERE value >= ?"
        )
        with closing(sqlite3.connect(folder / "run/studies.db")) as opened:
            (first,) = opened.execute(query, (target,)).fetchone()
        reached = datetime.fromisoformat(first).timestamp() - run.began if first else math.nan
        return {**look_at_ours(folder, run), "reached": reached}

    return look


def side_by_side(sides: Sides, search: Search, runs: int, place: Path) -> Runs:
    """All three, in turn."""
    started = {
        PEER: sides.peer(search), OURS: sides.ours(search), LIMIT: sides.limit(search)
    }  # fmt: skip
    return alternate(started, runs, place, LOOKS)


def frozen(sides: Sides, search: Search, runs: int, place: Path) -> Runs:
    """All three, ours with and without kept features; what takes seconds runs at least thrice."""
    cache = sides.root / "kept"
    once(sides.ours(search, cache=cache), place)
    long = {PEER: sides.peer(search), LIMIT: sides.limit(search)}
    kept = f"{OURS}, kept"
    short = {OURS: sides.ours(search), kept: sides.ours(search, cache=cache)}
    others = alternate(long, runs, place, LOOKS)
    return others | alternate(short, max(3, runs), place, {**LOOKS, kept: look_at_ours})


def pruned(sides: Sides, search: Search, runs: int, place: Path) -> Runs:
    """The peer, and ours with ASHA."""
    peer = alternate({PEER: sides.peer(search)}, 1, place, LOOKS)
    words = ("search=asha", f"search.trials={search.trials}", "search.scheduler.min_epochs=1")
    look = reaching(peer[PEER][0].figures["best"])
    return peer | alternate({OURS: sides.ours(search, *words)}, runs, place, {OURS: look})


def warm(sides: Sides, search: Search, place: Path) -> None:
    """Have every side's files in memory, byte-compiled; its times are not kept."""
    print("Warming up", file=sys.stderr)
    short = replace(search, trials=sides.cores, epochs=1)
    for side in (sides.peer(short), sides.ours(short), sides.limit(short)):
        once(side, place)


@dataclass(frozen=True)
class Part:
    """How a comparison is measured, and of what: see `Search`."""

    how: Callable[[Sides, Search, int, Path], Runs]
    dense: bool = False
    frozen: bool = False


PARTS: Mapping[str, Part] = {
    "full": Part(side_by_side),
    "frozen": Part(frozen, frozen=True),
    "segmentation": Part(side_by_side, dense=True),
    "pruned": Part(pruned),
    "pruned-frozen": Part(pruned, frozen=True),
}


def main() -> None:
    parser = options(__doc__, runs=1)
    chosen_parts = ("full", "frozen", "segmentation")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=chosen_parts)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pruned-trials", type=int, default=64)
    parser.add_argument("--pruned-epochs", type=int, default=9)
    parser.add_argument("--samples", default="512,128,128", help="training, validation, test")
    parser.add_argument("--tiles", default="120,36,36", help="the same of segmentation, at most")
    parser.add_argument("--clouds", type=Path, help="archive of tiles with masks; default: drawn")
    parser.add_argument("--peers", type=Path, help="folder for the peers; default: in the cache")
    parser.add_argument("--python", default="3.12", help="for the peers: version or interpreter")
    chosen = parser.parse_args()
    cores = pin(chosen.cores)
    programs = peers(chosen.peers, chosen.python)
    with scratch(chosen.scratch) as place:
        measured = all_parts(chosen, programs, len(cores), place)
    for name, runs in measured.items():
        if LIMIT in runs:
            print(f"{name}: training {beside_limit(runs):.2f} of the bare loop's speed")
    print(f"\n{machine(cores)}")
    print(versions(("geo-iterate", "torch", "timm", "ray", "optuna")))
    print(versions(("terratorch", "terratorch-iterate", "torch", "timm"), programs / "python"))
    keep(chosen.json, measured)


def all_parts(
    chosen: argparse.Namespace, programs: Path, cores: int, place: Path
) -> dict[str, Runs]:
    """Measure the chosen parts one after the other, and print the table of each."""
    root = place / f"{chosen.samples}-{chosen.tiles}".replace(",", "-")
    root.mkdir(exist_ok=True)
    sides = Sides(root, programs, cores)
    measured: dict[str, Runs] = {}
    warmed: set[bool] = set()
    for name in chosen.parts:
        part = PARTS[name]
        if part.dense:
            data = clouds(root, chosen.clouds, counts(chosen.tiles))
        else:
            data = scenes(root, counts(chosen.samples))
        search = Search(data, part.dense, part.frozen, chosen.trials, chosen.epochs)
        if part.dense not in warmed:
            warm(sides, search, place)
            warmed.add(part.dense)
        if part.how is pruned:
            search = replace(search, trials=chosen.pruned_trials, epochs=chosen.pruned_epochs)
        print(f"Measuring {name}", file=sys.stderr)
        measured[name] = part.how(sides, search, chosen.runs, place)
        print(f"\n{title(name, search)}\n\n{overview(measured[name], PEER)}\n", flush=True)
    return measured


def title(name: str, search: Search) -> str:
    """What was searched."""
    what = "tiles with masks, UNet" if search.dense else "scenes of 13 bands"
    return f"{name}: {search.trials} trials of {search.epochs} epochs, {what}, ResNet-18"


def beside_limit(runs: Runs) -> float:
    """How fast ours trains as a share of the bare loop, all that is around it left out."""
    ours, limit = (median(runs[side], lambda run: run.figures["trained"]) for side in (OURS, LIMIT))
    return limit / ours


if __name__ == "__main__":
    main()
