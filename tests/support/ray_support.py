"""One Ray for the runs of several tests whose subject is not how it starts and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from iterate.hpo.pool.cluster import cluster
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.run import session


@contextmanager
def shared_ray() -> Iterator[None]:
    """Runs of this process work on a Ray that lasts as long as this does."""
    with cluster(RaySettings(), [ResourceSettings()]) as ray, pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "workplace", lambda settings, wanted: nullcontext(ray))
        yield
