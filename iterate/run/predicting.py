"""Which models predict, of those that a path names."""

from __future__ import annotations

from pathlib import Path

from iterate.run.models import Found
from iterate_core.errors import Problem, RequestError


def models_of(found: Found, *, ensemble: bool) -> tuple[Path, ...]:
    """The folders of the models.

    Args:
        found: What a path names.
        ensemble: Whether all repeats of the best point predict together.

    Raises:
        RequestError: There is but one, or one is missing.
    """
    if not ensemble:
        return (found.folder,)
    if found.missing:
        what = "is missing, and --ensemble takes all repeats of the best point."
        hint = "Bring it back, or name one model, without --ensemble."
        raise RequestError([Problem(str(path), what, hint) for path in found.missing])
    if len(found.repeats) < 2:
        what = "is one model, and --ensemble takes the repeats of a run's best point."
        hint = "Name a run with at least two repeats (search.repeats)."
        raise RequestError(Problem(str(found.folder), what, hint))
    return found.repeats
