"""GEO-Bench (v1) from one end to the other: real images where there are any, real training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_bench_run_cli import bench, demo

REAL = ("m-eurosat", "m-brick-kiln", "m-chesapeake")
DRAWN = ("m-so2sat", "m-forestnet", "m-pv4ger-seg")
Find = Callable[[str], Path]


def counted(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Study → trials and repeats that were trained."""
    return {
        study["name"]: (study["trials"]["complete"], len(study["repeats"]))
        for study in found["studies"]
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_backbones_on_six_datasets(shared_data: Find, tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    demo().make_root(
        root,
        shared_data("eurosat_rgb/eurosat_rgb_3000.npz"),
        {
            "m-brick-kiln": shared_data("geobench_v1/ccb-test-classification/brick_kiln_v1.0"),
            "m-chesapeake": shared_data(
                "geobench_v1/ccb-test-segmentation/cvpr_chesapeake_landcover"
            ),
        },
        DRAWN,
        samples=(24, 12, 12),
    )
    weights = shared_data("weights/tf_efficientnet_lite0_imagenet.safetensors")
    asked = f"tf_efficientnet_lite0={weights},resnet10t=none,test_resnet=none"
    words = ("--data", str(root), "--out", str(out), "--datasets", ",".join(REAL + DRAWN))

    first, told = bench(*words, "--backbones", asked)
    assert counted(first) == {
        f"{dataset}/{backbone}": (4, 2)
        for dataset in REAL + DRAWN
        for backbone in ("tf_efficientnet_lite0", "resnet10t", "test_resnet")
    }
    values = {
        row["backbone"]: row["value"]
        for row in first["leaderboard"]
        if row["group"] == "6 of 12 datasets"
    }
    assert len(values) == 3
    assert None not in values.values()
    assert first["gaps"] == []
    page = (out / "leaderboard.html").read_text(encoding="utf-8")
    assert all(name in page for name in (*REAL, *DRAWN, *values))

    second, _ = bench(*words, "--backbones", asked)
    assert second["studies"] == first["studies"]
    assert second["train_seconds"] == first["train_seconds"]
    # Each study keeps its own to the millisecond.
    assert second["worker_seconds"] == pytest.approx(first["worker_seconds"], abs=0.02)

    (root / "segmentation_v1.0/m-chesapeake").unlink()
    third, told = bench(*words, "--backbones", f"{asked},resnet14t=none")
    assert "m-chesapeake" in told
    gaps = {(gap["dataset"], gap["backbone"]): gap["kept"] for gap in third["gaps"]}
    assert gaps == {
        ("m-chesapeake", name): name != "resnet14t"
        for name in ("tf_efficientnet_lite0", "resnet10t", "test_resnet", "resnet14t")
    }
    again = {study["name"]: study for study in third["studies"]}
    for study in first["studies"]:
        if not study["name"].startswith("m-chesapeake/"):
            assert again[study["name"]] == study
    assert sum(name.endswith("/resnet14t") for name in again) == 5
    kept = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    cells = {(row["group"], row["backbone"]) for row in kept["rows"] if row["kind"] == "dataset"}
    assert ("m-chesapeake", "resnet10t") in cells
    assert ("m-chesapeake", "resnet14t") not in cells
    assert ("m-so2sat", "resnet14t") in cells
