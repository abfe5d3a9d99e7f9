"""Datasets as Hugging Face's library writes them, without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from convert_support import image
from folders_support import noise

Rows = Sequence[Mapping[str, Any]]


def encoded(folder: Path, pixels: Any, suffix: str = ".tif", **options: Any) -> dict[str, Any]:
    """A cell that holds an image."""
    file = image(folder / f"cell{suffix}", pixels, **options)
    content = {"bytes": file.read_bytes(), "path": file.name}
    file.unlink()
    return content


def table(rows: Rows, features: Mapping[str, Any] | None = None) -> pa.Table:
    """Rows, with what Hugging Face says of their columns."""
    made = pa.Table.from_pylist([dict(row) for row in rows])
    if features is None:
        return made
    told = json.dumps({"info": {"features": features}})
    return made.replace_schema_metadata({"huggingface": told})


def parquet(path: Path, rows: Rows, features: Mapping[str, Any] | None = None) -> None:
    """A file as of the Hub, in groups of three rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows, features), path, row_group_size=3)


def arrow(path: Path, rows: Rows, features: Mapping[str, Any] | None = None) -> None:
    """A file as of ``save_to_disk``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = table(rows, features)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)


CLASSES = {"label": {"names": ["field", "wood"], "_type": "ClassLabel"}}


def pictures(folder: Path, count: int, row: Callable[[int], Mapping[str, Any]]) -> Rows:
    """So many pictures, and what else stands in their rows."""
    return [
        {"image": encoded(folder, noise(3, 8, n).astype(np.uint8), ".png"), **row(n)}
        for n in range(count)
    ]
