"""How far a study's search has come, and why it goes no further."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from iterate.hpo.account import Account
from iterate.hpo.budget import failing_for_one_reason, stop_reason
from iterate.hpo.points import points_to_draw, trials_to_make
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study
from iterate.hpo.trials.history import History
from iterate.hpo.trials.view import TrialView


class Search(History):
    """A study's history, measured against its budget.

    Args:
        study: What is asked.
        storage: Where the answers are; shared with the other studies of the run.
        folder: The study's folder; its jobs keep their checkpoints below it.
        began: When this session began, on the monotonic clock; None is now.

    Attributes:
        account: The time that the study has taken.

    Raises:
        RequestError: The storage holds another question under this name.
    """

    def __init__(
        self, study: Study, storage: Truth, folder: Path, began: float | None = None
    ) -> None:
        super().__init__(study, storage, folder)
        self._earlier = {trial.number for trial in self.history("trial") if trial.finished}
        sessions = self.notes.sessions
        keep = partial(self.notes.keep_session, len(sessions))
        self.account = Account(sessions, keep, began)

    @property
    def recent(self) -> list[TrialView]:
        """The trials that ended since this session began."""
        ended = [trial for trial in self.history("trial") if trial.finished]
        return [trial for trial in ended if trial.number not in self._earlier]

    @property
    def failing(self) -> str | None:
        """The one reason that every trial of this session failed for, once there are enough."""
        return failing_for_one_reason(self.study.settings, self.recent)

    @property
    def stop_reason(self) -> str | None:
        """Why no further point is drawn; None while the search goes on."""
        return stop_reason(
            self.study.settings,
            self.study.objective,
            self.history("trial"),
            self.account.worked_seconds / 3600,
            points_to_draw(self.study.settings, self.study.space),
            self.recent,
        )

    @property
    def trials_asked(self) -> int:
        """How many trials the search has, unless something ends it before."""
        return trials_to_make(self.study.settings, self.study.space)
