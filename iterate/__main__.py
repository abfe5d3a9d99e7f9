"""``python -m iterate`` is ``iterate``."""

from iterate.cli.main import program

program()
