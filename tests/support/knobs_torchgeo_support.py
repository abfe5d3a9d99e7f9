"""What each option of the readers of TorchGeo's datasets changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from folders_support import noise
from huggingface_support import parquet, pictures
from knobs_support import Case, Scene, merged, refused, setting
from torchgeo_support import scene_options, scenes, tiles

from iterate_core.data.dataset import SPLITS, Boxes, Reader, Sample
from iterate_core.data.huggingface.options import HuggingFaceData
from iterate_core.data.open import open_dataset
from iterate_core.data.torchgeo.geo_options import GeoData
from iterate_core.data.torchgeo.options import NonGeoData
from iterate_core.registry.parsing import parse


def pixels(number: int, bands: int = 2) -> Any:
    """Of a sample: numbers, and in the first one pixels without data."""
    found = noise(bands, 8, number, "float32")
    if number == 0:
        found[:, 0] = -9999
    return found


def numbered(scene: Scene, **others: Any) -> Reader:
    """Ten samples of many keys, by a class of one's own; `scene.value` at its option."""
    tiles(
        scene.folder,
        image=pixels,
        other=lambda n: pixels(n + 20),
        mask=lambda n: noise(1, 8, n)[0] % 2,
        cover=lambda n: np.full((8, 8), n % 2),
        bbox_xyxy=lambda _: np.array([[0, 0, 4, 4], [2, 2, 8, 8]]),
        label=lambda _: np.array([0, 1]),
        kinds=lambda _: np.array([1, 1]),
        outlines=lambda _: np.ones((2, 8, 8)),
        halves=lambda _: np.arange(16).reshape(2, 8, 1) % 2 * np.ones((2, 8, 8)),
    )
    base = {
        "name": "torchgeo_nongeo", "dataset": f"{scene.folder}/mine.py:Tiles",
        "root": str(scene.folder), "task": "segmentation", "classes": ["land", "water"],
        "band_names": ["red", "nir"], "unit": "dn", "nodata": -9999, "fill": 0,
    }  # fmt: skip
    values = merged(base, others)
    if scene.knob.field not in others:
        values = merged(values, setting(scene.knob.field, scene.value))
    return open_dataset(parse(NonGeoData, values))


def first(reader: Reader) -> Sample:
    """The sample that is called 0, whichever its split."""
    return reader.read("0", [reader.info.bands[0].name])


def boxes(scene: Scene) -> Boxes:
    keys = {"task": "instance", "label_key": "label", "mask_key": "outlines"}
    others = {key: value for key, value in keys.items() if key != scene.knob.field}
    target = first(numbered(scene, target_key="bbox_xyxy", **others)).target
    assert isinstance(target, Boxes)
    return target


def split_of(reader: Reader) -> dict[str, list[str]]:
    return {split: list(reader.names(split)) for split in SPLITS}


TORCHGEO: dict[str, Case] = {
    "SourceData.dataset": Case(
        ("Tiles", "Others"),
        lambda s: numbered(s, dataset=f"{s.folder}/mine.py:{s.value}").info.name,
        ("Tiles", "Others"),
    ),
    "KeyedData.root": Case(
        ("here", "nowhere"),
        refused(lambda s: numbered(s, root=str(s.folder / s.value.replace("here", "."))).info.name),
    ),
    "SourceData.arguments": Case(
        ({}, {"first": 5}), lambda s: sum(numbered(s).info.sizes.values()), (10, 5)
    ),
    "SourceData.attributes": Case(
        ({}, {"least": 5}), lambda s: sum(numbered(s).info.sizes.values()), (10, 5)
    ),
    "KeyedData.task": Case(
        ("segmentation", "regression"), refused(lambda s: numbered(s).info.task)
    ),
    "KeyedData.target_key": Case(
        ("mask", "cover"), lambda s: np.ravel(first(numbered(s)).target).tolist()
    ),
    "KeyedData.label_key": Case(
        ("label", "kinds"), lambda s: boxes(s).labels.tolist(), ([0, 1], [1, 1])
    ),
    "KeyedData.mask_key": Case(
        ("outlines", "halves"), lambda s: np.ravel(boxes(s).masks).sum(), (128, 64)
    ),
    "KeyedData.classes": Case(
        (["land", "water"], {1: "wet", 0: "dry"}), lambda s: numbered(s).info.classes,
        (("land", "water"), ("wet", "dry")),
    ),
    "KeyedData.ignore_index": Case(
        (None, 1),
        refused(lambda s: np.unique(first(numbered(s, classes={0: "land"})).target).tolist()),
    ),
    "KeyedData.band_names": Case(
        (["red", "nir"], ["vv", {"name": "a", "meaning": "nir"}]),
        lambda s: [band.common for band in numbered(s).info.bands], (["red", "nir"], ["vv", "nir"]),
    ),
    "KeyedData.sensor": Case(
        ("sentinel-2", "landsat-8"),
        lambda s: [band.common for band in numbered(s, band_names=["B02", "B08"]).info.bands],
        (["blue", "nir"], ["blue", "pan"]),
    ),
    "KeyedData.unit": Case(
        (None, "reflectance"), refused(lambda s: numbered(s).info.bands[0].unit),
        ("dn", "reflectance"),
    ),
    "KeyedData.nodata": Case(
        (None, -9999), refused(lambda s: first(numbered(s)).image[0, 0, 0])
    ),
    "KeyedData.fill": Case((0, 5), lambda s: first(numbered(s)).image[0, 0, 0], (0, 5)),
    "KeyedData.mask": Case(
        (False, True), lambda s: int((first(numbered(s)).target == 255).sum()), (0, 8)
    ),
    "ImageKeys.image_keys": Case(
        (["image"], ["other"]), lambda s: first(numbered(s)).image[0, 1, 1],
        (pixels(0)[0, 1, 1], pixels(20)[0, 1, 1]),
    ),
    "ImageKeys.stack": Case(
        ("bands", "dates"),
        lambda s: numbered(
            s, image_keys=["image", "other"],
            band_names=["red", "nir", "vv", "vh"] if s.value == "bands" else ["red", "nir"],
        ).info.frames,
        (1, 2),
    ),
    "NonGeoData.split": Case(
        ({"seed": 0}, {"seed": 1}), lambda s: split_of(numbered(s)),
        same=lambda s: numbered(s).info.sizes,
    ),
}  # fmt: skip


