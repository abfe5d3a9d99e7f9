"""The live view of a run: a table that redraws itself on a terminal, lines in a plain log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from iterate.cli.views.console import stderr
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.points import trials_to_make
from iterate.hpo.trials.view import TrialView
from iterate.states import State
from iterate_core.escaping import in_terminal
from iterate_core.plurals import counted

_MARKS: dict[State, str] = {
    "COMPLETE": "[green]finished[/]",
    "PRUNED": "[yellow]pruned[/]",
    "FAIL": "[red]failed[/]",
}
# A plain log says at least this often that the run is alive, and never more often per job.
_SECONDS_BETWEEN_LINES = 15.0
_ROWS = 20
_REDRAWS_A_SECOND = 2


class LiveProgress:
    """Shows studies, trials, the best so far and the time left.

    Args:
        console: Where to show it; standard error unless a test asks otherwise.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or stderr()
        self._ledgers: Sequence[Ledger] = ()
        self._live: Live | None = None
        self._changed: deque[Ledger] = deque()  # since the table was drawn last
        self._rows: dict[str, _Row] = {}
        self._began = time.monotonic()
        self._ended_before = 0
        self._said: dict[str, float] = {}

    def begin(self, ledgers: Sequence[Ledger]) -> None:
        """Begin to show."""
        self._ledgers = ledgers
        self._rows = {}
        self._began = time.monotonic()
        self._ended_before = sum(_ended(ledger) for ledger in ledgers)
        for share in sorted({str(ledger.share) for ledger in ledgers if ledger.share}):
            self._console.print(f"each trial holds {share}")
        for ledger in ledgers:
            for note in ledger.study.notes:
                said = f"{in_terminal(ledger.study.name)}: {in_terminal(note)}"
                self._console.print(f"[italic]{said}[/]")
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=_REDRAWS_A_SECOND,
            )
            self._live.start()
            return
        for ledger in ledgers:
            self._console.print(f"study {in_terminal(ledger.study.name)}: {_budget(ledger)}")

    def changed(self, ledger: Ledger, job: Job) -> None:
        """Show what changed."""
        self._changed.append(ledger)
        if self._live is not None:
            return  # drawn by a timer: a report must cost no drawing
        trial = ledger.trial_of(job)
        ended = trial.finished or job.key in ledger.set_aside
        now = time.monotonic()
        if ended or now - self._said.get(job.key, now) >= _SECONDS_BETWEEN_LINES:
            self._console.print(self._line(ledger, job, trial))
        if (
            ended
            or job.key not in self._said
            or now - self._said[job.key] >= _SECONDS_BETWEEN_LINES
        ):
            self._said[job.key] = now

    def end(self) -> None:
        """Stop showing; the last state stays on the screen."""
        if self._live is not None:
            self._rows = {}
            self._live.stop()  # draws once more
            self._live = None

    # A plain log

    def _line(self, ledger: Ledger, job: Job, trial: TrialView) -> str:
        what = f"{in_terminal(ledger.study.name)}: {job.kind} {job.number}"
        at_work = f"epoch {trial.last_epoch}" if trial.last_epoch else "begins"
        state = _MARKS.get(trial.state, at_work)
        if job.key in ledger.set_aside:
            state = "[yellow]waits[/]"
        parts = [f"{what} {state}", _value(ledger, trial), _best(ledger), self._left()]
        return "  ".join(part for part in parts if part)

    # A terminal

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("study", "trials", "best so far", "now"):
            table.add_column(column, no_wrap=column != "now")
        rows = self._newest_rows()
        shown = sorted(rows, key=lambda row: (row.finished, row.cells[0]))
        for row in shown[:_ROWS]:
            table.add_row(*row.cells)
        hidden = len(shown) - _ROWS
        more = [Text(f"… and {hidden} more studies", style="dim")] if hidden > 0 else []
        return Group(table, *more, Text(self._left(), style="dim"))

    def _newest_rows(self) -> Sequence[_Row]:
        """The row of every study; only those are made anew that have changed."""
        stale = {ledger.study.name: ledger for ledger in self._ledgers} if not self._rows else {}
        while self._changed:
            ledger = self._changed.popleft()
            stale[ledger.study.name] = ledger
        self._rows |= {name: _Row.of(ledger) for name, ledger in stale.items()}
        return list(self._rows.values())

    def _left(self) -> str:
        """Done, asked for, and the time left at the pace so far."""
        rows = self._newest_rows()
        asked, ended = sum(row.asked for row in rows), sum(row.ended for row in rows)
        fresh = ended - self._ended_before
        said = f"[{ended}/{asked}]" if asked >= ended else f"[{ended}]"
        if fresh == 0 or asked <= ended:
            return said
        seconds = (time.monotonic() - self._began) / fresh * (asked - ended)
        return f"{said} about {duration(seconds)} left"


@dataclass(frozen=True)
class _Row:
    """A study as the table shows it."""

    cells: tuple[str, str, str, str]
    asked: int
    ended: int
    finished: bool

    @classmethod
    def of(cls, ledger: Ledger) -> _Row:
        cells = (in_terminal(ledger.study.name), _counts(ledger), _best(ledger), _now(ledger))
        return cls(cells, _asked(ledger), _ended(ledger), ledger.finished)


def duration(seconds: float) -> str:
    """A length of time as people say it: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _asked(ledger: Ledger) -> int:
    settings = ledger.study.settings
    return trials_to_make(settings, ledger.study.space) + settings.repeats


def _ended(ledger: Ledger) -> int:
    best = ledger.best()
    repeats = [] if best is None else ledger.repeats_of(best)
    return sum(trial.finished for trial in [*ledger.history("trial"), *repeats])


def _budget(ledger: Ledger) -> str:
    settings = ledger.study.settings
    ended = _ended(ledger)
    already = f", {ended} of them done already" if ended else ""
    trials = trials_to_make(settings, ledger.study.space)
    varies = "nothing varies: " if ledger.study.space.size() == 1 else ""
    return (
        f"{varies}{counted(trials, 'trial')} and {counted(settings.repeats, 'repeat')}{already}; "
        f"{settings.sampler.name}, scheduler {settings.scheduler.name}, "
        f"objective {ledger.study.objective.key} ({ledger.study.objective.mode})"
    )


def _counts(ledger: Ledger) -> str:
    trials = ledger.history("trial")
    asked = trials_to_make(ledger.study.settings, ledger.study.space)
    parts = [f"{sum(trial.finished for trial in trials)}/{asked}"]
    ended_early: tuple[State, ...] = ("PRUNED", "FAIL")
    for state in ended_early:
        count = sum(trial.state == state for trial in trials)
        if count:
            parts.append(f"{count} {_MARKS[state]}")
    return "  ".join(parts)


def _best(ledger: Ledger) -> str:
    best = ledger.best()
    return "" if best is None else f"best {best.value:.4f} (trial {best.number})"


def _value(ledger: Ledger, trial: TrialView) -> str:
    if trial.state == "FAIL":
        return in_terminal(trial.failure or "")
    if trial.stopped is not None:
        return in_terminal(trial.stopped)
    value = trial.value
    if value is None and trial.last_epoch:
        value = trial.curve[trial.last_epoch]
    return "" if value is None else f"{ledger.study.objective.key} {value:.4f}"


def _now(ledger: Ledger) -> str:
    runs = [
        f"{run.job.kind} {run.job.number}: epoch {run.last_epoch}"
        for run in list(ledger.running.values())  # the driver changes it meanwhile
    ]
    return ", ".join(runs) or ("finished" if ledger.finished else "waits")
