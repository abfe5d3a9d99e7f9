"""What a trial holds of a machine or cluster, and whether that is there. Light to import."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterate.hpo.hardware import gpus
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate_core.errors import Problem, RequestError
from iterate_core.provenance import usable_cores

if TYPE_CHECKING:
    from iterate.hpo.study import Study


# A Mac's GPU belongs to no trial: all of them may use it.
_WITHOUT = " of its own" if sys.platform == "darwin" else ", so it trains on the CPU"


@dataclass(frozen=True)
class Share:
    """What a trial holds while it trains.

    Attributes:
        cpu: CPUs.
        gpu: GPUs; a trial sees those it holds and no other, so without one it trains on the CPU. (A
            Mac's belongs to no trial.)
        divides: Whether trials may share a GPU once it is known how many fit.
    """

    cpu: float
    gpu: float
    divides: bool = False

    def __str__(self) -> str:
        gpu = f"{self.gpu:g} GPU" if self.gpu else f"no GPU{_WITHOUT}"
        gpu += ", or a part of one once a trial has shown how many fit" if self.divides else ""
        return f"{self.cpu:g} CPU and {gpu}"

    def bundle(self) -> dict[str, float]:
        """As Ray reserves it."""
        return {"CPU": self.cpu} | ({"GPU": self.gpu} if self.gpu else {})


def share_of(resources: ResourceSettings, accelerator: str, there: Mapping[str, float]) -> Share:
    """What a trial holds: where `resources.gpu` leaves it open, one GPU if there is any.

    Args:
        resources: What its study asks for.
        accelerator: Of the study's recipe; trials on the CPU or on MPS hold no GPU unless told to.
        there: What the machine or cluster has, as Ray counts it.

    Raises:
        RequestError: The recipe needs a GPU, and a trial holds none.
    """
    gpu = gpus_held(resources, accelerator, there)
    if accelerator == "gpu" and not gpu:
        what = "is gpu, but trials hold none"
        why = " (resources.gpu is 0)." if resources.gpu == 0 else ": there is no GPU here."
        raise RequestError(Problem("trainer.accelerator", what + why, "Choose auto or cpu."))
    return Share(resources.cpu, gpu, divides=resources.gpu == "auto" and gpu > 0)


def gpus_held(resources: ResourceSettings, accelerator: str, there: Mapping[str, float]) -> float:
    """GPUs of a trial, as `share_of` says; whether its recipe can do with them is not asked."""
    if resources.gpu is not None and resources.gpu != "auto":
        return resources.gpu
    return 1.0 if there.get("GPU") and accelerator in ("auto", "gpu") else 0.0


def shares_of(studies: Sequence[Study], there: Mapping[str, float]) -> dict[str, Share]:
    """What a trial of each study holds, by the study's name.

    Raises:
        RequestError: A recipe needs a GPU, and its trials hold none.
    """
    return {
        study.name: share_of(study.resources, study.recipe.trainer.accelerator, there)
        for study in studies
    }


def machine() -> dict[str, float]:
    """What this machine has, as Ray counts it."""
    return {"CPU": float(usable_cores()), "GPU": float(gpus())}


def check_local(settings: RaySettings, studies: Sequence[Study]) -> None:
    """Refuse, before Ray starts, trials that this machine could never hold.

    Raises:
        RequestError: A trial asks for more CPUs or GPUs than there are.
    """
    for study in studies:
        share_here(settings, study.resources, study.recipe.trainer.accelerator)


def share_here(
    settings: RaySettings, resources: ResourceSettings, accelerator: str
) -> Share | None:
    """What a trial holds of this machine; None where it runs on a cluster, which is not asked.

    Raises:
        RequestError: A trial asks for more than this machine has.
    """
    if not settings.here:
        return None
    here = machine()
    check_there([resources], here, "this machine")
    return share_of(resources, accelerator, here)


def check_there(wanted: Sequence[ResourceSettings], there: Mapping[str, float], place: str) -> None:
    """Refuse trials that a place could never hold.

    Raises:
        RequestError: A trial asks for more than there is.
    """
    problems = [
        Problem(f"resources.{name.lower()}", f"a trial asks for {asked:g}, {place} has {has:g}.")
        for name in ("CPU", "GPU")
        if (asked := max(_asked(resource, name.lower()) for resource in wanted))
        > (has := there.get(name, 0.0))
    ]
    if problems:
        raise RequestError(problems)


def _asked(resources: ResourceSettings, name: str) -> float:
    """What is asked for whatever there is: nothing where that is left open."""
    value = getattr(resources, name)
    return float(value) if isinstance(value, int | float) else 0.0
