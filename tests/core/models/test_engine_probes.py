"""Probes of frozen features: exact numbers against scikit-learn, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from door_support import commands
from engine_support import RGB, give, merged, random_images, recipe
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from iterate_core.engine import fit
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.models.decoders.probes import knn as probes_knn
from iterate_core.models.decoders.probes.attentive import AttentiveMaps, AttentivePool
from iterate_core.models.decoders.probes.knn import Knn
from iterate_core.models.decoders.probes.logistic import Logistic
from iterate_core.models.decoders.probes.options import (
    AttentiveMapsOptions,
    AttentivePoolOptions,
    KnnOptions,
    LogisticOptions,
)
from iterate_core.models.shapes import Maps
from iterate_core.recipe import Recipe

Array = npt.NDArray[Any]
WIDTH = 12


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def drawn(classes: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Training features of uneven scale and far from 0, their classes, and features to ask for."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, WIDTH))
    labels = rng.integers(0, classes, 260)
    features = centres[labels] + 1.5 * rng.normal(size=(260, WIDTH))
    features = features * rng.uniform(0.1, 10, WIDTH) + rng.normal(size=WIDTH)
    features = features.astype(np.float32)
    return features[:200], labels[:200], features[200:]


def several(labels: Array, classes: int) -> Array:
    """Two labels a sample."""
    other = np.random.default_rng(9).integers(0, classes, len(labels))
    return (np.eye(classes, dtype=int)[labels] | np.eye(classes, dtype=int)[other]).astype(np.int64)


# k nearest neighbours


def knn(classes: int = 4, **options: Any) -> Knn:
    return Knn(KnnOptions(name="knn", **options), WIDTH, classes)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 5, 30])
def test_neighbours_are_scikit_learns(k: int, weights: str, distance: str) -> None:
    features, labels, asked = drawn(4)
    decoder = knn(k=k, weights=weights, distance=distance)
    decoder.fit(torch.from_numpy(features), torch.from_numpy(labels))
    logits = decoder(torch.from_numpy(asked))
    theirs = KNeighborsClassifier(k, weights=weights, metric=distance, algorithm="brute")
    theirs.fit(features.astype(np.float64), labels)
    expected = theirs.predict_proba(asked.astype(np.float64))
    np.testing.assert_allclose(logits.softmax(dim=1).numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(logits.argmax(dim=1).numpy(), theirs.predict(asked))


@pytest.mark.parametrize("k", [4, 5])
def test_neighbours_of_several_labels_are_scikit_learns(k: int) -> None:
    features, labels, asked = drawn(5)
    wanted = several(labels, 5)
    decoder = knn(5, k=k)
    decoder.exclusive = False
    decoder.fit(torch.from_numpy(features), torch.from_numpy(wanted))
    logits = decoder(torch.from_numpy(asked))
    theirs = KNeighborsClassifier(k, metric="cosine").fit(features, wanted)
    shares = np.stack([one[:, 1] for one in theirs.predict_proba(asked)], axis=1)
    np.testing.assert_allclose(logits.sigmoid().numpy(), shares, atol=1e-6)
    # A class of exactly half the votes is not predicted.
    np.testing.assert_array_equal((logits > 0).numpy(), theirs.predict(asked))


def test_neighbours_at_distance_0_vote_alone() -> None:
    features, labels, _ = drawn(4)
    for distance in ("cosine", "euclidean"):
        decoder = knn(k=7, weights="distance", distance=distance)
        decoder.fit(torch.from_numpy(features), torch.from_numpy(labels))
        found = decoder(torch.from_numpy(features)).softmax(dim=1).numpy()
        np.testing.assert_allclose(found[np.arange(200), labels], 1, atol=1e-5)


def test_far_from_0_no_digits_are_lost() -> None:
    rng = np.random.default_rng(1)
    features = (10_000 + rng.normal(size=(100, WIDTH))).astype(np.float32)
    labels = rng.integers(0, 4, 100)
    decoder = knn(distance="euclidean")
    decoder.fit(torch.from_numpy(features), torch.from_numpy(labels))
    theirs = KNeighborsClassifier(5).fit(features.astype(np.float64), labels)
    found = decoder(torch.from_numpy(features)).argmax(dim=1).numpy()
    np.testing.assert_array_equal(found, theirs.predict(features.astype(np.float64)))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, asked = drawn(4)
    decoder = knn(weights="distance")
    decoder.fit(torch.from_numpy(features), torch.from_numpy(labels))
    whole = decoder(torch.from_numpy(asked))
    monkeypatch.setattr(probes_knn, "CHUNK_FLOATS", 7 * len(features))
    torch.testing.assert_close(decoder(torch.from_numpy(asked)), whole)


# Logistic regression


def logistic(classes: int, **options: Any) -> Logistic:
    return Logistic(LogisticOptions(name="logistic", **options), WIDTH, classes)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("strength", [1e-3, 1.0, 10.0])
@pytest.mark.parametrize("standardise", [True, False])
def test_the_optimum_is_scikit_learns(classes: int, strength: float, standardise: bool) -> None:
    features, labels, asked = drawn(classes)
    features, asked = features / 10, asked / 10
    decoder = logistic(classes, C=strength, standardise=standardise, tolerance=1e-8)
    decoder.fit(torch.from_numpy(features), torch.from_numpy(labels))
    scaler = StandardScaler(with_mean=standardise, with_std=standardise)
    placed = scaler.fit_transform(features.astype(np.float64))
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(placed, labels)
    # Of two classes, scikit-learn writes the second alone.
    shown = slice(1, None) if classes == 2 else slice(None)
    np.testing.assert_allclose(decoder.weight.numpy()[shown], theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(decoder.bias.numpy()[shown], theirs.intercept_, atol=1e-4)
    logits = decoder(torch.from_numpy(asked))
    wanted = scaler.transform(asked.astype(np.float64))
    expected = theirs.predict_proba(wanted)
    np.testing.assert_allclose(logits.softmax(dim=1).numpy(), expected, atol=1e-4)
    np.testing.assert_array_equal(logits.argmax(dim=1).numpy(), theirs.predict(wanted))


def test_several_labels_are_one_versus_rest() -> None:
    features, labels, asked = drawn(4)
    wanted = several(labels, 4)
    decoder = logistic(4, tolerance=1e-8)
    decoder.exclusive = False
    decoder.fit(torch.from_numpy(features), torch.from_numpy(wanted))
    scaler = StandardScaler().fit(features.astype(np.float64))
    # In float32 scikit-learn would stop before the optimum.
    placed, placed_asked = (scaler.transform(x.astype(np.float64)) for x in (features, asked))
    one = LogisticRegression(tol=1e-8, max_iter=5000)
    theirs = OneVsRestClassifier(one).fit(placed, wanted)
    logits = decoder(torch.from_numpy(asked))
    expected = theirs.predict_proba(placed_asked)
    np.testing.assert_allclose(logits.sigmoid().numpy(), expected, atol=1e-4)
    np.testing.assert_array_equal((logits > 0).numpy(), theirs.predict(placed_asked))


def test_a_feature_that_never_varies_and_a_class_that_never_occurs_harm_nothing() -> None:
    features, labels, asked = drawn(4)
    still = np.full((1, 1), 3.1, np.float32)
    with_still = [np.hstack([f, np.repeat(still, len(f), 0)]) for f in (features, asked)]
    options = LogisticOptions(name="logistic")
    decoder = Logistic(options, WIDTH + 1, 5)
    decoder.fit(torch.from_numpy(with_still[0]), torch.from_numpy(labels))
    plain = Logistic(options, WIDTH, 4)
    plain.fit(torch.from_numpy(features), torch.from_numpy(labels))
    found = decoder(torch.from_numpy(with_still[1])).softmax(dim=1)
    assert found[:, 4].max() < 0.01
    torch.testing.assert_close(
        found[:, :4], plain(torch.from_numpy(asked)).softmax(dim=1), atol=0.01, rtol=0
    )


def test_iterations_are_told_and_limited() -> None:
    features, labels, _ = drawn(5)
    told = logistic(5, max_iterations=3, tolerance=1e-9).fit(
        torch.from_numpy(features), torch.from_numpy(labels)
    )
    assert told == {"iterations": 3}


# Attention


MAPS = Maps((3, 5), (8, 16))


def test_one_query_of_0_is_mean_pooling() -> None:
    options = AttentivePoolOptions(name="attentive_pool", normalise="none", level=8)
    pool = AttentivePool(options, MAPS, 2)
    torch.nn.init.zeros_(pool.queries)
    torch.nn.init.normal_(pool.output.weight)
    maps = [torch.randn(4, 3, 6, 6), torch.randn(4, 5, 3, 3)]
    expected = maps[0].mean(dim=(2, 3)) @ pool.output.weight.T
    torch.testing.assert_close(pool(maps, (48, 48)), expected)


def test_a_strong_query_picks_the_cell_it_matches() -> None:
    options = AttentivePoolOptions(name="attentive_pool", normalise="none", queries=2)
    pool = AttentivePool(options, MAPS, 2)
    cells = torch.eye(5)[None, :, :4].reshape(1, 5, 2, 2)  # cell i is the i-th unit vector
    with torch.no_grad():
        pool.queries.copy_(1e4 * torch.eye(5)[[2, 0]])
        pool.output.weight.copy_(torch.randn(2, 10))
    expected = pool.output.weight @ torch.cat([torch.eye(5)[2], torch.eye(5)[0]])
    torch.testing.assert_close(pool([torch.zeros(1, 3, 4, 4), cells], (32, 32))[0], expected)


def test_attentive_maps_predict_at_the_stride_asked_for_and_choose_by_cell() -> None:
    options = AttentiveMapsOptions(name="attentive_maps", normalise="none", width=3)
    decoder = AttentiveMaps(options, MAPS, 2)
    maps = [torch.randn(2, 3, 6, 6), torch.randn(2, 5, 3, 3)]
    assert decoder(maps, (48, 48)).shape == (2, 2, 6, 6)
    coarse = AttentiveMaps(options.model_copy(update={"level": 16}), MAPS, 2)
    assert coarse(maps, (48, 48)).shape == (2, 2, 3, 3)
    assert len(coarse.project) == 1
    # Where the query prefers the first channel, the depth that has it is seen.
    with torch.no_grad():
        decoder.query.copy_(torch.tensor([[1e4, 0, 0]]))
        for project, value in zip(decoder.project, (1.0, 2.0), strict=True):
            project[1].weight.zero_()
            project[1].bias.copy_(torch.tensor([value, value, value]))
        decoder.output.weight.fill_(1.0)
        decoder.output.bias.zero_()
    torch.testing.assert_close(decoder(maps, (48, 48)), torch.full((2, 2, 6, 6), 6.0))


def test_a_stride_that_is_not_there_is_refused() -> None:
    options = AttentiveMapsOptions(name="attentive_maps", level=4)
    with pytest.raises(RequestError, match=r"model\.decoder\.level.*Strides: 8, 16"):
        AttentiveMaps(options, MAPS, 2)


# In the engine


def probe(decoder: dict[str, Any], kind: str = "classification", **changes: Any) -> Recipe:
    tuning = {"name": "frozen"}
    return recipe(
        kind, model={"decoder": decoder}, tuning=tuning, data={"samples": [60, 30, 30]}, **changes
    )


def features_of(chosen: Recipe, split: Any) -> tuple[Array, Array]:
    """A split's features and targets, as the engine hands them out."""
    supply = Setup(prepare(chosen)).supplies.of(split)
    (batch,) = supply.batches([np.arange(len(supply))], None)
    return batch.inputs.numpy().astype(np.float64), batch.targets.numpy()


