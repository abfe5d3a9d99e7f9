"""Each loss beside its library or its formula, on tensors with ignored and missing targets."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from losses_support import CLASSES, IGNORED, made, mean, outputs_for, pack, targets_of
from segmentation_models_pytorch import losses as smp
from sklearn.metrics import jaccard_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from iterate_core.registry import registries

WEIGHTS = [0.5, 2.0, 7.0, 1.0]
BY_FORM = [
    (form, name)
    for form in ("mask", "indicators", "map", "index")
    for name in registries.losses.names()
    if form in registries.losses.get(name).tasks and name != "sum"
]
REGIONS: dict[str, tuple[type[Any], dict[str, float]]] = {
    "dice": (smp.DiceLoss, {}),
    "jaccard": (smp.JaccardLoss, {"smooth": 0.5}),
    "tversky": (smp.TverskyLoss, {"alpha": 0.3, "beta": 0.7, "gamma": 0.75, "smooth": 2.0}),
}


def given(form: str) -> tuple[Tensor, Tensor]:
    return outputs_for(pack(form)), targets_of(pack(form))


def kept(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and class indices of the pixels that count, by picking them out."""
    counts = targets != IGNORED
    return outputs.movedim(1, -1)[counts], targets[counts]


# --- what trains unless a recipe says otherwise -------------------------------------------------


def test_the_default_of_classes_is_plain_cross_entropy_to_the_last_digit() -> None:
    outputs, targets = given("mask")
    total, weight = made("cross_entropy", pack("mask"))(outputs, targets)
    flat = outputs.movedim(1, -1).reshape(-1, CLASSES)
    plain = functional.cross_entropy(flat, targets.flatten(), ignore_index=255, reduction="sum")
    assert total.item() == plain.item()
    assert weight.item() == (targets != IGNORED).sum().item()


def test_the_default_of_labels_is_plain_binary_cross_entropy_to_the_last_digit() -> None:
    outputs, targets = given("indicators")
    total, weight = made("binary_cross_entropy", pack("indicators"))(outputs, targets)
    plain = functional.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="sum")
    assert (total.item(), weight.item()) == (plain.item(), targets.numel())


def test_the_default_of_quantities_is_the_squared_error_to_the_last_digit() -> None:
    outputs, targets = given("map")
    total, weight = made("mse", pack("map"))(outputs, targets)
    std = torch.tensor(pack("map").target_std.item(), dtype=torch.float32)
    error = torch.where(~targets.isnan(), outputs[:, 0] - targets, 0.0) / std
    assert total.item() == error.square().sum().item()
    assert weight.item() == (~targets.isnan()).sum().item()


# --- class weights ------------------------------------------------------------------------------


def test_inverse_frequency_is_balanced_as_in_scikit_learn() -> None:
    loss = made("cross_entropy", pack("mask"), class_weights="inverse_frequency")
    labels = targets_of(pack("mask"))
    counted = labels[labels != IGNORED].numpy()
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=counted)
    assert isinstance(loss.weights, Tensor)
    assert loss.weights.tolist() == pytest.approx([*balanced, 1.0])  # the last never occurs


def test_inverse_frequency_of_labels_weighs_presence_as_absence() -> None:
    loss = made("binary_cross_entropy", pack("indicators"), class_weights="inverse_frequency")
    assert isinstance(loss.weights, Tensor)
    # Of four samples 3, 1, 1 and 4 have the label; always there is weighed as it is.
    assert loss.weights.tolist() == pytest.approx([1 / 3, 3.0, 3.0, 1.0])


def test_weights_by_name_are_those_of_a_list() -> None:
    outputs, targets = given("mask")
    by_name = {"class 2": 7.0, "class 0": 0.5}
    one = made("cross_entropy", pack("mask"), class_weights=by_name)
    other = made("cross_entropy", pack("mask"), class_weights=[0.5, 1.0, 7.0, 1.0])
    assert one(outputs, targets) == other(outputs, targets)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_cross_entropy_is_pytorchs_mean(smoothing: float) -> None:
    outputs, targets = given("mask")
    options = {"class_weights": WEIGHTS, "label_smoothing": smoothing}
    found = mean(made("cross_entropy", pack("mask"), **options), outputs, targets)
    logits, labels = kept(outputs.double(), targets)
    logs, weights = logits.log_softmax(1), torch.tensor(WEIGHTS, dtype=torch.float64)
    soft = functional.one_hot(labels, CLASSES) * (1 - smoothing) + smoothing / CLASSES
    by_hand = -(weights * soft * logs).sum() / weights[labels].sum()
    torch.testing.assert_close(found.double(), by_hand)
    library = functional.cross_entropy(
        outputs, targets, torch.tensor(WEIGHTS), ignore_index=255, label_smoothing=smoothing
    )
    torch.testing.assert_close(found, library)


