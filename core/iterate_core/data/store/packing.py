"""Packing a split, by all processes that ask for it, to the bytes that one would write alone.

Images, and targets of one shape, are rows that the processes fill block by block (see
`iterate_core.storage.shared_rows`). What else the samples of a block have lies in a workshop, a
folder that is there until whoever comes first puts its parts together. What a killed process has
finished stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.data.dataset import Reader, Sample, Split
from iterate_core.data.store import beside
from iterate_core.data.store.beside import Beside, Summary
from iterate_core.data.store.helpers import helped
from iterate_core.data.store.targets import PLAIN, growing_targets, join_targets, nbytes
from iterate_core.data.store.validation import checked
from iterate_core.data.target import Target
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.heartbeat import beat
from iterate_core.storage.cache import Room
from iterate_core.storage.files import lock, write_json
from iterate_core.storage.growing import growing
from iterate_core.storage.shared_rows import PATIENCE_SECONDS, Arrays, SharedRows, fill
from iterate_core.storage.usage import remove, use

BLOCK_BYTES = 8 << 20
"""Of images in a block, about: what is lost with a process, and what one waits for at the end."""

HELPED_BYTES = 16 << 20
"""A split of fewer bytes is packed by the time that helpers would be there."""


class Packing:
    """Packs one split.

    Args:
        folder: Of the pack.
        split: Which.
        reader: The dataset.
        target: What its samples are labelled with.
        bands: Of the images, by name.

    Raises:
        DataError: The split is empty.
    """

    def __init__(
        self, folder: Path, split: Split, reader: Reader, target: Target, bands: list[str]
    ) -> None:
        self._folder, self._split = folder, split
        self._reader, self._target, self._bands = reader, target, bands
        self._names = list(reader.names(split))
        self._failed: int | None = None
        if not self._names:
            raise DataError(Problem(reader.info.name, f"its {split} split is empty."))

    def pack(
        self, packed: Callable[[], bool], room: Room, helpers: int, help_out: Callable[[], object]
    ) -> None:
        """Pack the split, or take part where others do.

        Args:
            packed: Whether it is packed already.
            room: Is told how much room it needs.
            helpers: How many processes may be forked to help, if it is large.
            help_out: What these do.

        Raises:
            DataError: A sample is unfit: the first of those that are.
            Locked: Others pack, and have finished nothing for hours.
        """
        with self._workshop():
            with self._alone():
                if packed():
                    return
                self._record.unlink(missing_ok=True)  # of what is damaged
            image, target = self._first
            room.needs = len(self._names) * (image.image.nbytes + nbytes(target))
            of_use = self._rows.blocks - 1 if room.needs > HELPED_BYTES else 0
            with helped(min(helpers, of_use), help_out):
                self._fill()
            with self._alone():
                if not packed():
                    self._finish()

    @contextmanager
    def _workshop(self) -> Iterator[None]:
        """The last one out removes it; where work failed, with all that was made of it."""
        held = use(self._parts)
        try:
            yield
        except Exception:
            held.release()
            if remove(self._parts):
                with self._alone():
                    # Whoever comes now makes a workshop first, and fills nothing before this.
                    if not (self._parts.exists() or self._record.exists()):
                        self._clear()
            raise
        held.release()
        remove(self._parts)

    def _clear(self) -> None:
        for path in self._folder.glob(f"{self._split}-*.npy"):
            path.unlink(missing_ok=True)

    @property
    def _parts(self) -> Path:
        return self._folder / f"{self._split}.packing"

    @property
    def _record(self) -> Path:
        return self._folder / f"{self._split}.json"

    def _alone(self) -> Any:
        return lock(self._folder / f"{self._split}.lock", PATIENCE_SECONDS)

    @cached_property
    def _first(self) -> tuple[Sample, Any]:
        """The first sample, whose types and shapes are those of all, and its packed target."""
        return self._read(self._names[0])

    @cached_property
    def _rows(self) -> SharedRows:
        image, target = self._first
        names = ("images",) if isinstance(target, Mapping) else ("images", PLAIN)
        least = max(1, BLOCK_BYTES // max(1, image.image.nbytes))
        stem, aside = self._folder / self._split, self._parts / "rows"
        return SharedRows(stem, names, len(self._names), least, aside)

    def _read(self, name: str) -> tuple[Sample, Any]:
        sample = checked(self._reader.read(name, self._bands), self._target)
        return sample, self._target.packed(sample.target)

    def _fill(self) -> None:
        try:
            fill([self._rows], lambda _, span: self._packed(span))
        except RequestError:
            self._read_before(self._failed)
            raise

    def _packed(self, span: range) -> Iterator[Arrays]:
        """The rows of a block, and beside them what is no row."""
        self._failed = number = span.start // self._rows.block
        first, wanted = self._first
        samples: list[Beside] = []
        with growing_targets(self._parts, f"{number}", len(span)) as ragged:
            for index in span:
                sample, target = self._at(index)
                rows = [np.asarray(sample.image, first.image.dtype)[None]]
                if isinstance(target, Mapping):
                    ragged.add(target)
                else:
                    rows.append(np.asarray(target, wanted.dtype)[None])
                samples.append(Beside.of(sample, self._target))
                yield rows
                beat()
        beside.write(self._parts / f"{number}.json", samples)

    def _at(self, index: int) -> tuple[Sample, Any]:
        """A sample that fits in with the first one."""
        first = self._first
        if index == 0:
            return first
        sample, target = self._read(self._names[index])
        kind, wanted = sample.image.dtype, first[0].image.dtype
        if not np.can_cast(kind, wanted, "safe"):
            what = f"sample {sample.name!r} is {kind}, but those before it are {wanted}."
            raise DataError(Problem("", what, "All samples of a dataset must be of one type."))
        return sample, target

    def _read_before(self, block: int | None) -> None:
        """Read what others have not finished before a block: its samples fail first, if any do."""
        for number in self._rows.missing():
            if block is not None and number < block:
                for index in self._rows.span(number):
                    self._at(index)

    def _finish(self) -> None:
        """Put the parts together, and last write the record that says all is complete."""
        folder, split, rows = self._folder, self._split, self._rows
        for left in folder.glob(f".{split}*.part"):  # by a process that was killed
            left.unlink(missing_ok=True)
        parts = [self._parts / str(number) for number in range(rows.blocks)]
        summary = Summary(self._reader.info, len(self._bands))
        for part in parts:
            for sample in beside.read(part.with_suffix(".json")):
                summary.add(sample)
        kinds = list(rows.names)
        _, target = self._first
        if isinstance(target, Mapping):
            kinds += join_targets(parts, target, folder, split, rows.rows)
        for kind, array in summary.arrays().items():
            kinds.append(kind)
            with growing(folder / f"{split}-{kind}.npy", rows.rows) as file:
                file.extend(array)
        record: dict[str, Any] = {"names": self._names, "arrays": kinds}
        write_json(self._record, record | summary.statistics())