def test_neighbours_through_fit_and_test(tmp_path: Path) -> None:
    chosen = probe({"name": "knn", "k": 3})
    preflight(prepare(chosen))
    (report,) = fit.epochs(prepare(chosen), tmp_path)
    assert report.done
    assert report.epoch == 1
    assert {name.partition("/")[0] for name in report.metrics} == {"val"}
    features, labels = features_of(chosen, "train")
    theirs = KNeighborsClassifier(3, metric="cosine").fit(features, labels)
    for split, found in (("val", report.metrics), ("test", fit.test(prepare(chosen), tmp_path))):
        asked, wanted = features_of(chosen, split)
        assert found[f"{split}/accuracy"] == pytest.approx(theirs.score(asked, wanted))
        shares = theirs.predict_proba(asked).astype(np.float32)
        assert found[f"{split}/loss"] == pytest.approx(log_loss(wanted, shares), rel=1e-4)


def test_logistic_regression_through_fit_and_test(tmp_path: Path) -> None:
    chosen = probe({"name": "logistic", "C": 0.1, "tolerance": 1e-7})
    preflight(prepare(chosen))
    (report,) = fit.epochs(prepare(chosen), tmp_path)
    assert report.done
    assert report.metrics["iterations"] > 1
    features, labels = features_of(chosen, "train")
    scaler = StandardScaler().fit(features)
    theirs = LogisticRegression(C=0.1, tol=1e-7, max_iter=5000)
    theirs.fit(scaler.transform(features), labels)
    found = report.metrics | fit.test(prepare(chosen), tmp_path)
    for split in ("train", "val", "test"):
        asked, wanted = features_of(chosen, split)
        expected = theirs.predict_proba(scaler.transform(asked))
        assert found[f"{split}/accuracy"] == pytest.approx((expected.argmax(1) == wanted).mean())
        assert found[f"{split}/loss"] == pytest.approx(log_loss(wanted, expected), rel=1e-3)


