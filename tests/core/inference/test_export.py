"""A trained model exported: merged as it was trained, and as graphs that give its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from engine_support import merged as changed
from engine_support import recipe
from objects_support import SMALL, detecting
from onnx import numpy_helper
from safetensors.torch import load_file

from iterate_core.engine.checkpoints import load_best, save_best
from iterate_core.engine.description import read_description
from iterate_core.engine.fit import evaluate, fit
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError, WorkError
from iterate_core.inference.export import graph, reduced, scores
from iterate_core.inference.export.digests import read_sums, write_sums
from iterate_core.inference.export.merged import halved, merged, without_paths, write_weights
from iterate_core.inference.predictor import Predictor, load_model

VIT = {"model": {"backbone": {"name": "test_vit", "weights": "none"}}}
LINEAR = {"model": {"decoder": {"name": "linear"}}}
PRITHVI = {
    "model": {
        "backbone": {
            "name": "prithvi_eo_v2_tiny_tl",
            "weights": "none",
            "depth": 2,
            "missing": "zero",
        }
    },
    "data": {"frames": 2},
}
GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "classification by a ResNet": ("classification", {}),
    "classification by a ViT": ("classification", VIT),
    "classification by Prithvi": ("classification", PRITHVI),
    "classification by neighbours": (
        "classification",
        {"model": {"decoder": {"name": "knn"}}, "tuning": {"name": "frozen"}},
    ),
    "segmentation by a ResNet": ("segmentation", {"data": {"image_size": 48}}),
    "segmentation by a ViT": ("segmentation", VIT),
    "segmentation by Prithvi": ("segmentation", PRITHVI),
    "several labels": ("multilabel", LINEAR),
    "regression": ("regression", {"tuning": {"name": "frozen"}}),
    "scalar regression": ("scalar_regression", LINEAR),
    "change detection": ("change_detection", {"data": {"frames": 2}}),
    "downscaling": ("downscaling", {}),
}


# Of several alike the others; together they take minutes.
SLOW = {
    *("segmentation by Prithvi", "segmentation by a ViT", "several labels", "scalar regression"),
    *("retinanet", "faster_rcnn"),
    *("dora", "adalora", "layerwise", "gradual", "ema"),
    *("clay_v1_5", "terramind_v1_tiny", "satmae_base"),
}


def some_slow(names: Iterable[str]) -> list[Any]:
    """The same, those marked that are in `SLOW`."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]


def trained(folder: Path, kind: str, changes: dict[str, Any]) -> Prepared:
    """An epoch of a small model; adapters, which begin at nothing, are then moved."""
    prepared = prepare(recipe(kind, **changed({"trainer": {"epochs": 1}}, changes)))
    fit(prepared, folder)
    tensors, metadata = load_best(folder, prepared.identity)
    torch.manual_seed(1)
    added = [name for name in tensors if "lora_" in name or "prompts" in name]
    for name in added:
        tensors[name] = tensors[name] + 0.1 * torch.randn_like(tensors[name])
    if added:
        del metadata["crc32"]
        save_best(folder, tensors, metadata)
    return prepared


def on_cpu(folder: Path) -> Predictor:
    return load_model(folder, accelerator="cpu", precision="32-true")


