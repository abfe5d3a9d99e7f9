"""What a run writes to MLflow, and where. Light to import."""

from __future__ import annotations

from iterate_core.registry.options import Section


class TrackingSettings(Section):
    """Where people look at the runs.

    Attributes:
        enabled: Write to MLflow at all; the study's own storage is kept either way.
        uri: Of an MLflow server or database; None keeps a SQLite file in the run's folder.
        experiment: Name of the MLflow experiment; None takes the study's name.
    """

    enabled: bool = True
    uri: str | None = None
    experiment: str | None = None
