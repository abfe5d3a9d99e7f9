"""One small run for all tests of reports; whoever changes it takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_support import finished_run


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("report") / "small")


@pytest.fixture(scope="session")
def small_page(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from iterate import report

    return report(small_run, tmp_path_factory.mktemp("page") / "report.html")
