"""Make a folder laid out like GEO-Bench-2 out of published files at hand, and draw the rest.

    python benchmarks/geobench/demo_2.py demo-data-2 --given FOLDER
    iterate bench --suite geobench-2 --protocol quick --data demo-data-2 --out runs/demo-2 \
        --backbones test_resnet=none,test_vit=none \
        search.trials=1 search.repeats=5 trainer.epochs=1
    iterate bench submit runs/demo-2

FOLDER may hold any published ``.tortilla`` files, whole or in parts; without it all nineteen are
drawn. Drawn sets have the files, bands, dates and labels of the published ones, and few, small
samples: they show that everything runs, and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iterate.bench.suites.suite import load_suite
from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.found import dataset_of, tortillas
from iterate_core.data.geobench_v2.synthetic.generate import generate


def given_files(folder: Path) -> dict[str, list[Path]]:
    """The published files below a folder, by what their names begin with."""
    found: dict[str, list[Path]] = {}
    for path in tortillas(folder):
        found.setdefault(DATASETS[dataset_of(path, "the file's name")].files, []).append(path)
    return found


def make_root(
    root: Path,
    given: Path | None = None,
    samples: tuple[int, int, int] = (8, 5, 5),
    size: int = 32,
) -> tuple[list[str], list[str]]:
    """Make the folder; what is there already stays.

    Args:
        root: Of all datasets.
        given: A folder of published files, linked as they are.
        samples: Training, validation and test samples of what is drawn.
        size: Height and width of what is drawn.

    Returns:
        The datasets that were given, and those that were drawn.
    """
    files = given_files(given) if given is not None else {}
    names: tuple[list[str], list[str]] = ([], [])
    for name, dataset in load_suite("geobench-2").datasets.items():
        folder = root / (dataset.folder or name)
        own = files.get(DATASETS[name].files, [])
        names[0 if own else 1].append(name)
        if folder.exists():
            continue  # pastis and pastis_r are the same files
        if own:
            folder.mkdir(parents=True)
            for path in own:
                (folder / path.name).symlink_to(path.resolve())
        else:
            generate(name, root, samples, size)
            (root / name).rename(folder)
    return names


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--given", type=Path, help="a folder of published .tortilla files")
    parser.add_argument("--samples", default="8,5,5", help="training, validation, test")
    parser.add_argument("--size", type=int, default=32)
    asked = parser.parse_args()
    train, val, test = (int(count) for count in asked.samples.split(","))
    given, drawn = make_root(asked.root, asked.given, (train, val, test), asked.size)
    print(f"given: {', '.join(given) or 'none'}\ndrawn: {', '.join(drawn) or 'none'}")


if __name__ == "__main__":
    main()
