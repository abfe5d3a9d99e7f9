"""One loop that serves every study of a command with workers forked on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.connection import wait

from iterate.hpo.hardware import gpu_names
from iterate.hpo.jobs import Train, TrainTogether
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.child_processes import Family
from iterate.hpo.pool.coordinator import DEATHS, Coordinator, Observer
from iterate.hpo.pool.forked.hands import Hand, Labour, Task
from iterate.hpo.pool.forked.room import Room
from iterate.hpo.pool.forked.server import Server, server
from iterate.hpo.pool.sharing import Shares
from iterate.hpo.pool.watch import Watch
from iterate.hpo.settings import ResourceSettings
from iterate.hpo.shares import Share, check_there, machine
from iterate_core.errors import MachineError

_SECONDS_A_TURN = 0.1


class Forked:
    """This machine, as a place to work.

    Attributes:
        there: What it has, such as ``{"CPU": 8, "GPU": 1}``.
    """

    def __init__(self, server: Server, family: Family) -> None:
        self.there: Mapping[str, float] = machine()
        self._server = server
        self._family = family

    def run(
        self,
        ledgers: Sequence[Ledger],
        train: Train,
        observers: Sequence[Observer] = (),
        checks: Sequence[Callable[[], None]] = (),
        together: TrainTogether | None = None,
    ) -> None:
        """See `iterate.hpo.pool.workplace.Workplace.run`."""
        shares = Shares([ledger.study for ledger in ledgers], self.there)
        groups = together is not None
        coordinator = Coordinator(ledgers, observers, shares, lambda: self.there, groups=groups)
        room = Room(self.there["CPU"], gpu_names())
        shift = _Shift(self._server, partial(Labour, train, together), coordinator, room)
        watch = Watch(coordinator, [*checks, self._family.check], shift.end_worker)
        try:
            while not coordinator.exhausted and coordinator.fault is None:
                watch.look()
                shift.hand_out(shares, watch)
                shift.hear(watch)
        finally:
            shift.dismiss()
        if coordinator.waits_for is not None:
            raise MachineError(coordinator.waits_for)


class _Shift:
    """The workers of one run, and what each holds."""

    def __init__(
        self,
        server: Server,
        labour: Callable[[tuple[str, ...]], Labour],
        coordinator: Coordinator,
        room: Room,
    ) -> None:
        self._server = server
        self._labour = labour
        self._coordinator = coordinator
        self._room = room
        self._hands: list[Hand] = []
        self._waiting: list[Task] = []  # drawn, or begun by a process that died
        self._ids = map(str, count())

    def hand_out(self, shares: Mapping[str, Share], watch: Watch) -> None:
        """Give jobs to workers as long as there is room and work."""
        while (task := self._next(shares)) is not None:
            gpus = self._room.place(task.share)
            if gpus is None:
                return
            self._waiting.remove(task)
            hand = self._hand(gpus, task.share)
            self._room.take(task.share, hand.gpus)
            hand.begin(task)
            if hand.up:
                watch.began(task.trial_id, task.jobs[0])

    def _next(self, shares: Mapping[str, Share]) -> Task | None:
        """What waits longest; else jobs drawn now, as late as can be: they then know most."""
        if not self._waiting and any(self._room.place(s) is not None for s in shares.values()):
            trial_id = next(self._ids)
            jobs = self._coordinator.next_jobs(trial_id)
            if jobs:
                self._waiting.append(Task(trial_id, jobs, self._coordinator.share(trial_id)))
        return self._waiting[0] if self._waiting else None

    def _hand(self, gpus: tuple[str, ...], share: Share) -> Hand:
        """An idle worker that sees as many GPUs as are wanted, or a new one."""
        idle = [hand for hand in self._hands if hand.task is None]
        hand = next((hand for hand in idle if hand.gpus == gpus), None)
        if hand is None:
            hand = Hand(self._server, self._labour(gpus))
            self._hands.append(hand)
        # What others have loaded lies in the memory of a GPU that this one needs.
        beside = [other for other in self._hands if other is not hand and _meet(other, hand)]
        room = round(1 / share.gpu) - 1 if 0 < share.gpu < 1 else 0
        for other in beside:
            if other.task is None and (other.gpus != gpus or len(beside) > room):
                beside = [one for one in beside if one is not other]
                self._hands.remove(other)
                other.dismiss()
        return hand

    def hear(self, watch: Watch) -> None:
        """Take in what workers say, or wait a moment."""
        if not self._hands:
            time.sleep(_SECONDS_A_TURN)
        by_connection = {hand.connection: hand for hand in self._hands}
        for connection in wait(list(by_connection), _SECONDS_A_TURN):
            hand = by_connection[connection]  # type: ignore[index] # only connections are waited for
            try:
                said = hand.hear()
            except EOFError:
                self._lost(hand)
                continue
            if hand.task is None:
                continue
            trial_id = hand.task.trial_id
            if said is None:
                watch.began(trial_id, hand.task.jobs[0])
                continue
            told, done = said
            watch.heard(trial_id)
            stop = self._coordinator.record(trial_id, told)
            if not done:
                hand.answer(stop=stop)
            if stop or done:
                self._free(hand)

    def _free(self, hand: Hand) -> Task | None:
        """Take a worker's task away."""
        task, hand.task = hand.task, None
        if task is not None:
            self._room.give_back(task.share, hand.gpus)
        return task

    def _lost(self, hand: Hand) -> None:
        """A worker has died: another takes its jobs, as often as that makes sense."""
        self._hands.remove(hand)
        hand.dismiss()
        task = self._free(hand)
        if task is None or self._coordinator.held(task.trial_id) is None:
            return  # it was idle, or ended on purpose
        task.deaths += 1
        if task.deaths > DEATHS:
            self._coordinator.died(task.trial_id)
        else:
            self._waiting.append(task)

    def end_worker(self, trial_id: str) -> None:
        """End the worker that holds these jobs."""
        for hand in self._hands:
            if hand.task is not None and hand.task.trial_id == trial_id:
                hand.end()

    def dismiss(self) -> None:
        """Let all workers go."""
        for hand in self._hands:
            hand.end()
            hand.dismiss()


def _meet(one: Hand, other: Hand) -> bool:
    """Whether they see a GPU in common."""
    return bool(set(one.gpus) & set(other.gpus))


@contextmanager
def forked(wanted: Sequence[ResourceSettings]) -> Iterator[Forked]:
    """This machine as a place to work; in the end no process of it is left.

    Raises:
        RequestError: It is too small for a trial.
    """
    check_there(wanted, machine(), "this machine")
    with server() as ours, Family.begun() as family:
        family.adopt(ours.pid, "the process that workers are forked from has died")
        yield Forked(ours, family)
