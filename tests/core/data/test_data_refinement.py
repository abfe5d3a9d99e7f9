"""Maps on a finer grid: converted, kept in a folder, coarsened, drawn and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from convert_support import opened
from door_support import commands
from matplotlib.image import imread

from iterate_core.data.convert.convert import convert
from iterate_core.data.generated.reader import GeneratedData, open_generated
from iterate_core.data.inspect.show import draw
from iterate_core.errors import DataError, RequestError
from iterate_core.registry.parsing import parse

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 6), dtype=np.uint8)
FINE = np.random.default_rng(1).normal(280, 20, (20, 2, 12, 18)).astype(np.float32)
FINE[3, 1, :5] = np.nan


def arrays(path: Path, **others: Any) -> Path:
    np.savez(path, **{"images": PIXELS, **others})
    return path


@pytest.mark.parametrize("last", [False, True])
def test_arrays_value_by_value(last: bool, tmp_path: Path) -> None:
    def laid(values: Any) -> Any:
        return np.moveaxis(values, 1, -1) if last else values

    source = arrays(tmp_path / "x.npz", images=laid(PIXELS), targets=laid(FINE))
    info = convert(source, tmp_path / "out", classes=["warmth", "dew"])
    assert (info.task, info.finer, info.classes) == ("downscaling", 3, ("warmth", "dew"))
    reader = opened(tmp_path / "out")
    for index, wanted in enumerate(FINE):
        sample = reader.read(f"sample_{index:06d}", ["green", "red"])
        np.testing.assert_array_equal(sample.target, wanted)
        np.testing.assert_array_equal(sample.image, PIXELS[index, [1, 0]])


def test_one_quantity_needs_no_axis(tmp_path: Path) -> None:
    info = convert(arrays(tmp_path / "x.npz", targets=FINE[:, 0]), tmp_path / "out")
    assert info.classes == ("quantity",)
    sample = opened(tmp_path / "out").read("sample_000004", ["red"])
    np.testing.assert_array_equal(sample.target, FINE[4, :1])


@pytest.mark.parametrize("labels", [{}, {"labels": np.arange(20) % 2}], ids=["none", "some"])
def test_coarse_images_are_the_means_of_their_targets(labels: Any, tmp_path: Path) -> None:
    info = convert(arrays(tmp_path / "x.npz", **labels), tmp_path / "out", coarsen=2)
    assert (info.task, info.finer, info.height, info.width) == ("downscaling", 2, 2, 3)
    assert info.classes == ("red", "green", "blue")
    assert any("means over 2 × 2 pixels" in note for note in info.notes)
    for index, fine in enumerate(PIXELS):
        sample = opened(tmp_path / "out").read(f"sample_{index:06d}", ["blue"])
        np.testing.assert_array_equal(sample.target, fine)
        corners = [fine[2, row::2, column::2].astype(int) for row in (0, 1) for column in (0, 1)]
        np.testing.assert_array_equal(sample.image[0], np.rint(sum(corners) / 4))
        assert sample.image.dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"targets": FINE[..., :17]},
            {},
            r"has targets of \(12, 17\) cells for images of \(4, 6\)",
        ),
        ({"targets": FINE[:, 0, ::3, ::3]}, {}, "Both sides must be 2, 3, … times as many"),
        ({"targets": FINE[0]}, {}, "20 images, but 2 targets"),
        ({"targets": FINE}, {"classes": ["warmth"]}, "has 2 quantities, but 1 are named"),
        ({"targets": FINE}, {"task": "segmentation"}, "for downscaling, not for segmentation"),
        ({"targets": np.where(FINE > 300, np.inf, FINE)}, {}, "has an infinite value"),
        ({"targets": FINE, "labels": np.arange(20)}, {}, "holds labels and targets"),
        ({}, {"coarsen": 4}, "is 4 × 6 pixels, which 4 does not divide"),
        ({}, {"coarsen": 1}, "must be 2 or more"),
        ({}, {"coarsen": 2, "fill": "mean"}, "pixels that nobody measured"),
        ({}, {"coarsen": 2, "tile": 4}, "pixels that nobody measured"),
        ({"targets": FINE}, {"tile": 4}, "the targets here lie on a finer grid"),
        ({}, {"coarsen": 2, "task": "segmentation"}, "for downscaling, not for segmentation"),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: Any, options: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=message):
        convert(arrays(tmp_path / "x.npz", **changes), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_its_maps_is_told(tmp_path: Path) -> None:
    convert(arrays(tmp_path / "x.npz", targets=FINE), tmp_path / "out")
    with h5py.File(tmp_path / "out" / "sample_000004.hdf5", "a") as file:
        del file["label"]
    with pytest.raises(DataError, match=r"sample_000004\.hdf5.*lacks the maps 'label'"):
        opened(tmp_path / "out").read("sample_000004", ["red"])


def test_each_quantity_has_a_table_and_the_picture_its_true_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = commands(monkeypatch, capsys)
    split = np.arange(20) % 3
    source = arrays(tmp_path / "x.npz", targets=FINE, split=split)
    run("data", "convert", str(source), str(tmp_path / "set"), "--classes", "warmth,dew")
    shown = json.loads(run("data", "show", str(tmp_path / "set"), "--json").out)
    train = FINE[split == 0].astype(float)
    known = ~np.isnan(train)
    assert shown["counts"]["train"] == known.sum(axis=(0, 2, 3)).tolist()
    assert shown["ignored"]["train"] == (~known).sum()
    assert shown["quantities"]["dew"]["train"]["mean"] == pytest.approx(np.nanmean(train[:, 1]))
    assert Path(shown["picture"]).exists()

    red = np.zeros((20, 3, 4, 4), np.uint8)
    red[:, 0, 2:] = 255
    run("data", "convert", str(arrays(tmp_path / "y.npz", images=red)), "red", "--coarsen", "2")
    draw(opened(tmp_path / "red"), "train", tmp_path / "red.png", count=1)
    pixels = imread(tmp_path / "red.png")[..., :3]
    full = (pixels[..., 0] > 0.9) & (pixels[..., 1:].max(axis=-1) < 0.1)
    middle = full.any(axis=0).nonzero()[0].mean()
    assert full[:, : int(middle)].sum() == pytest.approx(full[:, int(middle) :].sum(), rel=0.1)


def test_drawn_scenes_are_the_means_of_what_the_finer_sensor_saw(tmp_path: Path) -> None:
    asked = {"name": "generated", "kind": "downscaling", "finer": 4, "size": 16}
    section = parse(GeneratedData, {**asked, "samples": (8, 1, 1), "root": tmp_path / "set"})
    open_generated(section).fingerprint()  # draws it
    reader = open_generated(section)
    names = reader.info.classes
    unknown = []
    for name in reader.names("train"):
        sample = reader.read(name, names)
        target = np.asarray(sample.target)
        assert target.shape == (4, 64, 64)
        unknown.append(np.isnan(target).mean())
        means = target.reshape(4, 16, 4, 16, 4).mean(axis=(2, 4))
        known = ~np.isnan(means)
        np.testing.assert_allclose(sample.image[known], means[known], atol=0.51)
    assert 0 < np.mean(unknown) < 0.3


def test_a_finer_grid_is_asked_for_of_downscaling_alone() -> None:
    for kind, finer in (("downscaling", 1), ("segmentation", 2)):
        with pytest.raises(RequestError, match="and nothing else, is to a finer grid"):
            parse(GeneratedData, {"name": "generated", "kind": kind, "finer": finer})
    asked = {"name": "generated", "kind": "downscaling", "finer": 2, "frames": 3}
    with pytest.raises(RequestError, match="downscaling is of one date"):
        parse(GeneratedData, asked)