def test_with_merge_val_the_second_fit_is_tested_and_the_first_validated(tmp_path: Path) -> None:
    decoder = {"name": "logistic", "C": 0.1, "tolerance": 1e-7}
    plain, merged_too = probe(decoder), probe(decoder | {"merge_val": True})
    preflight(prepare(merged_too))
    (report,) = fit.epochs(prepare(merged_too), tmp_path / "merged")
    (alone,) = fit.epochs(prepare(plain), tmp_path / "plain")
    assert report.metrics == alone.metrics
    again = fit.test(prepare(merged_too), tmp_path / "merged", "val")
    assert again["val/loss"] == alone.metrics["val/loss"]
    splits = [features_of(plain, split) for split in ("train", "val")]
    features, labels = (np.concatenate(parts) for parts in zip(*splits, strict=True))
    scaler = StandardScaler().fit(features)
    theirs = LogisticRegression(C=0.1, tol=1e-7, max_iter=5000)
    theirs.fit(scaler.transform(features), labels)
    asked, wanted = features_of(plain, "test")
    expected = theirs.predict_proba(scaler.transform(asked))
    found = fit.test(prepare(merged_too), tmp_path / "merged")
    assert found["test/loss"] == pytest.approx(log_loss(wanted, expected), rel=1e-3)
    assert found["test/loss"] != fit.test(prepare(plain), tmp_path / "plain")["test/loss"]


