"""Five neighbours and the linear probe: torchgeo-bench and ours, on the same data and backbone.

    .venv/bin/python benchmarks/speed/probe_peers.py

Scenes of 13 bands (see search.py), ResNet-18. The peer's weights are random, for it takes none
from a file; ours are read from one, so that features can be kept. So times are compared, and no
accuracies. Kept: the features are there when the command starts. The peer keeps none: its run of
32 numbers of neighbours is 32 of its runs, of which `--runs` are measured.
"""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import THEIRS, ours, peers
from measuring import Command, Measured, Side, alternate, once, options, pin, scratch
from reporting import keep, machine, median, overview, versions
from samples import counts, scenes
from sides import weights

HERE = Path(__file__).parent
PEER, OURS, KEPT, APART = "torchgeo-bench", "iterate", "iterate, kept", "iterate, three commands"
SPACE = HERE / "probes.yaml"
LINEAR = HERE.parents[1] / "search_spaces/probe_linear.yaml"
NEIGHBOURS = f"model.decoder.k=choice({','.join(map(str, range(1, 33)))})"
Runs = dict[str, list[Measured]]


@dataclass(frozen=True)
class Probing:
    """Starts each side.

    Attributes:
        root: Where data and weights lie.
        data: The folder of the samples in GeoBench v1 format.
        programs: The folder of the peers' programs.
        size: To which images are resized, in pixels; None keeps theirs.
        cores: How many there are.
    """

    root: Path
    data: Path
    programs: Path
    size: int | None
    cores: int

    @property
    def kept(self) -> Path:
        """The cache folder of the runs that find features there."""
        return self.root / "kept-probes"

    def peer(self, *words: str) -> Side:
        """The peer on one data set, loading in as many processes as there are cores."""

        def commands(folder: Path) -> Sequence[Command]:
            asked = (
                "run", "model=timm/resnet18", "model.pretrained=false", "device=cpu",
                "dataset.names=[m-eurosat]", "dataset.bands=all",
                f"dataset.image_size={self.size or 'null'}", f"dataset.num_workers={self.cores}",
                f"output={folder / 'results.csv'}", *words,
            )  # fmt: skip
            return [Command((str(self.programs / "torchgeo-bench"), *asked), THEIRS, self.root)]

        return commands

    def search(self, *words: str, cache: Path | None = None) -> Side:
        """Our search, with a cache folder of its own unless one is given."""

        def commands(folder: Path) -> Sequence[Command]:
            asked = self._asked(folder, "hpo", str(SPACE), *words)
            return [Command(asked, ours(cache or folder / "cache"), folder)]

        return commands

    def in_turn(self, *all_words: Sequence[str], cache: Path | None = None) -> Side:
        """Several of our commands, each after the one before."""

        def commands(folder: Path) -> Sequence[Command]:
            asked = (self._asked(folder, *words) for words in all_words)
            line = " && ".join(map(shlex.join, asked))
            return [Command(("sh", "-c", line), ours(cache or folder / "cache"), folder)]

        return commands

    def _asked(self, folder: Path, *words: str) -> tuple[str, ...]:
        resized = (f"data.image_size={self.size}",) if self.size else ()
        file = f"model.backbone.weights={weights(self.root)}"
        out = folder / ("search" if words[0] == "hpo" else "fit")
        about = ("data=geobench_v1", f"data.root={self.data}", file, *resized, "--out", str(out))
        return (sys.executable, "-m", "iterate", *words, *about)


def tested(k: int) -> tuple[tuple[str, ...], ...]:
    """The commands that fit and test so many nearest neighbours."""
    decoder = ("model/decoder=knn", f"model.decoder.k={k}", "model.decoder.distance=euclidean")
    return tuple((command, str(SPACE), "~space", *decoder) for command in ("fit", "test"))


def scores(folder: Path, _run: Measured) -> Mapping[str, float]:
    """What the peer tested. It only warns of data that it cannot read.

    Raises:
        SystemExit: It tested nothing.
    """
    results = folder / "results.csv"
    if not results.is_file():
        raise SystemExit(f"{PEER} tested nothing.")
    with results.open(newline="", encoding="utf-8") as rows:
        return {row["method"]: float(row["metric_value"]) for row in csv.DictReader(rows)}


def both(probing: Probing, runs: int, place: Path) -> Runs:
    """Both probes: in one search, which tests the better, and each by commands of its own."""
    once(probing.search(cache=probing.kept), place)
    sides = {
        PEER: probing.peer(),
        OURS: probing.search(),
        KEPT: probing.search(cache=probing.kept),
        APART: probing.in_turn(*tested(5), ("hpo", str(LINEAR))),
    }
    return alternate(sides, runs, place, {PEER: scores})


def another(probing: Probing, runs: int, place: Path) -> Runs:
    """Another number of neighbours, fitted and tested."""
    sides = {
        PEER: probing.peer("eval.knn_k=10", "eval.skip_linear=true"),
        KEPT: probing.in_turn(*tested(10), cache=probing.kept),
    }
    return alternate(sides, runs, place, {PEER: scores})


def many(probing: Probing, runs: int, place: Path) -> Runs:
    """32 numbers of neighbours in one search, the best tested."""
    words = ("~space", "model/decoder=knn", NEIGHBOURS, "search.trials=32")
    side = probing.search(*words, cache=probing.kept)
    return alternate({KEPT: side}, runs, place)


def main() -> None:
    parser = options(__doc__, runs=3)
    parser.add_argument("--samples", default="512,128,128", help="training, validation, test")
    parser.add_argument("--size", type=int, help="of images, in pixels; default: theirs, 64")
    parser.add_argument("--peers", type=Path, help="folder for the peers; default: in the cache")
    parser.add_argument("--python", default="3.12", help="for the peers: version or interpreter")
    chosen = parser.parse_args()
    cores = pin(chosen.cores)
    programs = peers(chosen.peers, chosen.python)
    with scratch(chosen.scratch) as place:
        root = place / f"scenes-{chosen.samples}".replace(",", "-")
        root.mkdir(exist_ok=True)
        data = scenes(root, counts(chosen.samples))
        probing = Probing(root, data, programs, chosen.size, len(cores))
        print("Warming up", file=sys.stderr)
        once(probing.peer("eval.skip_linear=true"), place)
        measured = {
            "both probes": both(probing, chosen.runs, place),
            "another number of neighbours": another(probing, chosen.runs, place),
        }
        for title, runs in measured.items():
            print(f"\n{title}\n\n{overview(runs, PEER)}\n")
        found = many(probing, chosen.runs, place)
    one, all_of_them = (
        median(runs, lambda run: run.wall)
        for runs in (measured["another number of neighbours"][PEER], found[KEPT])
    )
    print(
        f"32 numbers of neighbours: {all_of_them:.1f} s in one search with kept features; the "
        f"peer's run for one of them takes {one:.1f} s, 32 of which are "
        f"{32 * one / all_of_them:.1f}× that."
    )
    print(f"\n{machine(cores)}")
    print(versions(("geo-iterate", "torch", "timm", "ray")))
    print(versions(("torchgeo-bench", "torchgeo", "torch", "timm"), programs / "python"))
    keep(chosen.json, {**measured, "32 numbers of neighbours": found})


if __name__ == "__main__":
    main()
