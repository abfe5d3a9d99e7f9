"""One small run, and its model exported, for all tests of exports; whoever changes it copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_support import finished_run

from iterate.publish.export import Exported, ExportRequest, export_model


@pytest.fixture(scope="session")
def exported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="session")
def exported(exported_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    to = tmp_path_factory.mktemp("exported") / "model"
    return export_model(ExportRequest(exported_run, to, int8=True))
