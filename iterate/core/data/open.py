"""From a recipe's data section to the reader of its dataset."""

from __future__ import annotations

from iterate.core import components
from iterate.core.data.dataset import Reader
from iterate.core.data.options import DataSection


def open_dataset(section: DataSection) -> Reader:
    """Open the dataset that a section chooses by `name`.

    Raises:
        RequestError: There is no such reader.
        DataError: The dataset is absent, truncated, foreign or unsafe.
    """
    reader: Reader = components.datasets.get(section.name, "data.name").load()(section)
    return reader
