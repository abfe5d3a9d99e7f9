"""How large what a user wrote may become, so that no file can take the memory or the hour.

A few lines of YAML may stand for a billion values, through aliases of aliases or brackets within
brackets. What they stand for is counted before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from iterate.config.messages import shown
from iterate.hpo.space.grammar import MOST_CHARACTERS, deepest
from iterate_core.errors import Problem, RequestError
from iterate_core.storage.limits import check_plain_file

FILE_BYTES = 512 * 1024
VALUES = 2_000  # of a file, its aliases written out
DEPTH = 40  # of sections and lists within each other
REFERENCE_CHARACTERS = 2_000  # of a text that refers to others
REFERENCE_DEPTH = 5  # of references within one another
REFERENCES = 100  # texts that refer to others, in all files together


def check_size(path: Path) -> None:
    """Refuse a YAML file that would grow beyond all use. Broken YAML passes: its reader tells.

    Raises:
        RequestError: The file is too long, too deep, or its aliases stand for too much; or it is
            no file but a pipe, which may never end.
    """
    check_plain_file(path)
    try:
        if path.stat().st_size > FILE_BYTES:
            raise _refusal(path, f"is longer than {FILE_BYTES // 1024} kB.")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    try:
        _count(path, yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return


def _count(path: Path, events: Iterable[yaml.Event]) -> None:
    """Count values, those of an anchor again wherever an alias stands for it."""
    anchors: dict[str, int] = {}
    open_sections: list[tuple[str | None, int]] = []  # anchor, and the count where it began
    count = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_sections.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_sections.pop()
            if anchor is not None:
                anchors[anchor] = count - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {anchor for anchor, _ in open_sections}:
                raise _refusal(path, f"*{event.anchor} stands for what it is a part of.")
            count += anchors.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            _check_text(path, event)
        if count > VALUES:
            raise _refusal(path, f"stands for more than {VALUES} values, aliases written out.")
        if len(open_sections) > DEPTH:
            raise _refusal(path, f"is more than {DEPTH} levels deep.")


def _check_text(path: Path, event: yaml.ScalarEvent) -> None:
    line = event.start_mark.line + 1 if event.start_mark else 0
    where = f"{shown(path)}, line {line}"
    text = event.value
    if "${" in text and (
        len(text) > REFERENCE_CHARACTERS or deepest(text, "{", "}") > REFERENCE_DEPTH
    ):
        what = (
            f"a text that refers to others may have {REFERENCE_CHARACTERS} characters and "
            f"{REFERENCE_DEPTH} levels."
        )
        raise RequestError(Problem(where, what))
    if len(text) > MOST_CHARACTERS:
        what = f"a text of {len(text)} characters; at most {MOST_CHARACTERS} are read."
        raise RequestError(Problem(where, what))


def _refusal(path: Path, what: str) -> RequestError:
    return RequestError(Problem(shown(path), what, "A search file has a few hundred lines."))