@pytest.mark.parametrize("name", some_slow(GRAPHS))
def test_graphs_give_the_models_numbers_for_other_numbers_of_images(
    name: str, tmp_path: Path
) -> None:
    trained(tmp_path, *GRAPHS[name])
    model = on_cpu(tmp_path)
    program = graph.exported(model)
    assert (
        graph.difference(model, graph.of_program_file(graph.write_program(program, tmp_path)))
        < 1e-5
    )
    graph.write_onnx(program, tmp_path)
    answer = graph.of_onnx(tmp_path / graph.ONNX_FILE)
    for count in (1, 5):
        given = graph.inputs_of(model, count, seed=7)
        context = graph.context_of(given)
        wanted = model.predict(given["images"], context).numpy()
        found = answer({key: value.numpy() for key, value in given.items()})[0]
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 1e-4 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("decoder", some_slow(SMALL))
def test_graphs_of_detectors_find_the_same_objects(decoder: str, tmp_path: Path) -> None:
    sure = {"model": {"decoder": {"score_threshold": 0.001}}}
    fit(prepare(detecting(decoder, **sure, trainer={"epochs": 1})), tmp_path)
    model = on_cpu(tmp_path)
    graph.write_objects_onnx(model, tmp_path)
    answer = graph.of_onnx(tmp_path / graph.ONNX_FILE)
    assert graph.check(model, answer) < 1e-4
    counts = []
    for seed in range(3):
        images = graph.inputs_of(model, 1, seed)["images"]
        (wanted,) = model.predict(images)
        found = dict(zip(graph.OBJECTS, answer({"images": images.numpy()}), strict=False))
        assert set(found) == set(wanted)
        for name, values in wanted.items():
            assert np.allclose(found[name], values, rtol=1e-4, atol=1e-3), name
        counts.append(len(wanted["boxes"]))
    assert max(counts) > 0
    with pytest.raises(WorkError, match="any number of objects"):
        graph.exported(model)


TUNED = {
    "lora": {**VIT, "tuning": {"name": "lora"}},
    "dora": {**VIT, "tuning": {"name": "dora"}},
    "adalora": {**VIT, "tuning": {"name": "adalora"}},
    "visual_prompt": {**VIT, "tuning": {"name": "visual_prompt"}},
    "bitfit": {"tuning": {"name": "bitfit"}},
    "layerwise": {**VIT, "tuning": {"name": "layerwise"}},
    "gradual": {"tuning": {"name": "gradual"}, "trainer": {"epochs": 2}},
    "frozen": {"tuning": {"name": "frozen"}, "trainer": {"precision": "bf16-mixed"}},
    "ema": {"trainer": {"ema": 0.5}},
    "logistic": {"model": {"decoder": {"name": "logistic"}}, "tuning": {"name": "frozen"}},
}


@pytest.mark.parametrize("way", some_slow(TUNED))
def test_a_merged_model_gives_what_the_trained_one_gave(way: str, tmp_path: Path) -> None:
    trained(tmp_path, "classification", TUNED[way])
    before = load_model(tmp_path)
    description, weights = merged(tmp_path)
    after = Predictor(description, weights)
    images = graph.inputs_of(before, 3)["images"]
    assert torch.allclose(after.predict(images), before.predict(images), atol=1e-5)
    assert not torch.allclose(before.predict(images)[0], before.predict(images)[1], atol=1e-7)
    assert description.folded == (way != "visual_prompt")
    assert not any("lora_" in name for name in weights)


def test_merging_moves_the_weights_that_adapters_stood_beside(tmp_path: Path) -> None:
    trained(tmp_path, "classification", TUNED["lora"])
    tensors, _ = load_best(tmp_path, read_description(tmp_path).identity)
    layer = next(name for name in tensors if "lora_A" in name).split(".lora_A")[0]
    down, up = (tensors[f"{layer}.lora_{side}.default.weight"] for side in "AB")
    options = read_description(tmp_path).recipe["tuning"]
    moved = options["alpha"] / options["rank"] * up @ down
    _, weights = merged(tmp_path)
    unmerged = load_model(tmp_path).model.state_dict()[f"{layer}.base_layer.weight"]
    assert torch.allclose(weights[f"{layer}.weight"], unmerged + moved, atol=1e-6)


FAMILIES: dict[str, dict[str, Any]] = {
    "clay_v1_5": {"depth": 1, "metres": 10.0},
    "dofa_small": {"depth": 1},
    "terramind_v1_tiny": {"depth": 1, "missing": "zero"},
    "satmae_base": {"depth": 1, "missing": "zero"},
    "presto": {"missing": "zero"},
}


