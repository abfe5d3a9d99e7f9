"""From a recipe's data section to the reader of its dataset."""

from __future__ import annotations

from iterate_core.data.dataset import Reader
from iterate_core.data.options import DataSection
from iterate_core.data.own import OwnReader
from iterate_core.fingerprint import fingerprint
from iterate_core.registry import registries


def open_dataset(section: DataSection) -> Reader:
    """Open the dataset that a section chooses by `name`.

    Raises:
        RequestError: There is no such reader, or what a path of code names is none.
        DataError: The dataset is absent, truncated, foreign or unsafe, or the code of a reader of
            one's own raises something.
    """
    entry = registries.datasets.get(section.name, "data.name")
    if "code" in entry.facts:
        return OwnReader(entry.load(), section)
    reader: Reader = entry.load()(section)
    return reader


def reader_code(section: DataSection) -> str:
    """Fixes the code of a reader of one's own; empty where it is ours."""
    code: str = registries.datasets.get(section.name, "data.name").facts.get("code", "")
    return code


def content_of(section: DataSection, reader: Reader) -> str:
    """Fixes what a reader delivers: the dataset's content, and its code where it is one's own."""
    content, code = reader.fingerprint(), reader_code(section)
    return fingerprint([content, code]) if code else content
