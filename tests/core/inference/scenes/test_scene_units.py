"""Pixels come in the model's units, whatever the file's; what does not convert is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes_support import model, numbers, opened, raster, whole

from iterate_core.errors import DataError, RequestError
from iterate_core.inference.scenes.base import SceneOptions
from iterate_core.inference.scenes.open import scenes_of

STORED = numbers(2, 9, 11)
NAMES = ("blue", "nir")


def read(tmp_path: Path, stored: Any, trained: str, unit: Any = None, **options: Any) -> Any:
    path = raster(tmp_path / "a.tif", stored, NAMES, **options)
    found = opened(path, model(NAMES, trained), unit=unit)
    return whole(found)[0], found.notes


def test_the_same_unit_changes_nothing(tmp_path: Path) -> None:
    pixels, notes = read(tmp_path, STORED, "dn")
    assert np.array_equal(pixels, STORED)
    assert any(
        "all bands: taken as reflectance × 10,000 (dn), which files do not" in n for n in notes
    )
    path = raster(tmp_path / "b.tif", STORED, NAMES)
    notes = opened(path, model(NAMES), unit={"blue": "dn"}).notes
    assert any("nir: taken as reflectance × 10,000 (dn), which files do not" in n for n in notes)


def test_decimal_numbers_become_whole_ones_times_10000(tmp_path: Path) -> None:
    stored = (STORED / 10_000).astype(np.float32)
    pixels, notes = read(tmp_path, stored, "dn")
    assert pixels == pytest.approx(STORED, rel=1e-6)
    assert any("converted from reflectance, 0 to 1 (reflectance) to" in note for note in notes)


def test_whole_numbers_become_reflectance(tmp_path: Path) -> None:
    pixels, _ = read(tmp_path, STORED, "reflectance")
    assert pixels == pytest.approx(STORED / 10_000, rel=1e-6)


def test_a_person_has_the_last_word(tmp_path: Path) -> None:
    stored = numbers(2, 9, 9, high=40_000)
    pixels, _ = read(tmp_path, stored, "reflectance", unit="landsat_sr", scales=(0.5, 0.5))
    assert pixels == pytest.approx(stored * 2.75e-5 - 0.2, abs=1e-6)


def test_each_band_may_have_its_own_by_the_files_name_or_the_models(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", STORED, ("Band A", "blue"))
    described = model(("blue", "nir"), "reflectance")
    units = {"Band A": "dn", "b": "landsat_toa"}
    with pytest.raises(DataError, match="no band 'nir'"):
        opened(path, described, unit=units)
    path = raster(tmp_path / "b.tif", STORED, ("B08", "blue"))
    described = model(("blue", "nir"), "reflectance", sensor="sentinel-2")
    pixels, _ = whole(opened(path, described, unit={"B8": "dn", "b": "landsat_toa"}))
    assert pixels[1] == pytest.approx(STORED[0] / 10_000, abs=1e-6)
    assert pixels[0] == pytest.approx(STORED[1] * 2e-5 - 0.1, abs=1e-6)


def test_one_unit_is_not_said_of_what_it_cannot_be_of(tmp_path: Path) -> None:
    stored = np.stack([STORED[0].astype(np.float32), np.full((9, 11), -12.5, np.float32)])
    path = raster(tmp_path / "a.tif", stored, ("red", "VV"))
    found = opened(path, model(("red", "VV"), ("reflectance", "db")), unit="dn")
    pixels, _ = whole(found)
    assert pixels[0] == pytest.approx(STORED[0] / 10_000, rel=1e-6)
    assert (pixels[1] == -12.5).all()


@pytest.mark.parametrize(
    ("scale", "offset", "trained", "expected"),
    [
        (1e-4, 0.0, "dn", lambda x: x),
        (2.75e-5, -0.2, "landsat_sr", lambda x: x),
        (2.75e-5, -0.2, "reflectance", lambda x: x * 2.75e-5 - 0.2),
        (1e-4, -0.1, "dn", lambda x: x - 1000.0),
        (1e-4, -0.1, "reflectance", lambda x: x * 1e-4 - 0.1),
    ],
)
def test_what_a_file_says_of_its_numbers(
    tmp_path: Path, scale: float, offset: float, trained: str, expected: Any
) -> None:
    pixels, notes = read(tmp_path, STORED, trained, scales=(scale,) * 2, offsets=(offset,) * 2)
    assert pixels == pytest.approx(expected(STORED.astype(np.float64)), rel=1e-5, abs=1e-6)
    assert not any("--unit" in note for note in notes)


def test_a_files_word_for_a_unit(tmp_path: Path) -> None:
    stored = np.full((1, 8, 8), 2.0, np.float32)
    path = raster(tmp_path / "a.tif", stored, ("VV",), units=("linear",))
    pixels, _ = whole(opened(path, model(("VV",), "db")))
    assert pixels == pytest.approx(10 * np.log10(2.0), rel=1e-5)
    scaled = raster(tmp_path / "b.tif", stored, ("VV",), units=("linear",), scales=(0.5,))
    pixels, _ = whole(opened(scaled, model(("VV",), "db")))
    assert np.abs(pixels).max() < 1e-5


def test_eight_bits_are_no_reflectance(tmp_path: Path) -> None:
    stored = (STORED // 40).astype(np.uint8)
    with pytest.raises(DataError) as raised:
        read(tmp_path, stored, "dn")
    (problem,) = raised.value.problems
    assert problem.where == str(tmp_path / "a.tif")
    told = "band 'blue' as 8-bit brightness, 0 to 255 (uint8), which does not become"
    assert told in problem.what
    assert "reflectance × 10,000 (dn)" in problem.what
    assert "--unit" in (problem.hint or "")
    pixels, _ = read(tmp_path, stored, "dn", unit="dn")
    assert np.array_equal(pixels, stored)


def test_reflectance_becomes_brightness(tmp_path: Path) -> None:
    pixels, _ = read(tmp_path, STORED, "uint8")
    assert pixels == pytest.approx(np.clip(STORED / 3558 * 255, 0, 255), rel=1e-5)


def test_numbers_that_can_be_nothing_are_refused(tmp_path: Path) -> None:
    stored = np.full((2, 8, 8), 90.0, np.float32)
    with pytest.raises(DataError, match="from 90 to 90 are hardly reflectance × 10,000"):
        read(tmp_path, stored, "dn")


def test_power_is_not_taken_for_decibel(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", np.full((1, 8, 8), 0.2, np.float32), ("VV",))
    with pytest.raises(DataError, match="hardly radar backscatter in decibel"):
        opened(path, model(("VV",), "db"))
    pixels, _ = whole(opened(path, model(("VV",), "db"), unit="linear"))
    assert pixels == pytest.approx(10 * np.log10(0.2), rel=1e-5)


def test_a_stated_unit_of_the_training_data_is_that_of_like_files(tmp_path: Path) -> None:
    stored = (STORED / 10_000).astype(np.float32)
    pixels, _ = read(tmp_path, stored, "fraction")
    assert np.array_equal(pixels, stored)
    pixels, _ = read(tmp_path, STORED, "landsat_sr")
    assert np.array_equal(pixels, STORED)


def test_what_is_unknown_on_both_sides_is_taken_as_it_is(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", STORED[:1], ("fluorescence",))
    pixels, _ = whole(opened(path, model(("fluorescence",), "unknown")))
    assert np.array_equal(pixels, STORED[:1])
    found = opened(path, model(("fluorescence",), "unknown"), unit="dn")
    assert np.array_equal(whole(found)[0], STORED[:1])
    assert any("the model's own unit is unknown" in note for note in found.notes)


def test_no_such_unit_or_band(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", STORED, NAMES)
    with pytest.raises(RequestError, match="there is no unit 'dns'"):
        scenes_of([path], model(NAMES), SceneOptions(unit="dns"))
    with pytest.raises(DataError, match=r"band 'vv', which neither it nor the model has"):
        opened(path, model(NAMES), unit={"vv": "db"})


@pytest.mark.parametrize(
    ("unit", "factor", "told"),
    [
        ("reflectance", 1.0, "said to be reflectance, 0 to 1 (reflectance), but the numbers reach"),
        ("uint8", 1.0, "said to be 8-bit brightness, 0 to 255 (uint8), but the numbers reach 9000"),
        ("dn", 1e-4, "said to be reflectance × 10,000 (dn), but the numbers reach 0.9"),
        ("dn", 1.0, None),
        ("reflectance", 1e-4, None),
    ],
)
def test_a_unit_that_numbers_cannot_be_in_is_told(
    tmp_path: Path, unit: str, factor: float, told: str | None
) -> None:
    stored = STORED if factor == 1 else (STORED * factor).astype(np.float32)
    notes = read(tmp_path, stored, "uint8", unit=unit)[1]
    assert any("said to be" in note for note in notes) == (told is not None)
    assert told is None or any(f"all bands: {told}" in note for note in notes)
    other = "landsat_toa" if unit == "dn" else "dn"
    notes = read(tmp_path, stored, "uint8", unit={"blue": unit, "nir": other})[1]
    assert told is None or any(f"blue: {told}" in note for note in notes)
