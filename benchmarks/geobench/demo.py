"""Make a folder laid out like GEO-Bench (v1) out of what is at hand, and drawn data for the rest.

    python benchmarks/geobench/demo.py demo-data --eurosat eurosat_rgb_3000.npz \
        --given m-brick-kiln=brick_kiln_v1.0 --given m-chesapeake=cvpr_chesapeake_landcover
    iterate bench --suite geobench --protocol quick --data demo-data \
        --datasets m-eurosat,m-brick-kiln,m-chesapeake,m-so2sat,m-forestnet,m-pv4ger-seg \
        --backbones resnet10t=none,test_resnet=none,mobilenetv3_small_050=none

Drawn sets have the suite's task, classes and number of bands, and few, small samples: they show
that everything runs, and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from iterate.bench.suites.suite import SuiteDataset, load_suite
from iterate_core.data.convert.convert import convert
from iterate_core.data.dataset import SPLITS, Band
from iterate_core.data.geobench_v1.writer import NewDataset, writing
from iterate_core.fingerprint import seed_for

DRAWN = ("m-so2sat", "m-forestnet", "m-pv4ger-seg")
_FOLDERS = {"segmentation": "segmentation_v1.0"}
_NAMED = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "nir")}
_LANDSAT = ("blue", "green", "red", "nir", "swir_1", "swir_2")


def place(root: Path, name: str, dataset: SuiteDataset) -> Path:
    """Where the suite keeps a dataset."""
    return root / _FOLDERS.get(dataset.task, "classification_v1.0") / name


def bands_of(dataset: SuiteDataset) -> tuple[Band, ...]:
    """As many bands as the suite says, with common names where they are few."""
    count = dataset.bands or 3
    names = {**_NAMED, 6: _LANDSAT}.get(count) or tuple(f"band {i + 1}" for i in range(count))
    return tuple(Band(name, name if count <= 6 else None, unit="uint8") for name in names)


def draw(root: Path, name: str, samples: tuple[int, int, int], size: int) -> None:
    """Draw a classification or segmentation set: a colour for each class, blurred by noise."""
    dataset = load_suite("geobench").datasets[name]
    bands, classes = bands_of(dataset), dataset.classes or 2
    dense = dataset.task == "segmentation"
    rng = np.random.default_rng(seed_for("demo", name))
    colours = rng.uniform(60, 190, (classes, len(bands)))
    new = NewDataset(
        name=name,
        task=dataset.task,
        classes=tuple(f"class {index}" for index in range(classes)),
        bands=bands,
        licence="CC0-1.0",
        source="drawn by benchmarks/geobench/demo.py",
    )
    with writing(place(root, name, dataset), new) as writer:
        for split, count in zip(SPLITS, samples, strict=True):
            for index in range(count):
                labels = np.full((size, size), index % classes, dtype=np.uint8)
                if dense:
                    labels = mosaic(rng, classes, size)
                image = colours[labels].transpose(2, 0, 1) + rng.normal(0, 35, (len(bands), 1, 1))
                image += rng.normal(0, 25, image.shape)
                target = labels if dense else index % classes
                pixels = image.clip(0, 255).astype(np.uint8)
                writer.add(split, f"{split}-{index:04d}", pixels, target)


def mosaic(rng: np.random.Generator, classes: int, size: int) -> np.ndarray:
    """A mask of random fields: each pixel belongs to the nearest of a few seeds."""
    seeds = rng.uniform(0, size, (max(4, classes), 2))
    kinds = rng.permutation(np.arange(len(seeds)) % classes)
    rows, columns = np.mgrid[:size, :size]
    far = (rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2
    return kinds[far.argmin(axis=-1)].astype(np.uint8)


def subset(source: Path, out: Path, counts: tuple[int, int, int]) -> Path:
    """The first so many samples of each split of an .npz of arrays."""
    with np.load(source) as arrays:
        split = arrays["split"]
        kept = np.concatenate(
            [np.flatnonzero(split == which)[:count] for which, count in enumerate(counts)]
        )
        whole = {
            key: arrays[key][kept] if len(arrays[key]) == len(split) else arrays[key]
            for key in ("images", "labels", "split", "class_names")
        }
    np.savez(out, **whole)
    return out


def make_root(
    root: Path,
    eurosat: Path | None = None,
    given: dict[str, Path] | None = None,
    drawn: tuple[str, ...] = DRAWN,
    samples: tuple[int, int, int] = (48, 24, 24),
    size: int = 32,
) -> None:
    """Make the folder; what is there already stays.

    Args:
        root: Of all datasets.
        eurosat: An .npz of EuroSAT RGB; its first samples become m-eurosat.
        given: Dataset → a folder in GeoBench v1 format, linked as it is.
        drawn: Datasets to draw.
        samples: Training, validation and test samples of what is made.
        size: Height and width of what is drawn.
    """
    suite = load_suite("geobench")
    root.mkdir(parents=True, exist_ok=True)
    if eurosat is not None and not place(root, "m-eurosat", suite.datasets["m-eurosat"]).exists():
        part = subset(eurosat, root / "eurosat.part.npz", samples)
        convert(part, place(root, "m-eurosat", suite.datasets["m-eurosat"]), name="m-eurosat")
        part.unlink()
    for name, folder in (given or {}).items():
        link = place(root, name, suite.datasets[name])
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(folder.resolve(), target_is_directory=True)
    for name in drawn:
        if not place(root, name, suite.datasets[name]).exists():
            draw(root, name, samples, size)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--eurosat", type=Path, help="an .npz of EuroSAT RGB")
    parser.add_argument("--given", action="append", default=[], help="DATASET=FOLDER")
    parser.add_argument("--drawn", default=",".join(DRAWN), help="datasets to draw")
    parser.add_argument("--samples", default="48,24,24", help="training, validation, test")
    parser.add_argument("--size", type=int, default=32)
    asked = parser.parse_args()
    pairs = (text.partition("=") for text in asked.given)
    train, val, test = (int(count) for count in asked.samples.split(","))
    make_root(
        asked.root,
        asked.eurosat,
        {name: Path(folder) for name, _, folder in pairs},
        tuple(name for name in asked.drawn.split(",") if name),
        (train, val, test),
        asked.size,
    )


if __name__ == "__main__":
    main()
