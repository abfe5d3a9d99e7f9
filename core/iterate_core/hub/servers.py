"""What a hub publishes of a repository: the Hugging Face hub, and records on Zenodo.

Both speak HTTP. Of the Hugging Face hub, the answers to ``HEAD …/resolve/REVISION/FILE`` name the
commit, the size and the digest of a file, and ``GET /api/…/revision/REVISION`` lists all files.

The hub's own client (huggingface_hub) is not asked. It stops at a redirect to a host other than
the hub's and follows one within a host, so that of a file behind a mirror, or on a server that
stores large files itself, it tells neither commit nor digest. Its list of files is open where a
repository's terms are not accepted, and only the answer for a file says so. What it raises where
a server cannot be reached is its HTTP library's, another one in each major version.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, urljoin, urlsplit

import requests

from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.hub.transfer import TIMEOUT, Digest, RemoteFile, reason

ZENODO = "https://zenodo.org"
ZENODO_VARIABLE = "ITERATE_ZENODO_ENDPOINT"
_REDIRECTS = 10
_BAD_LOGIN = "Invalid credentials in Authorization header"


class UnreachableError(Exception):
    """The server does not answer; its message says why."""


@dataclass(frozen=True)
class Published:
    """A file as its server announces it.

    Attributes:
        filename: Path within the repository.
        source: Where its bytes are, its size, and the digests that the server announces.
        commit: The commit that was resolved; None where the server has none.
    """

    filename: str
    source: RemoteFile
    commit: str | None


def zenodo_record(repository: str) -> str | None:
    """The number in ``zenodo.org/records/NUMBER``; None for a repository of the other hub."""
    found = re.fullmatch(r"zenodo\.org/records?/(\d+)", repository)
    return found.group(1) if found else None


def endpoint(repository: str) -> str:
    """The address of the server that holds a repository, without a slash at its end."""
    if zenodo_record(repository):
        chosen = os.environ.get(ZENODO_VARIABLE, ZENODO)
    else:
        from huggingface_hub import constants

        chosen = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    return chosen.rstrip("/")


def address(repository: str, kind: str, revision: str | None, filename: str) -> str:
    """Where a file can be downloaded, by a browser too."""
    record = zenodo_record(repository)
    if record:
        return f"{endpoint(repository)}/records/{record}/files/{quote(filename)}?download=1"
    prefix = "datasets/" if kind == "dataset" else ""
    commit = quote(revision or "main", safe="")
    return f"{endpoint(repository)}/{prefix}{repository}/resolve/{commit}/{quote(filename)}"


def published(repository: str, kind: str, revision: str | None, filename: str) -> Published:
    """Ask for one file.

    Raises:
        UnreachableError: The server does not answer.
        RequestError: There is no such repository, revision or file, or no right to read it.
    """
    if zenodo_record(repository):
        listed = {file.filename: file for file in published_files(repository, kind, revision)}
        if filename not in listed:
            _no_file(repository, None, filename, list(listed))
        return listed[filename]
    url = address(repository, kind, revision, filename)
    response = _head(url)
    if response.status_code >= 400:
        _refuse(response, repository, kind, revision, filename)
    found = response.headers
    size = found.get("X-Linked-Size") or (
        None if response.is_redirect else found.get("Content-Length")
    )
    commit = found.get("X-Repo-Commit")
    pinned = address(repository, kind, commit or revision, filename)
    source = RemoteFile(
        pinned,
        int(size) if size and size.isdigit() else None,
        _digests(found.get("X-Linked-Etag") or found.get("ETag")),
        _headers(),
    )
    return Published(filename, source, commit)


def published_files(repository: str, kind: str, revision: str | None) -> tuple[Published, ...]:
    """Ask for all files of a repository.

    Raises:
        UnreachableError: The server does not answer.
        RequestError: There is no such repository or revision, no right to read it, or the answer
            is not that of such a hub.
    """
    record = zenodo_record(repository)
    try:
        if record:
            return _zenodo_files(repository, record)
        return _hub_files(repository, kind, revision)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{endpoint(repository)} gives no list of files that can be read ({error!r})."
        raise RequestError(Problem(repository, what)) from None


def _hub_files(repository: str, kind: str, revision: str | None) -> tuple[Published, ...]:
    place = f"{endpoint(repository)}/api/{kind}s/{repository}"
    url = f"{place}/revision/{quote(revision or 'main', safe='')}"
    response = _request("GET", url, params={"blobs": "true"}, headers=_headers())
    if response.status_code >= 400:
        _refuse(response, repository, kind, revision, None)
    answer: dict[str, Any] = response.json()
    commit = str(answer["sha"])
    files = []
    for entry in answer["siblings"]:
        name = str(entry["rfilename"])
        large = entry.get("lfs") or {}
        digests = _digests(large.get("sha256") or entry.get("blobId"))
        size = large.get("size", entry.get("size"))
        link = address(repository, kind, commit, name)
        source = RemoteFile(link, None if size is None else int(size), digests, _headers())
        files.append(Published(name, source, commit))
    return tuple(files)


def _zenodo_files(repository: str, record: str) -> tuple[Published, ...]:
    response = _request("GET", f"{endpoint(repository)}/api/records/{record}", headers={})
    if response.status_code >= 400:
        what = f"{endpoint(repository)} answers {response.status_code} {response.reason}."
        raise RequestError(Problem(repository, what, "Is the record's number right?"))
    files = []
    for entry in response.json()["files"]:
        algorithm, _, value = str(entry["checksum"]).partition(":")
        digests = (Digest(algorithm, value.lower()),) if algorithm in ("md5", "sha256") else ()
        link = address(repository, "", None, str(entry["key"]))
        files.append(
            Published(str(entry["key"]), RemoteFile(link, int(entry["size"]), digests), None)
        )
    return tuple(files)


def _digests(tag: str | None) -> tuple[Digest, ...]:
    """What an entity tag of the hub says: sha256 of large files, git's own sha1 of small ones."""
    value = re.sub(r'^W/|"', "", tag or "").lower()
    if re.fullmatch(r"[0-9a-f]{64}", value):
        return (Digest("sha256", value),)
    return (Digest("git-sha1", value),) if re.fullmatch(r"[0-9a-f]{40}", value) else ()