@pytest.mark.parametrize("family", some_slow(FAMILIES))
def test_backbones_of_each_family_are_exported_whole(family: str, tmp_path: Path) -> None:
    backbone = {"name": family, "weights": "none", **FAMILIES[family]}
    changes = {"model": {"backbone": backbone}, "tuning": {"name": "frozen"}}
    trained(tmp_path, "classification", changes)
    before = on_cpu(tmp_path)
    folder = tmp_path / "exported"
    folder.mkdir()
    description, weights = merged(tmp_path)
    description.write(folder)
    write_weights(folder, weights)
    write_sums(folder)
    after = on_cpu(folder)
    given = graph.inputs_of(before, 2)
    context = graph.context_of(given)
    wanted = before.predict(given["images"], context)
    assert torch.allclose(after.predict(given["images"], context), wanted, atol=1e-6)
    program = graph.exported(after)
    graph.write_onnx(program, folder)
    assert graph.difference(before, graph.of_onnx(folder / graph.ONNX_FILE)) < 1e-4


def test_a_merged_detector_finds_and_scores_what_the_trained_one_did(tmp_path: Path) -> None:
    prepared = prepare(detecting())
    fit(prepared, tmp_path)
    description, weights = merged(tmp_path)
    after, before = Predictor(description, weights), load_model(tmp_path)
    images = graph.inputs_of(before, 2)["images"]
    for one, other in zip(after.predict(images), before.predict(images), strict=True):
        assert torch.allclose(one["boxes"], other["boxes"], atol=1e-4)
        assert torch.equal(one["labels"], other["labels"])
    found = scores.scores_of(prepared, after.predict)
    wanted = evaluate(prepared, tmp_path).metrics
    assert found["map"] == pytest.approx(wanted["test/map"], abs=1e-6)
    assert "loss" not in found


@pytest.mark.parametrize("kind", ["classification", "multilabel", "segmentation", "downscaling"])
def test_scores_through_predictions_are_those_of_the_test(kind: str, tmp_path: Path) -> None:
    prepared = trained(tmp_path, kind, LINEAR if kind == "multilabel" else {})
    found = scores.scores_of(prepared, on_cpu(tmp_path).predict)
    wanted = evaluate(prepared, tmp_path).metrics
    assert {f"test/{name}" for name in found} == set(wanted)
    for name, value in found.items():
        assert value == pytest.approx(wanted[f"test/{name}"], rel=1e-4, abs=1e-5)


def test_weights_in_half_the_bytes(tmp_path: Path) -> None:
    trained(tmp_path, "segmentation", {})
    description, weights = merged(tmp_path)
    kept = Predictor(description, halved(weights), accelerator="cpu", precision="32-true")
    assert all(value.dtype != torch.float16 for value in kept.model.state_dict().values())
    graph.write_onnx(graph.exported(kept), tmp_path, as_kept=True)
    full, half = tmp_path / graph.ONNX_FILE, tmp_path / "half.onnx"
    reduced.write_half(full, half)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    assert graph.difference(kept, graph.of_onnx(half)) < 1e-5
    write_weights(tmp_path, weights, half=True)
    written = load_file(tmp_path / "model.safetensors")
    assert written["decoder.output.weight"].dtype == torch.float16
    assert torch.equal(written["decoder.output.weight"], weights["decoder.output.weight"].half())


def test_layers_in_8_bit_integers(tmp_path: Path) -> None:
    prepared = trained(tmp_path, "segmentation", {})
    model = on_cpu(tmp_path)
    graph.write_onnx(graph.exported(model), tmp_path)
    source, target = tmp_path / graph.ONNX_FILE, tmp_path / reduced.INT8_FILE
    assert not reduced.write_int8(source, target, None)  # convolutions alone
    samples = list(scores.calibration(prepared, ("images",), 10))
    assert len(samples) == 10
    assert np.array_equal(samples[0]["images"][0], np.asarray(prepared.pack.images("train")[0]))
    assert reduced.write_int8(source, target, iter(samples))
    assert target.stat().st_size < 0.4 * source.stat().st_size
    apart = graph.difference(model, graph.of_onnx(target))
    assert 1e-6 < apart < 0.05
    with pytest.raises(WorkError, match=r"more than 0\.0001"):
        graph.check(model, lambda given: [np.full_like(graph.of_predictor(model)(given)[0], 9)])


