"""What lies on servers: documents that are fetched whole, and what tells that a file changed."""

from __future__ import annotations

from typing import Any

import requests

from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.addresses import scheme_of, shown
from iterate_core.inference.scenes.opening import open_file, telling

_SECONDS = (20.0, 60.0)  # to connect, and between bytes
_MOST = 32 << 20  # bytes of a document
_PART = 64 << 10  # bytes that are taken at once


def document(url: str) -> bytes:
    """The whole of a small file on a server.

    Raises:
        DataError: It cannot be had, or is not small.
    """
    try:
        with requests.get(url, timeout=_SECONDS, stream=True) as answer:
            _check(answer, url)
            content = bytearray()
            for part in answer.iter_content(_PART):
                content += part
                if len(content) > _MOST:
                    what = f"is more than {_MOST >> 20} MiB, which no item is."
                    raise DataError(Problem(shown(url), what))
            return bytes(content)
    except (requests.RequestException, OSError) as error:
        raise _unreachable(url, error) from None


def version_of(url: str) -> list[Any]:
    """What changes when a file on a server does.

    Raises:
        DataError: It cannot be reached.
    """
    if scheme_of(url) in ("http", "https"):
        return [shown(url), *_headers(url)]
    with telling(url), open_file(url) as file:
        told = {name: str(value) for name, value in file.profile.items()}
        return [shown(url), sorted(told.items()), sorted(file.tags().items())]


def _headers(url: str) -> list[str | None]:
    """Of a request for the first byte, which servers answer that refuse to tell headers alone."""
    try:
        first = {"Range": "bytes=0-0"}
        with requests.get(url, headers=first, timeout=_SECONDS, stream=True) as answer:
            _check(answer, url)
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            marks = [answer.headers.get(name) for name in ("ETag", "Last-Modified")]
            return [*marks, size or answer.headers.get("Content-Length")]
    except (requests.RequestException, OSError) as error:
        raise _unreachable(url, error) from None


def _check(answer: requests.Response, url: str) -> None:
    if not answer.ok:
        what = f"the server answers {answer.status_code} ({answer.reason})."
        raise DataError(Problem(shown(url), what))


def _unreachable(url: str, error: BaseException) -> DataError:
    reason = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
    return DataError(Problem(shown(url), f"cannot be reached ({reason})."))
