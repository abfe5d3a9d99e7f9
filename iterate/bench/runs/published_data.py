"""Whether the datasets on this machine are those that a suite's figures were measured on.

The published scale, and published results, say something of the published dataset alone. It is
known by its splits, where none are drawn, and by its content: as many classes, bands and samples of
each split as the suite declares, and where it declares no samples, the digests that a download
recorded beside the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iterate.bench.runs.plan import Plan, Request
from iterate.bench.suites.download import RECORD, Wanted, recorded
from iterate.bench.suites.folders import dataset_folder
from iterate.bench.suites.suite import SuiteDataset
from iterate_core.data.dataset import SPLITS, DatasetInfo, Split
from iterate_core.data.open import open_dataset


def unlike_published(request: Request, plan: Plan) -> dict[str, str]:
    """Dataset of a plan → how it is not the published one; those that are do not occur."""
    sections = {
        plan.cells[study.name].dataset: study.recipe.data for study in reversed(plan.studies)
    }
    found = {}
    for name, section in sections.items():
        declared = request.suite.datasets[name]
        info = open_dataset(section).info
        blocks = request.labels.portion.blocks
        why = [] if blocks is None else [blocks.told]
        counted = SPLITS if request.percent == 100 else SPLITS[1:]
        why += _differences(declared, info, () if blocks is not None else counted)
        if not why and declared.splits is None and not _downloaded(request, name):
            why = [f"the suite declares no number of samples, and no {RECORD} says what it is"]
        if why:
            found[name] = ", ".join(why)
    return {name: found[name] for name in request.suite.datasets if name in found}


def _differences(
    declared: SuiteDataset, info: DatasetInfo, counted: Sequence[Split]
) -> Iterator[str]:
    """What differs from the declaration; samples count in some of the splits."""
    if declared.classes is not None and declared.classes != len(info.classes):
        yield f"{len(info.classes)} classes instead of {declared.classes}"
    if declared.bands is not None and declared.bands != len(info.bands):
        yield f"{len(info.bands)} bands instead of {declared.bands}"
    for split, count in (declared.splits or {}).items():
        if info.sizes[split] != count and split in counted:
            yield f"{info.sizes[split]} {split} samples instead of {count}"


def _downloaded(request: Request, name: str) -> bool:
    """Whether a download left its record here, and it is of what the suite declares."""
    declared = request.suite.datasets[name]
    folder, _ = dataset_folder(declared, name, request.root)
    source = declared.source
    if source is None or folder is None:
        return False
    record = recorded(Wanted(request.suite.name, name, declared, source, folder))
    if record is None or record.get("repository") != source.repository:
        return False
    digests = {str(file.get("sha256")) for file in record["files"]}
    wanted = {file.sha256 for file in source.files if file.sha256 is not None}
    return wanted <= digests and source.revision in (None, record.get("revision"))
