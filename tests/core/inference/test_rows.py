"""Models of whole images: a row of a table each, or one for each window of a scene."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import torch
from engine_support import recipe
from predicting_support import ArrayScene, run, untrained
from scipy.stats import entropy as scipy_entropy
from torch.nn import functional

from iterate_core.errors import RequestError
from iterate_core.inference.members import Ensemble, load_ensemble


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("models")
    return [untrained(recipe("classification"), place / str(seed), seed) for seed in range(2)]


@pytest.fixture(scope="module")
def one(folders: list[Path]) -> Ensemble:
    return load_ensemble(folders[:1])


def image(name: str, side: int = 32, seed: int = 0, **others: Any) -> ArrayScene:
    rng = np.random.default_rng(seed)
    return ArrayScene(rng.normal(1500, 500, (4, side, side)).astype(np.float32), name, **others)


def rows_of(path: Path | None) -> list[dict[str, str]]:
    assert path is not None
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_each_image_has_a_row(folders: list[Path], tmp_path: Path) -> None:
    images = [image(name, seed=seed) for seed, name in enumerate("abc")]
    both = load_ensemble(folders)
    _, table = run(images, both, tmp_path, batch=2)
    assert table == tmp_path / "predictions.csv"
    given = torch.from_numpy(np.stack([each.pixels for each in images]))
    predicted = torch.stack([model.predict(given) for model in both.models]).numpy()
    names = both.first.target.names
    for number, row in enumerate(rows_of(table)):
        mean = predicted[:, number].mean(axis=0)
        assert row["file"] == f"{'abc'[number]}.tif"
        assert row["class"] == names[mean.argmax()]
        assert float(row["probability"]) == pytest.approx(mean.max(), abs=1e-5)
        assert float(row["entropy"]) == pytest.approx(scipy_entropy(mean), abs=1e-5)
        spread = predicted[:, number].std(axis=0, ddof=1)
        for index, name in enumerate(names):
            assert float(row[f"probability {name}"]) == pytest.approx(mean[index], abs=1e-5)
            assert float(row[f"spread {name}"]) == pytest.approx(spread[index], abs=1e-5)


def test_a_table_goes_on_and_ends_as_if_it_had_not_stopped(one: Ensemble, tmp_path: Path) -> None:
    images = [image(name, seed=seed) for seed, name in enumerate("abcd")]
    run(images, one, tmp_path / "whole", batch=1)
    images[2].broken = 0
    results, table = run(images[:3], one, tmp_path / "again", batch=1)
    assert [result.failure for result in results] == [None, None, "c.tif: is damaged."]
    assert len(rows_of(table)) == 2
    journal = tmp_path / "again/.predict/images.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"name": "c", "con')  # killed while it wrote
    images[2].broken = None
    results, _ = run(images, one, tmp_path / "again", batch=1)
    assert [result.kept for result in results] == [True, True, False, False]
    wanted, found = (tmp_path / name / "predictions.csv" for name in ("whole", "again"))
    assert found.read_bytes() == wanted.read_bytes()
    images[0].pixels += 500  # a file that has changed is predicted again, in its place
    results, table = run(images, one, tmp_path / "again", batch=1)
    assert [result.kept for result in results] == [False, True, True, True]
    assert [row["file"] for row in rows_of(table)] == ["a.tif", "b.tif", "c.tif", "d.tif"]
    assert found.read_bytes() != wanted.read_bytes()


def test_a_table_is_of_one_model(one: Ensemble, folders: list[Path], tmp_path: Path) -> None:
    run(image("a"), one, tmp_path)
    flipped = load_ensemble(folders[:1], flips=True)
    with pytest.raises(RequestError, match="with other options"):
        run(image("a"), flipped, tmp_path, flips=True)
    _, table = run(image("b"), flipped, tmp_path, flips=True, overwrite=True)
    assert [row["file"] for row in rows_of(table)] == ["b.tif"]


def test_images_of_one_name_have_rows_of_their_own(one: Ensemble, tmp_path: Path) -> None:
    first, second = image("a"), image("a", seed=1)
    second.source = "elsewhere/a.tif"
    run(first, one, tmp_path)
    _, table = run(second, one, tmp_path)
    assert [row["file"] for row in rows_of(table)] == ["a.tif", "elsewhere/a.tif"]
    scene = image("scene", 80)
    run(scene, one, tmp_path / "windows", by_window=True)
    scene.source = "elsewhere/scene.tif"
    with pytest.raises(RequestError, match=r"scene_windows\.gpkg: is of another scene"):
        run(scene, one, tmp_path / "windows", by_window=True)


def test_a_table_that_is_none_of_its_own_is_left_alone(one: Ensemble, tmp_path: Path) -> None:
    own = tmp_path / "predictions.csv"
    own.write_text("a person's own")
    with pytest.raises(RequestError, match=r"predictions\.csv: is there already"):
        run(image("a"), one, tmp_path)
    assert own.read_text() == "a person's own"
    _, table = run(image("a"), one, tmp_path, format="parquet")
    assert table == tmp_path / "predictions.parquet"
    _, table = run(image("a"), one, tmp_path, overwrite=True)
    assert len(rows_of(table)) == 1


def test_where_no_image_can_be_predicted_there_is_no_table(one: Ensemble, tmp_path: Path) -> None:
    results, table = run(image("a", broken=0), one, tmp_path)
    assert results[0].failure == "a.tif: is damaged."
    assert table is None
    assert not (tmp_path / "predictions.csv").exists()


def test_an_image_of_another_size_is_resized_and_a_scene_refused(
    one: Ensemble, tmp_path: Path
) -> None:
    scenes = [image("larger", 48), image("scene", 65), image("empty")]
    scenes[2].valid[:] = False
    results, table = run(scenes, one, tmp_path)
    assert results[0].notes == ("resized from 48 × 48 to 32 × 32 pixels",)
    assert "--by-window" in str(results[1].failure)
    assert results[2].failure == "empty.tif: holds no data."
    given = torch.from_numpy(scenes[0].pixels)[None]
    resized = functional.interpolate(given, (32, 32), mode="bilinear", align_corners=False)
    wanted = float(one.first.predict(resized).max())
    (row,) = rows_of(table)
    assert float(row["probability"]) == pytest.approx(wanted, abs=1e-5)


def test_by_window_each_window_has_a_row_and_an_outline(one: Ensemble, tmp_path: Path) -> None:
    scene = image("scene", 80)
    scene.valid[:32, :32] = False
    (result,), table = run(scene, one, tmp_path, by_window=True)
    rows = rows_of(table)
    places = [(int(row["row"]), int(row["column"])) for row in rows]
    wanted = [(row, column) for row in (0, 32, 64) for column in (0, 32, 64)][1:]
    assert places == wanted
    assert (result.windows, result.predicted) == (9, 8)
    inside = torch.from_numpy(scene.pixels)[None, :, 32:64, 32:64]
    middle = rows[places.index((32, 32))]
    assert float(middle["probability"]) == pytest.approx(float(one.first.predict(inside).max()))
    info = pyogrio.read_info(tmp_path / "scene_windows.gpkg")
    assert (info["features"], info["crs"]) == (8, "EPSG:32632")
    frame = pyogrio.read_dataframe(tmp_path / "scene_windows.gpkg")
    assert frame.geometry.iloc[-1].bounds == (500_640, 4_999_200, 500_800, 4_999_360)
    assert frame["class"].tolist() == [row["class"] for row in rows]
    assert result.notes == ()
    empty = image("empty", 80, valid=np.zeros((80, 80), bool))
    (result,), _ = run(empty, one, tmp_path / "empty", by_window=True)
    assert (result.predicted, result.failure) == (0, None)
    assert any("no pixel has data" in note for note in result.notes)
    several = [image(name, 80, seed) for seed, name in enumerate("ab")]
    _, alone = run(several, one, tmp_path / "alone", by_window=True)
    _, together = run(several, one, tmp_path / "together", by_window=True, jobs=2)
    assert sorted(map(str, rows_of(together))) == sorted(map(str, rows_of(alone)))


def test_by_window_a_stopped_scene_goes_on(one: Ensemble, tmp_path: Path) -> None:
    scene = image("scene", 160)
    run(scene, one, tmp_path / "whole", by_window=True)
    scene.broken = 100
    (result,), _ = run(scene, one, tmp_path / "again", by_window=True)
    assert result.failure is not None
    before, scene.broken = scene.reads, None
    run(scene, one, tmp_path / "again", by_window=True)
    assert scene.reads - before == 2  # the rows of windows that were left
    wanted, found = (tmp_path / name / "predictions.csv" for name in ("whole", "again"))
    assert found.read_bytes() == wanted.read_bytes()


def test_classes_side_by_side_and_quantities_have_columns(tmp_path: Path) -> None:
    linear = {"decoder": {"name": "linear"}}
    several = load_ensemble([untrained(recipe("multilabel", model=linear), tmp_path / "m")])
    bands = len(several.description.bands)
    images = [image("a"), image("b", seed=1)]
    for each in images:
        each.pixels = np.resize(each.pixels, (bands, 32, 32))
    _, path = run(images, several, tmp_path, format="parquet", threshold=0.4)
    for row in pq.read_table(path).to_pylist():
        there = [name for name in several.first.target.names if row[f"probability {name}"] >= 0.4]
        assert row["classes"] == "; ".join(there)
    scalar = recipe("scalar_regression", model=linear)
    quantity = load_ensemble([untrained(scalar, tmp_path / "q")])
    bands = len(quantity.description.bands)
    one = image("a")
    one.pixels = np.resize(one.pixels, (bands, 32, 32))
    _, table = run(one, quantity, tmp_path / "quantity")
    (row,) = rows_of(table)
    assert list(row) == ["file", *quantity.first.target.names]
    wanted = quantity.first.predict(torch.from_numpy(one.pixels)[None])[0, 0]
    assert float(row[quantity.first.target.names[0]]) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"outputs": ("classes",)}, "--outputs"),
        ({"format": "gpkg"}, "csv or parquet"),
        ({"threshold": 0.3}, "--threshold"),
        ({"overlap": 8}, "--overlap"),
        ({"window": 64}, "--window"),
    ],
)
def test_what_does_not_suit_rows_is_refused(
    one: Ensemble, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        run(image("a"), one, tmp_path, **options)
