"""What each option of terratorch's encoders changes, with a package that stands in for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
from knobs_backbones_support import OTHER, digest, inputs_of, options
from knobs_support import Case, Scene, refused
from torch import nn

from iterate_core.errors import RequestError
from iterate_core.registry import registries


class Builders(dict[str, Any]):
    """Stands in for terratorch's registry; notes what its builder is given."""

    def build(self, name: str, **arguments: Any) -> nn.Module:
        self["arguments"] = arguments
        raise ValueError(name)


@contextmanager
def terratorch() -> Iterator[Builders]:
    """A package of that name, with one encoder."""

    def any_encoder(ckpt_data: str = "", bands: Sequence[str] = (), **others: Any) -> None:
        """Only its signature is looked at."""

    own = Builders(any=any_encoder)
    package, registry = ModuleType("terratorch"), ModuleType("terratorch.registry")
    package.__spec__ = ModuleSpec("terratorch", None)
    names = Builders(terratorch=own, any=any_encoder)
    registry.BACKBONE_REGISTRY = names  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "terratorch", package)
        patch.setitem(sys.modules, "terratorch.registry", registry)
        yield names


def handed_on(scene: Scene) -> Any:
    """What terratorch's builder is given."""
    path = scene.folder / "weights.pt"
    torch.save({"other": torch.zeros(1)}, path)
    value = str(path) if scene.value == "a file" else scene.value
    with terratorch() as names, suppress(RequestError):
        chosen = options(replace(scene, value=value))
        registries.backbones.get(chosen.name).load()(chosen, inputs_of(scene, chosen), False)
    given = names["arguments"]
    return {key: value for key, value in given.items() if key != "bands"}


def digest_of_terratorchs(scene: Scene) -> str:
    """As `digest`."""
    with terratorch():
        return digest(scene)


TERRATORCH: dict[str, Case] = {
    "TerratorchOptions.weights": Case(("none", "a file"), handed_on),
    "TerratorchOptions.sha256": Case((None, OTHER), refused(digest_of_terratorchs)),
    "TerratorchOptions.arguments": Case(({}, {"width": 3}), handed_on, ({}, {"width": 3})),
}
