"""Small folders in the layout in which GEO-Bench v1 publishes its twelve datasets.

Band names, types, statistics and label kinds are those of the published files; pixels are the
bands' published means. Nothing of the product writes them, so a reader and a writer that were
wrong in the same way would not hide each other.
"""

from __future__ import annotations

import datetime as dt
import json
import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS

S2 = (
    "01 - Coastal aerosol", "02 - Blue", "03 - Green", "04 - Red", "05 - Vegetation Red Edge",
    "06 - Vegetation Red Edge", "07 - Vegetation Red Edge", "08 - NIR",
    "08A - Vegetation Red Edge", "09 - Water vapour", "10 - SWIR - Cirrus", "11 - SWIR",
    "12 - SWIR",
)  # fmt: skip
S2_12 = tuple(name for name in S2 if not name.startswith("10"))
SO2SAT_S1 = (
    "01 - VH.Real", "02 - VH.Imaginary", "03 - VV.Real", "04 - VV.Imaginary",
    "05 - VH.LEE Filtered", "06 - VV.LEE Filtered", "07 - VH.LEE Filtered.Real",
    "08 - VV.LEE Filtered.Imaginary",
)  # fmt: skip
SO2SAT_S2 = (*S2[1:9], *S2[11:])
LANDSAT = ("02 - Blue", "03 - Green", "04 - Red", "05 - NIR", "06 - SWIR1", "07 - SWIR2")
CLOUDS = "Cloud Probability"
FRACTIONS = ("0.01x", "0.02x", "0.05x", "0.10x", "0.20x", "0.50x", "1.00x")


@dataclass(frozen=True)
class Published:
    """One dataset.

    Attributes:
        name: In the benchmark.
        kind: ``Classification``, ``MultiLabelClassification`` or ``SegmentationClasses``.
        classes: How many.
        means: Band → published mean, in the order the samples intend.
        stds: Band → published standard deviation, where a test needs it.
        largest: The largest value of each band, unless `maxima` says another.
        dtype: Of the pixels.
        metres: Ground size of a pixel, as the files give it.
        said: What the specifications call it.
        date: Of every sample; None where bands bear none.
    """

    name: str
    kind: str
    classes: int
    means: dict[str, float]
    dtype: str
    metres: float
    said: str
    largest: float = 10_000.0
    maxima: dict[str, float] = field(default_factory=dict)
    stds: dict[str, float] = field(default_factory=dict)
    date: dt.date | None = None
    records: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return "segmentation_v1.0" if "Segm" in self.kind else "classification_v1.0"

    def record(self, band: str) -> str:
        return self.records.get(band) or next(iter(self.records.values()), "SpectralBand")


def _means(names: tuple[str, ...], values: str) -> dict[str, float]:
    return dict(zip(names, map(float, values.split()), strict=True))


def _all(names: tuple[str, ...], record: str) -> dict[str, str]:
    return dict.fromkeys(names, record)


