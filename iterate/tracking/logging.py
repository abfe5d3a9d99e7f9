"""Keep MLflow from talking over the progress display, without changing anyone's logging."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# MLflow reads these whenever it acts. A user's own values win.
DEFAULTS = {
    # The mirror has its own, longer patience; MLflow's would hold its thread for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Nothing is sent to anyone but the store that the user named.
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

_TALKERS = (
    "alembic.runtime.migration",
    "alembic.runtime.plugins",
    "mlflow.store.db.utils",
    "mlflow.pyfunc",
    "mlflow.tracking._model_registry.fluent",
    "mlflow.tracking.client",
    "mlflow.tracking.fluent",
    "mlflow.utils.rest_utils",
    "urllib3.connectionpool",
)


def set_defaults() -> None:
    """Give MLflow's environment variables our defaults, where the user has set none."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


@contextmanager
def quiet_thread() -> Iterator[None]:
    """Drop what MLflow and its libraries log from this thread; errors still arrive as exceptions.

    Records of other threads pass: they may be a user's own use of MLflow.
    """
    me = threading.get_ident()

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != me

    loggers = [logging.getLogger(name) for name in _TALKERS]
    for logger in loggers:
        logger.addFilter(from_elsewhere)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(from_elsewhere)
