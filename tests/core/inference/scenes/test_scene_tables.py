"""Scenes of several files: tables, dates, other grids, and folders as the recipe lays them out."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.warp import reproject, transform_bounds
from scenes_support import DEGREES, NORTH_UP, UTM, model, numbers, opened, paths, raster, whole

from iterate_core.errors import DataError, RequestError
from iterate_core.inference.scenes.base import Scene, SceneOptions
from iterate_core.inference.scenes.open import open_scene, scenes_of
from iterate_core.inference.scenes.table import parse_units

BOTH = ("red", "nir")


def table(folder: Path, *lines: str, columns: str = "scene,file,date,bands,unit") -> Path:
    path = folder / "scenes.csv"
    path.write_text("\n".join((columns, *lines)) + "\n")
    return path


def scenes(path: Path, described: Any, **options: Any) -> list[Scene]:
    requests = scenes_of([], described, SceneOptions(table=path, **options))
    return [open_scene(request, described) for request in requests]


def test_bands_of_several_files_make_up_a_scene(tmp_path: Path) -> None:
    red, nir = numbers(1, 9, 11), numbers(1, 9, 11, seed=1)
    raster(tmp_path / "in" / "r.tif", red)
    raster(tmp_path / "in" / "n.tif", nir / np.float32(10_000), ("NIR",))
    listed = table(tmp_path, "first,in/r.tif,,red,", "other,in/r.tif,,red,dn", "first,in/n.tif,,,")
    described = model(BOTH)
    requests = scenes_of([], described, SceneOptions(table=listed))
    assert [(one.name, paths(one.files)) for one in requests] == [
        ("first", ["r.tif", "n.tif"]),
        ("other", ["r.tif"]),
    ]
    pixels, valid = whole(open_scene(requests[0], described))
    assert pixels == pytest.approx(np.concatenate([red, nir]), rel=1e-6)
    assert valid.all()
    with pytest.raises(DataError, match="has no band 'nir'"):
        open_scene(requests[1], described)


def test_dates_are_frames_in_their_order(tmp_path: Path) -> None:
    for day in range(3):
        raster(tmp_path / f"{day}.tif", numbers(2, 9, 9, seed=day), BOTH)
    raster(tmp_path / "dem.tif", np.full((1, 9, 9), 300, np.float32), ("elevation",))
    rows = ("a,2.tif,2021-03-01", "a,0.tif,2020-07-11", "a,dem.tif,", "a,1.tif,20200912")
    listed = table(tmp_path, *rows, columns="scene,file,date")
    described = model((*BOTH, "elevation"), ("dn", "dn", "metre"), frames=3, dates=True)
    (found,) = scenes(listed, described)
    pixels, _ = whole(found)
    assert pixels.shape == (3, 3, 9, 9)
    for day in range(3):
        assert np.array_equal(pixels[:2, day], numbers(2, 9, 9, seed=day))
    assert (pixels[2] == 300).all()
    context = found.context(0, 0, 9, 9)
    assert context is not None
    assert context.dates is not None
    assert context.dates.tolist() == [[[2020, 193], [2020, 256], [2021, 60]]]


def test_not_as_many_dates_as_the_model_takes(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", numbers(2, 9, 9), BOTH)
    listed = table(tmp_path, "a,a.tif,2020-07-11", columns="scene,file,date")
    with pytest.raises(DataError, match=r"scene a: has 1 date; the model takes scenes of 2\."):
        scenes(listed, model(BOTH, frames=2))
    with pytest.raises(RequestError, match=r"1 file without dates is named.* of 2 dates.*--dates"):
        opened(tmp_path / "a.tif", model(BOTH, frames=2))
    with pytest.raises(DataError, match="scene a: does not say its dates; the model takes"):
        scenes(table(tmp_path, "a,a.tif", columns="scene,file"), model(BOTH, frames=2))
    raster(tmp_path / "b.tif", numbers(2, 9, 9), BOTH)
    rows = ("a,a.tif,2020-07-11", "a,b.tif,2020-07-12")
    with pytest.raises(
        DataError, match=r"has files of 2 dates; the model takes one\. Name a scene"
    ):
        scenes(table(tmp_path, *rows, columns="scene,file,date"), model(BOTH))


def test_files_are_the_dates_that_are_said(tmp_path: Path) -> None:
    files = [raster(tmp_path / f"{n}.tif", numbers(2, 9, 9, seed=n), BOTH) for n in range(2)]
    described = model(BOTH, frames=2)
    options = SceneOptions(dates=("2020-07-11", "2020-08-11"))
    (request,) = scenes_of(files, described, options)
    pixels, _ = whole(open_scene(request, described))
    assert np.array_equal(pixels[:, 1], numbers(2, 9, 9, seed=1))
    with pytest.raises(RequestError, match="says the dates of 2 files of one scene; 1 are named"):
        scenes_of(files[:1], described, options)
    for dates, told in (
        (("2020-07-11",), "names 1 date; the model takes 2"),
        (("2020-07-11", "soon"), "'soon' is no date"),
    ):
        with pytest.raises(RequestError, match=told):
            scenes_of(files, described, SceneOptions(dates=dates))


def test_files_without_dates_are_one_scene_in_their_order(tmp_path: Path) -> None:
    files = [raster(tmp_path / f"{n}.tif", numbers(2, 9, 9, seed=n), BOTH) for n in range(3)]
    described = model(BOTH, frames=2)
    (request,) = scenes_of([files[1], files[0]], described)
    found = open_scene(request, described)
    assert found.source == f"{files[1]}, {files[0]}"
    assert np.array_equal(whole(found)[0][:, 0], numbers(2, 9, 9, seed=1))
    assert np.array_equal(whole(found)[0][:, 1], numbers(2, 9, 9, seed=0))
    told = f"{files[1]}, {files[0]}: taken as the dates of one scene, in this order"
    assert told == found.notes[0]
    with pytest.raises(RequestError, match=r"3 files .* scenes of 2 dates\..*--dates.*--scenes"):
        scenes_of(files, described)
    (twice,) = scenes_of([files[0], files[0]], described)
    assert any("one file stands for several dates" in note for note in twice.notes)
    (tmp_path / "1.tif").write_bytes(b"no image")
    with pytest.raises(DataError) as raised:
        open_scene(request, described)
    assert raised.value.problems[0].where == str(files[1])


def test_days_that_are_alike_or_run_backwards_are_told(tmp_path: Path) -> None:
    files = [raster(tmp_path / f"{n}.tif", numbers(2, 9, 9), BOTH) for n in range(2)]
    for days, told in (
        (("2020-07-11", "2020-07-11"), ["--dates says one day of several files: 2020-07-11, 2020"]),
        (("2020-07-11", "20190711"), ["--dates runs backwards: 2020-07-11, 20190711; files are"]),
        (("2020-07-11", "2020-07-12"), []),
    ):
        (request,) = scenes_of(files, model(BOTH, frames=2), SceneOptions(dates=days))
        assert len(request.notes) == len(told)
        assert all(part in note for part, note in zip(told, request.notes, strict=True))


@pytest.mark.parametrize("sign", [";", "\t"])
def test_cells_between_semicolons_or_tabs(tmp_path: Path, sign: str) -> None:
    raster(tmp_path / "a.tif", numbers(2, 9, 9), ("x", "y"))
    cells = "scene,file,bands".replace(",", sign), sign.join(("a", "a.tif", "nir,red"))
    (found,) = scenes(table(tmp_path, cells[1], columns=cells[0]), model(BOTH))
    assert np.array_equal(whole(found)[0], numbers(2, 9, 9)[::-1])


def test_what_is_wrong_with_one_of_several_files_names_the_scene(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", numbers(1, 64, 64), ("red",), compress="deflate")
    raster(tmp_path / "b.tif", numbers(1, 64, 64, seed=1), ("nir",), compress="deflate")
    listed = table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file")
    with pytest.raises(DataError, match=r"csv, scene one: has no band 'blue'.*b\.tif \(nir\)"):
        scenes(listed, model((*BOTH, "blue")))
    (found,) = scenes(listed, model(BOTH), unit="dn")
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:600])
    with pytest.raises(DataError, match=r"csv, scene one: .*b\.tif: cannot be read"):
        pickle.loads(pickle.dumps(found)).read(0, 0, 64, 64)  # opens files anew
    with pytest.raises(DataError, match=r"csv, scene one: .*b\.tif: cannot be read"):
        scenes(listed, model(BOTH), unit="dn")


def test_an_order_without_dates(tmp_path: Path) -> None:
    for number in range(11):
        raster(tmp_path / f"{number}.tif", numbers(2, 9, 9, seed=number), BOTH)
    rows = [f"a,{number}.tif,{number}" for number in (10, 9)]
    described = model(BOTH, frames=2, dates=True)
    (found,) = scenes(table(tmp_path, *rows, columns="scene,file,date"), described)
    assert np.array_equal(whole(found)[0][:, 0], numbers(2, 9, 9, seed=9))
    context = found.context(0, 0, 9, 9)
    assert context is not None
    assert context.dates is None


@pytest.mark.parametrize("words", [("before", "later"), ("2020-07-11", "2020-09-11")])
def test_words_of_a_folders_dates_tell_the_order(tmp_path: Path, words: tuple[str, str]) -> None:
    data = LAID_OUT | {"modalities": None, "images": "{key}_{date}.tif"}
    for number, word in enumerate(words):
        raster(tmp_path / f"a_{word}.tif", numbers(2, 9, 9, seed=number), BOTH)
    found = opened(tmp_path, model(BOTH, frames=2, data=data))
    assert np.array_equal(whole(found)[0][:, 1], numbers(2, 9, 9, seed=1))
    context = found.context(0, 0, 9, 9)
    assert context is not None
    assert (context.dates is None) == (words[0] == "before")


def flat(height: int, width: int, grid: Affine) -> npt.NDArray[np.float32]:
    """A plane whose height is that of its place, which bilinear reading keeps."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = grid.c + grid.a * columns, grid.f + grid.e * rows
    return ((x - 500_000) / 1e3 + (5_000_000 - y) / 1e3).astype(np.float32)[None]


