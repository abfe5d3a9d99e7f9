"""What trials hold while a pool works, where `resources.gpu: auto` lets several share a GPU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from iterate.hpo.jobs import GpuUse
from iterate.hpo.shares import Share, shares_of
from iterate.hpo.study import Study

MARGIN = 0.15
"""Of a GPU's memory, that no trial is reckoned with: trials differ, and memory is fragmented."""

CONTEXT = 512 * 2**20
"""Bytes that CUDA itself takes in each process."""

MOST = 8
"""Trials of one GPU: beyond that they mostly wait for each other."""


def trials_on_one_gpu(use: GpuUse) -> int:
    """How many trials share a GPU, of which one alone took so much: 1 to `MOST`.

    So many as fit into its memory less a margin, and as keep it busy together.
    """
    by_memory = int((1 - MARGIN) * use.total / (use.peak + CONTEXT))
    by_work = MOST if use.busy is None else int(1 / max(use.busy, 1 / MOST))
    return max(1, min(MOST, by_memory, by_work))


class Shares(Mapping[str, Share]):
    """What a trial of each study holds, by the study's name.

    With `resources.gpu: auto` it begins as a whole GPU. What the first trials of a study take of
    theirs, alone, says how many share one from then on. Where memory runs out after all, fewer do.

    Args:
        studies: All that share the pool.
        there: What the machine or cluster has, as Ray counts it.

    Raises:
        RequestError: A recipe needs a GPU, and its trials hold none.
    """

    def __init__(self, studies: Sequence[Study], there: Mapping[str, float]) -> None:
        self._whole = shares_of(studies, there)
        self._uses: dict[str, GpuUse] = {}
        self._most: dict[str, int] = {}

    def __getitem__(self, study: str) -> Share:
        whole, use = self._whole[study], self._uses.get(study)
        if not whole.divides or use is None:
            return whole
        trials = min(trials_on_one_gpu(use), self._most.get(study, MOST))
        # Ray counts ten-thousandths, rounded: six sixths would be more than one.
        return replace(whole, gpu=math.floor(1e4 * whole.gpu / trials) / 1e4)

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)

    def hear(self, study: str, held: Share, use: GpuUse) -> None:
        """A trial that held so much has taken so much of its GPU up to now.

        Only one that is alone there tells how busy it keeps it.
        """
        before = self._uses.get(study)
        alone = held == self._whole[study]
        if before is None:
            if alone:
                self._uses[study] = use
            return
        busy = use.busy if alone and use.busy is not None else before.busy
        peak = max(before.peak, use.peak)
        self._uses[study] = GpuUse(peak, use.total, busy)

    def grow(self, study: str, held: Share) -> bool:
        """Memory ran out for a trial that held so much: fewer share a GPU from now on.

        Returns:
            Whether the trial can be given more than it held.
        """
        whole = self._whole[study]
        if not whole.divides or held.gpu >= whole.gpu:
            return False
        fewer = round(whole.gpu / held.gpu) - 1
        self._most[study] = min(self._most.get(study, MOST), fewer)
        return True
