"""Published files (weights, datasets) on this machine: fetched once, pinned, checked.

The cache is ``$ITERATE_CACHE/hub``. A file that other tools have put into the Hugging Face cache
is taken from there, and one that was carried here by hand from where `place` says. Imports no
torch; nothing is asked of a network until `fetch` or `obtain` is called.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from iterate_core.errors import Problem, RequestError
from iterate_core.escaping import visible
from iterate_core.storage.cache import cache_folder
from iterate_core.storage.files import Locked, lock, write_json
from iterate_core.storage.names import inside

if TYPE_CHECKING:
    from iterate_core.hub.servers import Published
    from iterate_core.hub.transfer import Digest, OnProgress, RemoteFile

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubFile:
    """A published file.

    Attributes:
        repository: ``owner/name`` on the Hugging Face hub, or ``zenodo.org/records/NUMBER``.
        filename: Path within the repository.
        revision: The commit that is pinned; None where none has been verified.
        sha256: Digest of the whole file; None where none has been verified.
        repo_type: Of the repository, on the Hugging Face hub.
        size: In bytes; None where not known.
    """

    repository: str
    filename: str
    revision: str | None = None
    sha256: str | None = None
    repo_type: Literal["model", "dataset"] = "model"
    size: int | None = None

    @property
    def sha256_prefix(self) -> str | None:
        """The digest's first eight digits, where the file's name carries them; else None."""
        found = re.search(r"-([0-9a-f]{8})\.[a-z]+$", self.filename)
        return found.group(1) if found else None

    def __str__(self) -> str:
        return f"{self.repository}/{self.filename}"


@dataclass(frozen=True)
class Origin:
    """Where a file on this machine came from.

    Attributes:
        repository: See `HubFile`.
        filename: See `HubFile`.
        revision: The commit that was resolved; None where the server has none, or the file was
            not fetched from it by us.
        url: The address it was fetched from; None where it was not fetched by us.
        sha256: Digest of the whole file.
        size: In bytes.
        checked: What the digest was compared with: ``declared``, ``announced`` by the server;
            empty where there was nothing to compare with.
    """

    repository: str
    filename: str
    revision: str | None
    url: str | None
    sha256: str
    size: int
    checked: tuple[str, ...] = ()


def place(file: HubFile) -> Path:
    """Where a file lies in the cache once it is fetched, or where to put a copy of it by hand.

    Raises:
        RequestError: Its name leads out of the cache.
    """
    repository = file.repository.replace("/", "--")
    revision = inside(file.revision or "main", f"the revision of {file}")
    folder = cache_folder() / "hub" / f"{file.repo_type}s--{repository}" / revision
    return folder / inside(file.filename, str(file))


def at_hand(file: HubFile) -> Path | None:
    """The file on this machine, unchecked; None if it would have to be fetched. No network."""
    path = place(file)
    if path.is_file():
        return path
    if file.repository.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        file.repository, file.filename, revision=file.revision, repo_type=file.repo_type
    )
    return Path(found) if isinstance(found, str) else None


def fetch(file: HubFile, *, progress: OnProgress | None = None) -> Path:
    """The file on this machine, checked; downloaded if it is not here yet.

    Several processes may ask for one file; one of them downloads it. A transfer that was cut off
    goes on where it stopped. A file that was checked is not hashed again until it changes.

    Args:
        file: See `HubFile`. Without a revision, the repository's main branch is taken, once.
        progress: See `OnProgress`; None draws a bar where standard error is a terminal.

    Raises:
        RequestError: It is not here and the hub cannot be reached (the message says what to put
            where), there is no such repository, revision or file, the transfer broke off, or the
            bytes are not those that were published.
    """
    path = place(file)
    found = at_hand(file)
    if found is not None and _is_checked(file, found):
        return found
    try:
        with _owned(path):
            found = at_hand(file)
            if found is None:
                _record(path, path, obtain(file, path, progress=progress))
            elif not _is_checked(file, found):
                _record(path, found, _check(file, found))
    except OSError as error:
        if found is None:
            what = f"cannot be written to ({error.strerror or error})."
            hint = "Set ITERATE_CACHE to a folder that can."
            raise RequestError(Problem(str(path.parent), what, hint)) from error
        _check(file, found)  # a cache that only others may write to
    return found or path


def check_reach(file: HubFile) -> None:
    """Ask whether `fetch` would find a file, on this machine or on the hub; nothing is fetched.

    Raises:
        RequestError: It is not here and the hub cannot be reached, or there is no such file.
    """
    if at_hand(file) is None:
        _ask(file, place(file))


def obtain(
    file: HubFile,
    path: Path,
    *,
    published: Published | None = None,
    progress: OnProgress | None = None,
) -> Origin:
    """Download a file to `path`, whether or not one is there; the caller holds a lock on it.

    Args:
        file: See `HubFile`.
        path: Appears only when it is whole and right.
        published: What the server announces of it, if it was asked already.
        progress: See `fetch`.

    Raises:
        RequestError: See `fetch`.
    """
    from iterate_core.hub import transfer

    if published is None:
        published = _ask(file, path)
    source = source_of(file, published)
    declared = _declared(file)
    _agree(file, declared, published.source.digests)
    _log.info("fetching %s to %s", file, path)
    with _shown(file, progress) as show:
        sha256 = transfer.bring(source, path, str(file), show)
    compared = {"declared": declared, "announced": published.source.digests}
    checked = tuple(word for word, digests in compared.items() if digests)
    size = path.stat().st_size
    return Origin(
        file.repository, file.filename, published.commit, source.url, sha256, size, checked
    )


def source_of(file: HubFile, published: Published) -> RemoteFile:
    """Where a file's bytes come from, with all that is declared and announced of them."""
    from iterate_core.hub.transfer import RemoteFile

    found = published.source
    digests = (*_declared(file), *found.digests)
    return RemoteFile(found.url, found.size or file.size, digests, found.headers)


