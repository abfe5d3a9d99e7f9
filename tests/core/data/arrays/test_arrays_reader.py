"""Arrays of an .npz file as a dataset: images, bands, dates, places, targets, and mistakes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arrays_support import COUNT, DATES, SERIES, arrays, opened, recipe_of, section, written

from iterate_core.data.bands import describe
from iterate_core.data.dataset import SPLITS, Reader, Sample
from iterate_core.data.store.pack import pack
from iterate_core.engine.resolved import prepare
from iterate_core.errors import IterateError


def every(reader: Reader) -> dict[str, Sample]:
    bands = [band.name for band in reader.info.bands]
    names = [name for split in SPLITS for name in reader.names(split)]
    return {name: reader.read(name, bands) for name in names}


def test_a_series_of_single_pixels_is_read_as_it_is(tmp_path: Path) -> None:
    held = arrays()
    reader = opened(written(tmp_path), names="uid", dates="days", places="latlon")
    info = reader.info
    assert (info.name, info.task, info.classes) == ("pixels", "classification", ("1", "2", "3"))
    assert (info.height, info.width, info.frames) == (1, 1, DATES)
    assert info.bands == tuple(
        type(band)(band.name, band.common, band.wavelength, "dn", band.sensor)
        for band in describe(SERIES, "sentinel-2")
    )
    samples = every(reader)
    assert samples.keys() == set(held["uid"])
    for row, name in enumerate(held["uid"]):
        sample = samples[name]
        np.testing.assert_array_equal(sample.image[:, :, 0, 0], held["series"][row].T)
        assert sample.target == held["severity"][row] - 1
        assert sample.place == tuple(held["latlon"][row])
        days = [day.astype(object).timetuple() for day in held["days"][row]]
        assert sample.dates == tuple((day.tm_year, day.tm_yday) for day in days)
    reverse = reader.read("pixel-3", ["B11", "B04"]).image
    np.testing.assert_array_equal(reverse, samples["pixel-3"].image[[2, 0]])


def test_days_in_text_and_numbers_are_numpys(tmp_path: Path) -> None:
    days = arrays()["days"]
    number = np.char.replace(days.astype(str), "-", "").astype(np.int64)
    path = written(tmp_path, text=days.astype(str), number=number)
    told = [
        [sample.dates for sample in every(opened(path, dates=name)).values()]
        for name in ("days", "text", "number")
    ]
    assert told[0] == told[1] == told[2]
    unknown = days.copy()
    unknown[0, 2] = np.datetime64("NaT", "D")
    samples = every(opened(written(tmp_path, days=unknown), dates="days"))
    assert [name for name, sample in samples.items() if sample.dates is None] == ["0"]


def test_months_are_the_fifteenth_and_run_into_the_next_year(tmp_path: Path) -> None:
    months = {"months": "month", "january": 0, "year": 2019}
    dates = every(opened(written(tmp_path), **months))["0"].dates
    # October to March.
    assert dates == ((2019, 288), (2019, 319), (2019, 349), (2020, 15), (2020, 46), (2020, 75))
    later = written(tmp_path, month=arrays()["month"] + 1)
    assert every(opened(later, **{**months, "january": 1}))["0"].dates == dates


def test_several_sensors_each_give_dates_of_their_own(tmp_path: Path) -> None:
    held, names = arrays(), [*SERIES, "VV", "VH", "elevation"]
    given = {"images": ["series", "radar", "terrain"], "band_names": names}
    path = written(tmp_path)
    reader = opened(path, **given, frames=2, dates="days")
    sample = reader.read("5", names)
    assert sample.image.shape == (6, 2, 1, 1)
    np.testing.assert_array_equal(sample.image[:3, :, 0, 0], held["series"][5, [0, 3]].T)
    np.testing.assert_array_equal(sample.image[3:5, :, 0, 0], held["radar"][5, [0, 2]].T)
    # What has no dates stands at each.
    np.testing.assert_array_equal(sample.image[5, :, 0, 0], held["terrain"][5].repeat(2))
    whole = opened(path, dates="days").read("5", SERIES).dates
    assert whole is not None
    assert sample.dates == (whole[0], whole[3])
    with pytest.raises(IterateError, match=r"'series' has 6 and 'radar' has 4"):
        opened(path, **given)


@pytest.mark.parametrize("axes", [("bands", "height", "width"), ("height", "bands", "width")])
def test_images_come_in_any_order_of_axes(tmp_path: Path, axes: tuple[str, ...]) -> None:
    pictures = arrays()["pictures"]
    order = [("bands", "height", "width").index(axis) for axis in axes]
    path = written(tmp_path, turned=pictures.transpose(0, *(1 + np.array(order))))
    reader = opened(path, images=["turned"], axes=axes, band_names=["red", "nir"])
    assert (reader.info.height, reader.info.width, reader.info.frames) == (4, 8, 1)
    np.testing.assert_array_equal(reader.read("7", ["red", "nir"]).image, pictures[7])


def test_masks_and_numbers_are_targets_too(tmp_path: Path) -> None:
    masks = np.arange(COUNT * 32).reshape(COUNT, 4, 8) % 2
    numbers = np.stack((arrays()["moisture"], arrays()["moisture"] ** 2), axis=1)
    path = written(tmp_path, masks=masks, numbers=numbers)
    pictures = {"images": ["pictures"], "axes": ["bands", "height", "width"]}
    pictures |= {"band_names": ["red", "nir"], "labels": None, "classes": ["no", "yes"]}
    mask = opened(path, task="segmentation", target="masks", **pictures).read("3", ["red"]).target
    np.testing.assert_array_equal(mask, masks[3])
    values = {"task": "scalar_regression", "labels": None}
    for target, classes in (("moisture", ("moisture",)), ("numbers", ("numbers 0", "numbers 1"))):
        reader = opened(path, target=target, **values)
        assert reader.info.classes == classes
        wanted = np.load(path)[target][3]
        np.testing.assert_array_equal(reader.read("3", SERIES).target, np.atleast_1d(wanted))


def test_classes_are_what_stands_for_them(tmp_path: Path) -> None:
    path = written(tmp_path)
    words = ("none", "mild", "bad")
    for given in ({"target": "word", "labels": None}, {"labels": [1, 2, 3]}):
        reader = opened(path, classes=words, **given)
        assert reader.info.classes == words
        assert [reader.read(str(row), SERIES).target for row in range(4)] == [0, 1, 2, 0]


def test_another_process_reads_the_pixels_anew(tmp_path: Path) -> None:
    reader = opened(written(tmp_path))
    before = reader.read("2", SERIES).image
    sent = pickle.dumps(reader)
    assert arrays()["series"].tobytes() not in sent
    np.testing.assert_array_equal(pickle.loads(sent).read("2", SERIES).image, before)


def test_content_and_options_are_its_identity(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "moved").mkdir()
    first = opened(path).fingerprint()
    assert opened(written(tmp_path / "moved")).fingerprint() == first
    assert opened(path, places="latlon").fingerprint() != first
    assert opened(written(tmp_path, extra=np.zeros(1))).fingerprint() != first


def test_each_split_is_packed(tmp_path: Path) -> None:
    packed = pack(opened(written(tmp_path), places="latlon"), ["nir"], tmp_path)
    assert packed.images("train").shape[1:] == (1, DATES, 1, 1)
    assert packed.places("test") is not None


MISTAKES = [
    ({"target": "severty"}, r"data\.target.* no array 'severty'.*severity"),
    ({"images": ["site"]}, "not numbers of each of 40 samples|not one image"),
    ({"images": ["pictures"]}, r"data\.axes.*'pictures' is \(40, 2, 4, 8\)"),
    ({"band_names": ["B04"]}, r"data\.band_names.*1 bands, but the images have 3 \(series\)"),
    ({"band_names": ["B04", "B04", "B08"]}, "'B04' twice"),
    ({"labels": None}, r"data\.classes.*must name the classes.*It holds 1, 2, 3"),
    ({"labels": [1, 2]}, "holds 3, which stands for no class"),
    ({"labels": [1, 2, 2]}, "names a label twice"),
    ({"classes": ["a"]}, "3 labels for 1 classes"),
    ({"task": "detection"}, r"data\.task.*no array with a row"),
    ({"task": "scalar_regression"}, r"data\.labels.*no one class a sample"),
    ({"task": "multilabel", "labels": None}, r"data\.classes.*is required"),
    ({"task": "classifcation"}, "classification"),
    ({"target": "latlon"}, "has \\(2,\\) values a sample"),
    ({"places": "month"}, "not a latitude and a longitude"),
    ({"places": "extra"}, "has no array 'extra'"),
    ({"names": "site"}, "gives the name 'site 0' to 4 samples"),
    ({"dates": "site"}, "does not tell days"),
    ({"months": "month", "year": 2020}, "does not tell months.*1 to 12"),
    ({"months": "severity", "year": 2020}, "each of 40 samples has 6 dates"),
    ({"months": "month"}, r"^data\.year: goes with months, which no date is known without\.$"),
    (
        {"months": "month", "year": 2020, "dates": "days"},
        r"^data\.months: the days are told by dates already\.$",
    ),
    ({"axes": ["dates"]}, "must name bands"),
    ({"axes": ["bands", "height"]}, "both height and width"),
    ({"frames": 7}, r"data\.frames.*7 dates are more than there are: 'series' has 6"),
    ({"images": ["series", "pictures"], "axes": ["dates", "bands"]}, "'pictures'"),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_told(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(IterateError, match=rf"(?s){message}"):
        opened(written(tmp_path), **given)


def test_a_file_that_is_absent_or_foreign_is_told(tmp_path: Path) -> None:
    with pytest.raises(IterateError, match=r"is not a readable \.npz file"):
        opened(tmp_path / "absent.npz")
    short = written(tmp_path, severity=np.ones(3, np.int64))
    with pytest.raises(IterateError, match=r"'severity' is \(3,\), but there are 40 samples"):
        opened(short)


def test_a_backbone_of_images_takes_single_pixels_too(tmp_path: Path) -> None:
    given = section(written(tmp_path), images=["terrain"], band_names=["elevation"])
    model = {"backbone": {"name": "test_resnet", "weights": "none"}, "decoder": "linear"}
    prepare(recipe_of(given, model=model))
