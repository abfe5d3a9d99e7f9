"""A PostgreSQL server of our own, on loopback, that can be stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest


class Postgres:
    """Begins with a database of its own in a new folder; skips the test where there is no server.

    Attributes:
        url: Of its database.
    """

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        program = shutil.which("initdb") or (str(found[-1]) if found else None)
        if program is None:
            pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
        self._user = None
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            names = {entry.pw_name for entry in pwd.getpwall()}
            if "postgres" not in names:
                pytest.skip("PostgreSQL refuses root, and there is no user postgres to run it as")
            self._user = "postgres"
        self._folder = Path(tempfile.mkdtemp(prefix="iterate-postgres-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql://tester@127.0.0.1:{self._port}/postgres"
        self._data, self._programs = self._folder / "data", Path(program).parent
        self._run("initdb", "-U", "tester", "--auth=trust", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def ask_for_a_password(self, user: str) -> None:
        """From now on, of one user."""
        rules = self._data / "pg_hba.conf"
        rule = f"host all {user} 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(rule + rules.read_text(encoding="utf-8"), encoding="utf-8")
        self._run("pg_ctl", "reload")

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *words: str) -> None:
        # Its output goes nowhere: the server would keep a pipe of ours open.
        subprocess.run(
            [str(self._programs / program), "-D", str(self._data), *words],
            check=True,
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
