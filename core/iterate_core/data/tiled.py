"""Samples of several sizes brought to one: cropped or padded about their centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iterate_core.data.dataset import DatasetInfo, Reader, Sample, Split
from iterate_core.data.target import target_of
from iterate_core.data.tile import Tile
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import fingerprint


class Tiled:
    """A dataset whose samples are laid on tiles as they are read; see `Reader`.

    Args:
        reader: Of samples of any size.
        size: Side of the tiles in pixels.

    Raises:
        RequestError: The samples are single pixels, around which there is nothing to repeat.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        if (reader.info.height, reader.info.width) == (1, 1):
            what = f"the samples of {reader.info.name} are single pixels, which make no tile."
            raise RequestError(Problem("data.tile", what, "Leave it out."))
        self._reader, self._size = reader, size
        self.info: DatasetInfo = replace(reader.info, height=size, width=size)
        self._target = target_of(self.info)

    def names(self, split: Split) -> Sequence[str]:
        """See `Reader.names`."""
        return self._reader.names(split)

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, on its tile.

        Raises:
            DataError: See `Reader`; or a mask is not of its image's size.
        """
        sample = self._reader.read(name, bands)
        height, width = sample.image.shape[-2:]
        tile = Tile(self._size, (height, width))
        where = f"dataset {self.info.name}, sample {name}"
        target = self._target.laid(sample.target, tile, where)
        return replace(sample, image=tile.lay(sample.image), target=target)

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        return fingerprint([self._reader.fingerprint(), self._size])