def test_weighted_binary_cross_entropy_is_its_formula() -> None:
    outputs, targets = given("indicators")
    options = {"class_weights": WEIGHTS, "label_smoothing": 0.2}
    found = mean(made("binary_cross_entropy", pack("indicators"), **options), outputs, targets)
    shares, soft = outputs.double().sigmoid(), targets * 0.8 + 0.1
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    by_hand = -(weights * soft * shares.log() + (1 - soft) * (1 - shares).log()).mean()
    torch.testing.assert_close(found.double(), by_hand)


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("form", ["mask", "indicators"])
def test_focal_is_its_formula_and_its_libraries(form: str, alpha: float | None) -> None:
    outputs, targets = given(form)
    options: dict[str, Any] = {"gamma": 1.5, "alpha": alpha}
    logits, labels = kept(outputs, targets) if form == "mask" else (outputs, targets)
    truth = (functional.one_hot(labels, CLASSES) if form == "mask" else labels).double()
    shares = logits.double().sigmoid()
    right = torch.where(truth > 0, shares, 1 - shares)
    balance = 1.0 if alpha is None else torch.where(truth > 0, alpha, 1 - alpha)
    each = -balance * (1 - right) ** 1.5 * right.log()
    plain = mean(made("focal", pack(form), **options), outputs, targets)
    torch.testing.assert_close(plain.double(), each.mean())
    mode = "multiclass" if form == "mask" else "multilabel"
    library = smp.FocalLoss(mode, alpha, 1.5)(logits, labels)
    torch.testing.assert_close(plain, library)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    if form == "mask":
        by_hand = (each * weights[labels, None]).sum() / (weights[labels].sum() * CLASSES)
    else:
        by_hand = (each * torch.where(truth > 0, weights, 1.0)).mean()
    weighted = mean(made("focal", pack(form), class_weights=WEIGHTS, **options), outputs, targets)
    torch.testing.assert_close(weighted.double(), by_hand)


# --- overlaps of a batch ------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("form", ["mask", "indicators"])
def test_overlaps_are_the_librarys_of_what_counts(form: str, name: str) -> None:
    outputs, targets = given(form)
    library, options = REGIONS[name]
    total, weight = made(name, pack(form), **options)(outputs, targets)
    logits, labels = kept(outputs, targets) if form == "mask" else (outputs, targets)
    mode = "multiclass" if form == "mask" else "multilabel"
    torch.testing.assert_close(
        total, library(mode, **options)(logits[..., None], labels[..., None])
    )
    assert weight.item() == 1


def test_dice_is_its_formula() -> None:
    outputs, targets = given("mask")
    logits, labels = kept(outputs.double(), targets)
    shares, truth = logits.softmax(1), functional.one_hot(labels, CLASSES)
    dice = 2 * (shares * truth).sum(0) / (shares + truth).sum(0)
    by_hand = ((1 - dice) * (truth.sum(0) > 0)).mean()
    torch.testing.assert_close(made("dice", pack("mask"))(outputs, targets)[0].double(), by_hand)


def test_lovasz_of_sure_predictions_is_the_intersection_over_union() -> None:
    targets = targets_of(pack("mask"))
    torch.manual_seed(3)
    predicted = torch.randint(0, 3, targets.shape)
    outputs = 100.0 * functional.one_hot(predicted, CLASSES).movedim(-1, 1)
    total, weight = made("lovasz", pack("mask"))(outputs, targets)
    counted = targets != IGNORED
    there, told = targets[counted].numpy(), predicted[counted].numpy()
    ious = jaccard_score(there, told, labels=np.unique(there), average="macro")
    assert total.item() == pytest.approx(1 - ious, abs=1e-6)
    assert weight.item() == 1


def test_lovasz_is_the_librarys() -> None:
    outputs, targets = given("mask")
    library = smp.LovaszLoss("multiclass", ignore_index=IGNORED)(outputs, targets)
    assert made("lovasz", pack("mask"))(outputs, targets)[0].item() == library.item()
    labels, wanted = given("indicators")
    hinge = smp.LovaszLoss("multilabel")(labels, wanted)
    assert made("lovasz", pack("indicators"))(labels, wanted)[0].item() == hinge.item()


def test_lovasz_by_image_passes_an_image_by_of_which_nothing_counts() -> None:
    outputs, targets = given("mask")
    loss = made("lovasz", pack("mask"), per_image=True)
    hidden = targets.clone()
    hidden[1] = IGNORED
    each = [loss(outputs[i : i + 1], targets[i : i + 1])[0] for i in (0, 2, 3)]
    torch.testing.assert_close(loss(outputs, hidden)[0], torch.stack(each).mean())


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_of_an_images_class_is_its_formula(per_image: bool) -> None:
    outputs, targets = given("index")
    shares = outputs.softmax(dim=1)
    groups = [[row] for row in range(len(targets))] if per_image else [list(range(len(targets)))]
    extensions = []
    for group in groups:
        there = targets[group].unique()
        each = [_extension((targets[group] == k).float(), shares[group, k]) for k in there]
        extensions.append(np.mean(each))
    total, weight = made("lovasz", pack("index"), per_image=per_image)(outputs, targets)
    assert total.item() == pytest.approx(np.mean(extensions), abs=1e-6)
    assert weight.item() == 1


