"""The limit: the same trainings in a plain loop over data in memory, on one thread.

    python benchmarks/speed/bare_loop.py FOLDER --weights FILE --part 0 --parts 2

One process a core, each with its part of the trials, is what the arithmetic allows. The last line
says as JSON how long training and validation took, and the best validation score.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import h5py
import numpy as np
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

UNKNOWN = 255


def split(folder: Path, name: str, dense: bool) -> tuple[Tensor, Tensor]:
    """All images (samples, bands, height, width) of a split, and their labels or masks."""
    names = json.loads((folder / "default_partition.json").read_text())[name]
    members = {} if dense else json.loads((folder / "label_map.json").read_text())
    labels = {name: int(label) for label, listed in members.items() for name in listed}
    images, targets = [], []
    for sample in names:
        with h5py.File(folder / f"{sample}.hdf5") as file:
            images.append(np.stack([file[key][()] for key in sorted(file) if key != "label"]))
            targets.append(file["label"][()] if dense else labels[sample])
    return torch.from_numpy(np.stack(images).astype(np.float32)), torch.from_numpy(
        np.stack(targets).astype(np.int64)
    )


def network(bands: int, classes: int, dense: bool, weights: Path, frozen: bool) -> nn.Module:
    """ResNet-18 with a head of two layers, or as the encoder of a UNet."""
    if dense:
        net = smp.Unet("resnet18", encoder_weights=None, in_channels=bands, classes=classes)
        net.encoder.load_state_dict(load_file(weights), strict=True)
    else:
        encoder = timm.create_model("resnet18", in_chans=bands, num_classes=0)
        encoder.load_state_dict(load_file(weights))
        encoder.requires_grad_(not frozen)
        head = (nn.Linear(512, 256), nn.GELU(), nn.Linear(256, classes))
        net = nn.Sequential(encoder, *head)
    return net.to(memory_format=torch.channels_last)


def score(net: nn.Module, images: Tensor, targets: Tensor, batch: int) -> float:
    """Accuracy, or the mean of the classes' intersections over unions."""
    net.eval()
    with torch.inference_mode():
        predicted = torch.cat([net(part).argmax(1) for part in images.split(batch)])
    if targets.ndim == 1:
        return float((predicted == targets).float().mean())
    known = targets != UNKNOWN
    predicted, targets = predicted[known], targets[known]
    shares = []
    for label in range(int(targets.max()) + 1):
        ours, theirs = predicted == label, targets == label
        shares.append(float((ours & theirs).sum() / (ours | theirs).sum().clamp(min=1)))
    return sum(shares) / len(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dense", action="store_true", help="masks, with a UNet")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    images, targets = split(chosen.folder, "train", chosen.dense)
    held_out, truth = split(chosen.folder, "valid", chosen.dense)
    mean = images.mean((0, 2, 3), keepdim=True)
    deviation = images.std((0, 2, 3), keepdim=True)
    images, held_out = (
        ((part - mean) / deviation).contiguous(memory_format=torch.channels_last)
        for part in (images, held_out)
    )
    classes = int(targets[targets != UNKNOWN].max()) + 1
    began, best = time.perf_counter(), 0.0
    for trial, rate in enumerate(np.geomspace(1e-5, 1e-2, chosen.trials)):
        if trial % chosen.parts != chosen.part:
            continue
        torch.manual_seed(42)
        net = network(images.shape[1], classes, chosen.dense, chosen.weights, chosen.frozen)
        trained = [weight for weight in net.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=float(rate), fused=True)
        for _ in range(chosen.epochs):
            net.train()
            for picked in torch.randperm(len(targets)).split(chosen.batch):
                optimiser.zero_grad()
                loss = functional.cross_entropy(
                    net(images[picked]), targets[picked], ignore_index=UNKNOWN
                )
                loss.backward()
                optimiser.step()
            best = max(best, score(net, held_out, truth, chosen.batch))
    print(json.dumps({"trained": time.perf_counter() - began, "best": best}))


if __name__ == "__main__":
    main()
