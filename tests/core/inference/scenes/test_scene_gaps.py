"""Pixels without data are told, whatever marks them, and filled as the model expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_support import recipe
from scenes_support import model, numbers, opened, raster, whole

from iterate_core.errors import DataError
from iterate_core.inference.scenes.base import SceneOptions
from iterate_core.inference.scenes.open import open_scene, scenes_of

NAMES = ("blue", "nir")
HOLE = np.zeros((9, 11), bool)
HOLE[2:5, 3:7] = True


def stored(kind: Any, mark: float) -> Any:
    pixels = numbers(2, 9, 11).astype(kind)
    pixels[1, HOLE] = mark
    return pixels


def check(found: Any, pixels: Any, fill: float = 200.0) -> None:
    values, valid = whole(found)
    assert np.array_equal(valid, ~HOLE)
    assert (values[1][HOLE] == fill).all()
    assert np.array_equal(values[:, ~HOLE], pixels[:, ~HOLE])
    assert np.array_equal(values[0], pixels[0])


def test_the_files_own_mark(tmp_path: Path) -> None:
    pixels = stored(np.uint16, 0)
    check(opened(raster(tmp_path / "a.tif", pixels, NAMES, nodata=0), model(NAMES)), pixels)


def test_no_number(tmp_path: Path) -> None:
    pixels = stored(np.float32, np.nan)
    check(opened(raster(tmp_path / "a.tif", pixels, NAMES), model(NAMES)), pixels)


def test_an_infinite_number(tmp_path: Path) -> None:
    pixels = stored(np.float32, np.inf)
    check(opened(raster(tmp_path / "a.tif", pixels, NAMES), model(NAMES)), pixels)


def test_a_mark_that_a_person_says(tmp_path: Path) -> None:
    pixels = stored(np.uint16, 65_535)
    path = raster(tmp_path / "a.tif", pixels, NAMES)
    check(opened(path, model(NAMES), nodata=65_535.0), pixels)


def test_a_mark_that_the_recipe_says(tmp_path: Path) -> None:
    data = recipe("segmentation").to_mapping()["data"] | {"nodata": 65_535.0, "fill": -3.0}
    pixels = stored(np.uint16, 65_535)
    path = raster(tmp_path / "a.tif", pixels, NAMES)
    check(opened(path, model(NAMES, data=data)), pixels, fill=-3.0)


def test_a_mask_in_the_file(tmp_path: Path) -> None:
    pixels = numbers(2, 9, 11)
    found = opened(raster(tmp_path / "a.tif", pixels, NAMES, mask=~HOLE), model(NAMES))
    values, valid = whole(found)
    assert np.array_equal(valid, ~HOLE)
    assert (values[:, HOLE] == [[100.0], [200.0]]).all()


def test_all_is_real(tmp_path: Path) -> None:
    pixels = stored(np.uint16, 0)
    path = raster(tmp_path / "a.tif", pixels, NAMES, nodata=0)
    values, valid = whole(opened(path, model(NAMES), nodata="none"))
    assert valid.all()
    assert np.array_equal(values, pixels)


def test_gaps_of_bands_that_are_not_used_do_not_count(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", stored(np.uint16, 0), NAMES, nodata=0)
    assert whole(opened(path, model(("blue",))))[1].all()


def test_an_undeclared_mark_is_refused(tmp_path: Path) -> None:
    pixels = stored(np.float32, -9999)
    path = raster(tmp_path / "a.tif", pixels, NAMES)
    with pytest.raises(DataError, match=r"holds -9999 in band 'nir'.*--nodata -9999"):
        opened(path, model(NAMES), unit="dn")
    check(opened(path, model(NAMES), nodata=-9999.0), pixels)


def test_mirrored_gaps_are_filled_too(tmp_path: Path) -> None:
    pixels = stored(np.uint16, 0)
    found = opened(raster(tmp_path / "a.tif", pixels, NAMES, nodata=0), model(NAMES))
    piece = found.read(-9, -11, 27, 33)
    assert np.isfinite(piece.pixels).all()
    assert piece.valid.sum() == (~HOLE).sum()
    assert (piece.pixels[1] == 200).sum() > HOLE.sum()


def zeros_told(path: Path, **options: Any) -> list[str]:
    found = opened(path, model(NAMES, data=options.pop("data", None)), unit="dn", **options)
    return [note for note in found.notes if "are 0 in every band" in note]


def test_a_collar_of_undeclared_zeros_is_told(tmp_path: Path) -> None:
    pixels = numbers(2, 100, 100)
    pixels[:, :20, :25] = 0
    path = raster(tmp_path / "a.tif", pixels, NAMES)
    assert zeros_told(path) == [
        "about 5 % of its pixels are 0 in every band and taken as measured; if they lack data: "
        "--nodata 0, else --nodata none"
    ]
    assert not zeros_told(path, nodata="none")
    assert not zeros_told(path, nodata=0.0)
    section = recipe("segmentation").to_mapping()["data"] | {"nodata": "none"}
    assert not zeros_told(path, data=section)
    pixels[1] += 1
    assert not zeros_told(raster(tmp_path / "b.tif", pixels, NAMES))


@pytest.mark.parametrize("overviews", [False, True])
def test_zeros_are_found_amid_a_larger_file(tmp_path: Path, overviews: bool) -> None:
    pixels = np.full((2, 1200, 1200), 700, np.uint16)
    pixels[:, 200:500, 200:500] = 0
    options = {"driver": "COG", "overview_resampling": "nearest"} if overviews else {}
    path = raster(tmp_path / "a.tif", pixels, NAMES, **options)
    assert [note[:10] for note in zeros_told(path)] == ["about 5 % "]


def test_a_height_of_0_is_that_of_the_sea(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", np.zeros((1, 9, 9), np.float32), ("elevation",))
    found = opened(path, model(("elevation",), "metre"))
    assert not any("are 0" in note for note in found.notes)


def test_zeros_of_one_of_several_files_name_it(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", numbers(1, 9, 9), ("blue",))
    raster(tmp_path / "b.tif", np.zeros((1, 9, 9), np.uint16), ("nir",))
    listed = tmp_path / "scenes.csv"
    listed.write_text("scene,file\none,a.tif\none,b.tif\n")
    (request,) = scenes_of([], model(NAMES), SceneOptions(table=listed, unit="dn"))
    (note,) = open_scene(request, model(NAMES)).notes
    assert note.startswith(f"about 100 % of the pixels of {tmp_path / 'b.tif'} are 0")
