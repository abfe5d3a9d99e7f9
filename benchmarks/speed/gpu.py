"""Training on a GPU beside a bare loop, and several trials on one GPU beside one after another.

    .venv/bin/python benchmarks/speed/gpu.py

`images`: full fine-tuning by the engine, beside the very same network trained by a plain loop over
tensors that lie on the GPU, in images a second; the first epoch does not count. `sharing`: a search
with `resources.gpu: auto` beside the same with a GPU a trial. Where there is no GPU it says so and
measures nothing; `--accelerator cpu --small` goes through `images` on a CPU, which shows that the
script works and nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from environments import ours
from measuring import Command, options, scratch
from measuring import measure as run
from reporting import machine, table, versions
from torch.nn import functional

from iterate_core.device import device_name, fabric_for, kind_of
from iterate_core.engine import fit
from iterate_core.engine.build import build_model
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.recipe import Recipe

EPOCHS = 4


@dataclass(frozen=True)
class Case:
    """A network and its images.

    Attributes:
        backbone: By name.
        kind: Of drawn data.
        decoder: By name.
        size: Of images, in pixels.
        batch: Images of a step.
        samples: Of training.
        bands: By name; None takes all 13.
    """

    backbone: str
    kind: str
    decoder: str
    size: int
    batch: int
    samples: int
    bands: tuple[str, ...] | None = None

    def recipe(self, accelerator: str, precision: str) -> Recipe:
        """Full fine-tuning without augmentation; all else by default."""
        data: dict[str, Any] = {
            "name": "generated", "kind": self.kind, "samples": [self.samples, 8, 8],
            "size": self.size, "batch_size": self.batch,
        }  # fmt: skip
        if self.bands is not None:
            data["bands"] = list(self.bands)
        return Recipe.parse(
            {
                "data": data,
                "model": {
                    "backbone": {"name": self.backbone, "weights": "none"},
                    "decoder": {"name": self.decoder},
                },
                "augmentation": {"flip": False, "rotate": False},
                "optimiser": {"name": "adamw"},
                "scheduler": {"name": "constant"},
                "trainer": {
                    "epochs": EPOCHS, "accelerator": accelerator, "precision": precision,
                    "patience": None,
                },
            }
        )  # fmt: skip


CLASSES, MASKS = ("classification", "linear"), ("segmentation", "unet")
COLOURS = ("red", "green", "blue")
CASES = {
    "ViT-B/16 at 224": Case("vit_base_patch16_224", *CLASSES, 224, 64, 2048, COLOURS),
    "ResNet-50 at 64, 13 bands": Case("resnet50", *CLASSES, 64, 256, 8192),
    "UNet on ResNet-18 at 256": Case("resnet18", *MASKS, 256, 32, 1024),
}
SMALL = {
    "ViT": Case("test_vit", *CLASSES, 32, 8, 32, COLOURS),
    "UNet": Case("test_resnet", *MASKS, 32, 8, 32),
}


def by_the_engine(prepared: Prepared) -> float:
    """Images a second of epochs, validation on eight images included; the first does not count."""
    with tempfile.TemporaryDirectory() as folder:
        reports = list(fit.epochs(prepared, Path(folder)))
    seconds = statistics.median(report.seconds for report in reports[1:])
    return prepared.info.sizes["train"] / seconds


def by_a_bare_loop(prepared: Prepared) -> float:
    """The same of a plain loop over what lies on the device."""
    trainer, data = prepared.recipe.trainer, prepared.recipe.data
    fabric = fabric_for(trainer.accelerator, trainer.precision)
    device = fabric.device
    model = build_model(prepared).to(device).train()
    images = torch.from_numpy(prepared.pack.images("train").astype("float32"))
    images = images.contiguous(memory_format=torch.channels_last).to(device)
    targets = torch.tensor(np.asarray(prepared.pack.targets("train"), np.int64), device=device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    seconds = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        for picked in torch.randperm(len(images), device=device).split(data.batch_size):
            optimiser.zero_grad()
            with fabric.autocast():
                outputs = model(images[picked])
                loss = functional.cross_entropy(outputs, targets[picked], ignore_index=255)
            loss.backward()
            optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return len(images) / statistics.median(seconds[1:])


def images(cases: dict[str, Case], accelerator: str, precision: str, runs: int) -> str:
    """A table of all networks."""
    rows = []
    for name, case in cases.items():
        prepared = prepare(case.recipe(accelerator, precision))
        pairs = [(by_the_engine(prepared), by_a_bare_loop(prepared)) for _ in range(runs)]
        engine, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
        rows.append([name, f"{engine:.0f}", f"{bare:.0f}", f"{engine / bare:.2f}"])
    return table(("images a second", "engine", "bare loop", "ratio"), rows)


def sharing(place: Path, runs: int) -> str:
    """A table of a search of ResNet-50, with and without trials that share a GPU."""
    case, rows = CASES["ResNet-50 at 64, 13 bands"], []
    recipe = place / "recipe.yaml"
    case.recipe("gpu", "bf16-mixed").write(recipe)
    for number in range(runs):
        for gpu in ("1", "auto"):
            out = place / f"{gpu}-{number}"
            words = (
                sys.executable, "-m", "iterate", "hpo", str(recipe), f"resources.gpu={gpu}",
                "optimiser.lr=tag(log,interval(1e-4,1e-2))", "search=random", "search.trials=16",
                "search.repeats=0", "--out", str(out),
            )  # fmt: skip
            measured = run([Command(words, {**ours(place / "cache"), "CUDA_VISIBLE_DEVICES": "0"})])
            rows.append([f"resources.gpu: {gpu}", f"{measured.wall:.1f}"])
    return table(("16 trials", "wall, s"), rows)


def main() -> None:
    """Measure and print tables."""
    parser: argparse.ArgumentParser = options(__doc__ or "", runs=3)
    parser.add_argument("--accelerator", default="gpu", choices=("gpu", "cpu"))
    parser.add_argument("--precision", help="default: bf16-mixed on a GPU, 32-true on a CPU")
    parser.add_argument("--small", action="store_true", help="networks of a moment, for a try")
    chosen = parser.parse_args()
    if chosen.accelerator == "gpu" and kind_of("auto") == "cpu":
        print("There is no GPU here: nothing was measured.")
        return
    precision = chosen.precision or {"gpu": "bf16-mixed", "cpu": "32-true"}[chosen.accelerator]
    cases = SMALL if chosen.small else CASES
    print(images(cases, chosen.accelerator, precision, chosen.runs))
    if chosen.accelerator == "gpu":
        with scratch(chosen.scratch) as place:
            print(f"\n{sharing(place, chosen.runs)}")
    print(f"\n{device_name(chosen.accelerator)}, {precision}")
    print(machine(range(torch.get_num_threads())))
    print(versions(("geo-iterate", "torch", "timm")))


if __name__ == "__main__":
    main()
