"""What a suite says of a dataset's data: its bands, where its files are published, its licence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.registry.options import Section

ReaderName = Literal["geobench_v1", "geobench_v2"]


class SuiteBands(Section):
    """Bands that one sensor delivers, in one unit.

    Attributes:
        sensor: As in `Band.sensor`; None where it is not known.
        unit: As in `Band.unit`.
        names: As the reader gives them.
        dates: How many of each a sample has; None where that differs.
    """

    sensor: str | None = None
    unit: str
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    dates: int | None = 1


class SuiteFile(Section):
    """A published file of a dataset.

    Attributes:
        name: Path within the repository.
        sha256: Its digest; None where none is published or verified.
        size: In bytes; None where not known.
    """

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    size: int | None = None


class SuiteSource(Section):
    """Where a dataset is published.

    Attributes:
        repository: ``owner/name`` of a dataset on the Hugging Face hub.
        revision: The commit that is pinned; None: the newest is taken, and recorded.
        files: What is downloaded. A ``.zip`` is unpacked beside itself.
        note: Where the digests come from, or why there are none.
    """

    repository: str
    revision: str | None = None
    files: Annotated[tuple[SuiteFile, ...], Field(min_length=1)]
    note: str | None = None
