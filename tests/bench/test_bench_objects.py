"""The detection group of GEO-Bench-2: the four datasets with objects, from files to ranks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from bench_support import request_of
from typer.testing import CliRunner

from iterate.bench.runs.plan import cells_of
from iterate.cli.main import app
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare

OBJECTS = {
    "everwatch": ("faster_rcnn", "test_test_map"),
    "nzcattle": ("faster_rcnn", "test_test_map"),
    "substation": ("mask_rcnn", "test_test_segm_map"),
    "pastis_r": ("mask_rcnn", "test_test_segm_map"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for dataset in OBJECTS:
        generate(dataset, folder, (5, 5, 5), pixels=32)
    (folder / "pastis_r").rename(folder / "pastis")
    return folder


@pytest.mark.parametrize("protocol", ["quick", "geobench-2-full", "geobench-2-frozen"])
def test_no_dataset_with_objects_is_a_gap(protocol: str, root: Path) -> None:
    words = ("model.backbone.weights=none", "trainer.precision=32-true")
    request = request_of(root, "geobench-2", protocol, "test_resnet=none", ",".join(OBJECTS), words)
    cells, gaps = cells_of(request)
    assert gaps == []
    assert {cell.dataset: cell.loaded.recipe.model.decoder.name for cell in cells} == {
        dataset: decoder for dataset, (decoder, _) in OBJECTS.items()
    }
    metrics = {cell.dataset: cell.loaded.recipe.objective.metric for cell in cells}
    assert metrics == {
        dataset: metric.removeprefix("test_test_") for dataset, (_, metric) in OBJECTS.items()
    }
    if protocol == "quick":  # one of each task
        for cell in cells:
            if cell.dataset in ("nzcattle", "pastis_r"):
                preflight(prepare(cell.loaded.recipe))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_detection_group_is_trained_tested_and_ranked(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [
        "bench", "--suite", "geobench-2", "--protocol", "quick", "--data", str(root),
        "--backbones", "test_resnet=none,test_vit=none", "--datasets", ",".join(OBJECTS),
        "--out", str(out), "search.trials=1", "trainer.epochs=1", "data.batch_size=4",
        "model.decoder.channels=32", "resources.gpu=0",
    ]  # fmt: skip
    assert CliRunner().invoke(app, words).exit_code == 0
    assert json.loads((out / "summary.json").read_text())["gaps"] == []
    with (out / "results_and_parameters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(OBJECTS) * 2 * 2
    for row in rows:
        assert row["Metric"] == OBJECTS[row["dataset"]][1]
        assert 0 <= float(row["test metric"]) <= 1
    assert "Detection (Object/Instance)" in (out / "leaderboard.md").read_text()