def test_linear_layers_become_integers_without_data(tmp_path: Path) -> None:
    trained(tmp_path, "classification", VIT)
    model = on_cpu(tmp_path)
    graph.write_onnx(graph.exported(model), tmp_path)
    source, target = tmp_path / graph.ONNX_FILE, tmp_path / reduced.INT8_FILE
    assert reduced.write_int8(source, target, None)
    assert target.stat().st_size < 0.7 * source.stat().st_size


def test_a_changed_byte_is_refused_with_its_files_name(tmp_path: Path) -> None:
    source = tmp_path / "fit"
    trained(source, "classification", {})
    folder = tmp_path / "exported"
    folder.mkdir()
    description, weights = merged(source)
    description.write(folder)
    write_weights(folder, weights)
    (folder / "README.md").write_text("card")
    (folder / "metrics.json").write_text("{}")
    write_sums(folder)
    assert set(read_sums(folder)) == {
        *("README.md", "metrics.json", "model.json", "model.safetensors"),
    }
    load_model(folder)
    (folder / "README.md").write_text("a longer card")
    (folder / "metrics.json").unlink()
    load_model(folder)
    held = bytearray((folder / "model.safetensors").read_bytes())
    held[-1] ^= 1
    (folder / "model.safetensors").write_bytes(held)
    with pytest.raises(RequestError, match=r"model\.safetensors: was changed or damaged"):
        load_model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"model\.safetensors: is missing"):
        load_model(folder)
    (folder / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(RequestError, match="SHA256SUMS: does not list"):
        load_model(folder)


def test_paths_are_reduced_to_their_names() -> None:
    told = {"root": "/data/mine/chips", "files": ["~/a/b.tif", "c/*.tif"], "lr": 0.1, "none": None}
    assert without_paths(told) == {
        "root": "chips",
        "files": ["b.tif", "c/*.tif"],
        "lr": 0.1,
        "none": None,
    }


def test_two_models_of_one_recipe_do_not_share_weights(tmp_path: Path) -> None:
    trained(tmp_path, "classification", TUNED["visual_prompt"])
    description, weights = merged(tmp_path)
    one = Predictor(description, weights)
    images = graph.inputs_of(one, 2)["images"]
    before = one.predict(images)
    Predictor(description, {name: torch.zeros_like(value) for name, value in weights.items()})
    assert torch.equal(one.predict(images), before)


def test_halves_are_the_models_own_where_normalisation_follows(tmp_path: Path) -> None:
    """Folded into convolutions it would make weights that are no halves."""
    trained(tmp_path, "segmentation", {})
    description, weights = merged(tmp_path)
    torch.manual_seed(2)
    for name, value in weights.items():
        if name.endswith("running_var"):
            weights[name] = value * (0.01 + torch.rand_like(value))
    kept = Predictor(description, halved(weights), accelerator="cpu", precision="32-true")
    graph.write_onnx(graph.exported(kept), tmp_path, as_kept=True)
    full, half = tmp_path / graph.ONNX_FILE, tmp_path / "half.onnx"
    reduced.write_half(full, half)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    assert graph.difference(kept, graph.of_onnx(half)) < graph.TOLERANCE / 2
    held = {
        numpy_helper.to_array(each).tobytes()
        for each in onnx.load(half).graph.initializer
        if each.data_type == onnx.TensorProto.FLOAT16
    }
    layers = [v for n, v in halved(weights).items() if v.ndim == 4 and v.numel() >= 256]
    assert len(layers) > 5
    assert all(value.contiguous().numpy().tobytes() in held for value in layers)


def test_what_a_program_gives_has_no_gradient(tmp_path: Path) -> None:
    trained(tmp_path, "classification", {})
    model = on_cpu(tmp_path)
    path = graph.write_program(graph.exported(model), tmp_path)
    images = graph.inputs_of(model, 1)["images"]
    assert not torch.export.load(path).module()(images=images).requires_grad
