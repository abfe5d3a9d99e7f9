"""Bytes of a URL brought to a file: taken up again where they stopped, checked, whole or absent.

The hub's own client keeps no partial file between two processes (huggingface_hub 1.0 and newer),
which costs an hour where a dataset of many gigabytes is cut off; hence this.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from iterate_core.errors import Problem, RequestError
from iterate_core.faults import readable

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes that there will be; None if not known."""

TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes of an open one."""

ATTEMPTS = 5
"""Connections in a row that bring nothing before a transfer gives up."""

WAIT = 0.4
"""Seconds before the second connection; four times as long before each further one."""

_CHUNK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Answers of a server that may be otherwise in a moment."""


@dataclass(frozen=True)
class Digest:
    """A digest that a file must have, or its first digits.

    Attributes:
        algorithm: ``sha256``, ``md5``, or ``git-sha1`` (of a file as git stores it).
        value: Lower-case hexadecimal digits.
    """

    algorithm: str
    value: str

    def __str__(self) -> str:
        whole = len(self.value) >= 32
        return f"{self.algorithm} {self.value}" + ("" if whole else "…")


@dataclass(frozen=True)
class RemoteFile:
    """Where bytes come from, and what is known of them.

    Attributes:
        url: Their address.
        size: How many there are; None where not known.
        digests: What they must hash to.
        headers: To be sent with each request.
    """

    url: str
    size: int | None = None
    digests: tuple[Digest, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def bring(source: RemoteFile, path: Path, where: str, progress: OnProgress | None = None) -> str:
    """Bring a source's bytes to `path`; the caller holds a lock on it.

    What was brought earlier, by this process or another, is not brought again.

    Args:
        source: See `RemoteFile`.
        path: Appears only when it is whole and right.
        where: How messages call the file.
        progress: See `OnProgress`.

    Returns:
        The sha256 of the file.

    Raises:
        RequestError: The disk is too small, the server refuses, the connection broke (what has
            arrived stays for the next call), or the bytes are not those that were published (they
            are kept under another name).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(source, path)
    _check_space(source, part, where)
    _collect(source, part, where, progress)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    sha256 = verify(part, source.digests, where, rejected=path.with_name(f"{path.name}.rejected"))
    part.replace(path)
    return sha256


def part_of(source: RemoteFile, path: Path) -> Path:
    """Where the bytes gather until they are whole; another content gathers elsewhere."""
    known = [f"{digest.algorithm}:{digest.value}" for digest in source.digests]
    identity = "\n".join([*sorted(known), str(source.size)] if known else [source.url])
    return path.with_name(f".{path.name}.{hashlib.sha256(identity.encode()).hexdigest()[:12]}.part")


def digest_of(path: Path, algorithm: str) -> str:
    """A file's digest, in hexadecimal digits; see `Digest` for the algorithms."""
    with path.open("rb") as file:
        if algorithm != "git-sha1":
            return hashlib.file_digest(file, algorithm).hexdigest()
        found = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        while chunk := file.read(1 << 20):
            found.update(chunk)
        return found.hexdigest()


def verify(path: Path, digests: tuple[Digest, ...], where: str, rejected: Path | None) -> str:
    """The sha256 of a file that has all the digests it must have.

    Raises:
        RequestError: It has not; it is renamed to `rejected` (None: left where it is).
    """
    sha256 = digest_of(path, "sha256")
    for digest in digests:
        actual = sha256 if digest.algorithm == "sha256" else digest_of(path, digest.algorithm)
        if not actual.startswith(digest.value):
            what = f"must have {digest}, but has {digest.algorithm} {actual}."
            if rejected is None:
                hint = f"{path} is another file, or damaged; it was left as it is."
            else:
                path.replace(rejected)
                hint = (
                    f"The file is not used; it is kept as {rejected}, to be looked at or deleted."
                )
            raise RequestError(Problem(where, what, hint))
    return sha256


def _check_space(source: RemoteFile, part: Path, where: str) -> None:
    if source.size is None:
        return
    needed = source.size - _length(part)
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        what = f"needs {readable(needed)} more, but {part.parent} has {readable(free)} free."
        raise RequestError(Problem(where, what, "Free some space, or choose another folder."))


def _collect(source: RemoteFile, part: Path, where: str, progress: OnProgress | None) -> None:
    """Append to `part` until it is complete, over as many connections as that takes."""
    failures = 0
    part.touch()
    while True:
        before = _length(part)
        if source.size is not None and before == source.size:
            return
        try:
            _receive(source, part, where, progress)
        except requests.RequestException as error:
            failures = 1 if _length(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise _interrupted(source, part, where, reason(error)) from error
            time.sleep(min(WAIT * 4 ** (failures - 1), 10.0))
        else:
            return


def _receive(source: RemoteFile, part: Path, where: str, progress: OnProgress | None) -> None:
    """One connection's bytes.

    Raises:
        requests.RequestException: It broke, or the server asks to come again.
        RequestError: The server refuses for good.
    """
    have = _length(part)
    if source.size is not None and have > source.size:
        have = 0
    headers = {**source.headers, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(source.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416 and source.size is None:
            if _total(response) == have:
                return
            part.write_bytes(b"")
            raise requests.ConnectionError("the server has another length now")
        _check_status(response, where)
        have = have if response.status_code == 206 and _starts_at(response, have) else 0
        total = source.size if source.size is not None else _total(response)
        with part.open("r+b") as file:
            file.truncate(have)
            file.seek(have)
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    if total is not None and have != total:
        raise requests.ConnectionError(f"the server sent {have} of {total} bytes")


def _check_status(response: requests.Response, where: str) -> None:
    if response.status_code in _PASSING:
        raise requests.ConnectionError(f"the server answers {response.status_code}")
    if response.status_code not in (200, 206):
        what = f"the server answers {response.status_code} {response.reason} to {response.url}."
        raise RequestError(Problem(where, what))


def _starts_at(response: requests.Response, position: int) -> bool:
    given = response.headers.get("Content-Range", "")
    return given.startswith(f"bytes {position}-")


def _total(response: requests.Response) -> int | None:
    """The whole file's length, from the answer to a whole or partial request."""
    ranged = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    if ranged:
        return int(ranged.group(1))
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status_code == 200 and length.isdigit() else None


def _interrupted(source: RemoteFile, part: Path, where: str, why: str) -> RequestError:
    there = readable(_length(part))
    of = f" of {readable(source.size)}" if source.size is not None else ""
    what = f"the transfer from {source.url} was interrupted ({why}); {there}{of} have arrived."
    return RequestError(Problem(where, what, "Run the command again: it goes on from there."))


def reason(error: requests.RequestException) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses"
    text = str(error)
    for sign, words in (
        ("Name or service not known", "its name does not resolve"),
        ("NameResolutionError", "its name does not resolve"),
        ("Connection refused", "connection refused"),
        ("IncompleteRead", "the connection was cut"),
        ("Connection broken", "the connection was cut"),
        ("RemoteDisconnected", "the connection was cut"),
        ("Connection reset", "the connection was cut"),
    ):
        if sign in text:
            return words
    return text.splitlines()[0][:120] if text else type(error).__name__


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
