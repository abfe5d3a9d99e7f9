"""From a recipe's data section to the reader of its dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from iterate_core.data.dataset import DatasetInfo, Reader
from iterate_core.data.options import DataSection
from iterate_core.data.own import OwnReader
from iterate_core.data.tiled import Tiled
from iterate_core.fingerprint import fingerprint
from iterate_core.registry import registries


def open_dataset(section: DataSection) -> Reader:
    """Open the dataset that a section chooses by `name`.

    Raises:
        RequestError: There is no such reader, what a path of code names is none, or its samples
            make no tiles.
        DataError: The dataset is absent, truncated, foreign or unsafe, or the code of a reader of
            one's own raises something.
    """
    entry = registries.datasets.get(section.name, "data.name")
    own = "code" in entry.facts
    reader: Reader = OwnReader(entry.load(), section) if own else entry.load()(section)
    return reader if section.tile is None else Tiled(reader, section.tile)


def reader_code(section: DataSection) -> str:
    """Fixes the code of a reader of one's own; empty where it is ours."""
    code: str = registries.datasets.get(section.name, "data.name").facts.get("code", "")
    return code


@dataclass(frozen=True)
class Opened:
    """A dataset that is open.

    Attributes:
        reader: Of it.
        code: Fixes the reader's code; empty where it is ours.
    """

    reader: Reader
    code: str

    @property
    def info(self) -> DatasetInfo:
        """The dataset's declaration."""
        return self.reader.info

    @cached_property
    def content(self) -> str:
        """Fixes what the reader delivers; looks at every file when it is first asked for."""
        content = self.reader.fingerprint()
        return fingerprint([content, self.code]) if self.code else content
