r"""Maps of scenes of any size: memory, speed beside a plain loop, seams, and a killed command.

    iterate data convert cloudshadow_64.npz data/cloudshadow
    iterate fit search_spaces/segmentation.yaml data.root=data/cloudshadow \
        model/backbone=resnet18 model.backbone.weights=none trainer.epochs=12 --out fit/cnn
    .venv/bin/python benchmarks/speed/predict.py --clouds cloudshadow_64.npz fit/cnn fit/vit

The models are of cloudshadow's tiles, from which the scenes are laid: 64 × 64 pixels each, side by
side in an order drawn at random, 6 bands of 16 bits. "memory" is the peak of the whole command,
PyTorch among it. "windows/s" is of the command without its start; the plain loop gives the same
windows to the same model in batches of the same size, with all pixels in memory, and keeps nothing.
"seams" is by how much the probabilities of neighbouring pixels differ across the edges of windows,
over by how much they differ inside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import rasterio
from measuring import Command, Measured, measure
from rasterio import Affine
from rasterio.windows import Window
from reporting import machine, table, versions

TILE, SHIFT = 64, 29  # no edge of a tile is one of a window
PATCH = 16
BANDS = ("blue", "green", "red", "nir", "swir_1", "swir_2")
BATCH = 64


def lay(tiles: np.ndarray, path: Path, side: int) -> Path:
    """Write a scene of tiles, strip by strip."""
    rng = np.random.default_rng(side)
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": len(BANDS), "dtype": "uint16",
        "crs": "EPSG:32632", "transform": Affine(30, 0, 400_000, 0, -30, 5_000_000),
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "zlevel": 1,
    }  # fmt: skip
    count, row = side // TILE + 2, 0
    with rasterio.Env(GDAL_CACHEMAX=512), rasterio.open(path, "w", **profile) as file:
        file.descriptions = BANDS
        held = np.empty((len(BANDS), 0, side), dtype=np.uint16)
        while row < side:
            strip = np.concatenate(list(tiles[rng.integers(0, len(tiles), count)]), axis=2)
            strip = strip[:, SHIFT if row == 0 and not held.size else 0 :, SHIFT : SHIFT + side]
            held = np.concatenate((held, strip), axis=1)[:, : side - row]
            whole = held.shape[1] // 256 * 256 or (side - row) * (held.shape[1] == side - row)
            if whole:
                file.write(held[:, :whole], window=Window(0, row, side, whole))
            held, row = held[:, whole:], row + whole
    return path


def command(model: Path, scene: Path, out: Path, *words: str) -> list[str]:
    """``iterate predict``."""
    base = [sys.executable, "-m", "iterate", "predict", str(model), str(scene)]
    return [*base, "--out", str(out), "--unit", "dn", "--batch", str(BATCH), "--json", *words]


def predicted(model: Path, scene: Path, out: Path, *words: str) -> tuple[Measured, dict[str, Any]]:
    """Run it in a process of its own; what it took, and what it told of the scene."""
    found = measure([Command(command(model, scene, out, *words))])
    lines = [line for _, line in found.lines]
    told = json.loads("\n".join(lines[lines.index("{") : lines.index("}") + 1]))
    return found, told["files"][0]


def loop(words: Sequence[str]) -> None:
    """A command: the same windows through the same model, and nothing else."""
    import torch

    from iterate_core.inference.members import load_ensemble
    from iterate_core.inference.scenes.base import SceneOptions
    from iterate_core.inference.scenes.open import open_scene, scenes_of
    from iterate_core.inference.windows import grid_of

    ensemble = load_ensemble([Path(words[0])])
    (request,) = scenes_of([words[1]], ensemble.description, SceneOptions(unit="dn"))
    scene = open_scene(request, ensemble.description)
    size = ensemble.first.size
    grid = grid_of((scene.height, scene.width), size, None, ensemble.unit)
    far = [axis.start(axis.count - 1) + axis.size for axis in (grid.rows, grid.columns)]
    pixels = torch.from_numpy(scene.read(0, 0, *far).pixels)
    places = [
        (grid.rows.start(row), grid.columns.start(column))
        for row in range(grid.rows.count)
        for column in range(grid.columns.count)
    ]
    began = time.perf_counter()
    for at in range(0, len(places), BATCH):
        some = [pixels[:, y : y + size[0], x : x + size[1]] for y, x in places[at : at + BATCH]]
        ensemble.first.predict(torch.stack(some))
    print("told", len(places) / (time.perf_counter() - began), flush=True)


def plain(model: Path, scene: Path) -> float:
    """Windows a second of the loop."""
    found = measure([Command([sys.executable, __file__, "--loop", str(model), str(scene)])])
    return next(float(line.split()[1]) for _, line in found.lines if line.startswith("told"))


def seams(path: Path, step: int, size: int) -> float:
    """The mean difference across windows' edges over that elsewhere, along the width.

    A transformer's own patches show too: both are where patches meet.
    """
    with rasterio.open(path) as file:
        pixels = file.read()
    steps = np.abs(np.diff(pixels, axis=2)).mean(axis=(0, 1))  # between x and x + 1
    right = np.arange(1, len(steps) + 1)  # the pixel right of each
    edges = (right % step == 0) | ((right - size) % step == 0)
    inside = ~edges & (right % PATCH == 0)
    return float(steps[edges].mean() / steps[inside].mean())


def killed(model: Path, scene: Path, out: Path, rows: int) -> bool:
    """Whether a command killed midway and run again leaves the bytes of one that was not."""
    words = ("--outputs", "classes,probabilities")
    process = subprocess.Popen(command(model, scene, out, *words), stdout=subprocess.DEVNULL)
    state = out / f".predict/{scene.stem}.work/state.json"
    while not (state.exists() and json.loads(state.read_text())["rows"] >= rows):
        if process.poll() is not None:
            raise SystemExit("it had ended before it could be killed.")
        time.sleep(0.02)
    process.kill()
    process.wait()
    predicted(model, scene, out, *words)
    whole = out.with_name(f"{out.name}-whole")
    predicted(model, scene, whole, *words)
    return all(path.read_bytes() == (whole / path.name).read_bytes() for path in out.glob("*.tif"))


def main() -> None:
    """Measure and print tables."""
    if sys.argv[1:2] == ["--loop"]:
        loop(sys.argv[2:])
        return
    options = arguments()
    cores = measuring.pin(options.cores)
    with np.load(options.clouds) as held:
        tiles = held["images"]
    with measuring.scratch(options.scratch) as scratch:
        scenes = [lay(tiles, scratch / f"scene{side}.tif", side) for side in options.sides]
        print(machine(cores))
        print(versions(("torch", "timm", "rasterio", "geo-iterate")))
        for model in options.models:
            print(table(*measured(model, scenes, scratch)), flush=True)


def measured(
    model: Path, scenes: Sequence[Path], scratch: Path
) -> tuple[Sequence[str], list[list[str]]]:
    """The table of a model."""
    rows, place = [], scratch / model.name
    rate = plain(model, scenes[0])
    for scene in scenes:
        found, told = predicted(model, scene, place / scene.stem)
        own = told["predicted"] / told["seconds"]
        print(f"  {model.name}, {scene.stem}: {found.wall:.1f} s", file=sys.stderr)
        rows.append([
            f"{model.name}, {scene.stem[5:]}²", f"{found.memory / 1e9:.3f}", f"{found.wall:.1f}",
            str(told["windows"]), f"{own:.1f}", f"{rate:.1f}", f"{own / rate:.2f}",
        ])  # fmt: skip
    print(f"{model.name}: seams {_seams(model, scenes[0], place)}")
    side = round(told["windows"] ** 0.5) if len(scenes) == 1 else 20
    same = killed(model, scenes[0], place / "killed", side // 2)
    print(f"{model.name}: killed midway and run again, the same bytes: {same}")
    heads = ("", "memory, GB", "wall, s", "windows", "windows/s", "plain loop", "share")
    return heads, rows


def _seams(model: Path, scene: Path, place: Path) -> str:
    """Blended, and side by side."""
    told = []
    for name, words in (("blended", ()), ("side by side", ("--overlap", "0"))):
        out = place / name.replace(" ", "-")
        _, found = predicted(model, scene, out, "--outputs", "probabilities", *words)
        with rasterio.open(scene) as file:
            across = round(found["windows"] ** 0.5) - 1
            step = TILE if words else -(-(file.width - TILE) // across // PATCH) * PATCH
        told.append(f"{name} {seams(out / f'{scene.stem}_probabilities.tif', step, TILE):.3f}")
    return ", ".join(told)


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = measuring.options(__doc__ or "", runs=1)
    parser.add_argument("models", type=Path, nargs="+", help="folders of iterate fit")
    parser.add_argument("--clouds", type=Path, required=True, help="cloudshadow_64.npz")
    parser.add_argument("--sides", type=int, nargs="+", default=[2_000, 10_000])
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
