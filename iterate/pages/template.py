"""Templates of self-contained HTML pages: no file, font or script from elsewhere.

A page's own templates, styles and scripts lie in a package of its own. They find what all pages
share as ``pages/NAME``: `layout.html.j2` is a whole page to extend, `parts.html.j2` has macros.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from iterate_core.escaping import in_html

SHARED = "iterate.pages"


def render(package: str, template: str, **values: Any) -> str:
    """A whole page.

    Args:
        package: The dotted name of the package that has the template.
        template: It extends ``pages/layout.html.j2``.
        values: What it shows, each text of them as text, whatever is in it; besides them it has
            ``verbatim``.
    """
    return _environment(package).get_template(template).render(**values)


def verbatim(package: str, name: str) -> Markup:
    """A style or script of a package as it is: no template, whatever braces it has."""
    return Markup((files(package) / name).read_text(encoding="utf-8"))  # noqa: S704


@cache
def _environment(package: str) -> Environment:
    own, shared = PackageLoader(package, "."), PackageLoader(SHARED, ".")
    environment = Environment(
        loader=ChoiceLoader([own, PrefixLoader({"pages": shared})]),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["shared"] = lambda name: verbatim(SHARED, name)
    environment.globals["own"] = lambda name: verbatim(package, name)
    return environment


def _shown(value: Any) -> Markup:
    """A value as the page shows it: what macros made as it is, all else as text."""
    return value if isinstance(value, Markup) else Markup(in_html(value))  # noqa: S704
