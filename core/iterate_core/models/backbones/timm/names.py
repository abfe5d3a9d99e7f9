"""The backbone names that timm knows, read from its source text. Imports neither timm nor torch.

Importing timm takes seconds and torch; its models are functions under ``@register_model``, whose
names can be read from the files in a tenth of a second.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

from iterate_core.registry.registry import Entry

PREFIX = "timm/"
_MODEL = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)


@cache
def timm_names() -> frozenset[str]:
    """Every model name of the installed timm, without pretrained tags."""
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    folder = Path(spec.submodule_search_locations[0]) / "models"
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    return frozenset(name for text in texts for name in _MODEL.findall(text))


def timm_entry(name: str) -> Entry | None:
    """The entry of a timm model: ``resnet50``, ``resnet50.a1_in1k`` or ``timm/resnet50``.

    Whether a pretrained tag exists is known only to timm, and is checked before training.
    """
    if architecture(name) not in timm_names():
        return None
    package = "iterate_core.models.backbones"
    return Entry(name, f"{package}.options:TimmOptions", f"{package}.timm.backbone:build")


def architecture(name: str) -> str:
    """The model's name without prefix and pretrained tag."""
    return name.removeprefix(PREFIX).partition(".")[0]


def listed_names() -> list[str]:
    """All names, for hints and listings."""
    return sorted(timm_names())
