"""`GeoDataset`s of TorchGeo, cut by its samplers into splits that lie apart on the ground."""

import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from convert_support import image
from door_support import commands
from folders_support import noise, on_ground, searched
from hypothesis import event, given, settings
from hypothesis import strategies as st
from torchgeo.datasets import RasterDataset
from torchgeo_support import scene_options, scenes

from iterate_core.data.dataset import SPLITS, Reader, Split
from iterate_core.data.open import open_dataset
from iterate_core.data.torchgeo.areas import areas_of
from iterate_core.data.torchgeo.geo_options import GeoData
from iterate_core.data.torchgeo.joined import Joined
from iterate_core.data.torchgeo.patches import Patch, grid_patches, random_patches
from iterate_core.errors import RequestError
from iterate_core.registry.parsing import parse

METRES = 10


def options_of(root: Path, **options: Any) -> GeoData:
    data = {"name": "torchgeo_geo", **scene_options(root), **options}
    return parse(GeoData, data, "data")


def opened(root: Path, **options: Any) -> Reader:
    return open_dataset(options_of(root, **options))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of 48 × 48 pixels side by side."""
    return scenes(tmp_path_factory.mktemp("scenes"))


def pixels_of(found: Reader, split: Split) -> npt.NDArray[np.int64]:
    """(pixels, 2) column and row of all pixels of a split, as they say themselves."""
    images = [found.read(name, ["column", "row"]).image for name in found.names(split)]
    places = np.concatenate([one.reshape(2, -1) for one in images], axis=1).T - 300
    assert np.array_equal(places, np.rint(places))  # cut along pixels, not resampled
    return np.unique(places.astype(np.int64), axis=0)


def edges_of(patches: Sequence[Patch]) -> npt.NDArray[np.float64]:
    """(patches, 4) west, south, east and north."""
    return np.array([(p.west, p.south, p.east, p.north) for p in patches])


def nearest(patches: Mapping[Split, Sequence[Patch]]) -> float:
    """The least distance between the edges of different splits' patches, in metres of the map."""
    least = np.inf
    for one, other in combinations(SPLITS, 2):
        here, there = edges_of(patches[one])[:, None], edges_of(patches[other])[None]
        gaps = np.maximum(here[..., :2] - there[..., 2:], there[..., :2] - here[..., 2:])
        assert (gaps.max(axis=2) > -1e-6).all()  # no pixel is in both
        least = min(least, float(np.hypot(*np.maximum(gaps, 0).T).min()))
    return least


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    side=st.integers(100, 400),
    distance=st.sampled_from([0, 10, 35, 60]),
    size=st.integers(3, 9),
    sampler=st.sampled_from(["random", "grid"]),
    seed=st.integers(0, 99),
)
def test_no_pixel_is_nearer_to_another_split_than_stated(
    two: Path, side: int, distance: int, size: int, sampler: str, seed: int
) -> None:
    split = {"block_metres": side, "distance_metres": distance, "seed": seed}
    section = options_of(two, split=split, size=size, sampler=sampler)
    try:
        areas = areas_of(section, Joined(section))
    except RequestError as error:  # blocks too small for the distance
        event("too small" if "has no patch for" in str(error) else str(error))
        return
    # A metre of UTM is up to 1.0004 m on the ground.
    found = nearest(areas.patches) * 1.0004
    assert found >= distance
    assert distance <= int(areas.notes[-1].split()[2]) <= found


def test_the_pixels_that_are_read_lie_as_far_apart(two: Path) -> None:
    split = {"block_metres": 240, "distance_metres": 50, "seed": 4}
    found = opened(two, split=split)
    every = {split: pixels_of(found, split) for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        steps = np.abs(every[one][:, None] - every[other][None])
        between = np.hypot(*(np.maximum(steps - 1, 0) * METRES).T)
        assert between.min() * 1.0004 >= 50


def test_a_search_runs_on_images_and_masks_that_plan_describes(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = {"block_metres": 240, "distance_metres": 50}
    data = {"name": "torchgeo_geo", **scene_options(two, **split), "length": 20, "image_size": 16}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data, "fcn")
    assert planned["samples"] == {"train": 20, "val": 11, "test": 18}
    assert (planned["crs"], planned["metres"], planned["pixels"]) == ("EPSG:32632", 10, [8, 8])
    assert planned["notes"] == [
        "covers x 500000 to 500960, y 4999520 to 5000000 in pixels of 10 (metre)",
        "split by blocks of 240 m, at least 50 m apart, shared out as 0.6/0.2/0.2 with seed 0",
        "25 patches of the grid not used",
        "too near to another split: 18 of train, 7 of val; the splits' shares come to "
        "0.38/0.23/0.38",
        "20 random training patches by RandomGeoSampler with seed 0; validation and test by "
        "GridGeoSampler with a stride of 8 pixels",
        "splits lie 50 m apart where nearest",
    ]
    assert 0 <= metrics["val/miou"] <= 1


def test_masks_lie_on_their_images(two: Path) -> None:
    found = opened(two)
    for split in SPLITS:
        sample = found.read(f"{split}-1", ["row", "column"])
        assert np.array_equal(sample.target, (sample.image.sum(axis=0) - 600) % 3)
        assert sample.place == pytest.approx((45.15, 9.006), abs=0.01)
    # Another process makes the datasets anew.
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.read("val-0", ["row"]).image, found.read("val-0", ["row"]).image)


