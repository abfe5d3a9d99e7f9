"""What each option of the readers of folders changes, seen on small folders."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from convert_support import image
from folders_support import noise
from knobs_support import Case, Scene, merged, refused, setting

from iterate_core.data.dataset import SPLITS, Reader, Sample
from iterate_core.data.open import open_dataset
from iterate_core.registry.parsing import parse

LAND = ["land", "water"]


def masked(scene: Scene, **others: Any) -> Reader:
    """Ten images of two bands beside masks of 0 and 1; one has pixels without data."""
    for index in range(10):
        pixels = noise(2, 8, index, "float32")
        if index == 0:
            pixels[:, 0] = -9999
        image(scene.folder / f"images/{index}.tif", pixels, ("B02", "B08"), nodata=-9999)
        image(scene.folder / f"masks/{index}.tif", noise(1, 8, index) % 2)
    return opened(scene, **merged({"classes": LAND}, others))


def tabled(scene: Scene, **others: Any) -> Reader:
    """Ten images and two tables of them."""
    for table in (0, 1):
        rows = [
            {"name": f"{i}", "kind": "ab"[(i + table) % 2], "size": i, "age": i / 2}
            for i in range(10)
        ]
        path = scene.folder / f"table_{table}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
    for index in range(10):
        image(scene.folder / f"images/{index}.tif", noise(1, 8, index), ("B02",))
    others = merged({"table": "table_0.jsonl", "label": "kind"}, others)
    return opened(scene, **others)


PATTERNS = {"images": "images/{key}.tif", "masks": "masks/{key}.tif"}


def opened(scene: Scene, **others: Any) -> Reader:
    patterns: dict[str, Any] = PATTERNS if scene.knob.component == "geotiff_folder" else {}
    if "table" in others:
        patterns = {key: value for key, value in patterns.items() if key != "masks"}
    values = merged(
        {"name": scene.knob.component, "root": str(scene.folder)},
        patterns,
        others,
        setting(scene.knob.field, scene.value),
    )
    return open_dataset(parse(scene.knob.owner, values))


def first(reader: Reader) -> Sample:
    """The sample that is called 0, whichever its split."""
    return reader.read("0", [reader.info.bands[0].name])


def split_of(reader: Reader) -> dict[str, list[str]]:
    return {split: list(reader.names(split)) for split in SPLITS}


def at_root(scene: Scene) -> str:
    """The folder's name."""
    inner = Scene(scene.knob, str(scene.folder / scene.value), scene.folder / scene.value)
    inner.folder.mkdir()
    return masked(inner).info.name


def dated(scene: Scene, **others: Any) -> Reader:
    """Ten images on four days, without masks for one of them."""
    for index in range(10):
        for day in range(1, 5):
            pixels = noise(1, 8, 10 * index + day)
            image(scene.folder / f"images/{index}_2020-01-0{day}.tif", pixels, ("B02",))
        if index < 9 or scene.knob.field != "incomplete":
            for folder in ("masks", "others"):
                image(scene.folder / f"{folder}/{index}.tif", noise(1, 8, len(folder)) % 2)
    images = {} if "modalities" in others else {"images": "images/{key}_{date}.tif"}
    return opened(scene, **merged({"classes": LAND, **images}, others))


def outlined(scene: Scene) -> Reader:
    """Ten images, and no polygons."""
    for index in range(10):
        image(scene.folder / f"images/{index}.tif", noise(1, 8, index), ("B02",))
    (scene.folder / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    return opened(scene, masks=None, classes=["house"])


def first_mask(reader: Reader) -> list[int]:
    return np.ravel(first(reader).target).tolist()


DAY = "images/{key}_2020-01-0%s.tif"

FOLDERS: dict[str, Case] = {
    "GeotiffFolderData.images": Case(
        (DAY % 1, DAY % 2), lambda s: first(dated(s)).image.tobytes(),
    ),
    "GeotiffFolderData.modalities": Case(
        ({"a": DAY % 1}, {"a": DAY % 1, "b": {"images": DAY % 2, "band_names": ["vv"]}}),
        lambda s: [band.name for band in dated(s, images=None, modalities={}).info.bands],
        (["B02"], ["B02", "vv"]),
    ),
    "GeotiffFolderData.masks": Case(
        ("masks/{key}.tif", "others/{key}.tif"), lambda s: first_mask(dated(s))
    ),
    "GeotiffFolderData.vectors": Case(
        ({"file": "a.geojson"}, {"file": "a.geojson", "background": "open"}),
        lambda s: outlined(s).info.classes, (("house",), ("open", "house")),
    ),
    "GeotiffFolderData.frames": Case((2, 4), lambda s: dated(s).info.frames, (2, 4)),
    "GeotiffFolderData.incomplete": Case(
        ("refuse", "skip"), refused(lambda s: sum(dated(s).info.sizes.values()))
    ),
    "FolderData.root": Case(("one", "two"), at_root, ("one", "two")),
    "FolderData.task": Case((None, "scalar_regression"), refused(lambda s: masked(s).info.task)),
    "FolderData.classes": Case((LAND, {0: "dry", 1: None}), lambda s: masked(s).info.classes,
                               (("land", "water"), ("dry",))),
    "FolderData.ignore_index": Case(
        (None, 1),
        refused(lambda s: np.unique(first(masked(s, classes={0: "land"}, fill=0)).target).tolist()),
    ),
    "FolderData.band_names": Case(
        (None, ["red", "nir"]), lambda s: [band.name for band in masked(s).info.bands],
        (["B02", "B08"], ["red", "nir"]),
    ),
    "FolderData.sensor": Case(
        ("sentinel-2", "landsat-8"), lambda s: [band.common for band in masked(s).info.bands],
        (["blue", "nir"], ["blue", "pan"]),
    ),
    "FolderData.unit": Case((None, "reflectance"), lambda s: masked(s).info.bands[0].unit,
                            ("dn", "reflectance")),
    "FolderData.nodata": Case(
        (None, "none"), refused(lambda s: first(masked(s, unit="unknown")).image[0, 0, 0]),
    ),
    "FolderData.fill": Case((0, 5), lambda s: first(masked(s)).image[0, 0, 0], (0, 5)),
    "FolderData.mask": Case(
        (False, True), lambda s: int((first(masked(s, fill=0)).target == 255).sum()), (0, 8)
    ),
    "FolderData.size": Case((None, 4), lambda s: first(masked(s, fill=0)).image.shape,
                            ((1, 8, 8), (1, 4, 4))),
    "FolderData.table": Case(
        ("table_0.jsonl", "table_1.jsonl"), lambda s: first(tabled(s)).target, (0, 1)
    ),
    "FolderData.label": Case(("kind", "size"), lambda s: tabled(s).info.classes[:2],
                             (("a", "b"), ("0", "1"))),
    "FolderData.quantities": Case(
        (["size"], ["age", "size"]), lambda s: tabled(s, label=None).info.classes,
        (("size",), ("age", "size")),
    ),
    "FolderData.split": Case(({"seed": 0}, {"seed": 1}), lambda s: split_of(masked(s)),
                             same=lambda s: masked(s).info.sizes),
}  # fmt: skip
