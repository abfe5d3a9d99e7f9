"""Patterns of files: ``{split}/s2/{key}_{date}.tif``, and the files that match them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.storage.names import is_inside

NAME, SPLIT, DATE = "name", "split", "date"
"""Fields with a meaning: a file's stem where the pattern does not say, its split, its date."""

_PART = re.compile(r"\{(\w*)\}|\*\*/|\*|\?|[^{}*?]+|[{}]")


@dataclass(frozen=True)
class Match:
    """A file that a pattern matches.

    Attributes:
        path: The file.
        fields: What stands in it for each field of the pattern.
    """

    path: Path
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """A path below a folder with fields in braces, and ``*``, ``?`` and ``**/`` as in a shell.

    Attributes:
        text: As the recipe writes it.
        where: The YAML path that does.
        images: Whether its files are images.
    """

    text: str
    where: str
    images: bool = True

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of its fields, each once."""
        return tuple(dict.fromkeys(found for found in self._fields if found))

    @property
    def is_one_file(self) -> bool:
        """Whether nothing of it is left open."""
        return not re.search(r"[{}*?]", self.text)

    @cached_property
    def _fields(self) -> list[str]:
        return [found[1] for found in _PART.finditer(self.text) if found[1] is not None]

    def matches(self, root: Path) -> list[Match]:
        """All files that match, in the order of their paths.

        Raises:
            RequestError: It is no pattern of files below a folder.
            DataError: There is no such file.
        """
        self._check()
        glob = "/".join(map(_as_in_a_shell, self.text.split("/")))
        expression = self._expression()
        found = []
        for path in sorted(root.glob(glob)):
            fields = expression.fullmatch(path.relative_to(root).as_posix())
            if fields is not None and path.is_file():
                found.append(Match(path, {NAME: path.stem, **fields.groupdict()}))
        if not found:
            raise DataError(Problem(self.where, f"there is no file {root / self.text}."))
        return found

    def _check(self) -> None:
        if not is_inside(self.text) or any(part in ("", None) for part in self._fields):
            what = f"{self.text!r} is no pattern of files below data.root."
            hint = "For example images/{key}.tif, or images/*.tif."
            raise RequestError(Problem(self.where, what, hint))

    def _expression(self) -> re.Pattern[str]:
        """A field that stands twice must say the same twice."""
        parts, seen = [], set()
        for found in _PART.finditer(self.text):
            word, field = found[0], found[1]
            if field:
                parts.append(f"(?P={field})" if field in seen else f"(?P<{field}>[^/]+)")
                seen.add(field)
            else:
                parts.append(_WILD.get(word) or re.escape(word))
        return re.compile("".join(parts))


def _as_in_a_shell(part: str) -> str:
    return part if part == "**" else re.sub(r"\*+", "*", re.sub(r"\{\w+\}", "*", part))


_WILD = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
