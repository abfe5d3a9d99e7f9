"""The sides of a comparison of searches: how each is started, and what it says of itself."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template

import timm
import torch
from environments import THEIRS, ours
from measuring import Command, Look, Measured, Side
from safetensors.torch import save_file
from samples import BANDS, moments

from iterate_core.data.bands import describe
from iterate_core.data.generated.spectra import BANDS as SCENE_BANDS
from iterate_core.models.backbones.timm.inflation import inflated

HERE = Path(__file__).parent
PEER, OURS, LIMIT = "terratorch-iterate", "iterate", "bare loop"


@dataclass(frozen=True)
class Search:
    """What every side is asked.

    Attributes:
        data: The folder of the samples in GeoBench v1 format.
        dense: Whether they are masks.
        frozen: Whether the backbone stays as it is.
        trials: How many learning rates.
        epochs: Of each.
    """

    data: Path
    dense: bool
    frozen: bool
    trials: int
    epochs: int

    @property
    def batch(self) -> int:
        """The size of a batch."""
        return 8 if self.dense else 32


@dataclass(frozen=True)
class Sides:
    """Starts each side of a comparison.

    Attributes:
        root: Where data and weights lie.
        programs: The folder of the peers' programs.
        cores: How many cores there are.
    """

    root: Path
    programs: Path
    cores: int

    def peer(self, search: Search) -> Side:
        """The peer, as its own guide runs it."""

        def commands(folder: Path) -> Sequence[Command]:
            kind = "segmentation" if search.dense else "classification"
            means, deviations = moments(self.root) if search.dense else ([], [])
            filled = Template((HERE / f"peers/{kind}.yaml").read_text(encoding="utf-8")).substitute(
                {
                    "epochs": search.epochs,
                    "trials": search.trials,
                    "frozen": str(search.frozen).lower(),
                    "weights": weights(self.root, search.dense),
                    "data": self.root / "data",
                    "tiles": self.root / "tiles",
                    "means": means,
                    "stds": deviations,
                    "out": folder,
                }
            )
            config = folder / "config.yaml"
            config.write_text(filled, encoding="utf-8")
            words = ("iterate", "--hpo", "--config", str(config))
            return [Command((str(self.programs / "terratorch"), *words), THEIRS, folder)]

        return commands

    def ours(self, search: Search, *words: str, cache: Path | None = None) -> Side:
        """Our search, with a cache folder of its own unless one is given."""

        def commands(folder: Path) -> Sequence[Command]:
            program = (sys.executable, "-m", "iterate", "hpo", str(HERE / "space.yaml"))
            asked = [
                f"data.root={search.data}",
                f"data.batch_size={search.batch}",
                f"model.backbone.weights={weights(self.root)}",
                f"search.trials={search.trials}",
                f"trainer.epochs={search.epochs}",
                *(("model/decoder=unet",) if search.dense else ()),
                *(("tuning=frozen",) if search.frozen else ()),
            ]
            environment = ours(cache or folder / "cache")
            out = ("--out", str(folder / "run"))
            return [Command((*program, *asked, *words, *out), environment, folder)]

        return commands

    def limit(self, search: Search) -> Side:
        """The bare loop, one process a core."""

        def commands(folder: Path) -> Sequence[Command]:
            program = (sys.executable, str(HERE / "bare_loop.py"), str(search.data))
            file = weights(self.root, search.dense)
            asked = [
                f"--weights={file}", f"--trials={search.trials}", f"--epochs={search.epochs}",
                f"--batch={search.batch}", f"--parts={self.cores}",
                *(("--dense",) if search.dense else ()),
                *(("--frozen",) if search.frozen else ()),
            ]  # fmt: skip
            alone = {"OMP_NUM_THREADS": "1"}
            return [
                Command((*program, *asked, f"--part={part}"), alone, folder)
                for part in range(self.cores)
            ]

        return commands


def weights(root: Path, dense: bool | None = None) -> Path:
    """A file of random weights of ResNet-18 for red, green and blue, or fitted to other bands.

    Ours fits the former to the bands by itself, just so.
    """
    name = {None: "colours", True: "tiles", False: "scenes"}[dense]
    file = root / f"resnet18-{name}.safetensors"
    if not file.exists():
        torch.manual_seed(0)
        tensors = timm.create_model("resnet18", num_classes=0).state_dict()
        if dense is not None:
            bands = describe(BANDS) if dense else SCENE_BANDS
            tensors["conv1.weight"] = inflated(tensors["conv1.weight"], bands).contiguous()
        save_file(tensors, file)
    return file


def look_at_peer(folder: Path, _run: Measured) -> Mapping[str, float]:
    """What Optuna's file of the peer says."""
    database = next((folder / "optuna_db").glob("*.db"))
    with closing(sqlite3.connect(database)) as opened:
        times = opened.execute("SELECT datetime_start, datetime_complete FROM trials").fetchall()
        (best,) = opened.execute("SELECT MAX(value) FROM trial_values").fetchone()
    return {"trained": sum(_seconds(start, end) for start, end in times), "best": best}


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def look_at_ours(folder: Path, _run: Measured) -> Mapping[str, float]:
    """What the summary says."""
    summary = json.loads((folder / "run/summary.json").read_text(encoding="utf-8"))
    best = summary["studies"][0]["best"]["value"]
    return {"trained": summary["train_seconds"], "best": best}


def look_at_limit(_folder: Path, run: Measured) -> Mapping[str, float]:
    """What each process said last."""
    said = [json.loads(line) for _, line in run.lines if line.startswith("{")]
    return {
        "trained": sum(one["trained"] for one in said),
        "best": max(one["best"] for one in said),
    }


LOOKS: Mapping[str, Look] = {PEER: look_at_peer, OURS: look_at_ours, LIMIT: look_at_limit}
