"""The backbone names of an installed terratorch. Imports neither terratorch nor torch.

Importing terratorch takes most of a minute; what it registers can be read from its source text.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.backbones.timm.names import listed_names as timm_listed
from iterate_core.models.backbones.timm.names import timm_entry
from iterate_core.registry.registry import Entry

PREFIX = "terratorch/"
WHERE = "model.backbone.name"
_REGISTERED = re.compile(
    r"^@TERRATORCH_BACKBONE_REGISTRY\.register\s*\n(?:@.*\n)*(?:def|class) (\w+)", re.MULTILINE
)
_PACKAGE = "iterate_core.models.backbones.terratorch"


class TerratorchOptions(BackboneOptions):
    """An encoder of terratorch's registry.

    ``weights: hub`` lets terratorch fetch what it publishes, by its own means.

    Attributes:
        arguments: Handed to terratorch's builder as they are (``out_indices``, ``modalities``, …).
    """

    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]


def found_entry(name: str) -> Entry | None:
    """The entry of a name that is not registered: an encoder of terratorch, or a timm model.

    Raises:
        RequestError: It is terratorch's, which is not installed.
    """
    if not name.startswith(PREFIX):
        return timm_entry(name)
    if importlib.util.find_spec("terratorch") is None:
        what = f"{name!r} needs terratorch, which is not installed here."
        hint = "pip install terratorch, or choose a name of `iterate backbones`."
        raise RequestError(Problem(WHERE, what, hint))
    return Entry(
        name,
        f"{_PACKAGE}.names:TerratorchOptions",
        f"{_PACKAGE}.backbone:build",
        facts={"family": "terratorch"},
    )


def listed_names() -> list[str]:
    """All names that need no registration, for hints and listings."""
    return sorted({*timm_listed(), *(PREFIX + name for name in terratorch_names())})


@cache
def terratorch_names() -> frozenset[str]:
    """Every encoder that the installed terratorch registers under its own name."""
    spec = importlib.util.find_spec("terratorch")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    folder = Path(spec.submodule_search_locations[0])
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return frozenset(name for text in texts for name in _REGISTERED.findall(text))