def cut(scene: Scene, **others: Any) -> Reader:
    """Two scenes in patches; `scene.value` at its option."""
    scenes(scene.folder)
    values = merged(scene_options(scene.folder, block_metres=240), others)
    if scene.knob.field not in others:
        values = merged(values, setting(scene.knob.field, scene.value))
    return open_dataset(parse(GeoData, {"name": "torchgeo_geo", **values}))


def raster(folder: str) -> dict[str, str]:
    return {"dataset": "torchgeo.datasets.RasterDataset", "folder": folder}


def west(reader: Reader) -> list[float]:
    """The columns in which training patches begin."""
    return [float(reader.read(name, ["column"]).image[0, 0, 0]) for name in reader.names("train")]


TORCHGEO |= {
    "GeoData.images": Case(
        ("images", "nowhere"), refused(lambda s: cut(s, images=raster(s.value)).info.name)
    ),
    "GeoData.more_images": Case(
        (0, 1),
        lambda s: len(cut(
            s, more_images=[raster("masks")] * s.value,
            band_names=["column", "row", "sum"][: 2 + s.value],
        ).info.bands),
        (2, 3),
    ),
    "GeoData.labels": Case(
        ("masks", "images"),
        refused(lambda s: cut(s, labels=raster(s.value)).read("val-0", ["row"])),
    ),
    "GeoData.size": Case((8, 12), lambda s: cut(s).info.height, (8, 12)),
    "GeoData.stride": Case((None, 4), lambda s: cut(s).info.sizes["test"], (18, 55)),
    "GeoData.sampler": Case(
        ("random", "grid"), lambda s: {place % 8 for place in west(cut(s))} == {4.0}, (False, True)
    ),
    "GeoData.length": Case((5, 50), lambda s: cut(s).info.sizes["train"], (5, 50),
                           same=lambda s: cut(s).info.sizes["val"]),
    "GeoData.split": Case(
        ({"seed": 0}, {"seed": 1}), lambda s: west(cut(s)),
        same=lambda s: sum(cut(s, sampler="grid").info.sizes.values()),
    ),
}  # fmt: skip


def tabled(scene: Scene, **others: Any) -> Reader:
    """Ten rows of a table; `scene.value` at its option."""
    box = [1.0, 2.0, 3.0, 4.0]
    rows = pictures(scene.folder, 10, lambda n: {"objects": [{"bbox": box, "category": 0}]})
    parquet(scene.folder / "all.parquet", rows)
    base = {"name": "huggingface", "root": str(scene.folder), "task": "detection", "classes": ["a"]}
    values = merged(base, others, setting(scene.knob.field, scene.value))
    return open_dataset(parse(HuggingFaceData, values))


TORCHGEO |= {
    "HuggingFaceData.boxes": Case(
        ("xywh", "xyxy"),
        lambda s: tabled(s).read("train-0", ["red"]).target.corners.tolist(),  # type: ignore[union-attr]
        ([[1, 2, 4, 6]], [[1, 2, 3, 4]]),
    ),
    "HuggingFaceData.split": Case(
        ({"seed": 0}, {"seed": 1}), lambda s: split_of(tabled(s)),
        same=lambda s: tabled(s).info.sizes,
    ),
}  # fmt: skip