def test_fitting_is_repeatable_and_draws_no_random_numbers(tmp_path: Path) -> None:
    decoder = {"name": "logistic"}
    saved = []
    for name in ("one", "two"):
        list(fit.epochs(prepare(probe(decoder)), tmp_path / name))
        with safe_open(tmp_path / name / "best.safetensors", framework="pt") as file:
            saved.append({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    assert saved[0].keys() == {f"decoder.{name}" for name in ("mean", "scale", "weight", "bias")}
    assert all(torch.equal(saved[0][key], saved[1][key]) for key in saved[0])


@pytest.mark.parametrize("decoder", [{"name": "knn"}, {"name": "logistic"}])
def test_a_finished_fit_is_not_done_again(decoder: dict[str, Any], tmp_path: Path) -> None:
    (first,) = fit.epochs(prepare(probe(decoder)), tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.*")}
    (again,) = fit.epochs(prepare(probe(decoder)), tmp_path)
    assert again == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.*")} == written


def test_neighbours_are_found_from_the_checkpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = probe({"name": "knn"})
    list(fit.epochs(prepare(chosen), tmp_path / "run"))
    expected = fit.test(prepare(chosen), tmp_path / "run")
    with safe_open(tmp_path / "run" / "best.safetensors", framework="pt") as file:
        assert file.get_tensor("decoder.features").shape[0] == 60
    # A bare model that never saw the training split.
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "elsewhere"))
    assert fit.test(prepare(chosen), tmp_path / "run") == expected


def test_features_too_large_to_keep_give_the_same_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = probe({"name": "logistic", "tolerance": 1e-7})
    (kept,) = fit.epochs(prepare(chosen), tmp_path / "kept")
    monkeypatch.setattr("iterate_core.engine.features.keeping.worthwhile", lambda *_: False)
    (anew,) = fit.epochs(prepare(chosen), tmp_path / "anew")
    for name in ("train/loss", "val/loss", "val/accuracy"):
        assert anew.metrics[name] == pytest.approx(kept.metrics[name], rel=1e-3), name


def test_half_precision_is_the_backbones_alone(tmp_path: Path) -> None:
    chosen = probe({"name": "knn", "k": 3}, trainer={"precision": "bf16-mixed"})
    (report,) = fit.epochs(prepare(chosen), tmp_path)
    features, labels = features_of(chosen, "train")
    asked, wanted = features_of(chosen, "val")
    theirs = KNeighborsClassifier(3, metric="cosine").fit(features, labels)
    assert report.value == pytest.approx(theirs.score(asked, wanted))


@pytest.mark.parametrize("name", ["knn", "logistic"])
def test_several_labels_in_the_engine(name: str, tmp_path: Path) -> None:
    images = random_images((40, 3, 16, 16))
    wanted = np.random.default_rng(0).integers(0, 2, (40, 3))
    data = give(images, wanted, RGB, 3, task="multilabel")
    chosen = recipe(data=data, model={"decoder": {"name": name}}, tuning={"name": "frozen"})
    preflight(prepare(chosen))
    (report,) = fit.epochs(prepare(chosen), tmp_path)
    tested = fit.test(prepare(chosen), tmp_path)
    # Every split holds the same arrays here.
    assert tested["test/map_micro"] == pytest.approx(report.metrics["val/map_micro"])
    assert report.metrics["val/f1_micro"] > 0.6


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("classification", "attentive_pool"),
        ("segmentation", "attentive_maps"),
        ("regression", "attentive_maps"),
    ],
)
def test_attentive_probes_learn_from_maps_kept_or_not(
    kind: str, name: str, backbone: str, tmp_path: Path
) -> None:
    model = {
        "decoder": {"name": name},
        "backbone": {"name": backbone, "weights": "none"},
    }
    still = {"flip": False, "rotate": False}
    alike: dict[str, Any] = {
        "model": model,
        "tuning": {"name": "frozen"},
        "optimiser": {"lr": 0.01},
    }
    chosen = recipe(kind, augmentation=still, **alike)
    preflight(prepare(chosen))
    reports = list(fit.epochs(prepare(chosen), tmp_path / "frozen"))
    assert reports[-1].metrics["train/loss"] < reports[0].metrics["train/loss"]
    assert fit.test(prepare(chosen), tmp_path / "frozen")
    turned = recipe(kind, **alike)
    assert list(fit.epochs(prepare(turned), tmp_path / "turned"))


