"""The model card: its snippet runs for any model, and no name is taken for markup."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_support import recipe
from huggingface_hub import ModelCard

from iterate.publish.card import write_card
from iterate.publish.export import Exported, ExportRequest, export_model
from iterate_core.engine.description import read_description
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import prepare
from iterate_core.inference.export import graph
from iterate_core.inference.predictor import load_model

KINDS = {
    "several dates": ("change_detection", {"data": {"frames": 2}}),
    "dates and places": ("regression", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_snippet_runs_for_models_of(name: str, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")
    kind, changes = KINDS[name]
    fit(prepare(recipe(kind, **{"trainer": {"epochs": 1}, **changes})), tmp_path / "fit")
    to = tmp_path / "FOLDER"
    export_model(ExportRequest(tmp_path / "fit", to, onnx=False, torch_export=False))
    model = load_model(to, accelerator="cpu")
    image = graph.inputs_of(model, 1)["images"][0]
    frames = image.unbind(1) if image.ndim == 4 else [image]
    names = ["date1.tif", "date2.tif"] if len(frames) == 2 else ["chip.tif"]
    for path, pixels in zip(names, frames, strict=True):
        count, height, width = pixels.shape
        form = {"driver": "GTiff", "count": count, "height": height, "width": width}
        where = rasterio.Affine(10, 0, 0, 0, -10, 0)
        with rasterio.open(tmp_path / path, "w", transform=where, dtype="float32", **form) as file:
            file.write(pixels.numpy())
    snippet = (to / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert ("Context(" in snippet) == (model.description.dates or model.description.places)
    more = "\nprint(predicted.double().mean().item())\nprint(image.shape)"
    done = subprocess.run(
        [sys.executable, "-c", snippet + more],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(image[None].shape)
    if len(frames) == 2:
        wanted = model.predict(image[None]).double().mean().item()
        assert float(done.stdout.splitlines()[-2]) == pytest.approx(wanted, abs=1e-5)


def test_names_are_no_markup(exported: Exported, tmp_path: Path) -> None:
    described = read_description(exported.folder)
    hostile = '<img src=x onerror=alert(1)> *a* [b](c): "d" \'\n--- # e'
    named = described.model_copy(update={"info": replace(described.info, name=hostile)})
    metrics = json.loads((exported.folder / "metrics.json").read_text())
    write_card(tmp_path, named, metrics, None)
    text = (tmp_path / "README.md").read_text()
    body = text.split("\n---\n", 1)[1]
    assert "<img" not in body
    assert r"&lt;img src=x onerror=alert(1)&gt; \*a\* \[b\](c)" in body
    (title,) = (line for line in body.splitlines() if line.startswith("# "))
    assert title.endswith(": classification")
    results = ModelCard(text).data.eval_results
    assert results is not None
    assert results[0].dataset_name == hostile


def test_a_program_is_called_as_the_card_says(exported: Exported) -> None:
    text = (exported.folder / "README.md").read_text()
    assert (
        '`torch.export.load("model.pt2").module()` with inputs by name: `(images=images)`' in text
    )
    model = load_model(exported.folder, accelerator="cpu")
    images = graph.inputs_of(model, 1)["images"]
    program = torch.export.load(exported.folder / "model.pt2").module()
    assert torch.allclose(program(images=images), model.predict(images), atol=1e-5)
