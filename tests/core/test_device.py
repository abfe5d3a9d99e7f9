"""Devices that this machine may lack: what is chosen, refused, and left as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_support import recipe
from lightning.fabric.accelerators.mps import MPSAccelerator

from iterate_core import device
from iterate_core.device import device_name, exact_device, fabric_for, isolated, kind_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError

Machine = pytest.MonkeyPatch


def pretend(machine: Machine, *there: str) -> None:
    """A machine that has these GPUs, as PyTorch and Lightning see them."""
    machine.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    machine.setattr(torch.cuda, "get_device_name", lambda _: "H100")
    machine.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    machine.setattr(MPSAccelerator, "is_available", lambda: "mps" in there)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ((), {"auto": "cpu", "cpu": "cpu"}),
        (("cuda",), {"auto": "cuda", "cpu": "cpu", "gpu": "cuda"}),
        (("mps",), {"auto": "mps", "cpu": "cpu", "gpu": "mps", "mps": "mps"}),
    ],
    ids=["neither", "cuda", "mac"],
)
def test_each_accelerator_is_what_the_machine_has_or_is_refused(
    there: tuple[str, ...], chosen: dict[str, str], monkeypatch: Machine
) -> None:
    pretend(monkeypatch, *there)
    for accelerator in ("auto", "cpu", "gpu", "mps"):
        if accelerator in chosen:
            assert kind_of(accelerator) == chosen[accelerator]
        else:
            with pytest.raises(RequestError, match=r"trainer\.accelerator: there is no .* here"):
                kind_of(accelerator)


def test_a_device_is_told_by_its_name(monkeypatch: Machine) -> None:
    named = {}
    for there in ((), ("cuda",), ("mps",)):
        pretend(monkeypatch, *there)
        named[there] = device_name("auto")
    assert named == {(): "CPU", ("cuda",): "H100", ("mps",): "Apple GPU"}


def test_a_mac_trains_on_its_gpu_in_each_arithmetic(monkeypatch: Machine) -> None:
    pretend(monkeypatch, "mps")
    for precision in ("32-true", "bf16-mixed", "16-mixed"):
        assert fabric_for("auto", precision).device == torch.device("mps", 0)


def test_an_arithmetic_that_the_device_lacks_is_refused_before_training() -> None:
    with pytest.raises(RequestError, match=r"16-mixed needs a GPU.*bf16-mixed or 32-true"):
        preflight(prepare(recipe(trainer={"precision": "16-mixed", "accelerator": "cpu"})))


def test_sums_stay_where_numbers_have_double_precision(monkeypatch: Machine) -> None:
    lacking = device._Kind(("32-true",), float64=False, apart=False)
    monkeypatch.setitem(device._KINDS, "meta", lacking)  # stands in for a Mac's GPU
    for kind in ("classification", "multilabel", "segmentation", "regression"):
        task = Setup(prepare(recipe(kind, model={"decoder": {"name": "linear"}}))).module
        task.to("meta")
        assert next(task.model.parameters()).device.type == "meta"
        for scores in (task.train_scores, task.scores):
            held = [getattr(scores, name) for name in scores._defaults]
            assert {part.device.type for part in held if isinstance(part, torch.Tensor)} == {"cpu"}


def test_what_is_exact_is_worked_out_beside_the_numbers_or_on_the_cpu() -> None:
    for kind, exact in (("cpu", "cpu"), ("cuda:0", "cuda:0"), ("mps:0", "cpu")):
        assert exact_device(torch.device(kind)) == torch.device(exact)


def test_random_state_of_a_macs_gpu_is_put_back(monkeypatch: Machine) -> None:
    pretend(monkeypatch, "mps")
    state: dict[str, Any] = {"now": "before"}
    monkeypatch.setattr(torch.mps, "device_count", lambda: 1)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda _: state["now"])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda kept, _: state.update(now=kept))
    with isolated(3, torch.device("mps", 0), deterministic=True, threads=None):
        state["now"] = "moved"
        assert torch.initial_seed() == 3
    assert state["now"] == "before"
