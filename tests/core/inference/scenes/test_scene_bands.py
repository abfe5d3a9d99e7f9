"""A file's bands are the model's by meaning, whatever their order and names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scenes_support import SIX, model, numbers, opened, raster, whole

from iterate_core.errors import DataError, RequestError
from iterate_core.inference.scenes.base import SceneOptions
from iterate_core.inference.scenes.open import scenes_of


@pytest.mark.parametrize(
    "names",
    [
        ("swir_2", "swir_1", "nir", "red", "green", "blue"),
        ("SWIR22", "SWIR16", "NIR", "Red", "Green", "Blue"),
        ("12 - SWIR", "11 - SWIR", "08 - NIR", "04 - Red", "03 - Green", "02 - Blue"),
        ("B12", "B11", "B08", "B04", "B03", "B02"),
    ],
)
def test_another_order_and_other_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    stored = numbers(6, 9, 11)
    described = model(sensor="sentinel-2-l2a")
    pixels, valid = whole(opened(raster(tmp_path / "a.tif", stored, names), described))
    assert np.array_equal(pixels, stored[::-1])
    assert valid.all()


def test_short_names_of_several_sensors_are_read_as_the_models_and_told(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(2, 9, 9), ("B05", "B04"))
    for sensor, band in (("sentinel-2-l2a", "red_edge_1"), ("landsat-8", "nir")):
        found = opened(path, model((band,), sensor=sensor))
        assert np.array_equal(whole(found)[0], numbers(2, 9, 9)[:1])
        assert any(f"B05 ({band})" in note for note in found.notes)


def test_bands_of_another_sensor_are_told(tmp_path: Path) -> None:
    names = ("02 - Blue", "05 - NIR", "06 - SWIR1")
    path = raster(tmp_path / "a.tif", numbers(3, 9, 9), names)
    found = opened(path, model(("B02", "B08"), sensor="sentinel-2-l2a"))
    assert np.array_equal(whole(found)[0], numbers(3, 9, 9)[:2])
    assert any("landsat-8's; the model was trained on sentinel-2" in n for n in found.notes)
    assert any("does not use: 06 - SWIR1" in note for note in found.notes)


def test_every_missing_band_is_named_with_the_file(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 9, 9), ("red", "green", "blue"))
    with pytest.raises(DataError) as raised:
        opened(path, model(("blue", "nir", "swir_1")))
    (problem,) = raised.value.problems
    assert problem.where == str(path)
    assert problem.what == "has no bands 'nir', 'swir_1', which the model uses."
    assert "It has: red, green, blue." in (problem.hint or "")


def test_a_band_that_no_channel_takes_is_not_needed(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(1, 9, 9), ("red",))
    pixels, valid = whole(opened(path, model(("blue", "red"), used=(1,), means=(7.0, 8.0))))
    assert np.array_equal(pixels[1], numbers(1, 9, 9)[0])
    assert (pixels[0] == 7).all()
    assert valid.all()


def test_a_file_without_names_is_refused_with_the_order_that_may_be_meant(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(6, 9, 9))
    with pytest.raises(DataError, match="--bands 'blue,green,red,nir,swir_1,swir_2'") as raised:
        opened(path, model())
    assert "does not name its 6 bands" in str(raised.value)
    found = opened(path, model(), bands=tuple(reversed(SIX)))
    assert np.array_equal(whole(found)[0], numbers(6, 9, 9)[::-1])


def test_names_that_the_recipe_gives_its_files_serve_a_file_of_as_many_bands(
    tmp_path: Path,
) -> None:
    data = {"name": "npz", "band_names": ["red", {"name": "ch2", "meaning": "nir"}]}
    path = raster(tmp_path / "a.tif", numbers(2, 9, 9))
    found = opened(path, model(("ch2", "red"), data=data))
    assert np.array_equal(whole(found)[0], numbers(2, 9, 9)[::-1])
    assert any("taken as the recipe's: red, ch2" in note for note in found.notes)
    other = raster(tmp_path / "b.tif", numbers(3, 9, 9))
    with pytest.raises(DataError, match="does not name its 3 bands"):
        opened(other, model(("ch2", "red"), data=data))


def test_not_as_many_names_as_bands(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 9, 9))
    with pytest.raises(DataError, match="has 3 bands, but 2 are named: red, nir"):
        opened(path, model(("red",)), bands=("red", "nir"))
    with pytest.raises(RequestError, match="names 'red' twice"):
        scenes_of([path], model(("red",)), SceneOptions(bands=("red", "red")))


def test_two_bands_of_one_meaning_are_ambiguous(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(2, 9, 9), ("r", "Red"))
    with pytest.raises(DataError, match="'r' and 'Red' both answer to band 'red', which"):
        opened(path, model(("red",)))
    with pytest.raises(DataError) as raised:
        opened(path, model(("red", "nir")))
    assert len(raised.value.problems) == 1
    assert "has no band 'nir', which the model uses; 'r' and 'Red' both" in str(raised.value)
    found = opened(path, model(("red",)), bands=("other", "red"))
    assert np.array_equal(whole(found)[0], numbers(2, 9, 9)[1:])


def test_one_band_does_not_serve_twice(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(1, 9, 9), ("blue",))
    described = model(("s2_B02", "l8_B02"))
    twins = tuple(
        type(band)(band.name, "blue", 0.49, "dn", sensor)
        for band, sensor in zip(described.bands, ("sentinel-2", "landsat-8"), strict=True)
    )
    with pytest.raises(DataError, match="'blue' answers to both 's2_B02' and 'l8_B02'"):
        opened(path, described.model_copy(update={"bands": twins}))


def test_colours_name_bands(tmp_path: Path) -> None:
    stored = (numbers(4, 9, 9) // 40).astype(np.uint8)
    stored[3] = 255
    stored[3, 2:4, 5] = 0
    for name, options in (
        ("a.tif", {"driver": "GTiff", "photometric": "RGB", "alpha": "YES"}),
        ("a.png", {"driver": "PNG"}),
    ):
        path = raster(tmp_path / name, stored, **options)
        pixels, valid = whole(opened(path, model(("blue", "red"), "uint8", means=(3.0, 4.0))))
        assert np.array_equal(valid, stored[3] > 0)
        assert np.array_equal(pixels[:, valid], stored[[2, 0]][:, valid])
        assert (pixels[0][~valid] == 3).all()


def test_jpeg_and_jpeg_2000(tmp_path: Path) -> None:
    stored = np.full((3, 32, 32), 120, np.uint8)
    for name, driver, options in (
        ("a.jpg", "JPEG", {}),
        ("a.jp2", "JP2OpenJPEG", {"QUALITY": "100", "REVERSIBLE": "YES"}),
    ):
        path = raster(tmp_path / name, stored, driver=driver, **options)
        bands = ("red", "green", "blue")
        pixels, _ = whole(opened(path, model(bands, "uint8"), bands=bands))
        assert np.abs(pixels - 120).max() <= 2


def test_palettes_are_colours(tmp_path: Path) -> None:
    indices = np.arange(30, dtype=np.uint8).reshape(1, 5, 6) % 3
    path = raster(tmp_path / "a.tif", indices, nodata=2)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 1: (40, 50, 60, 255), 2: (9, 9, 9, 255)})
    pixels, valid = whole(opened(path, model(("blue", "red"), "uint8", means=(5.0, 6.0))))
    assert np.array_equal(valid, indices[0] < 2)
    assert (pixels[:, indices[0] == 1] == np.array([[60], [40]])).all()
    assert (pixels[:, indices[0] == 2] == np.array([[5], [6]])).all()


def test_transparent_colours_of_a_png_lack_data(tmp_path: Path) -> None:
    from PIL import Image

    indices = np.arange(30, dtype=np.uint8).reshape(5, 6) % 3
    picture = Image.fromarray(indices).convert("P")
    picture.putdata(indices.ravel().tolist())
    picture.putpalette([1, 2, 3, 40, 50, 60, 9, 9, 9])
    picture.save(tmp_path / "a.png", transparency=2)
    pixels, valid = whole(opened(tmp_path / "a.png", model(("blue", "red"), "uint8")))
    assert np.array_equal(valid, indices < 2)
    assert (pixels[:, indices == 1] == [[60], [40]]).all()


def test_real_images_without_names(shared_data: Callable[[str], Path]) -> None:
    names = (*(f"B{n:02d}" for n in range(1, 13)), "B8A")
    described = model(("B8A", "B04", "B11"), sensor="sentinel-2-l1c")
    files = sorted(shared_data("eurosat_ms").glob("*.tif"))
    requests = scenes_of([files[0].parent], described, SceneOptions(bands=names))
    assert [request.source for request in requests] == [str(path) for path in files]
    found = opened(files[0], described, bands=names)
    with rasterio.open(files[0]) as file:
        assert np.array_equal(whole(found)[0], file.read([13, 4, 11]))
