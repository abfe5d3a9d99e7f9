"""What the tests of configuration share: decoders with options to search, and a loader."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from iterate.config.load import LoadedStudy, load_study
from iterate.hpo.space import Space
from iterate_core.registry import registries
from iterate_core.registry.options import Component, Section
from iterate_core.registry.registry import Entry

Load = Callable[..., LoadedStudy]


class Neck(Section):
    """A section below a decoder, so that a config group can stand below a config group."""

    name: str
    width: int = 1
    depth: int = 1


class Pyramid(Component):
    """A decoder with such a section."""

    channels: int = 8
    neck: Neck = Neck(name="thin")


class Flat(Component):
    """A decoder with an option of its own."""

    scale: float = 1.0


for _name, _options in (("test_pyramid", Pyramid), ("test_flat", Flat), ("test_bare", Component)):
    registries.decoders.register(Entry(_name, _options, _options))


def loader_in(folder: Path) -> Load:
    """Writes ``search.yaml`` and further files (``a__b`` → ``a/b.yaml``), and loads it."""

    def load(text: str, *overrides: str, **files: str) -> LoadedStudy:
        for name, content in files.items():
            path = folder / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))
        file = folder / "search.yaml"
        file.write_text(textwrap.dedent(text))
        return load_study(file, overrides)

    return load


def keys(space: Space) -> list[str]:
    return [parameter.key for parameter in space.parameters]
