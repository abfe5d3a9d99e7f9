"""One training in its folder: how far it has come, whether it goes on, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from iterate_core.engine.checkpoints import FitProgress, save_best, save_progress
from iterate_core.engine.description import describe
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.trainer import Trainer
from iterate_core.storage.files import write_json

CHANNELS_FILE = "channels.json"


class Run:
    """A recipe in training.

    Args:
        trainer: The recipe, set up.
        progress: How far it has come; the trainer takes that up.
        folder: Where it is kept.

    Attributes:
        prepared: The recipe and its data.
        trainer: The recipe, set up.
        progress: How far it has come.
        kept: Whether the folder holds all of it.
    """

    def __init__(self, trainer: Trainer, progress: FitProgress, folder: Path) -> None:
        self.trainer, self.progress, self._folder = trainer, progress, folder
        prepared = self.prepared = trainer.prepared
        write_json(folder / CHANNELS_FILE, prepared.matching.described(prepared.stated))
        describe(prepared).write(folder)
        self._restore()
        self.kept = True
        self._best: Mapping[str, Tensor] | None = None
        self._metadata: dict[str, str] = {}

    def _restore(self) -> None:
        if self.progress.state is not None:
            self.trainer.learner.restore(self.progress.state)

    def again(self, at_once: int) -> None:
        """Set up anew after the epochs that are finished, for fewer samples at once."""
        self.progress.at_once = at_once
        del self.trainer  # its memory is needed
        self.trainer = Trainer(self.prepared, at_once)
        self._restore()

    @property
    def epoch(self) -> int:
        """The number of the next epoch."""
        return len(self.progress.reports) + 1

    def take(
        self, metrics: dict[str, float], value: float, seconds: float, *, copy: bool = False
    ) -> EpochReport:
        """Judge the epoch that was trained.

        Args:
            metrics: Of training and validation.
            value: The objective's.
            seconds: How long it took.
            copy: Training may go on before `keep`, so what is best is copied.
        """
        progress, recipe = self.progress, self.prepared.recipe
        epoch, patience = self.epoch, recipe.trainer.patience
        best = progress.reports[-1].best if progress.reports else None
        improved = recipe.objective.better(value, best)
        if recipe.objective.better(value, progress.reference, by=recipe.trainer.min_delta):
            progress.reference, progress.waited = value, 0
        else:
            progress.waited += 1
        report = EpochReport(
            epoch=epoch,
            metrics=metrics,
            value=value,
            best=value if improved or best is None else best,
            seconds=seconds,
            done=epoch >= recipe.trainer.epochs
            or (patience is not None and progress.waited >= patience),
        )
        progress.reports.append(report)
        self.kept = False
        if improved:
            weights = self.trainer.learner.weights()
            self._best = {name: own.clone() for name, own in weights.items()} if copy else weights
            said = {"identity": progress.identity, "epoch": str(epoch), "value": repr(value)}
            self._metadata = said | {"objective": recipe.objective.key}
        return report

    def keep_best(self) -> None:
        """Write ``best.safetensors``, if it is another: of a training that never goes on.

        Raises:
            MachineError: The disk has no room for it.
        """
        if self._best is not None:
            save_best(self._folder, self._best, self._metadata)
            self._best = None

    def keep(self) -> None:
        """Write ``best.safetensors``, if it is another, and ``last.ckpt``.

        Raises:
            MachineError: The disk has no room for them.
        """
        self.keep_best()
        progress = self.progress
        progress.state = None if progress.done else _apart(self.trainer.learner.state())
        save_progress(self._folder, progress)
        self.kept = True


def _apart(state: Any) -> Any:
    """A state whose tensors are whole: a part of a larger one would be saved with all of that."""
    if isinstance(state, Tensor):
        return state.clone() if state.untyped_storage().nbytes() > state.nbytes else state
    if isinstance(state, dict):
        return {name: _apart(value) for name, value in state.items()}
    return [_apart(value) for value in state] if isinstance(state, list) else state
