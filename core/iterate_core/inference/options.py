"""What can be asked of predictions beside their scenes. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iterate_core.errors import Problem, RequestError


@dataclass(frozen=True)
class PredictOptions:
    """How scenes are predicted, and what is written.

    Attributes:
        window: Height and width of windows in pixels; None: of the model's training images.
        overlap: Pixels that neighbouring windows share at least; None: a fourth of a window.
        batch: Windows, or images, that go through a model at once; None: as many as suit it.
        flips: Whether the mean over flips and quarter turns is predicted.
        outputs: Of maps; see `iterate_core.inference.dense.outputs`. None: the default one.
        threshold: Objects of lower scores are left out.
        format: Of the files of what is no map: ``csv`` or ``parquet``, ``gpkg`` or ``geojson``;
            None: the first.
        by_window: Whether a model of whole images predicts window by window.
        overwrite: Whether what is there already is made anew.
        jobs: Scenes that are predicted at once.
    """

    window: int | None = None
    overlap: int | None = None
    batch: int | None = None
    flips: bool = False
    outputs: tuple[str, ...] | None = None
    threshold: float | None = None
    format: str | None = None
    by_window: bool = False
    overwrite: bool = False
    jobs: int = 1

    @property
    def decisive(self) -> dict[str, Any]:
        """Those that decide what is predicted, as plain JSON types."""
        how = ("batch", "overwrite", "jobs", "outputs", "format")
        set_ = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value for name, value in set_.items() if name not in how}

    def refuse(self, why: str, **idle: Any) -> None:
        """Refuse options that would do nothing.

        Args:
            why: What they are for.
            idle: Options by their names here, with the values at which they are left alone.

        Raises:
            RequestError: One is set.
        """
        problems = [
            Problem(f"--{name.replace('_', '-')}", f"{why} Leave it out.")
            for name, default in idle.items()
            if getattr(self, name) != default
        ]
        if problems:
            raise RequestError(problems)

    def chosen_format(self, legal: tuple[str, ...]) -> str:
        """The format of files.

        Raises:
            RequestError: What is predicted is not written in the one that is asked for.
        """
        if self.format is None:
            return legal[0]
        if self.format not in legal:
            what = f"is {self.format!r}, and what this model predicts is written as"
            raise RequestError(Problem("--format", f"{what} {' or '.join(legal)}."))
        return self.format
