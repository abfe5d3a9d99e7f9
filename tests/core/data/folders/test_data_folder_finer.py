"""Coarse images and finer rasters in two folders, paired by their names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from folders_support import noise, on_ground, reader, searched

from iterate_core.data.dataset import SPLITS
from iterate_core.errors import RequestError

COARSE, TIMES = 8, 4
FINE = COARSE * TIMES


def pairs(root: Path, count: int = 10, bands: tuple[str, ...] = ("B02", "B03")) -> Path:
    """Images of 80 m and what they are means of, at 20 m."""
    for index in range(count):
        fine = np.kron(noise(2, FINE // 2, index, "float32"), np.ones((2, 2), np.float32))
        means = fine.reshape(2, COARSE, TIMES, COARSE, TIMES).mean(axis=(2, 4))
        where = on_ground(index, size=COARSE, metres=80)
        image(root / f"coarse/p{index}_lr.tif", means, ("B02", "B03"), **where)
        where = on_ground(index, size=FINE, metres=20)
        image(root / f"fine/p{index}_hr.tif", fine[: len(bands)], bands, **where)
    return root


PAIRS: dict[str, Any] = {
    "task": "downscaling",
    "images": "coarse/{key}_lr.tif",
    "masks": "fine/{key}_hr.tif",
    "sensor": "sentinel-2",
    "unit": "dn",
}


def test_the_factor_and_the_quantities_are_told_by_the_files(tmp_path: Path) -> None:
    found = reader(pairs(tmp_path), "geotiff_folder", **PAIRS)
    info = found.info
    assert (info.task, info.finer, info.classes) == ("downscaling", TIMES, ("B02", "B03"))
    assert (info.height, info.width, info.metres) == (COARSE, COARSE, 80)
    names = sorted(name for split in SPLITS for name in found.names(split))
    assert names == [f"p{index}" for index in range(10)]
    sample = found.read("p3", ["B03", "B02"])
    target = np.asarray(sample.target)
    assert (target.dtype, target.shape) == (np.float32, (2, FINE, FINE))
    whole = np.kron(noise(2, FINE // 2, 3, "float32"), np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(target, whole)
    means = target.reshape(2, COARSE, TIMES, COARSE, TIMES).mean(axis=(2, 4))
    np.testing.assert_allclose(sample.image, means[::-1], rtol=1e-6)


def test_what_is_not_known_does_not_count(tmp_path: Path) -> None:
    root = pairs(tmp_path)
    values = noise(2, FINE, 0, "float32")
    values[1, 5, 6] = -9999
    image(root / "fine/p0_hr.tif", values, ("B02", "B03"), nodata=-9999)
    coarse = noise(2, COARSE, 1, "float32")
    coarse[0, 2, 3] = -9999
    image(root / "coarse/p1_lr.tif", coarse, ("B02", "B03"), nodata=-9999)
    found = reader(root, "geotiff_folder", **PAIRS, fill="mean", mask=True)
    target = np.asarray(found.read("p0", ["B02"]).target)
    assert np.argwhere(np.isnan(target)).tolist() == [[1, 5, 6]]
    lacking = np.isnan(np.asarray(found.read("p1", ["B02"]).target))
    assert lacking[:, 8:12, 12:16].all()
    assert lacking.sum() == 2 * TIMES**2


def test_quantities_may_be_named(tmp_path: Path) -> None:
    root = pairs(tmp_path, bands=("B03",))
    for index in range(10):
        image(root / f"fine/p{index}_hr.tif", noise(1, FINE, index, "float32"))
    assert reader(root, "geotiff_folder", **PAIRS).info.classes == ("quantity",)
    named = reader(root, "geotiff_folder", **PAIRS, classes=["height"])
    assert named.info.classes == ("height",)


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("p0", (FINE + 2, FINE + 2), r"p0_hr\.tif: is 34 × 34 cells for 8 × 8.*2, 3, …"),
        ("p0", (FINE, FINE - COARSE), r"p0_hr\.tif: is 32 × 24 cells"),
        ("p0", (COARSE, COARSE), r"p0_hr\.tif: is 8 × 8 cells"),
        ("p5", (2 * COARSE, 2 * COARSE), r"p5_hr\.tif: is 2 times as fine.*others are 4"),
        ("p5", (FINE + 1, FINE), r"p5_hr\.tif: is 33 × 32 cells"),
    ],
)
def test_grids_that_do_not_nest_are_refused(
    tmp_path: Path, name: str, size: tuple[int, int], says: str
) -> None:
    root = pairs(tmp_path)
    image(root / f"fine/{name}_hr.tif", np.ones((2, *size), np.float32), ("B02", "B03"))
    with pytest.raises(RequestError, match=says):
        reader(root, "geotiff_folder", **PAIRS).read(name, ["B02"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 16}, r"data\.size: resizes images"),
        ({"classes": ["a"]}, r"data\.classes: must list the quantities of .*has 2 bands"),
        ({"classes": {0: "a", 1: "b"}}, r"data\.classes: must list the quantities"),
    ],
)
def test_what_would_not_be_scored_as_measured_is_refused(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        reader(pairs(tmp_path), "geotiff_folder", **PAIRS, **options)


def test_pairs_are_searched_from_yaml_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"name": "geotiff_folder", "root": str(pairs(tmp_path / "data")), **PAIRS}
    data |= {"image_size": FINE, "batch_size": 2}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data, "fcn")
    assert planned["task"] == "downscaling"
    assert np.isfinite(metrics["val/rmse"])
    assert metrics["val/baseline_rmse"] > 0


def test_rasters_of_another_place_are_refused(tmp_path: Path) -> None:
    root = pairs(tmp_path)
    where = on_ground(0, size=FINE, metres=20)
    transform = where["transform"]
    moved = type(transform)(*transform[:2], transform.c + 900, *transform[3:5], transform.f)
    image(
        root / "fine/p0_hr.tif", noise(2, FINE, 0, "float32"), ("B02", "B03"),
        **{**where, "transform": moved},
    )  # fmt: skip
    found = reader(root, "geotiff_folder", **PAIRS)
    with pytest.raises(RequestError, match=r"p0_hr\.tif: lies at .*, up to 900 from the edges of"):
        found.read("p0", ["B02"])
    image(
        root / "fine/p0_hr.tif", noise(2, FINE, 0, "float32"), ("B02", "B03"),
        **{**where, "crs": "EPSG:4326"},
    )  # fmt: skip
    found = reader(root, "geotiff_folder", **PAIRS)
    with pytest.raises(RequestError, match=r"p0_hr\.tif: is in EPSG:4326, and its image .*p0_lr"):
        found.read("p0", ["B02"])


def test_another_scale_than_that_of_the_band_is_another_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = pairs(tmp_path)
    for index in range(10):
        where = on_ground(index, size=FINE, metres=20)
        values = noise(2, FINE, index, "float32") / 10_000
        image(root / f"fine/p{index}_hr.tif", values, ("B02", "B03"), **where)
    with pytest.raises(RequestError, match=r"gives 'B02' with a mean of .* Bring both to one unit"):
        searched(
            commands(monkeypatch, capsys), tmp_path,
            {"name": "geotiff_folder", "root": str(root), **PAIRS}, "fcn",
        )  # fmt: skip
