"""Fixtures that every test file may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find real data by name; a checkout that stands alone has none, and the test says so."""
    root = Path(os.environ.get("ITERATE_TEST_DATA") or Path(__file__).parents[2] / "shared/data")

    def find(name: str) -> Path:
        path = root / name
        if not path.exists():
            pytest.skip(f"no real data here: {name} is not below {root} (set ITERATE_TEST_DATA)")
        return path

    return find
