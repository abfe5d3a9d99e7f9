"""What whoever waits for predictions is told while they are made. Imports no torch."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Follows the work; its methods are called from several threads, and may raise to stop it."""

    def planned(self, scene: str, windows: int, done: int) -> None:
        """A scene is begun: so many windows it has, so many of which were predicted before."""

    def advanced(self, scene: str, windows: int) -> None:
        """So many more windows are predicted, or skipped."""

    def written(self, scene: str) -> None:
        """A scene is done, or has failed."""


class Unwatched:
    """Nobody waits."""

    def planned(self, scene: str, windows: int, done: int) -> None:
        """See `Watch`."""

    def advanced(self, scene: str, windows: int) -> None:
        """See `Watch`."""

    def written(self, scene: str) -> None:
        """See `Watch`."""
