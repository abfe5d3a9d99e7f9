"""``python -m iterate``, and the installed ``iterate``."""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager, nullcontext


def program() -> None:
    """Run the command line in a process of its own; see `iterate.cli.main.program`."""
    # Until the command itself answers Ctrl-C, it ends what is still importing without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with _training_imported():
        from iterate.cli.main import program as commands

        commands()


def _training_imported() -> AbstractContextManager[None]:
    """Have what trains imported from the first moment on, where a search is asked for."""
    if sys.argv[1:2] != ["hpo"]:
        return nullcontext()
    from iterate.hpo.pool.forked.server import warm

    return warm()


if __name__ == "__main__":
    program()