PUBLISHED = (
    Published(
        "m-bigearthnet", "MultiLabelClassification", 43,
        _means(S2_12, "378 482 706 721 1101 1909 2192 2337 2395 2368 1875 1229"),
        "int16", 10, "bigearthnet", records=_all(S2_12, "Sentinel2"), date=dt.date(2017, 7, 4),
    ),
    Published(
        "m-so2sat", "Classification", 17,
        {**dict.fromkeys(SO2SAT_S1, 0.0), "05 - VH.LEE Filtered": 0.0561}
        | {"06 - VV.LEE Filtered": 0.337}
        | _means(SO2SAT_S2, ".1295 .1173 .1137 .1269 .1692 .1908 .1838 .2052 .1763 .1287"),
        "float32", 10, "so2sat", largest=2.8,
        records={**_all(SO2SAT_S1, "Sentinel1"), **_all(SO2SAT_S2, "Sentinel2")},
    ),
    Published(
        "m-brick-kiln", "Classification", 2,
        _means(S2, "575 674 886 815 1129 1935 2046 2013 1609 1130 83 91 69"),
        "int16", 10, "brick_kiln_v1.0", records=_all(S2, "Sentinel2"),
        maxima={S2[10]: 255.0, S2[11]: 255.0, S2[12]: 255.0},
    ),
    Published(
        "m-forestnet", "Classification", 12, _means(LANDSAT, "73 84 78 124 92 75"),
        "uint8", 15, "forestnet_v1.0", largest=255, records=_all(LANDSAT, "Landsat8"),
        date=dt.date(2014, 3, 1),
    ),
    Published(
        "m-eurosat", "Classification", 10,
        _means(S2, "1356 1114 1036 928 1188 2033 2417 2343 749 12 1810 1101 2645"),
        "int16", 10, "eurosat", records=_all(S2, "Sentinel2"),
    ),
    Published(
        "m-pv4ger", "Classification", 2, {"Red": 113.4, "Green": 119.7, "Blue": 116.6},
        "uint8", 0.1, "pv4ger_classification", largest=255,
    ),
    Published(
        "m-pv4ger-seg", "SegmentationClasses", 2, {"Red": 131.1, "Green": 137.4, "Blue": 139.8},
        "uint8", 0.1, "pv4ger_segmentation", largest=255,
    ),
    Published(
        "m-chesapeake", "SegmentationClasses", 7,
        {"Red": 0.457, "Green": 0.520, "Blue": 0.481, "NearInfrared": 0.570},
        "float32", 1, "cvpr_chesapeake_landcover", largest=1.0,
    ),
    Published(
        "m-cashew-plant", "SegmentationClasses", 7,
        _means(
            (*S2_12, CLOUDS),
            "520 635 893 881 1381 2233 2549 2643 2644 2853 2464 1601 .0103",
        ),
        "float32", 0.5, "benin_smallholder_cashews", date=dt.date(2019, 11, 15),
        records={**_all(S2_12, "Sentinel2"), CLOUDS: "CloudProbability"},
        maxima={CLOUDS: 100.0},
    ),
    Published(
        "m-SA-crop-type", "SegmentationClasses", 10,
        _means((*S2_12, CLOUDS), "12.7 16.5 26.6 36.7 46.4 58.3 63.6 68.2 69.1 69.9 83.6 65.8 0"),
        "uint8", 10, "southAfricaCropType", largest=255, date=dt.date(2017, 8, 5),
        records={**_all(S2_12, "Sentinel2"), CLOUDS: "CloudProbability"},
        maxima={CLOUDS: 0.0}, stds={CLOUDS: 0.0},
    ),
    Published(
        "m-nz-cattle", "SegmentationClasses", 2, {"Red": 126.3, "Green": 130.1, "Blue": 106.5},
        "uint8", 0.1, "nz_cattle_detection", largest=255,
    ),
    Published(
        "m-NeonTree", "SegmentationClasses", 2,
        {"Red": 122.3, "Green": 131.0, "Blue": 108.4, "Canopy Height Model": 9.89, "Neon": 1130.9},
        "float32", 0.1, "NeonTree", largest=255, maxima={"Neon": 15_000.0},
        records={"Canopy Height Model": "ElevationBand", "Neon": "HyperSpectralBands",
                 **_all(("Red", "Green", "Blue"), "SpectralBand")},
    ),
)  # fmt: skip
BY_NAME = {found.name: found for found in PUBLISHED}


@contextmanager
def original_classes() -> Iterator[types.ModuleType]:
    """The original project's classes, importable by name while pickles are written."""
    names = ("geobench", "geobench.dataset", "geobench.label", "geobench.task")
    modules = {name: types.ModuleType(name) for name in names}
    for name in ("Sentinel1", "Sentinel2", "Landsat8", "SpectralBand", "CloudProbability",
                 "ElevationBand", "HyperSpectralBands", "SegmentationClasses"):  # fmt: skip
        setattr(
            modules["geobench.dataset"], name, type(name, (), {"__module__": "geobench.dataset"})
        )
    for name in ("Classification", "MultiLabelClassification"):
        setattr(modules["geobench.label"], name, type(name, (), {"__module__": "geobench.label"}))
    specs = type("TaskSpecifications", (), {"__module__": "geobench.task"})
    modules["geobench.task"].TaskSpecifications = specs  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(modules)
    try:
        for name in names[1:]:
            setattr(modules["geobench"], name.partition(".")[2], modules[name])
        yield modules["geobench"]
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _object(module: types.ModuleType, kind: str, /, **fields: Any) -> Any:
    made = getattr(module, kind)()
    vars(made).update(fields)
    return made


