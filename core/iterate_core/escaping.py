"""Text that others wrote (names of datasets, classes, samples, files), as each medium shows it.

A name may hold what a medium takes for an order: an escape sequence, markup, a tag, a formula.
There is one function a medium; whatever shows foreign text goes through it. Imports no torch.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

# Control characters, invisible formats (which may turn the direction of writing), halves of
# characters, and separators of lines.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # parts of words and of emoji
_FORMULA = re.compile(r"\s*[=+\-@]")
_MARKDOWN = re.compile(r"([\\`*\[\]|])")


def visible(text: Any, keep: str = "") -> str:
    r"""Text whose control characters are written out: ``\x1b``, ``\n``, ``\u202e``.

    Args:
        text: Anything; its `str` is taken.
        keep: Control characters that stay as they are.
    """
    told = str(text)
    if told.isprintable():
        return told
    return "".join(
        character
        if character in keep
        or character in _JOINERS
        or unicodedata.category(character) not in _UNSEEN
        else character.encode("unicode_escape").decode("ascii")
        for character in told
    )


def in_terminal(text: Any) -> str:
    """Text for `rich` markup, which shows it as it is."""
    from rich.markup import escape

    return escape(visible(text, keep="\n"))


def in_markdown(text: Any) -> str:
    """Text for a line or a cell of Markdown."""
    return _MARKDOWN.sub(r"\\\1", html.escape(visible(text), quote=False))


def in_csv(value: Any) -> Any:
    """A cell of a CSV file: text that a spreadsheet would take for a formula begins with ``'``."""
    if not isinstance(value, str):
        return value
    told = visible(value)
    return f"'{told}" if _FORMULA.match(told) else told


def in_html(text: Any) -> str:
    """Text for HTML, within an element or a quoted attribute."""
    return html.escape(visible(text))


def in_plot(text: Any) -> str:
    """Text for Matplotlib, to which a dollar sign begins a formula."""
    return visible(text, keep="\n").replace("$", r"\$")
