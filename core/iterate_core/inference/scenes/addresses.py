"""Paths and URLs of files: how GDAL opens them, how messages show them, what they are called."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from iterate_core.secrets import without_passwords

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt", ".img")
"""Of the rasters that are looked for in folders; a file that is named may be any."""

_PREFIXES = {
    "http": "/vsicurl/",
    "https": "/vsicurl/",
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "az": "/vsiaz/",
}


def scheme_of(path: str) -> str | None:
    """``https`` or the like; None of a path on this machine."""
    found = re.match(r"([a-z][a-z0-9]+)://", path)
    return found[1] if found else None


def for_gdal(path: str) -> str:
    """The name under which GDAL opens a path or URL."""
    scheme = scheme_of(path)
    prefix = _PREFIXES.get(scheme or "")
    if prefix is None:
        return path
    return prefix + (path if scheme in ("http", "https") else path.split("://", 1)[1])


def shown(path: str) -> str:
    """A path or URL for people: without passwords, and without a query, which may hold a key."""
    if scheme_of(path) is None:
        return path
    plain: str = without_passwords(path)
    return re.split(r"[?#]", plain, maxsplit=1)[0]


def stem(path: str) -> str:
    """What a file is called, without its suffix."""
    return PurePosixPath(_inner(path)).stem


def parent(path: str) -> str:
    """The name of the folder that a file lies in."""
    return PurePosixPath(_inner(path)).parent.name


def is_item(path: str) -> bool:
    """Whether a path or URL is a STAC item's by its name: ``….json``, or ``…/items/NAME``."""
    inner = PurePosixPath(_inner(path))
    listed = scheme_of(path) is not None and inner.parent.name == "items"
    return listed or inner.suffix.lower() in (".json", ".geojson")


def beside(base: str, href: str) -> str:
    """An address that may be relative to the file that names it."""
    if scheme_of(href) is not None or Path(href).is_absolute():
        return href
    if scheme_of(base) in ("http", "https"):
        return urljoin(base, href)
    if scheme_of(base) is not None:
        return f"{base.rsplit('/', 1)[0]}/{href.removeprefix('./')}"
    return str(Path(base).parent / href)


def _inner(path: str) -> str:
    """The path within a URL, or a path with slashes."""
    if scheme_of(path) is None:
        return Path(path).as_posix()
    return unquote(urlsplit(path).path)