@pytest.mark.gpu
@pytest.mark.parametrize("fresh", [lambda: knn(5, weights="distance"), lambda: logistic(5)])
def test_a_gpu_gives_what_a_cpu_gives(fresh: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    features, labels, asked = (torch.from_numpy(array) for array in drawn(5))
    here, there = fresh(), fresh().cuda()
    here.fit(features, labels)
    there.fit(features.cuda(), labels.cuda())
    found = there(asked.cuda()).softmax(dim=1).cpu()
    torch.testing.assert_close(found, here(asked).softmax(dim=1), atol=1e-3, rtol=0)


def test_one_epoch_of_unchanged_samples_is_what_a_fit_sees() -> None:
    completed = prepare(probe({"name": "knn"}, trainer={"epochs": 50})).recipe
    assert completed.trainer.epochs == 1
    assert not completed.augmentation.flip
    assert not completed.augmentation.rotate
    trained = prepare(probe({"name": "linear"}, trainer={"epochs": 50})).recipe
    assert trained.trainer.epochs == 50
    assert trained.augmentation.flip


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("classification", {"tuning": {"name": "full"}}, "tuning: decoder 'knn' is fitted"),
        ("classification", {"objective": {"split": "train"}}, "objective.split: decoder 'knn'"),
        ("classification", {"model": {"decoder": {"k": 61}}}, "there are 60 training samples"),
        ("segmentation", {}, "model.decoder.name: decoder 'knn' does not serve segmentation"),
    ],
)
def test_what_cannot_be_fitted_is_refused(kind: str, changes: dict[str, Any], said: str) -> None:
    base = {"model": {"decoder": {"name": "knn"}}, "tuning": {"name": "frozen"}}
    chosen = recipe(kind, data={"samples": [60, 30, 30]}, **merged(base, changes))
    with pytest.raises(RequestError, match=said.replace("(", r"\(")):
        prepare(chosen)


def test_a_study_of_probes_through_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["search.trials=4", "data.size=16", "data.samples=[40,20,20]", "search.seed=1"]
    words += ["model.backbone.name=test_resnet", "tracking.enabled=false"]
    monkeypatch.chdir(Path(__file__).parents[3])
    iterate = commands(monkeypatch, capsys)
    said = iterate("hpo", "search_spaces/probe.yaml", "--out", str(out), "--json", *words)
    assert said.code == 0, said.err
    (study,) = json.loads((out / "summary.json").read_text())["studies"]
    assert study["trials"] == {"complete": 4, "pruned": 0, "failed": 0}
    assert study["best"]["params"]["model/decoder"] in ("knn", "logistic")
    assert study["test"]["accuracy"]["n"] == 1
