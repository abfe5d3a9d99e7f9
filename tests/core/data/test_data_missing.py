"""Labels that nothing explains and pixels without data: refused with the option that accepts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image, opened
from typer.testing import CliRunner

from iterate.cli.data.app import app
from iterate_core.errors import RequestError

PIXELS = np.random.default_rng(0).integers(100, 4000, (6, 2, 4, 4)).astype(np.int16)
SPLIT = {"split": [0, 0, 1, 1, 2, 2], "band_names": ["B02", "B8A"]}
HOLE = (slice(None), 1, 2, 3)  # one pixel of the second band of each sample


def converted(folder: Path, *options: str, **content: Any) -> Any:
    """The reader of arrays that the command has converted."""
    arrays = {"images": PIXELS, "labels": [0, 1, 0, 1, 0, 1], **SPLIT, **content}
    if "masks" in content:
        del arrays["labels"]
    np.savez(folder / "x.npz", **arrays)
    words = ["convert", str(folder / "x.npz"), str(folder / "out"), *options]
    CliRunner().invoke(app, words, catch_exceptions=False)
    return opened(folder / "out")


def holed(value: float, kind: str = "int16") -> Any:
    pixels = PIXELS.astype(kind)
    pixels[HOLE] = value
    return pixels


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"images": holed(-9999)}, (), r"'B8A' holds -9999 in 1 pixels; dn cannot.*--unit"),
        ({"images": holed(-9999)}, ("--unit", "unknown"), r"holds -9999 in 1 .*far from its other"),
        ({"images": holed(-999)}, (), r"holds -999 in 1 pixels, far .*--nodata -999 with --fill"),
        ({"images": holed(-3e38, "float32")}, (), r"holds -3e\+38 in .*--nodata none"),
        ({"images": holed(70000, "int32")}, (), r"holds 70000 in 1 pixels; dn cannot"),
        ({"images": holed(np.nan, "float32")}, (), r"has 1 pixel values that are NaN.*--fill"),
        ({"images": holed(7), "nodata": 7}, (), r"1 pixel values that are 7, which marks .*none"),
        (
            {"images": holed(7)},
            ("--nodata", "7"),
            r"1 pixel values that are 7, which marks missing",
        ),
        ({}, ("--nodata", "seven"), r"nodata: must be a number or 'none', but is 'seven'"),
        ({}, ("--nodata", "none", "--fill", "0"), r"nodata: says that nothing is missing"),
        ({}, ("--mask",), r"mask: only masks have pixels that do not count"),
        ({"images": holed(7)}, ("--nodata", "7", "--fill", "1e9"), r"fill: 1e\+09 does not fit"),
        ({"nodata": [1, 2]}, (), r"'nodata' must be one number"),
    ],
)
def test_pixels_without_data_are_refused_with_what_accepts_them(
    content: dict[str, Any], options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=message):
        converted(tmp_path, *options, **content)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("images", "nodata", "fill", "expected"),
    [
        (holed(-9999), "-9999", "0", 0),
        (holed(7), "7", "-5.6", -6),
        (holed(np.nan, "float32"), None, "0.5", 0.5),
        (holed(-9999), "none", None, -9999),
    ],
)
def test_they_are_filled_as_asked(
    images: Any, nodata: str | None, fill: str | None, expected: float, tmp_path: Path
) -> None:
    told = [*(("--nodata", nodata) if nodata else ()), *(("--fill", fill) if fill else ())]
    reader = converted(tmp_path, *told, images=images)
    wanted = images.copy()
    wanted[HOLE] = expected
    for index in range(6):
        found = reader.read(f"sample_{index:06d}", ["B02", "B8A"]).image
        np.testing.assert_array_equal(found, wanted[index])
        assert found.dtype == images.dtype
    said = [note for note in reader.info.notes if "without data" in note]
    assert said == ([f"pixels without data are filled with {float(fill):g}"] if fill else [])


def test_the_mean_is_of_the_sample_s_other_pixels(tmp_path: Path) -> None:
    reader = converted(tmp_path, "--fill", "mean", images=holed(np.nan, "float64"))
    for index in range(6):
        others = np.delete(PIXELS[index, 1].ravel(), 2 * 4 + 3)
        found = reader.read(f"sample_{index:06d}", ["B8A"]).image[0]
        assert found[2, 3] == pytest.approx(others.mean())
    empty = holed(np.nan, "float64")
    empty[0, 1] = np.nan
    (tmp_path / "b").mkdir()
    with pytest.raises(RequestError, match="a band without any data, which has no mean"):
        converted(tmp_path / "b", "--fill", "mean", images=empty)


def test_masks_leave_them_out_when_asked(tmp_path: Path) -> None:
    masks = np.ones((6, 4, 4), np.uint8)
    masks[:, 0] = 0
    told = ("--nodata", "-9999", "--mask")
    reader = converted(tmp_path, *told, images=holed(-9999), masks=masks)
    wanted = masks.copy()
    wanted[:, 2, 3] = 255
    for index in range(6):
        sample = reader.read(f"sample_{index:06d}", ["B02", "B8A"])
        np.testing.assert_array_equal(sample.target, wanted[index])
        assert sample.image.min() >= 100
    assert reader.info.notes[-1] == (
        "pixels without data are filled with the mean and left out of the masks"
    )


def test_a_geotiff_s_own_nodata_value_is_not_passed_over(tmp_path: Path) -> None:
    for index, pixels in enumerate(holed(-1)):
        image(tmp_path / f"in/{'ab'[index % 2]}/{index}.tif", pixels, ("B02", "B8A"), nodata=-1)
    words = ["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--split", "0.4,0.3,0.3"]
    with pytest.raises(RequestError, match="pixel values that are -1, which marks missing data"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    CliRunner().invoke(app, [*words, "--fill", "0"], catch_exceptions=False)
    assert opened(tmp_path / "out").read("3", ["B8A"]).image[0, 2, 3] == 0


@pytest.mark.parametrize(
    ("content", "message", "accepts"),
    [
        ({"labels": [1, 2, 3] * 2}, "labels up to 3, but none is 0, and nothing names", "a,b,c,d"),
        ({"labels": [0, 2, 4] * 2}, "none is 1, 3, and nothing names them", "a,b,c,d,e"),
        ({"labels": [0, 1, 2] * 2, "class_names": ["a", "b"]}, "has the label 2, but 2", "a,b,c"),
    ],
)
def test_labels_that_nothing_explains_are_refused_and_named_ones_taken(
    content: dict[str, Any], message: str, accepts: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=f"{message}.*Name every class with --classes"):
        converted(tmp_path, **content)
    reader = converted(tmp_path, "--classes", accepts, **content)
    assert reader.info.classes == tuple(accepts.split(","))


@pytest.mark.parametrize("folder", [False, True])
def test_masks_of_0_and_255_alone_are_asked_about(folder: bool, tmp_path: Path) -> None:
    masks = np.zeros((6, 4, 4), np.uint8)
    masks[:, 1:3] = 255
    if folder:
        for index in range(6):
            image(tmp_path / f"in/images/{index}.tif", PIXELS[index], ("B02", "B8A"))
            image(tmp_path / f"in/masks/{index}.png", masks[index][None])
        words = ["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--split", "0.4,0.3,0.3"]
        with pytest.raises(RequestError, match=r"no label but 0 and 255.*--ignore-index 255"):
            CliRunner().invoke(app, words, catch_exceptions=False)
        CliRunner().invoke(app, [*words, "--ignore-index", "255"], catch_exceptions=False)
    else:
        with pytest.raises(RequestError, match=r"no label but 0 and 255.*--ignore-index 255"):
            converted(tmp_path, masks=masks)
        converted(tmp_path, "--ignore-index", "255", masks=masks)
    assert opened(tmp_path / "out").info.classes == ("class 0",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"labels": [0, 1, 0, 1, 0, -1]}, r"has the label -1; labels count from 0"),
        ({"labels": [0, 2, 0, 2, 0, 2]}, r"nothing names them. Name every class with --classes"),
        ({"labels": [0, 2] * 3, "class_names": ["a"]}, r"label 2, but .* with --classes"),
    ],
)
def test_no_value_of_image_labels_can_be_ignored_and_none_is_recommended(
    content: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=told) as refused:
        converted(tmp_path, **content)
    assert "--ignore-index" not in str(refused.value)
    with pytest.raises(RequestError, match=r"ignore_index: only masks have pixels that do not"):
        converted(tmp_path, "--ignore-index", "2", **content)


def test_a_filling_that_no_pixel_needed_leaves_no_note(tmp_path: Path) -> None:
    notes = converted(tmp_path, "--fill", "0").info.notes
    assert not any("pixels without data" in note for note in notes)
