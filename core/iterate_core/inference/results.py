"""What became of each scene that was to be predicted. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Predicted:
    """One scene.

    Attributes:
        name: By which its outputs are called.
        source: The file, for people.
        outputs: What was written of it alone.
        windows: How many it has.
        predicted: How many of them were predicted, as they hold data.
        found: Objects, or rows of a table; None of maps.
        seconds: That it took, of its own.
        notes: On how it was read.
        failure: Why nothing was written; None if all went well.
        kept: Whether it had been predicted before.
    """

    name: str
    source: str
    outputs: tuple[Path, ...] = ()
    windows: int = 0
    predicted: int = 0
    found: int | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    failure: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Predictions:
    """All scenes of a call.

    Attributes:
        folder: Of the outputs.
        models: Folders of the models.
        device: Where they ran.
        scenes: In the order in which they were asked for.
        table: What was written of all of them together; None of maps and objects.
        seconds: That everything took.
    """

    folder: Path
    models: tuple[Path, ...]
    device: str
    scenes: tuple[Predicted, ...]
    table: Path | None
    seconds: float

    @property
    def failed(self) -> tuple[Predicted, ...]:
        """Those that could not be predicted."""
        return tuple(scene for scene in self.scenes if scene.failure is not None)

    def to_mapping(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "folder": str(self.folder),
            "models": [str(model) for model in self.models],
            "device": self.device,
            "table": None if self.table is None else str(self.table),
            "seconds": round(self.seconds, 3),
            "files": [_plain(scene) for scene in self.scenes],
        }


def _plain(scene: Predicted) -> dict[str, Any]:
    plain = asdict(scene) | {
        "outputs": [str(path) for path in scene.outputs],
        "notes": list(scene.notes),
        "seconds": round(scene.seconds, 3),
    }
    return {"file": plain.pop("source"), **plain}
