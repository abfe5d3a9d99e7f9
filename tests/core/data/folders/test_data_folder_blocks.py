"""Splits by blocks of ground: what is near stays together, and splits keep their distance."""

from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from convert_support import image
from door_support import commands
from folders_support import noise, on_ground, reader, searched
from pyproj import Geod
from rasterio import Affine
from rasterio.crs import CRS

from iterate_core.data.blocks import loss_notes
from iterate_core.data.dataset import SPLITS, Reader, Split
from iterate_core.errors import RequestError

SIDE, PIXELS, METRES = 12, 4, 10.0
NEAREST = 0.9996  # the scale of UTM at its meridian: a metre there is longer on the ground
Corners = npt.NDArray[np.float64]


def grid(root: Path) -> Path:
    """144 images of 40 m side by side, in two classes."""
    for column in range(SIDE):
        for row in range(SIDE):
            path = root / f"{'ab'[column % 2]}/{column}_{row}.tif"
            where = on_ground(column, row, PIXELS, METRES)
            image(path, noise(1, PIXELS, 100 * column + row), ("B02",), **where)
    return root


def corners_of_pixels(name: str) -> Corners:
    """(25, 2) metres: of all pixels of an image."""
    column, row = map(int, name.split("_"))
    steps = np.arange(PIXELS + 1) * METRES
    x, y = np.meshgrid(column * PIXELS * METRES + steps, row * PIXELS * METRES + steps)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def nearest_between_splits(found: Reader) -> float:
    """The least distance between pixels of different splits, in metres on the ground."""
    every = {split: np.concatenate([corners_of_pixels(n) for n in found.names(split)])
             for split in SPLITS}  # fmt: skip
    return min(
        float(np.hypot(*(every[one][:, None] - every[other][None]).T).min()) / NEAREST
        for one, other in combinations(SPLITS, 2)
    )


@pytest.mark.parametrize(("block", "distance"), [(160, 0), (160, 40), (160, 50), (240, 70)])
def test_no_pixel_is_nearer_than_stated(tmp_path: Path, block: int, distance: int) -> None:
    root = grid(tmp_path)
    split = {"block_metres": block, "distance_metres": distance}
    found = reader(root, "image_folder", split=split)
    assert nearest_between_splits(found) >= distance
    used = sum(found.info.sizes.values())
    assert used == SIDE**2 if distance == 0 else used < SIDE**2
    told = f"{SIDE**2 - used} samples not used"
    assert (told in found.info.notes) == (distance > 0)
    # A random split leaves neighbours in different splits.
    assert nearest_between_splits(reader(root, "image_folder")) == 0


def test_the_shares_are_met_as_far_as_blocks_allow(tmp_path: Path) -> None:
    split = {"block_metres": 80, "shares": [0.5, 0.25, 0.25]}
    sizes = reader(grid(tmp_path), "image_folder", split=split).info.sizes
    assert sum(sizes.values()) == SIDE**2
    assert [sizes[s] for s in SPLITS] == pytest.approx([72, 36, 36], abs=5)


def test_what_the_distance_costs_each_split_is_told() -> None:
    owners: list[Split | None] = [*["train"] * 6, *["val"] * 2, *["test"] * 4]
    kept: list[Split | None] = [*[None] * 4, *owners[4:7], None, *owners[8:]]
    assert loss_notes(owners, kept) == (
        "too near to another split: 4 of train, 1 of val; the splits' shares come to "
        "0.29/0.14/0.57",
        "training is smaller than the test split: smaller blocks or a smaller distance leave it "
        "more",
    )
    assert loss_notes(owners, owners) == ("the splits' shares come to 0.50/0.17/0.33",)


def test_images_that_overlap_are_never_in_two_splits(tmp_path: Path) -> None:
    for index in range(40):  # each covers half of the next
        where = on_ground(index, 0, 2, METRES)
        image(tmp_path / f"a/{index:02}.tif", noise(1, 4, index), ("B02",), **where)
    split = {"block_metres": 200}
    found = reader(tmp_path, "image_folder", split=split)
    numbers = {split: [int(name) for name in found.names(split)] for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert min(abs(a - b) for a in numbers[one] for b in numbers[other]) >= 2


def test_distances_hold_across_coordinate_systems_and_the_meridian_of_180_degrees(
    tmp_path: Path,
) -> None:
    """Degrees east and west of 180°, and UTM zones 60 and 1, by geodesics on the ellipsoid."""
    places = {}
    for index in range(60):
        longitude = 179.9 + 0.004 * index
        longitude -= 360 if longitude >= 180 else 0
        step = 0.0005
        where = {"crs": CRS.from_epsg(4326), "transform": Affine(step, 0, longitude, 0, -step, 60)}
        image(tmp_path / f"a/{index}.tif", noise(1, 4, index), ("B02",), **where)
        places[index] = (longitude, longitude + 4 * step)
    split = {"block_metres": 2000, "distance_metres": 700}
    found = reader(tmp_path, "image_folder", split=split)
    geod = Geod(ellps="WGS84")
    for one, other in combinations(SPLITS, 2):
        for a in map(int, found.names(one)):
            for b in map(int, found.names(other)):
                first, second = sorted((a, b))
                _, _, metres = geod.inv(places[first][1], 59.998, places[second][0], 59.998)
                assert metres >= 700


def test_a_search_splits_by_blocks_from_yaml_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = {"block_metres": 160, "distance_metres": 50}
    data = {"name": "image_folder", "root": str(grid(tmp_path / "tiles")), "split": split}
    planned, _ = searched(commands(monkeypatch, capsys), tmp_path, {**data, "image_size": 16})
    told = "split by blocks of 160 m, at least 50 m apart, shared out as 0.6/0.2/0.2 with seed 0"
    assert told in planned["notes"]


def test_images_without_coordinates_lie_in_no_block(tmp_path: Path) -> None:
    for index in range(5):
        image(tmp_path / f"a/{index}.tif", noise(1, 4, index), ("B02",))
    with pytest.raises(RequestError, match=r"0\.tif: has no coordinate system.*data\.split"):
        reader(tmp_path, "image_folder", split={"block_metres": 100})
    with pytest.raises(RequestError, match="distance_metres lies between blocks"):
        reader(tmp_path, "image_folder", split={"distance_metres": 100})
