"""A stand-in for the hubs on 127.0.0.1: what of their protocols our client relies on.

Hugging Face: HEAD and GET of ``/OWNER/NAME/resolve/REVISION/FILE`` (large files redirect to a
storage path), ``/api/KINDs/OWNER/NAME/revision/REVISION``; Zenodo: ``/api/records/N`` and
``/records/N/files/NAME``. It counts what it serves, and can cut connections and change bytes.
Repositories can be made and written to, with all files in git and none in large-file storage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class StandIn:
    """The server's state, which tests set and read.

    Attributes:
        files: (kind, repository) → file → content.
        commit: The one commit of every repository.
        served: Bytes of content sent, over all requests.
        requests: Method and path of each request.
        cuts: After how many bytes the next connections break; whole answers once it is empty.
        changed: Content that is sent instead of the published one, by its sha256.
        refusals: Status codes that the next requests for content are answered with.
        small: Files that are not kept in large-file storage.
        gated: Repositories whose terms must be accepted before a file is given, not its name.
        renamed: Repository → its present name.
        ranges: Whether ranges are honoured.
        listings: Repository → what is answered in place of the list of its files.
        valid: The tokens that are accepted; None accepts any.
        made: Repositories that were made here, and whether they are private.
        elsewhere: Another server to which everything is redirected.
        tokens: Path and ``Authorization`` of each request.
        address: Where it listens.
        storage: Where it says that large files are stored; `address` while empty.
    """

    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    commit: str = COMMIT
    served: int = 0
    requests: list[str] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    changed: dict[str, bytes] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    small: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    ranges: bool = True
    renamed: dict[str, str] = field(default_factory=dict)
    listings: dict[str, bytes] = field(default_factory=dict)
    tokens: list[tuple[str, str | None]] = field(default_factory=list)
    valid: tuple[str, ...] | None = None
    storage: str = ""
    made: dict[str, bool] = field(default_factory=dict)
    elsewhere: str = ""
    address: str = ""

    def add(self, repository: str, files: dict[str, bytes], kind: str = "model") -> None:
        self.files.setdefault((kind, repository), {}).update(files)

    def count(self, method: str) -> int:
        return sum(request.startswith(method) for request in self.requests)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: StandIn

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.requests.append(f"{self.command} {path}")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.hub.valid is not None and token not in self.hub.valid:
            self.reply(401, b'{"error": "who are you?"}')
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.hub.made[name] = asked.get("visibility", "") == "private" or bool(
                asked.get("private")
            )
            self.hub.files.setdefault(("model", name), {})
            self.reply(200, json.dumps({"url": f"{self.hub.address}/{name}"}).encode())
        elif path == "/api/validate-yaml":
            self.reply(200, b'{"errors": [], "warnings": []}')
        elif path.endswith("/preupload/main"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.reply(200, json.dumps({"files": files}).encode())
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.hub.add(found[1], {line["value"]["path"]: content})
            told = {"commitOid": self.hub.commit, "commitUrl": f"{self.hub.address}/{found[1]}"}
            self.reply(200, json.dumps({"success": True, **told}).encode())
        else:
            self.reply(404)

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        self.hub.tokens.append((path, self.headers.get("Authorization")))
        if self.hub.elsewhere:
            self.reply(308, Location=self.hub.elsewhere + self.path)
            return
        routes = (
            (r"/api/records/(\d+)", self.record),
            (r"/records/(\d+)/files/(.+)", self.record_file),
            (r"/api/(model|dataset)s/(.+)/revision/(.+)", self.listing),
            (r"/storage/([0-9a-f]{64})", self.stored),
            (r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.resolve),
        )
        for pattern, route in routes:
            found = re.fullmatch(pattern, path)
            if found:
                route(*found.groups())
                return
        self.reply(404)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command in ("GET", "POST"):
            self.wfile.write(body)

    def repository(self, kind: str, name: str, revision: str) -> dict[str, bytes] | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and self.hub.valid is not None and token not in self.hub.valid:
            self.reply(401, X_Error_Message="Invalid credentials in Authorization header")
        elif name in self.hub.gated and not self.path.startswith("/api/"):
            self.reply(401, X_Error_Code="GatedRepo")
        elif (kind, name) not in self.hub.files:
            self.reply(404, X_Error_Code="RepoNotFound")
        elif revision not in ("main", self.hub.commit):
            self.reply(404, X_Error_Code="RevisionNotFound")
        else:
            return self.hub.files[kind, name]
        return None

    def listing(self, kind: str, name: str, revision: str) -> None:
        files = self.repository(kind, name, revision)
        if files is None:
            return
        entries: list[dict[str, Any]] = []
        for file, content in files.items():
            entry = {"rfilename": file, "size": len(content), "blobId": git_sha1(content)}
            if file not in self.hub.small:
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        answer = {"id": name, "sha": self.hub.commit, "siblings": entries}
        listing = json.dumps(answer).encode()
        self.reply(200, self.hub.listings.get(name, listing))

    def resolve(self, prefix: str | None, name: str, revision: str, file: str) -> None:
        if name in self.hub.renamed:
            self.reply(307, Location=f"/{self.hub.renamed[name]}/resolve/{revision}/{file}")
            return
        files = self.repository("dataset" if prefix else "model", name, revision)
        if files is None:
            return
        if file not in files:
            self.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=self.hub.commit)
            return
        content = files[file]
        if file in self.hub.small:
            self.send_content(content, X_Repo_Commit=self.hub.commit, ETag=f'"{git_sha1(content)}"')
            return
        self.reply(
            302,
            Location=f"{self.hub.storage or self.hub.address}/storage/{sha256(content)}",
            X_Repo_Commit=self.hub.commit,
            X_Linked_Size=str(len(content)),
            X_Linked_Etag=f'"{sha256(content)}"',
        )

    def stored(self, digest: str) -> None:
        everything = (file for files in self.hub.files.values() for file in files.values())
        content = next(file for file in everything if sha256(file) == digest)
        self.send_content(self.hub.changed.get(digest, content))

    def record(self, number: str) -> None:
        files = self.hub.files.get(("record", number))
        if files is None:
            self.reply(404)
            return
        listed = [
            {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            }
            for name, content in files.items()
        ]
        self.reply(200, json.dumps({"files": listed}).encode())

    def record_file(self, number: str, file: str) -> None:
        content = self.hub.files["record", number][file]
        self.send_content(self.hub.changed.get(sha256(content), content))

    def send_content(self, content: bytes, **headers: str) -> None:
        if self.command == "GET" and self.hub.refusals:
            self.reply(self.hub.refusals.pop(0))
            return
        start, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.hub.ranges:
            start, status = int(asked.group(1)), 206
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        if self.command == "HEAD" or not self.hub.cuts:
            self.hub.served += len(rest) if self.command == "GET" else 0
            self.reply(status, rest, Content_Length=str(len(rest)), **headers)
            return
        cut = self.hub.cuts.pop(0)
        self.hub.served += len(rest[:cut])
        self.reply(status, rest[:cut], Content_Length=str(len(rest)), **headers)
        self.wfile.flush()
        self.close_connection = True


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Serve until the block ends."""
    hub = StandIn()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def reached(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in that the product asks in place of the hubs, and caches below a folder."""
    patch.setattr("iterate_core.hub.transfer.WAIT", 0.0)
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hf"))
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    patch.setenv("ITERATE_CACHE", str(folder / "cache"))
    with standing_in() as server:
        patch.setenv("HF_ENDPOINT", server.address)
        patch.setenv("ITERATE_ZENODO_ENDPOINT", server.address)
        yield server
