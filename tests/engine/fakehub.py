"""A hub on a loopback port that speaks as much of Hugging Face's protocol as a download needs, and misbehaves as told.

Metadata comes from `/api/models/…`, a file's address redirects to the content network: the same server under its other name. Each
request for content takes the next of `faults`, if there is one. What was asked and how many bytes of content were sent is recorded.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

COMMIT = "c" * 40
REPOSITORY = "owner/model-GGUF"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request for content; `cut` and `hold` are after how many bytes."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    hold: int | None = None
    end: int | None = None
    ignore_range: bool = False
    corrupt: bool = False
    wrong_range: bool = False


@dataclass
class FakeHub:
    """`files` by path. Small ones are large files to this hub, too, except those in `plain`, which have a git blob id only."""

    files: dict[str, bytes]
    plain: frozenset[str] = frozenset()
    token: str | None = None
    gated: bool = False
    metadata: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    answer: object = None
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    sent: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    endpoint: str = ""
    content: str = ""

    def info(self) -> object:
        if self.answer is not None:
            return self.answer
        return {"id": REPOSITORY, "sha": COMMIT, "siblings": [self._sibling(path) for path in self.files]}

    def _sibling(self, path: str) -> dict[str, object]:
        data = self.files[path]
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        entry: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": blob}
        if path not in self.plain:
            entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return entry

    def paths(self, prefix: str) -> list[str]:
        return [path for path, _ in self.requests if path.startswith(prefix)]


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub, answering on `endpoint` until the block ends."""

    class Handler(_Handler):
        fake = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint, hub.content = f"http://127.0.0.1:{server.server_port}", f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.fake.requests.append((url.path, {name.lower(): value for name, value in self.headers.items()}))
        if url.path.startswith("/api/models/"):
            self._metadata(url.path, parse_qs(url.query))
        elif url.path.startswith("/content/"):
            self._content(unquote(url.path.removeprefix("/content/")))
        elif match := re.fullmatch(rf"/{REPOSITORY}/resolve/{COMMIT}/(.+)", url.path):
            self._redirect(unquote(match[1]))
        else:
            self._refuse(404)

    def _metadata(self, path: str, query: Mapping[str, list[str]]) -> None:
        fault = self.fake.metadata.pop(0) if self.fake.metadata else Fault()
        authorised = self.fake.token is None or self.headers.get("Authorization") == f"Bearer {self.fake.token}"
        if fault.status is not None:
            self._refuse(fault.status, fault.headers)
        elif self.fake.gated and not authorised:
            self._refuse(403, {"X-Error-Code": "GatedRepo"})
        elif not authorised or not path.startswith(f"/api/models/{REPOSITORY}"):
            self._refuse(401, {"X-Error-Code": "RepoNotFound"})
        elif "/revision/" in path and path.rsplit("/", 1)[1] not in ("main", COMMIT):
            self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            assert query["blobs"] == ["true"]
            self._send(200, json.dumps(self.fake.info()).encode(), {"Content-Type": "application/json"})

    def _redirect(self, path: str) -> None:
        digest = hashlib.sha256(self.fake.files[path]).hexdigest()
        facts = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(self.fake.files[path]))}
        self._send(302, b"", {"Location": f"{self.fake.content}/content/{quote(path)}", **facts})

    def _content(self, path: str) -> None:
        fault = self.fake.faults.pop(0) if self.fake.faults else Fault()
        if fault.status is not None:
            return self._refuse(fault.status, fault.headers)
        data = self.fake.files[path]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert asked is not None
        start, end = (0, len(data)) if fault.ignore_range else (int(asked[1]), int(asked[2]) + 1)
        body = data[start:end] if not fault.corrupt else bytes(byte ^ 1 for byte in data[start:end])
        self.send_response(200 if fault.ignore_range else 206)
        said = start + 1 if fault.wrong_range else start
        self.send_header("Content-Range", f"bytes {said}-{end - 1}/{len(data)}")
        if fault.end is not None:
            body = body[: fault.end]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return self._body(body, fault)

    def _body(self, body: bytes, fault: Fault) -> None:
        stop = fault.cut if fault.cut is not None else fault.hold if fault.hold is not None else len(body)
        # Counted first: the client may be done, and the test looking, before this thread goes on.
        self.fake.sent += len(body[:stop])
        self.wfile.write(body[:stop])
        self.wfile.flush()
        if fault.hold is not None:
            self.fake.held.set()
            self.fake.release.wait(60)
        self.close_connection = stop < len(body)

    def _refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, b"no", headers or {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
