"""Fixtures that every test file may use."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis  # noqa: F401 - early: it warns of random state that gc.freeze hides from it
import pytest
from browser_support import Browser
from postgres_support import Postgres

from iterate_core.registry import registries, user_code
from iterate_core.registry.registry import Registry


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


@pytest.fixture
def own_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten when it ends."""
    for registry in vars(registries).values():
        if isinstance(registry, Registry):
            registry.names()  # those that ship are there
            monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(user_code, "_decorated", set())


@pytest.fixture(autouse=True)
def _nothing_is_left_registered() -> Iterator[None]:
    """Workers of other tests could not import a file of tests to run its decorators."""
    yield
    left = sorted(user_code._decorated)
    assert not left, f"{left} register components: take the fixture own_components"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is cached out of the user's own cache, and between the tests of a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ITERATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; a test that stops it starts it again."""
    server = Postgres()
    yield server
    server.end()


@pytest.fixture(scope="session")
def _one_browser() -> Iterator[Browser]:
    """The browser of all tests: it takes a second to start."""
    started = Browser()
    yield started
    started.end()


@pytest.fixture
def browser(_one_browser: Browser) -> Iterator[Browser]:
    """A browser, in which no page may have written an error to the console."""
    _one_browser.errors()
    yield _one_browser
    assert _one_browser.errors() == []
    _one_browser.driver.get("about:blank")


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """One Ray for all runs of a module."""
    from ray_support import shared_ray  # heavy, and few modules run anything

    with shared_ray():
        yield