def publish(
    root: Path, dataset: Published, samples: int = 6, size: int = 4, apart: float = 0.0
) -> Path:
    """Write a dataset; sample i holds means + i, and its label is i modulo the classes.

    Each lies so many metres east of the one before.
    """
    folder = root / dataset.folder / dataset.name
    folder.mkdir(parents=True)
    names = [f"sample_{index}" for index in range(samples)]
    with original_classes() as geobench:
        for index, name in enumerate(names):
            _write_sample(folder / f"{name}.hdf5", dataset, index, size, geobench, index * apart)
        label = _label_type(dataset, geobench)
        specs = _object(
            geobench.task, "TaskSpecifications", dataset_name=dataset.said, label_type=label,
            spatial_resolution=dataset.metres, patch_size=(size, size), n_time_steps=1,
        )  # fmt: skip
        (folder / "task_specs.pkl").write_bytes(pickle.dumps(specs, 4))
    _write_json_files(folder, dataset, names)
    return folder


def _label_type(dataset: Published, geobench: types.ModuleType) -> Any:
    module = geobench.dataset if dataset.kind == "SegmentationClasses" else geobench.label
    names = [f"{dataset.name} {index}" for index in range(dataset.classes)]
    fields: dict[str, Any] = {"n_classes": dataset.classes, "_class_names": names}
    if module is geobench.dataset:
        fields |= {"name": "label", "spatial_resolution": dataset.metres}
    return _object(module, dataset.kind, **fields)


def _write_sample(
    path: Path,
    dataset: Published,
    index: int,
    size: int,
    geobench: types.ModuleType,
    east: float,
) -> None:
    details: dict[str, Any] = {}
    suffix = f"_{dataset.date.isoformat()}" if dataset.date else ""
    with h5py.File(path, "w") as file:
        for band, mean in dataset.means.items():
            value = np.float64(mean) + (index if dataset.largest > 100 else index / 100)
            if np.dtype(dataset.dtype).kind in "iu":
                value = np.rint(value)
            file[band + suffix] = np.full((size, size), value, dataset.dtype)
            record = _object(geobench.dataset, dataset.record(band), name=band)
            details[band + suffix] = {
                "date": dataset.date, "date_id": dataset.date, "meta_info": None,
                "spatial_resolution": dataset.metres, "band_info": record,
                "transform": Affine(10, 0, 500_000 + east, 0, -10, 5_500_000),
                "crs": CRS.from_epsg(32632),
            }  # fmt: skip
        if dataset.kind == "SegmentationClasses":
            mask = np.arange(size * size).reshape(size, size) % dataset.classes
            file["label"] = mask.astype("int64")
            details["label"] = {"band_info": _label_type(dataset, geobench), "date": None}
        elif dataset.kind == "MultiLabelClassification":
            details["label"] = (np.arange(dataset.classes) % (index + 2) == 0).astype(np.int64)
        else:
            details["label"] = index % dataset.classes
        details["bands_order"] = [band + suffix for band in dataset.means]
        file.attrs["pickle"] = str(pickle.dumps(details, 4))


def _write_json_files(folder: Path, dataset: Published, names: list[str]) -> None:
    statistics = {
        band: {
            "mean": mean,
            "std": dataset.stds.get(band, 1.0),
            "min": 0.0,
            "max": dataset.maxima.get(band, dataset.largest),
        }
        for band, mean in dataset.means.items()
    }
    (folder / "band_stats.json").write_text(json.dumps(statistics))
    train, valid, test = names[:-2], names[-2:-1], names[-1:]
    for fraction in (None, *FRACTIONS):
        share = len(train) if fraction is None else max(1, round(len(train) * float(fraction[:-1])))
        partition = {"train": train[:share], "valid": valid, "test": test}
        name = "default_partition" if fraction is None else f"{fraction}_train_partition"
        (folder / f"{name}.json").write_text(json.dumps(partition))
    if dataset.kind == "Classification":
        labels: dict[str, list[str]] = {}
        for index, name in enumerate(names):
            labels.setdefault(str(index % dataset.classes), []).append(name)
        (folder / "label_map.json").write_text(json.dumps(labels))
