"""Every branch of a space tried before anything trains: its samples packed, its model built.

Both are done in processes of their own, which import this and little else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import TypeVar

from iterate.hpo.pool.forked.server import begun, elsewhere, is_warm
from iterate.hpo.space import Condition
from iterate.hpo.space.text import condition_text
from iterate_core.data.dataset import SPLITS
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import IterateError, Problem, RequestError
from iterate_core.recipe import Recipe

A = TypeVar("A")
B = TypeVar("B")
Branches = list[tuple[Condition, A]]
"""A recipe, or what was made of it, in each branch of a space, with the choices that lead there."""
Notes = tuple[str, ...]


def pack_ahead(recipes: list[Recipe]) -> Callable[[], None]:
    """Begin to draw and pack what recipes read, while whoever needs it still imports the rest.

    Whoever comes to need the same shares the work; what is wrong shows there, with the branch that
    it is wrong in. Nothing is begun where no server is there to fork a process for it.

    Returns:
        What waits until all is packed.
    """
    return begun(_pack_all, recipes, bare=True) if is_warm() else lambda: None


def _pack_all(recipes: list[Recipe]) -> None:
    with suppress(IterateError):
        for recipe, split in product(recipes, SPLITS):
            prepare(recipe).pack.names(split)


def try_branches(branches: Branches[Prepared]) -> Notes:
    """Send a batch's shape through the model of every branch, without training any.

    Returns:
        What does not go without saying of how they will train.

    Raises:
        RequestError: Everything that does not fit in any branch, together.
    """
    return elsewhere(_try_all, _recipes(branches))


def tried_and_counted(branches: Branches[Prepared]) -> tuple[Notes, float]:
    """As `try_branches`; gives the operations of a training at the base point too.

    Raises:
        RequestError: See `try_branches`.
    """
    return elsewhere(_try_and_count, _recipes(branches))


def _recipes(branches: Branches[Prepared]) -> Branches[Recipe]:
    """As they travel to another process."""
    return [(condition, tried.recipe) for condition, tried in branches]


def _try_and_count(branches: Branches[Recipe]) -> tuple[Notes, float]:
    from iterate_core.engine.cost import epoch_flops

    notes = _try_all(branches)
    _, base = branches[0]
    return notes, base.trainer.epochs * epoch_flops(prepare(base))


def _try_all(branches: Branches[Recipe]) -> Notes:
    notes = dict.fromkeys(note for _, note in for_each(branches, _tried))
    return tuple(note for note in notes if note is not None)


def _tried(recipe: Recipe) -> str | None:
    # These import torch, which the driver does without.
    from iterate_core.device import fabric_for
    from iterate_core.engine.features import keeping
    from iterate_core.engine.preflight import preflight

    prepared, trainer = prepare(recipe), recipe.trainer
    preflight(prepared)
    return keeping.note(prepared, fabric_for(trainer.accelerator, trainer.precision).device)


def for_each(branches: Branches[A], check: Callable[[A], B]) -> Branches[B]:
    """What a check gives of every branch.

    Raises:
        RequestError: The problems of all branches, each once and with its branch.
    """
    results: Branches[B] = []
    problems: dict[tuple[str, str], Problem] = {}
    for condition, recipe in branches:
        try:
            results.append((condition, check(recipe)))
        except RequestError as error:
            branch = f" [with {condition_text(condition)}]" if condition else ""
            for found in error.problems:
                told = Problem(found.where, found.what + branch, found.hint)
                problems.setdefault((found.where, found.what), told)
    if problems:
        raise RequestError(list(problems.values()))
    return results