def origin(file: HubFile) -> Origin | None:
    """What was recorded of a fetched file; None if it was not fetched or has changed since."""
    found = at_hand(file)
    return None if found is None else _recorded(place(file), found)


def _ask(file: HubFile, path: Path) -> Published:
    from iterate_core.hub import servers

    try:
        return servers.published(file.repository, file.repo_type, file.revision, file.filename)
    except servers.UnreachableError as error:
        server = servers.endpoint(file.repository)
        url = servers.address(file.repository, file.repo_type, file.revision, file.filename)
        what = f"is not on this machine, and {server} cannot be reached ({error})."
        hint = f"Where there is a network, download {url} and put it at {path}."
        if file.sha256 or file.sha256_prefix:
            hint += f" Its sha256 must be {file.sha256 or f'{file.sha256_prefix}…'}."
        raise RequestError(Problem(str(file), what, hint)) from error


def _declared(file: HubFile) -> tuple[Digest, ...]:
    from iterate_core.hub.transfer import Digest

    digest = file.sha256 or file.sha256_prefix
    return (Digest("sha256", digest.lower()),) if digest else ()


def _agree(file: HubFile, declared: tuple[Digest, ...], announced: tuple[Digest, ...]) -> None:
    """Refuse another file before its bytes are brought, where the server says it is another."""
    for ours in declared:
        for theirs in announced:
            if ours.algorithm == theirs.algorithm and not theirs.value.startswith(ours.value):
                what = f"must have {ours}, but the hub publishes one with {theirs}."
                hint = "Nothing was downloaded."
                raise RequestError(Problem(str(file), what, hint))


def _is_checked(file: HubFile, found: Path) -> bool:
    known = _recorded(place(file), found)
    return known is not None and all(
        known.sha256.startswith(digest.value) for digest in _declared(file)
    )


def _check(file: HubFile, found: Path) -> Origin:
    """Check a file that somebody else put on this machine."""
    from iterate_core.hub import transfer

    declared = _declared(file)
    ours = found == place(file)
    rejected = found.with_name(f"{found.name}.rejected") if ours else None
    sha256 = transfer.verify(found, declared, str(file), rejected)
    checked = ("declared",) if declared else ()
    size = found.stat().st_size
    return Origin(file.repository, file.filename, file.revision, None, sha256, size, checked)


def _record_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.origin.json")


def _record(path: Path, found: Path, origin: Origin) -> None:
    state = {"path": str(found), "mtime_ns": found.stat().st_mtime_ns}
    write_json(_record_path(path), {**asdict(origin), **state})


def _recorded(path: Path, found: Path) -> Origin | None:
    """The record of a file that has not changed since it was written."""
    try:
        record: dict[str, Any] = json.loads(_record_path(path).read_text(encoding="utf-8"))
        now = found.stat()
        same = (str(found), now.st_mtime_ns, now.st_size)
        if (record.pop("path"), record.pop("mtime_ns"), record["size"]) != same:
            return None
        return Origin(**{**record, "checked": tuple(record["checked"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    """Hold a file's lock, however long another process takes to download it."""
    mine = path.with_name(f".{path.name}.lock")
    try:
        with lock(mine):
            yield
            return
    except Locked as other:
        _log.info("waiting for %s, which fetches %s", other, path.name)
    with lock(mine, wait_seconds=float("inf")):
        yield


@contextmanager
def _shown(file: HubFile, progress: OnProgress | None) -> Iterator[OnProgress]:
    """The progress that was asked for, or a bar on a terminal."""
    if progress is not None:
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Bars(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bars:
        bar = bars.add_task(visible(PurePosixPath(file.filename).name), total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
