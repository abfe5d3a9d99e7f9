"""Polygons with classes as the labels of images: masks, and boxes."""

import json
from pathlib import Path

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from folders_support import UTM, noise, on_ground, reader, searched
from rasterio.warp import transform

from iterate_core.data.dataset import Boxes
from iterate_core.errors import RequestError

SIDE = 16


def rectangle(left: int, top: int, right: int, bottom: int, tile: int = 0) -> list[list[float]]:
    """Longitudes and latitudes of a rectangle of pixels of a tile."""
    x0, y0 = 500_000 + tile * SIDE * 10, 5_000_000
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    xs, ys = zip(*[(x0 + 10 * x, y0 - 10 * y) for x, y in corners], strict=True)
    longitudes, latitudes = transform(UTM, "EPSG:4326", xs, ys)
    return [list(place) for place in zip(longitudes, latitudes, strict=True)]


def collection(*features: tuple[list[list[float]], str | None]) -> str:
    """GeoJSON of polygons and their crops."""
    listed = [
        {
            "type": "Feature",
            "properties": {"crop": crop},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for ring, crop in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": listed})


@pytest.fixture
def farms(tmp_path: Path) -> Path:
    """Six tiles side by side, and parcels of wheat and maize on each."""
    parcels = []
    for tile in range(6):
        pixels = noise(2, SIDE, tile, "uint8")
        image(tmp_path / f"farms/tiles/t{tile}.tif", pixels, ("red", "nir"), **on_ground(tile))
        parcels += [
            (rectangle(1, 2, 5, 7, tile), "wheat"),
            (rectangle(8, 8, 14, 12, tile), "maize"),
        ]
    (tmp_path / "farms/parcels.geojson").write_text(collection(*parcels))
    return tmp_path / "farms"


POLYGONS = {"file": "parcels.geojson", "attribute": "crop"}
OPTIONS = {
    "images": "tiles/{key}.tif",
    "classes": ["wheat", "maize"],
    "vectors": POLYGONS,
}


def test_polygons_become_masks_on_the_images_grid(farms: Path) -> None:
    found = reader(farms, "geotiff_folder", **OPTIONS)
    expected = np.full((SIDE, SIDE), 255)
    expected[2:7, 1:5] = 0
    expected[8:12, 8:14] = 1
    for tile in range(6):
        assert np.array_equal(found.read(f"t{tile}", ["red"]).target, expected)


def test_what_lies_under_no_polygon_may_be_a_class(farms: Path) -> None:
    vectors = {**POLYGONS, "background": "fallow"}
    found = reader(farms, "geotiff_folder", **{**OPTIONS, "vectors": vectors})
    assert found.info.classes == ("fallow", "wheat", "maize")
    target = found.read("t2", ["red"]).target
    assert target[0, 0] == 0  # type: ignore[index]
    assert target[3, 3] == 1  # type: ignore[index]


def test_polygons_of_objects_become_boxes_clipped_to_the_image(farms: Path) -> None:
    over_the_edge = (rectangle(12, 1, 20, 5), "maize")
    text = collection((rectangle(1, 2, 5, 7), "wheat"), over_the_edge)
    (farms / "parcels.geojson").write_text(text)
    found = reader(farms, "geotiff_folder", task="detection", **OPTIONS)
    first, second, third = (found.read(f"t{tile}", ["red"]).target for tile in range(3))
    assert isinstance(first, Boxes)
    assert first.corners == pytest.approx(np.array([[1, 2, 5, 7], [12, 1, 16, 5]]), abs=1e-3)
    assert first.labels.tolist() == [0, 1]
    assert isinstance(second, Boxes)
    assert second.corners == pytest.approx(np.array([[0, 1, 4, 5]]), abs=1e-3)
    assert isinstance(third, Boxes)
    assert third.corners.shape == (0, 4)


def test_a_file_an_image_and_other_formats(farms: Path) -> None:
    import geopandas

    table = geopandas.read_file(farms / "parcels.geojson").to_crs(UTM.to_string())
    (farms / "labels").mkdir()
    for tile in range(6):
        part = table.cx[500_000 + tile * 160 + 1 : 500_000 + tile * 160 + 159, :]
        part.to_file(farms / f"labels/t{tile}.gpkg", layer="crops")
    vectors = {"file": "labels/{key}.gpkg", "attribute": "crop", "layer": "crops"}
    found = reader(farms, "geotiff_folder", **{**OPTIONS, "vectors": vectors})
    whole = reader(farms, "geotiff_folder", **OPTIONS)
    for tile in range(6):
        mine, theirs = (r.read(f"t{tile}", ["red"]).target for r in (found, whole))
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(("task", "decoder"), [("segmentation", "fcn"), ("detection", "fcos")])
def test_a_search_runs_on_polygons(
    farms: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    task: str, decoder: str,
) -> None:  # fmt: skip
    data = {"name": "geotiff_folder", "root": str(farms), "masks": None, "task": task, **OPTIONS}
    command = commands(monkeypatch, capsys)
    if task == "detection":
        data["image_size"] = 64
    planned, metrics = searched(command, farms, data, decoder)
    assert planned["task"] == task
    assert planned["classes"] == ["wheat", "maize"]
    assert metrics


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": ["wheat"]}, r"parcels\.geojson: holds the value maize.*data\.classes"),
        (
            {"vectors": {**POLYGONS, "attribute": "kind"}},
            "no attribute 'kind'.*crop",
        ),
        (
            {"vectors": {**POLYGONS, "file": "none.geojson"}},
            r"data\.vectors: there is no file .*none\.geojson",
        ),
        ({"vectors": "parcels.geojson"}, r"data\.vectors\.attribute: must say which"),
        ({"vectors": {**POLYGONS, "file": "tiles/t0.tif"}}, r"t0\.tif: is no file of polygons"),
        ({"masks": "tiles/{key}.tif"}, "one of masks, vectors and table"),
    ],
)
def test_a_mistake_names_the_file_or_the_key(
    farms: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        reader(farms, "geotiff_folder", **{**OPTIONS, **changes}).read("t0", ["red"])


def test_damaged_polygons_are_told(farms: Path) -> None:
    (farms / "parcels.geojson").write_text('{"type": "FeatureCollection", "feat')
    with pytest.raises(RequestError, match=r"parcels\.geojson: is no readable file of polygons"):
        reader(farms, "geotiff_folder", **OPTIONS).read("t0", ["red"])
    image(farms / "tiles/t0.tif", noise(2, SIDE, 0, "uint8"), ("red", "nir"))
    with pytest.raises(RequestError, match=r"t0\.tif: has no coordinate system"):
        reader(farms, "geotiff_folder", **OPTIONS).read("t0", ["red"])
