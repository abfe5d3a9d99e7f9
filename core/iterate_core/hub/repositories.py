"""A whole model that somebody published: ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``."""

from __future__ import annotations

import re
from pathlib import Path

from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import HubFile, obtain, place
from iterate_core.storage.files import lock

_URI = re.compile(r"hf:/{1,2}(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w./-]+))?/?")
"""With one slash too, which is what a path makes of it."""


def is_hub_uri(text: str) -> bool:
    """Whether a text names a model on a hub."""
    return text.startswith("hf:/")


def fetch_model(uri: str, needed: tuple[str, ...], skipped: tuple[str, ...] = ()) -> Path:
    """The folder of a published model on this machine; what is not here yet is downloaded.

    Where the hub cannot be reached, the one that was fetched last is taken.

    Args:
        uri: As ``hf://OWNER/NAME``.
        needed: Files without which it is no such model.
        skipped: Endings of files that are not fetched.

    Raises:
        RequestError: There is no such repository, it lacks a needed file, or the hub cannot be
            reached and it is not here.
    """
    from iterate_core.hub import servers

    match = _URI.fullmatch(uri)
    if match is None:
        raise RequestError(Problem(uri, "is no hf://OWNER/NAME or hf://OWNER/NAME@REVISION."))
    name, revision = match["name"], match["revision"]
    try:
        listed = servers.published_files(name, "model", revision)
    except servers.UnreachableError as error:
        folder = _newest(name, revision, needed)
        if folder is None:
            what = f"is not on this machine, and {servers.endpoint(name)} cannot be reached"
            raise RequestError(Problem(uri, f"{what} ({error}).")) from error
        return folder
    names = {one.filename for one in listed}
    if lacking := [one for one in needed if one not in names]:
        what = f"holds no model that iterate exported: it lacks {', '.join(lacking)}."
        raise RequestError(Problem(uri, what))
    folder = None
    for one in listed:
        if one.filename.endswith(skipped) or one.filename.startswith("."):
            continue
        file = HubFile(name, one.filename, one.commit)
        path = place(file)
        with lock(path.with_name(f".{path.name}.lock"), wait_seconds=3600):
            if not path.is_file():
                obtain(file, path, published=one)
        if one.filename == needed[0]:
            folder = path.parent
    assert folder is not None  # noqa: S101 - the first of the needed is among the listed
    return folder


def _newest(name: str, revision: str | None, needed: tuple[str, ...]) -> Path | None:
    beside = place(HubFile(name, needed[0], revision)).parent
    folders = [beside] if revision else list(beside.parent.glob("*"))
    whole = [one for one in folders if all((one / file).is_file() for file in needed)]
    return max(whole, key=lambda one: (one / needed[0]).stat().st_mtime, default=None)
