"""Numbers as labels: from arrays and tables to a folder, its partitions, tables and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image, opened
from door_support import commands

from iterate_core.data.convert.convert import convert
from iterate_core.data.dataset import SPLITS
from iterate_core.data.generated.reader import GeneratedData, open_generated
from iterate_core.errors import DataError, RequestError

PIXELS = np.arange(20 * 3 * 4 * 4, dtype=np.uint8).reshape(20, 3, 4, 4)
ONE = np.linspace(0.5, 10, 20)
SEVERAL = np.stack((ONE, np.where(np.arange(20) % 4 == 1, np.nan, -1e4 * ONE)), axis=1)


def arrays(path: Path, **others: Any) -> Path:
    np.savez(path, **{"images": PIXELS, **others})
    return path


@pytest.mark.parametrize("labels", [ONE, SEVERAL], ids=["one", "several"])
def test_arrays_value_by_value(labels: Any, tmp_path: Path) -> None:
    info = convert(arrays(tmp_path / "x.npz", labels=labels), tmp_path / "out")
    assert info.task == "scalar_regression"
    assert info.classes == (("quantity",) if labels is ONE else ("quantity 0", "quantity 1"))
    reader = opened(tmp_path / "out")
    for index, wanted in enumerate(labels.reshape(20, -1)):
        sample = reader.read(f"sample_{index:06d}", ["red"])
        np.testing.assert_array_equal(sample.target, wanted)
        np.testing.assert_array_equal(sample.image[0], PIXELS[index, 0])


def test_a_drawn_split_keeps_the_range_of_the_first_quantity(tmp_path: Path) -> None:
    convert(arrays(tmp_path / "x.npz", labels=ONE), tmp_path / "out", split="0.5,0.25,0.25")
    reader = opened(tmp_path / "out")
    for split in SPLITS:
        values = [reader.read(name, ["red"]).target for name in reader.names(split)]
        assert np.mean(values) == pytest.approx(ONE.mean(), abs=1.0)


def test_whole_numbers_are_quantities_when_that_is_said(tmp_path: Path) -> None:
    source = arrays(tmp_path / "x.npz", labels=np.arange(20.0))
    with pytest.raises(DataError, match=r"must hold whole numbers.*--task scalar_regression"):
        convert(source, tmp_path / "out")
    info = convert(source, tmp_path / "out", task="scalar_regression", classes=["trees"])
    assert info.classes == ("trees",)
    assert opened(tmp_path / "out").read("sample_000007", ["red"]).target == [7]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"labels": ONE}, {"classes": ["a", "b"]}, "has 1 quantities, but 2 are named: a, b"),
        ({"labels": SEVERAL[..., None]}, {}, r"must be \(samples,\) or \(samples, quantities\)"),
        ({"labels": ONE}, {"task": "classification"}, "must hold whole numbers"),
        ({"labels": np.where(ONE > 9, np.inf, ONE)}, {}, "has an infinite value"),
        ({"masks": PIXELS[:, 0]}, {"task": "scalar_regression"}, "not for scalar_regression"),
    ],
)
def test_what_is_no_quantity_is_refused(
    changes: Any, options: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=message):
        convert(arrays(tmp_path / "x.npz", **changes), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def tabled(root: Path, table: str, count: int = 6) -> Path:
    for index in range(count):
        image(root / f"images/{index}.png", PIXELS[index])
    (root / "labels.csv").write_text(table)
    return root


TABLE = "file,moisture,split,height\n" + "".join(
    f"{index}{'.png' if index % 2 else ''},{index + 0.5},{('train', 'val', 'test')[index // 2]},"
    f"{'' if index == 3 else index * 100}\n"
    for index in range(6)
)


def test_a_table_beside_images_value_by_value(tmp_path: Path) -> None:
    info = convert(tabled(tmp_path / "in", TABLE), tmp_path / "out")
    assert (info.task, info.classes) == ("scalar_regression", ("moisture", "height"))
    assert list(info.sizes.values()) == [2, 2, 2]
    reader = opened(tmp_path / "out")
    for index in range(6):
        sample = reader.read(str(index), ["blue"])
        height = np.nan if index == 3 else index * 100
        np.testing.assert_array_equal(sample.target, [index + 0.5, height])
        np.testing.assert_array_equal(sample.image[0], PIXELS[index, 2])
    some = convert(tmp_path / "in", tmp_path / "some", classes=["height"])
    assert some.classes == ("height",)
    assert "columns not taken over: moisture" in some.notes


def test_a_table_may_lie_in_the_folder_of_each_split(tmp_path: Path) -> None:
    for number, split in enumerate(SPLITS):
        image(tmp_path / f"in/{split}/images/{number}.png", PIXELS[number])
        (tmp_path / f"in/{split}/labels.csv").write_text(f"name,moisture\n{number},{number}.5\n")
    convert(tmp_path / "in", tmp_path / "out")
    reader = opened(tmp_path / "out")
    assert [reader.names(split) for split in SPLITS] == [("0",), ("1",), ("2",)]
    assert reader.read("2", ["red"]).target == [2.5]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.replace("5.png,", "9.png,"), r"no row for 5\.png\.\n.*no image for 9\.png"),
        (TABLE + "5,1,test,2\n", r"has two rows for 5\.png"),
        (TABLE + "5.png,1,test,2\n", r"names '5\.png' again"),
        (TABLE.replace("100\n", "tall\n"), r"labels\.csv:3: has 'tall' under 'height'"),
        (TABLE.replace("val", "spare"), "'spare' is no split"),
        (TABLE.replace("file,", "tile,"), "one that is called 'name'"),
        (TABLE.replace(",200", ""), "does not have 4 cells"),
        ("name\n" + "".join(f"{n}\n" for n in range(6)), "no column of quantities"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        convert(tabled(tmp_path / "in", table), tmp_path / "out")


def test_each_quantity_has_a_table_with_its_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = commands(monkeypatch, capsys)
    source = arrays(tmp_path / "x.npz", labels=SEVERAL, class_names=["moisture", "height"],
                    split=np.arange(20) % 3)  # fmt: skip
    run("data", "convert", str(source), str(tmp_path / "set"))
    shown = json.loads(run("data", "show", str(tmp_path / "set"), "--json").out)
    train = SEVERAL[np.arange(20) % 3 == 0]
    for index, name in enumerate(("moisture", "height")):
        found = shown["quantities"][name]["train"]
        values = train[:, index][~np.isnan(train[:, index])]
        assert (found["low"], found["high"]) == (values.min(), values.max())
        assert found["mean"] == pytest.approx(values.mean())
        assert shown["counts"]["train"][index] == len(values)
    told = run("data", "show", str(tmp_path / "set")).line
    assert "scalar_regression, moisture, height, 7 train" in told
    assert told.count("from min to max") == 2


def test_drawn_scenes_have_the_shares_that_a_mask_would_show() -> None:
    reader = open_generated(GeneratedData(kind="scalar_regression", samples=(40, 1, 1), size=16))
    targets = np.stack([reader.read(name, ["04 - Red"]).target for name in reader.names("train")])
    assert reader.info.classes == ("canopy cover in percent", "built-up in percent")
    assert np.nanmin(targets) >= 0
    assert np.nanmax(targets) <= 100
    assert 0 < np.isnan(targets).mean() < 0.3
    red = [reader.read(name, ["04 - Red"]).image.mean() for name in reader.names("train")]
    known = ~np.isnan(targets[:, 0])
    assert np.corrcoef(np.array(red)[known], targets[known, 0])[0, 1] < -0.4
