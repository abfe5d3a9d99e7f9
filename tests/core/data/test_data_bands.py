"""Bands are matched by name, alias or common name; never by position."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterate_core.data.bands import KNOWN, describe, guess_unit, match, resolve_bands
from iterate_core.data.dataset import Band
from iterate_core.errors import RequestError

SENTINEL_2 = describe([known.name for known in KNOWN if known.sensor == "sentinel-2"])


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("02 - Blue", "02 - Blue"),
        ("B02", "02 - Blue"),
        ("b2", "02 - Blue"),
        ("blue", "02 - Blue"),
        ("BLUE", "02 - Blue"),
        ("nir", "08 - NIR"),
        ("B8A", "08A - Vegetation Red Edge"),
        ("nir08", "08A - Vegetation Red Edge"),
        ("SWIR_1", "11 - SWIR"),
        ("swir22", "12 - SWIR"),
        ("water_vapor", "09 - Water vapour"),
        ("red_edge_2", "06 - Vegetation Red Edge"),
    ],
)
def test_a_band_answers_to_its_names(asked: str, name: str) -> None:
    (found,) = resolve_bands([asked], SENTINEL_2, "data.bands")
    assert found.name == name


def test_the_order_asked_for_is_the_order_given() -> None:
    found = resolve_bands(["red", "B02", "03 - Green"], SENTINEL_2, "data.bands")
    assert [band.common for band in found] == ["red", "blue", "green"]


def test_none_takes_all() -> None:
    assert resolve_bands(None, SENTINEL_2, "data.bands") == SENTINEL_2


def test_all_mistakes_are_told_together_with_what_is_near_and_what_there_is() -> None:
    with pytest.raises(RequestError) as caught:
        resolve_bands(["blu", "B02", "blue", "thermal"], SENTINEL_2, "data.bands")
    text = str(caught.value)
    assert [problem.where for problem in caught.value.problems] == [
        "data.bands.0",
        "data.bands.2",
        "data.bands.3",
    ]
    assert "Did you mean 'blue'?" in text
    assert "a second time" in text
    assert "Available: 01 - Coastal aerosol, 02 - Blue" in text


def test_a_name_that_two_bands_answer_to_is_refused() -> None:
    bands = (Band("summer red", "red"), Band("winter red", "red"))
    with pytest.raises(RequestError, match="ambiguous: 'summer red' and 'winter red'"):
        resolve_bands(["red"], bands, "data.bands")


def test_a_short_name_that_means_different_bands_on_different_sensors_is_not_guessed() -> None:
    with pytest.raises(RequestError, match=r"red_edge_1 \(sentinel-2\) or nir \(landsat-8\)"):
        resolve_bands(["B05"], (Band("nir", "nir"), Band("red", "red")), "data.bands")
    (alone,) = describe(["B05"])
    assert (alone.common, alone.wavelength) == (None, None)


def test_the_other_names_or_the_request_tell_the_sensor() -> None:
    assert describe(["B05", "B8A"])[0].common == "red_edge_1"
    assert describe(["B5", "05 - NIR"])[0].common == "nir"
    assert describe(["B5"], sensor="landsat-8")[0] == Band("B5", "nir", 0.865, sensor="landsat-8")


def test_a_common_name_reaches_a_sensor_s_band_and_back() -> None:
    (generic,) = resolve_bands(["B02"], describe(["Red", "Blue"]), "data.bands")
    assert generic.name == "Blue"


@given(st.permutations(SENTINEL_2))
def test_the_order_of_the_dataset_never_matters(shuffled: list[Band]) -> None:
    for band in SENTINEL_2:
        assert match(str(band.common), shuffled) == (band,)


@given(st.text(max_size=20))
def test_any_text_is_matched_or_refused(text: str) -> None:
    with contextlib.suppress(RequestError):  # whatever else comes out fails the test
        (band,) = resolve_bands([text], SENTINEL_2, "data.bands")
        assert band in SENTINEL_2


@pytest.mark.parametrize(
    ("name", "dtype", "largest", "unit"),
    [
        ("B04", "int16", 4210.0, "dn"),
        ("B04", "float64", 4210.0, "dn"),
        ("B04", "float32", 0.7, "reflectance"),
        ("B04", "uint8", 255.0, "uint8"),
        ("B11", "int16", 255.0, "unknown"),
        ("B10", "int16", 60.0, "dn"),
        ("VV", "float32", 3.0, "unknown"),
        ("elevation", "float32", 900.0, "metre"),
        ("B04", "float32", 100.0, "unknown"),
    ],
)
def test_units_follow_from_type_and_range(name: str, dtype: str, largest: float, unit: str) -> None:
    assert guess_unit(describe([name, "B8A"])[0], dtype, largest) == unit