def test_other_grids_are_brought_to_the_first(tmp_path: Path) -> None:
    coarse = Affine(20, 0, 499_960, 0, -20, 5_000_040)
    raster(tmp_path / "a.tif", flat(30, 40, NORTH_UP), ("red",))
    raster(tmp_path / "b.tif", flat(25, 30, coarse), ("nir",), transform=coarse)
    rows = ("one,a.tif", "one,b.tif")
    listed = table(tmp_path, *rows, columns="scene,file")
    (found,) = scenes(listed, model(BOTH, "reflectance"))
    pixels, valid = whole(found)
    assert (found.height, found.width) == (30, 40)
    assert valid.all()
    assert np.abs(pixels[1] - pixels[0]).max() < 1e-3
    assert any("b.tif is on another grid" in note for note in found.notes)
    part = found.read(7, 9, 12, 13)
    assert np.allclose(part.pixels, pixels[:, 7:19, 9:22], atol=1e-5)


def test_what_another_grid_does_not_cover_lacks_data(tmp_path: Path) -> None:
    east = Affine(10, 0, 500_100, 0, -10, 5_000_000)
    raster(tmp_path / "a.tif", numbers(1, 20, 30), ("red",))
    raster(tmp_path / "b.tif", numbers(1, 20, 30), ("nir",), transform=east)
    (found,) = scenes(
        table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file"),
        model(BOTH, means=(1.0, 77.0)),
    )
    pixels, valid = whole(found)
    assert np.array_equal(valid, np.broadcast_to(np.arange(30) >= 10, (20, 30)))
    assert (pixels[1][:, :10] == 77).all()
    assert np.array_equal(pixels[1][:, 10:], numbers(1, 20, 30)[0][:, :20])


