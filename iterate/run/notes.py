"""What a run keeps in its storage besides trials: notes on its studies, and on itself."""

from __future__ import annotations

import optuna
from optuna.storages import BaseStorage

_PREFIX = "note:"


class Notes:
    """Texts kept with the run as a whole. Safe from any thread.

    Args:
        storage: The run's.
        name: The run's.
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self._study = optuna.create_study(
            study_name=f"{name} notes", storage=storage, load_if_exists=True
        )

    def remember(self, key: str, value: str) -> None:
        """Keep a text."""
        self._study.set_user_attr(f"{_PREFIX}{key}", value)

    def recall(self, key: str) -> str | None:
        """The text kept under a key."""
        found = self._study.user_attrs.get(f"{_PREFIX}{key}")
        return None if found is None else str(found)


def noted(storage: BaseStorage, key: str) -> dict[str, str]:
    """Study → what `iterate.search.ledger.Ledger.remember` kept with it under a key."""
    found = {}
    for study in storage.get_all_studies():
        value = study.user_attrs.get(f"{_PREFIX}{key}")
        if value is not None:
            found[study.study_name] = str(value)
    return found