def _headers() -> dict[str, str]:
    """Who asks: the user's hub token, where there is one."""
    from huggingface_hub import get_token

    token = get_token()
    agent = {"User-Agent": "geo-iterate"}
    return {**agent, "Authorization": f"Bearer {token}"} if token else agent


def _head(url: str) -> requests.Response:
    """The hub's own answer: the redirects of hubs are followed, the one to its storage is not."""
    headers, host = {**_headers(), "Accept-Encoding": "identity"}, urlsplit(url).netloc
    for _ in range(_REDIRECTS):
        response = _request("HEAD", url, headers=headers)
        target = response.headers.get("Location", "")
        elsewhere = bool(urlsplit(target).netloc)
        if not response.is_redirect or (elsewhere and "X-Repo-Commit" in response.headers):
            return response
        url = urljoin(url, target)
        if urlsplit(url).netloc != host:  # a mirror sends us on; our token is not for all
            headers.pop("Authorization", None)
    raise UnreachableError("it redirects in a circle")


def _request(method: str, url: str, **options: Any) -> requests.Response:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise UnreachableError("HF_HUB_OFFLINE is set")
    try:
        response = requests.request(
            method, url, timeout=TIMEOUT, allow_redirects=method == "GET", **options
        )
    except requests.RequestException as error:
        raise UnreachableError(reason(error)) from error
    if response.status_code >= 500:
        raise UnreachableError(f"it answers {response.status_code} {response.reason}")
    return response


def _refuse(
    response: requests.Response, repository: str, kind: str, revision: str | None, file: str | None
) -> NoReturn:
    """Say in words what the hub's error code means."""
    code, status = response.headers.get("X-Error-Code", ""), response.status_code
    shown = f"the {kind} repository {repository}"
    if code == "GatedRepo":
        what = f"{shown} asks for its terms to be accepted first."
        hint = f"Accept them at {endpoint(repository)}/{repository} and log in: hf auth login."
        raise RequestError(Problem(repository, what, hint))
    if response.headers.get("X-Error-Message") == _BAD_LOGIN:
        what = f"{endpoint(repository)} does not accept your token."
        hint = "Log in again: hf auth login. HF_TOKEN, where it is set, is taken first."
        raise RequestError(Problem(repository, what, hint))
    if code == "RevisionNotFound":
        raise RequestError(Problem(repository, f"has no revision {revision or 'main'!r}."))
    if code == "EntryNotFound" and file is not None:
        names = [entry.filename for entry in published_files(repository, kind, revision)]
        _no_file(repository, revision, file, names)
    if code == "RepoNotFound" or status in (401, 404):
        what = f"there is no {kind} repository of this name at {endpoint(repository)}, or it is"
        hint = "For a private one, log in: hf auth login."
        raise RequestError(Problem(repository, f"{what} private.", hint))
    what = f"{endpoint(repository)} answers {status} {response.reason} for {shown}."
    raise RequestError(Problem(repository, what))


def _no_file(repository: str, revision: str | None, file: str, names: list[str]) -> NoReturn:
    at = f" at revision {revision}" if revision else ""
    raise RequestError(Problem(repository, f"has no file {file!r}{at}.", nearest(file, names)))