@pytest.mark.parametrize("nodata", [None, 0.0, -9999.0, "none"])
def test_marks_of_missing_data_are_not_blended(tmp_path: Path, nodata: Any) -> None:
    coarse = Affine(20, 0, 500_000, 0, -20, 5_000_000)
    pixels = np.full((1, 10, 10), 4000, np.uint16)
    pixels[0, 4:7, 4:7] = 0
    raster(tmp_path / "a.tif", numbers(1, 20, 20), ("red",))
    raster(tmp_path / "b.tif", pixels, ("nir",), transform=coarse, nodata=0)
    listed = table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file")
    (found,) = scenes(listed, model(BOTH, means=(1.0, 77.0)), nodata=nodata)
    values, valid = whole(found)
    if nodata in (None, 0.0):
        assert set(np.unique(values[1])) == {77.0, 4000.0}
        assert not valid[9:13, 9:13].any()
    else:
        assert valid.all()
        assert values[1].min() == 0


def test_another_system_of_coordinates(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", flat(30, 40, NORTH_UP), ("red",))
    mercator = CRS.from_epsg(3857)
    bounds = transform_bounds(UTM, mercator, 499_000, 4_999_000, 501_000, 5_001_000)
    grid = Affine(12, 0, bounds[0], 0, -12, bounds[3])
    width, height = (int((bounds[i + 2] - bounds[i]) / 12) for i in range(2))
    source = Affine(10, 0, 499_000, 0, -10, 5_001_000)
    moved = np.zeros((1, height, width), np.float32)
    reproject(
        flat(200, 200, source), moved, src_transform=source, src_crs=UTM, dst_transform=grid,
        dst_crs=mercator, resampling=1, dst_nodata=np.nan,
    )  # fmt: skip
    raster(tmp_path / "b.tif", moved, ("nir",), crs=mercator, transform=grid)
    listed = table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file")
    (found,) = scenes(listed, model(BOTH, "reflectance"))
    pixels, valid = whole(found)
    assert valid.all()
    assert np.abs(pixels[1] - pixels[0]).max() < 2e-3


@pytest.mark.parametrize("turned", ["a.tif", "b.tif"])
def test_turned_grids(tmp_path: Path, turned: str) -> None:
    straight = flat(60, 60, Affine(10, 0, 499_800, 0, -10, 5_000_200))
    grids = {
        "a.tif": Affine(10, 0, 500_000, 0, -10, 5_000_000),
        "b.tif": Affine(10, 0, 499_800, 0, -10, 5_000_200),
    }
    # The same plane, its columns running south and its rows east.
    a, b, c, d, e, f = grids[turned][:6]
    grids[turned] = Affine(b, a, c, e, d, f)
    sizes = {"a.tif": 20, "b.tif": 60}
    planes = {"a.tif": flat(20, 20, NORTH_UP), "b.tif": straight}
    planes[turned] = np.ascontiguousarray(planes[turned].swapaxes(1, 2))
    for name, band in (("a.tif", "red"), ("b.tif", "nir")):
        assert planes[name].shape[1] == sizes[name]
        raster(tmp_path / name, planes[name], (band,), transform=grids[name])
    listed = table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file")
    (found,) = scenes(listed, model(BOTH, "reflectance"))
    pixels, valid = whole(found)
    assert valid.all()
    assert np.abs(pixels[1] - pixels[0]).max() < 1e-3
    assert any("do not run along" in note for note in found.notes) == (turned == "a.tif")


def test_files_that_lie_nowhere_must_be_of_one_size(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", numbers(1, 9, 9), ("red",), placed=False)
    raster(tmp_path / "b.tif", numbers(1, 9, 9), ("nir",))
    raster(tmp_path / "c.tif", numbers(1, 9, 8), ("nir",))
    described = model(BOTH)
    (found,) = scenes(table(tmp_path, "one,a.tif", "one,b.tif", columns="scene,file"), described)
    assert whole(found)[1].all()
    with pytest.raises(DataError, match=r"a\.tif does not say where it lies"):
        scenes(table(tmp_path, "one,a.tif", "one,c.tif", columns="scene,file"), described)


@pytest.mark.parametrize(
    ("columns", "line", "told"),
    [
        ("scene,path", "a,b", "has the columns scene, path"),
        ("scene,file,when", "a,b,c", "has the columns scene, file, when"),
        ("scene,file", "a", "does not have 2 cells"),
        ("scene,file", "a,", "says nothing under 'file'"),
        ("scene,file,date", "a,b,soon", "'soon' is no date"),
        ("scene,file,unit", "a,b,dns", "there is no unit 'dns'"),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path: Path, columns: str, line: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as raised:
        scenes(table(tmp_path, line, columns=columns), model(BOTH))
    assert "scenes.csv" in raised.value.problems[0].where


def test_units_as_text() -> None:
    assert parse_units("", "x") is None
    assert parse_units("dn", "x") == "dn"
    assert parse_units("B02=dn; VV=db", "x") == {"B02": "dn", "VV": "db"}
    with pytest.raises(RequestError, match="neither a unit nor a list"):
        parse_units("dn,db", "x")


def test_a_table_is_given_alone(tmp_path: Path) -> None:
    listed = table(tmp_path, "a,a.tif", columns="scene,file")
    with pytest.raises(RequestError, match="give it alone"):
        scenes_of(["a.tif"], model(BOTH), SceneOptions(table=listed))


LAID_OUT = {
    "name": "geotiff_folder",
    "root": "/nowhere",
    "modalities": {
        "s2": {"images": "s2/{key}_{date}.tif", "band_names": ["red", "nir"], "unit": "dn"},
        "s1": {"images": "s1/{key}.tif", "unit": "db"},
    },
    "masks": "masks/{key}.tif",
    "classes": ["land", "water"],
    "batch_size": 2,
}


def test_a_folder_laid_out_as_the_training_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for key in "ab":
        for day, date in enumerate(("20200711", "20200911")):
            raster(tmp_path / "s2" / f"{key}_{date}.tif", numbers(2, 9, 9, seed=day))
        backscatter = np.full((1, 9, 9), -11, np.float32)
        raster(tmp_path / "s1" / f"{key}.tif", backscatter, ("VV",))
    raster(tmp_path / "s1" / "alone.tif", backscatter, ("VV",))
    described = model(("nir", "VV", "red"), ("dn", "db", "dn"), frames=2, data=LAID_OUT)
    requests = scenes_of([tmp_path], described)
    assert [request.name for request in requests] == ["a", "b"]
    assert "s1/alone.tif" in caplog.text
    found = open_scene(requests[0], described)
    pixels, _ = whole(found)
    assert (pixels[1] == -11).all()
    for day in range(2):
        assert np.array_equal(pixels[[2, 0], day], numbers(2, 9, 9, seed=day))
    context = found.context(0, 0, 9, 9)
    assert context is not None
    assert context.dates is not None
    assert context.dates.tolist() == [[[2020, 193], [2020, 255]]]


def test_what_a_person_says_counts_before_the_recipe(tmp_path: Path) -> None:
    data = LAID_OUT | {"modalities": None, "images": "{key}.tif", "unit": "dn"}
    raster(tmp_path / "a.tif", numbers(2, 9, 9), BOTH)
    found = opened(tmp_path, model(BOTH, data=data), unit="landsat_toa", bands=("nir", "red"))
    expected = numbers(2, 9, 9)[::-1] * 0.2 - 1000
    assert whole(found)[0] == pytest.approx(expected, rel=1e-4, abs=1e-2)
    assert found.source.endswith("scene a")


def test_names_that_modalities_share(tmp_path: Path) -> None:
    data = LAID_OUT | {"modalities": {"hr": "hr/{key}.tif", "lr": "lr/{key}.tif"}}
    for seed, kind in enumerate(("hr", "lr")):
        raster(tmp_path / kind / "a.tif", numbers(1, 9, 9, seed=seed), ("red",))
    found = opened(tmp_path, model(("lr_red", "hr_red"), data=data))
    pixels, _ = whole(found)
    assert np.array_equal(pixels[0], numbers(1, 9, 9, seed=1)[0])
    assert np.array_equal(pixels[1], numbers(1, 9, 9, seed=0)[0])


def test_real_images_of_two_sensors(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    chips = np.load(shared_data("segmentation/sen1floods11_spain_64.npz"))
    optical, radar = chips["images"][0], chips["s1_db"][0].astype(np.float32)
    names = [str(name) for name in chips["band_names"]]
    raster(
        tmp_path / "s2.tif", optical, names, crs=DEGREES, transform=Affine(1e-4, 0, 0, 0, -1e-4, 40)
    )
    raster(
        tmp_path / "s1.tif",
        radar,
        ("VV", "VH"),
        crs=DEGREES,
        transform=Affine(1e-4, 0, 0, 0, -1e-4, 40),
    )
    listed = table(
        tmp_path, "spain,s2.tif,2018-12-01", "spain,s1.tif,2018-12-01", columns="scene,file,date"
    )
    described = model(("VH", names[3], names[7]), ("db", "dn", "dn"), sensor="sentinel-2-l1c")
    (found,) = scenes(listed, described)
    pixels, _ = whole(found)
    assert np.array_equal(pixels, np.stack([radar[1], optical[3], optical[7]]).astype(np.float32))