def test_random_patches_depend_on_their_seed_alone(two: Path) -> None:
    dataset = RasterDataset(str(two / "images"))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    drawn = random_patches(dataset, 8, 30, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert random_patches(dataset, 8, 30, seed=5) == drawn
    assert random_patches(dataset, 8, 30, seed=6) != drawn
    assert len({(patch.west, patch.south) for patch in drawn}) > 20
    # Both files are drawn from, and that choice is fixed too.
    assert {patch.west > 500_480 for patch in drawn} == {True, False}


def test_patches_of_the_grid_never_reach_beyond_the_data(tmp_path: Path) -> None:
    """Where a scene ends between patches, TorchGeo would fill them up with zeros."""
    scenes(tmp_path, side=20, count=1)
    patches = grid_patches(RasterDataset(str(tmp_path / "images")), 8, 8)
    assert [(p.west - 500_000, p.south - 4_999_800) for p in patches] == [
        (0, 0), (80, 0), (0, 80), (80, 80),
    ]  # fmt: skip
    # Side by side, what reaches from one scene into the next is on data.
    scenes(tmp_path, side=20, count=2)
    wests = {p.west for p in grid_patches(RasterDataset(str(tmp_path / "images")), 8, 8)}
    assert {500_000, 500_080, 500_160} <= wests


def test_dates_come_from_file_names(two: Path) -> None:
    dated = {"filename_regex": r".*_(?P<date>\d{8})\.tif", "date_format": "%Y%m%d"}
    sources = {
        key: {**scene_options(two)[key], "attributes": dated} for key in ("images", "labels")
    }
    found = opened(two, **sources)
    dates = {found.read(name, ["row"]).dates for split in SPLITS for name in found.names(split)}
    assert dates == {((2020, 15),), ((2020, 46),)}


def test_several_datasets_of_images_and_polygons_as_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes(tmp_path)
    for number in range(2):
        where = on_ground(number, 0, 48)
        image(tmp_path / f"dem/{number}.tif", noise(1, 48, number, "float32"), **where)
    west, north = 500_000, 5_000_000
    ring = [(west + x, north - y) for x, y in ((0, 0), (480, 0), (480, 480), (0, 480), (0, 0))]
    outside = [(x + 480, y) for x, y in ring]
    features = [
        {"type": "Feature", "properties": {"kind": kind},
         "geometry": {"type": "Polygon", "coordinates": [one]}}
        for kind, one in ((1, ring), (2, outside))
    ]  # fmt: skip
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    collection = {"type": "FeatureCollection", "crs": crs, "features": features}
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields/all.geojson").write_text(json.dumps(collection))
    raster = "torchgeo.datasets.RasterDataset"
    data = {
        **scene_options(tmp_path, block_metres=240), "name": "torchgeo_geo",
        "more_images": [{"dataset": raster, "folder": "dem"}],
        "labels": {"dataset": "torchgeo.datasets.VectorDataset", "folder": "fields",
                   "arguments": {"label_name": "kind"}},
        "band_names": ["column", "row", {"name": "dem", "meaning": "elevation", "unit": "metre"}],
        "classes": {1: "wheat", 2: "maize"}, "image_size": 16,
    }  # fmt: skip
    planned, _ = searched(commands(monkeypatch, capsys), tmp_path, data, "fcn")
    assert planned["bands"][2] == {"name": "dem", "unit": "metre"}
    found = opened(
        tmp_path, **{k: v for k, v in data.items() if k not in ("name", "root", "image_size")}
    )
    sample = found.read("train-0", ["column", "dem"])
    column = int(sample.image[0, 0, 0]) - 300
    row = int(found.read("train-0", ["row"]).image[0, 0, 0]) - 300
    assert np.array_equal(sample.target, (sample.image[0] - 300 >= 48).astype(np.uint8))
    dem = noise(1, 48, column // 48, "float32")[0, row : row + 8, column % 48 : column % 48 + 8]
    assert np.array_equal(sample.image[1][:, : dem.shape[1]], dem)


def test_arguments_bring_scenes_to_coordinates_and_a_resolution(two: Path) -> None:
    """EPSG:3035 is Europe's equal-area map; nobody warps the files for it."""
    images = {**scene_options(two)["images"], "arguments": {"crs": "EPSG:3035", "res": 20}}
    split = {"block_metres": 240, "distance_metres": 40}
    found = opened(two, images=images, size=4, split=split, nodata=0, fill=0, mask=True)
    assert (found.info.crs, found.info.metres) == ("EPSG:3035", 20)
    sample = found.read("train-0", ["column", "row"])
    assert sample.image.shape == (2, 4, 4)
    assert sample.place == pytest.approx((45.15, 9.006), abs=0.01)


def test_quantities_of_rasters_keep_what_is_behind_the_point(tmp_path: Path) -> None:
    scenes(tmp_path)
    for number in range(2):
        heights = noise(1, 48, number, "float32") / 7
        image(tmp_path / f"heights/{number}.tif", heights, **on_ground(number, 0, 48))
    labels = {"dataset": "torchgeo.datasets.RasterDataset", "folder": "heights"}
    found = opened(tmp_path, labels=labels, task="regression", classes=["height"], sampler="grid")
    sample = found.read("train-0", ["column", "row"])
    column, row = (sample.image[:, 0, 0] - 300).astype(int)
    heights = noise(1, 48, column // 48, "float32")[0] / 7
    expected = heights[row : row + 8, column % 48 : column % 48 + 8]
    assert np.array_equal(sample.target, expected)


OWN = '''
from torchgeo.datasets import RasterDataset


class Scenes(RasterDataset):
    """Images of which each split has a scene of its own."""

    all_bands = ("column", "row")

    def __init__(self, paths, split="train", **rest):
        number = ("train", "val", "test").index(split)
        super().__init__(f"{paths}/scene{number}_20200{number + 1}15.tif", **rest)
'''


def test_a_class_says_its_own_splits(tmp_path: Path) -> None:
    scenes(tmp_path, side=24, count=3)
    (tmp_path / "mine.py").write_text(OWN)
    images = {"dataset": f"{tmp_path}/mine.py:Scenes", "folder": "images"}
    own = {"train": "train", "val": "val", "test": "test"}
    options = {"images": images, "band_names": None}
    found = opened(tmp_path, **options, split=own)
    assert found.info.sizes == {"train": 9, "val": 9, "test": 9}
    for number, split in enumerate(SPLITS):
        assert set(pixels_of(found, split)[:, 0] // 24) == {number}
    assert "split by the argument split: train, val, test" in found.info.notes
    assert "splits lie 0 m apart where nearest" in found.info.notes
    section = options_of(tmp_path, **options, split={**own, "distance_metres": 70})
    apart = areas_of(section, Joined(section)).patches
    assert nearest(apart) * 1.0004 >= 70
    # Without a word the class would give its training split alone.
    with pytest.raises(RequestError, match=r"must say the values of Scenes's argument 'split'"):
        opened(tmp_path, **options)
    # Validation is drawn by blocks from the training scene.
    drawn = {"train": "train", "test": "test", "block_metres": 80, "shares": [0.5, 0.25, 0.25]}
    found = opened(tmp_path, **options, split=drawn, size=4)
    assert set(pixels_of(found, "val")[:, 0] // 24) == {0}
    assert set(pixels_of(found, "test")[:, 0] // 24) == {2}


def test_pixels_without_data_leave_the_masks(tmp_path: Path) -> None:
    scenes(tmp_path, count=1)
    path = next((tmp_path / "images").iterdir())
    pixels = np.stack(np.meshgrid(np.arange(48), np.arange(48))).astype(np.uint16) + 300
    pixels[:, :, 24:] = 0
    image(path, pixels, **on_ground(0, 0, 48))
    options = {"nodata": 0, "split": {"block_metres": 80}, "sampler": "grid"}
    with pytest.raises(RequestError, match=r"which marks missing data.*data\.fill"):
        _all(opened(tmp_path, **options))
    for sample in _all(opened(tmp_path, **options, fill=7, mask=True)):
        gone = sample.image[0] == 7
        assert np.array_equal(sample.target == 255, gone)


def _all(found: Reader) -> list[Any]:
    return [found.read(name, ["column", "row"]) for split in SPLITS for name in found.names(split)]


def test_where_files_lie_is_no_part_of_a_result(two: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(two, tmp_path / "moved")
    found = opened(two)
    assert opened(moved).fingerprint() == found.fingerprint()
    image(next((moved / "masks").iterdir()), np.ones((1, 48, 48), np.uint8), **on_ground(0, 0, 48))
    assert opened(moved).fingerprint() != found.fingerprint()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": {}}, "data.split.block_metres: say how large blocks of ground are drawn"),
        ({"split": {"block_metres": 9, "train": "a", "val": "b", "test": "c"}}, "or the class's"),
        ({"sampler": "grid", "length": 3}, "data.length: is that of random patches"),
        ({"size": 500}, "no patch of 500 × 500 pixels"),
        ({"split": {"block_metres": 160, "distance_metres": 900}}, "has no patch for"),
        ({"labels": {"dataset": "torchgeo.datasets.EuroSAT"}},
         "data.labels.dataset: 'torchgeo.datasets.EuroSAT' is no GeoDataset"),
        ({"images": {"dataset": "torchgeo.datasets.RasterDataset", "folder": "no"}},
         "/no: is no folder"),
        ({"images": {"dataset": "torchgeo.datasets.RasterDataset", "folder": "../x"}},
         "data.images.folder: must be a folder below data.root"),
        ({"labels": None}, "has no 'mask' or 'masks' or 'label'"),
        ({"split": {"train": "a", "val": "b", "test": "c"}}, "no class takes an argument 'split'"),
    ],
)  # fmt: skip
def test_mistakes_are_told(two: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError) as caught:
        opened(two, **options).read("train-0", ["row"])
    assert told in str(caught.value)