def _extension(truth: Tensor, shares: Tensor) -> float:
    """Of the loss of Jaccard's index: its integral over thresholds of the errors."""
    errors = (truth - shares).abs()
    steps = [0.0, *errors.sort().values.tolist()]
    total = 0.0
    for below, above in pairwise(steps):
        wrong = errors >= above
        total += (above - below) * float(wrong.sum() / (wrong | (truth > 0)).sum())
    return total


# --- quantities ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), [("mse", {}), ("l1", {}), ("huber", {"delta": 0.7})])
def test_losses_of_a_quantity_are_their_formulas(name: str, options: dict[str, float]) -> None:
    outputs, targets = given("map")
    known = ~targets.isnan()
    values = targets[known].double()
    error = (outputs[:, 0][known].double() - values) / values.std(correction=0)
    size = error.abs()
    huber = torch.where(size <= 0.7, error**2 / 2, 0.7 * (size - 0.35))
    by_hand = {"mse": error**2, "l1": size, "huber": huber}[name].mean()
    found = mean(made(name, pack("map"), **options), outputs, targets)
    torch.testing.assert_close(found.double(), by_hand, rtol=1e-5, atol=0)


# --- what does not count ------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "name"), BY_FORM)
def test_what_does_not_count_moves_nothing(form: str, name: str) -> None:
    outputs, targets = given(form)
    outputs.requires_grad_()
    options = {"gamma": 0.75} if name == "tversky" else {}
    loss = made(name, pack(form), **options)
    total, weight = loss(outputs, targets)
    total.backward()
    missing = targets.isnan() if form == "map" else targets == IGNORED
    assert outputs.grad is not None
    assert outputs.grad.abs().sum() > 0
    if form in ("indicators", "index"):
        assert not missing.any()
        return
    assert missing.any()
    assert outputs.grad.movedim(1, -1)[missing].abs().sum() == 0
    elsewhere = torch.where(missing[:, None], outputs * 2 + 5, outputs)
    again = loss(elsewhere, targets)
    assert (again[0].item(), again[1].item()) == (pytest.approx(total.item()), weight.item())


@pytest.mark.parametrize(("form", "name"), [pair for pair in BY_FORM if pair[0] != "indicators"])
def test_nothing_that_counts_is_nothing_to_learn(form: str, name: str) -> None:
    outputs, targets = given(form)
    targets = torch.full_like(targets, torch.nan if form == "map" else IGNORED)
    outputs.requires_grad_()
    options = {"gamma": 0.75} if name == "tversky" else {}
    both = made("sum", pack(form), first={"name": name, **options}, second={"name": name})
    for loss in (made(name, pack(form), **options), both):
        total, weight = loss(outputs, targets)
        assert (total.item(), weight.item()) == (0, 0)
        total.backward()
        assert outputs.grad is not None
        assert outputs.grad.abs().sum() == 0


# --- several batches at once --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [
        *((form, name, {}) for form, name in BY_FORM if name != "lovasz"),  # which branches
        ("mask", "cross_entropy", {"class_weights": WEIGHTS, "label_smoothing": 0.1}),
    ],
)
def test_several_batches_at_once_are_each_by_itself(
    form: str, name: str, options: dict[str, Any]
) -> None:
    loss = made(name, pack(form), **options)
    outputs, targets = given(form)
    several = torch.stack([outputs * scale for scale in (1.0, -0.5, 2.0)]).requires_grad_()
    others = torch.stack([targets.roll(number, dims=0) for number in range(3)])
    apart = several.detach().clone().requires_grad_()
    each = [loss(*one) for one in zip(apart, others, strict=True)]
    totals, counted = loss.of_several(several, others)
    torch.testing.assert_close(totals, torch.stack([total for total, _ in each]))
    torch.testing.assert_close(counted, torch.stack([weight for _, weight in each]))
    totals.sum().backward()
    sum(total for total, _ in each).backward()
    torch.testing.assert_close(several.grad, apart.grad)


# --- sums ---------------------------------------------------------------------------------------


def test_a_sum_is_of_the_means_of_its_parts() -> None:
    outputs, targets = given("mask")
    entropy = {"name": "cross_entropy", "class_weights": WEIGHTS}
    inner = {"name": "sum", "first": {"name": "dice"}, "second": {"name": "lovasz"}, "weight": 3.0}
    total, weight = made("sum", pack("mask"), first=entropy, second=inner, weight=0.5)(
        outputs, targets
    )
    parts = [
        functional.cross_entropy(outputs, targets, torch.tensor(WEIGHTS), ignore_index=IGNORED),
        made("dice", pack("mask"))(outputs, targets)[0],
        made("lovasz", pack("mask"))(outputs, targets)[0],
    ]
    torch.testing.assert_close(total, parts[0] + 0.5 * (parts[1] + 3 * parts[2]))
    assert weight.item() == 1
