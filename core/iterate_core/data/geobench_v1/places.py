"""Where all samples of a GeoBench v1 folder lie, read from their headers once."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from iterate_core.data.geobench_v1.dates import place_of
from iterate_core.data.geobench_v1.sample import attributes, open_sample
from iterate_core.data.places import Place
from iterate_core.fingerprint import fingerprint
from iterate_core.storage.cache import cache_folder
from iterate_core.storage.digests import hash_files
from iterate_core.storage.files import write_json

_VERSION = 1
_FORM = TypeAdapter(dict[str, Place | None])


def places_of(root: Path, files: dict[str, str], shape: tuple[int, int]) -> dict[str, Place | None]:
    """Sample → the latitude and longitude of its centre; None where its header has none.

    Headers of many thousand samples take minutes to open, so the cache keeps what they say under
    the files' content.

    Args:
        root: The dataset's folder.
        files: Sample → its file there.
        shape: Height and width of a sample in pixels.

    Raises:
        DataError: A file is damaged.
    """
    content = [_VERSION, hash_files(root, sorted(files.values())), files, shape]
    kept = cache_folder() / "places" / f"{fingerprint(content)}.json"
    with contextlib.suppress(OSError, ValueError, ValidationError):
        return _FORM.validate_python(json.loads(kept.read_text(encoding="utf-8")))
    found = {name: _place(root / file, shape) for name, file in files.items()}
    # Without a writable cache every header is read each time, which is slower and as right.
    with contextlib.suppress(OSError):
        write_json(kept, found)
    return found


def _place(path: Path, shape: tuple[int, int]) -> Place | None:
    with open_sample(path) as file:
        return place_of(attributes(file, path), *shape)
