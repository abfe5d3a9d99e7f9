"""Bringing a suite's datasets to this machine, as its readers expect them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from iterate.bench.suites.data import SuiteSource
from iterate.bench.suites.suite import SuiteDataset, load_suite, suites
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.faults import readable
from iterate_core.hub import servers, transfer
from iterate_core.hub.archive import unpacking
from iterate_core.hub.files import HubFile, Origin, obtain, source_of
from iterate_core.hub.servers import Published, UnreachableError
from iterate_core.hub.transfer import OnProgress
from iterate_core.storage.files import lock, write_json
from iterate_core.storage.names import inside, is_inside

RECORD = "SOURCE.json"
"""Says, beside the data, where they came from."""

Show = Callable[[str], OnProgress]
"""Gives the progress of a step that is named: ``m-eurosat.zip``."""


@dataclass(frozen=True)
class Wanted:
    """A dataset that is asked for.

    Attributes:
        suite: Its suite.
        name: Its name.
        dataset: Its declaration.
        source: Where it is published.
        folder: Where its data lie, or will.
    """

    suite: str
    name: str
    dataset: SuiteDataset
    source: SuiteSource
    folder: Path


@dataclass(frozen=True)
class Offer:
    """What there is to do for a dataset.

    Attributes:
        wanted: The dataset.
        files: What its hub offers, and where it goes; empty if it is here already.
        missing: Bytes still to come; None where a size is not known.
        revision: The commit that was resolved, or that was recorded.
        note: What else there is to say of it.
    """

    wanted: Wanted
    files: tuple[tuple[HubFile, Published, Path], ...] = ()
    missing: int | None = 0
    revision: str | None = None
    note: str | None = None

    @property
    def here(self) -> bool:
        """Whether the dataset is on this machine."""
        return not self.files


@dataclass
class Places:
    """Free space by file system, so that two datasets do not both count on the same."""

    free: dict[int, int] = field(default_factory=dict)

    def take(self, folder: Path, size: int) -> bool:
        """Whether there is room for so many more bytes."""
        there = next(path for path in (folder, *folder.parents) if path.exists())
        device = there.stat().st_dev
        left = self.free.setdefault(device, shutil.disk_usage(there).free)
        self.free[device] = left - size
        return size <= left


def want(names: Sequence[str], suite: str | None, root: Path) -> list[Wanted]:
    """The datasets that are named, or all of a suite.

    Raises:
        RequestError: A suite or dataset is unknown, or is not published; all of them.
    """
    chosen = [load_suite(suite)] if suite else [load_suite(name) for name in suites()]
    known = {name: found for found in reversed(chosen) for name in found.datasets}
    if not names and not suite:
        what = "name datasets, or a whole suite."
        raise RequestError(Problem("--suite", what, f"Suites: {', '.join(sorted(suites()))}."))
    asked = list(dict.fromkeys(names)) or list(chosen[0].datasets)
    problems = []
    wanted = []
    for name in asked:
        if name not in known:
            where = f" in {suite}" if suite else ""
            problems.append(Problem(name, f"no such dataset{where}.", nearest(name, known)))
            continue
        dataset = known[name].datasets[name]
        if dataset.source is None:
            problems.append(Problem(name, "the suite does not say where it is published."))
            continue
        folder = root / (dataset.folder or name)
        wanted.append(Wanted(known[name].name, name, dataset, dataset.source, folder))
    if problems:
        raise RequestError(problems)
    return wanted


def offers(wanted: Sequence[Wanted], latest: bool = False) -> list[Offer]:
    """Ask the hubs what they offer of datasets that are not here yet.

    Args:
        wanted: See `want`.
        latest: Take what is published now, even where the suite pins something else.

    Raises:
        RequestError: A hub cannot be reached, or does not offer what the suite declares; all that
            is wrong. The hint says what to put where.
    """
    found: dict[Path, Offer] = {}
    problems: list[Problem] = []
    hubs = _Hubs(latest)
    results = []
    for one in wanted:
        try:
            offer = _offer(one, hubs)
        except UnreachableError as error:
            problems.append(_unreachable(one, error))
            continue
        except RequestError as error:
            problems += error.problems
            continue
        if one.folder in found:  # two datasets of the same files
            offer = replace(offer, missing=0)
        found[one.folder] = offer
        results.append(offer)
    if problems:
        raise RequestError(problems)
    places = Places()
    short = [one for one in results if not places.take(one.wanted.folder, one.missing or 0)]
    if short:
        raise RequestError([_no_room(one) for one in short])
    return results


def fetch(offer: Offer, show: Show) -> Path:
    """Download a dataset's files, check and unpack them, and record where they came from.

    What another process downloads at the same time is waited for.

    Raises:
        RequestError: A transfer broke off, or brought something else than was published.
    """
    folder = offer.wanted.folder
    with lock(folder.with_name(f".{folder.name}.lock"), wait_seconds=float("inf")):
        if recorded(offer.wanted) is None:
            origins = [_bring(file, there, path, show) for file, there, path in offer.files]
            record = _record(offer, origins)
            archives = [path for _, _, path in offer.files if path.suffix == ".zip"]
            for archive in archives:
                with unpacking(archive, folder, show(f"unpacking {archive.name}")) as content:
                    write_json(content / RECORD, record)
                archive.unlink()
            if not archives:
                write_json(folder / RECORD, record)
    return folder


def recorded(wanted: Wanted) -> dict[str, Any] | None:
    """What `SOURCE.json` says of a dataset whose files are all here; None where they are not."""
    try:
        record = json.loads((wanted.folder / RECORD).read_text(encoding="utf-8"))
        sizes = {str(file["filename"]): int(file["size"]) for file in record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all(map(is_inside, sizes)):
        return None
    for name, size in sizes.items():
        path = wanted.folder / name
        if not name.endswith(".zip") and not (path.is_file() and path.stat().st_size == size):
            return None
    return dict(record)


class _Hubs:
    """What hubs list, asked once each; a server that does not answer is not asked again."""

    def __init__(self, latest: bool) -> None:
        self.latest = latest
        self._listed: dict[str, tuple[Published, ...]] = {}
        self._down: dict[str, UnreachableError] = {}

    def files(self, source: SuiteSource) -> tuple[Published, ...]:
        """The files of a repository, at the pinned revision or the newest."""
        server = servers.endpoint(source.repository)
        if server in self._down:
            raise self._down[server]
        if source.repository not in self._listed:
            revision = None if self.latest else source.revision
            try:
                found = servers.published_files(source.repository, "dataset", revision)
            except UnreachableError as error:
                self._down[server] = error
                raise
            self._listed[source.repository] = found
        return self._listed[source.repository]


def _offer(wanted: Wanted, hubs: _Hubs) -> Offer:
    record = recorded(wanted)
    if record is not None:
        return Offer(wanted, revision=record.get("revision"))
    source = wanted.source
    packed = any(file.name.endswith(".zip") for file in source.files)
    if packed and wanted.folder.exists():
        note = f"{wanted.folder} is there, but no {RECORD} says where it came from: not checked"
        return Offer(wanted, note=note)
    carried = _carried(wanted)
    there = carried or {file.filename: file for file in hubs.files(source)}
    files, problems, missing = [], [], 0
    for file in source.files:
        if file.name not in there:
            what = f"{source.repository} has no file {file.name!r}."
            problems.append(Problem(wanted.name, what, nearest(file.name, there)))
            continue
        offered = there[file.name]
        sha256 = None if hubs.latest and not carried else file.sha256
        declared = HubFile(
            source.repository, file.name, offered.commit, sha256, "dataset", file.size
        )
        problems += _other_digest(wanted, declared, offered)
        path = _path(wanted, file.name)
        files.append((declared, offered, path))
        missing += max((offered.source.size or 0) - _length(declared, offered, path), 0)
    if problems:
        raise RequestError(problems)
    unknown = any(offered.source.size is None for _, offered, _ in files)
    commit = files[0][1].commit
    return Offer(wanted, tuple(files), None if unknown else missing, commit)


def _carried(wanted: Wanted) -> dict[str, Published]:
    """The files, if all were carried here by hand and the suite says what they must hash to."""
    found = {}
    for file in wanted.source.files:
        path = _path(wanted, file.name)
        if file.sha256 is None or not path.is_file():
            return {}
        source = wanted.source
        url = servers.address(source.repository, "dataset", source.revision, file.name)
        digests = (transfer.Digest("sha256", file.sha256),)
        here = transfer.RemoteFile(url, path.stat().st_size, digests)
        found[file.name] = Published(file.name, here, source.revision)
    return found


def _other_digest(wanted: Wanted, file: HubFile, offered: Published) -> list[Problem]:
    return [
        Problem(
            wanted.name,
            f"the suite declares {file.filename} with sha256 {file.sha256}, but "
            f"{file.repository} publishes one with {digest}.",
            "It has been published anew: --latest takes it, and records that.",
        )
        for digest in offered.source.digests
        if file.sha256 and digest.algorithm == "sha256" and digest.value != file.sha256
    ]


def _path(wanted: Wanted, filename: str) -> Path:
    """Beside its folder for an archive, which is unpacked into it; else inside."""
    name = inside(filename, wanted.name).name
    return (wanted.folder.parent if name.endswith(".zip") else wanted.folder) / name


def _bring(file: HubFile, offered: Published, path: Path, show: Show) -> Origin:
    """Download a file, unless it is here: carried by hand, or left by an earlier call."""
    declared = (transfer.Digest("sha256", file.sha256),) if file.sha256 else ()
    expected = (*declared, *offered.source.digests)
    if path.is_file() and path.stat().st_size == offered.source.size and expected:
        aside = path.with_name(f"{path.name}.rejected")
        sha256 = transfer.verify(path, expected, str(file), aside)
        return Origin(
            file.repository, path.name, offered.commit, offered.source.url, sha256,
            path.stat().st_size, ("announced",),
        )  # fmt: skip
    if path.exists():
        what = f"is another file than the published one ({offered.source.size} bytes)."
        raise RequestError(Problem(str(path), what, "Move it away and call again."))
    origin = obtain(file, path, published=offered, progress=show(path.name))
    return Origin(**{**asdict(origin), "filename": path.name})


def _length(file: HubFile, offered: Published, path: Path) -> int:
    """Bytes that are here already, whole or in part."""
    for found in (path, transfer.part_of(source_of(file, offered), path)):
        if found.is_file():
            return found.stat().st_size
    return 0


def _record(offer: Offer, origins: list[Origin]) -> dict[str, Any]:
    dataset = offer.wanted.dataset
    return {
        "suite": offer.wanted.suite,
        "dataset": offer.wanted.name,
        "repository": origins[0].repository,
        "revision": origins[0].revision,
        "licence": dataset.licence,
        "licence_note": dataset.licence_note,
        "fetched": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "files": [asdict(origin) for origin in origins],
    }


def _unreachable(wanted: Wanted, error: UnreachableError) -> Problem:
    source = wanted.source
    server = servers.endpoint(source.repository)
    lines = []
    for file in source.files:
        url = servers.address(source.repository, "dataset", source.revision, file.name)
        path = _path(wanted, file.name)
        unpacked = f" and unpack it there as {wanted.folder.name}" if path.suffix == ".zip" else ""
        lines.append(f"download {url} and put it at {path}{unpacked}")
    what = f"{server} cannot be reached ({error})."
    return Problem(wanted.name, what, f"Where there is a network, {'; '.join(lines)}.")


def _no_room(offer: Offer) -> Problem:
    needed = readable(offer.missing or 0)
    what = f"needs {needed} more than is free below {offer.wanted.folder.parent}."
    return Problem(offer.wanted.name, what, "Free some space, or choose another place with --to.")
