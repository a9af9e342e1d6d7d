"""A stand-in for the engine's command: `python fakeengine.py MODE --model FILE --socket PATH --idle-timeout S`.

Says `starts` lines into a file beside the model: one a start, with its process id and environment. MODE is what goes wrong.
"""

import argparse
import json
import os
import resource
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.model.faultserver import HELLO, chunk

HEALTHY = {"status": "ok", "model": "m", "experts": {"hit_rate": 0.5, "cache_bytes": 4 << 30, "planned_bytes": 8 << 30, "read_bytes": 1}}


class Handler(BaseHTTPRequestHandler):
    mode = ""
    starts = 0
    health_asked = 0

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        if self.mode == "silent":
            threading.Event().wait()
        Handler.health_asked += 1
        loading = self.mode == "slow" and Handler.health_asked < 4
        far = {"status": "loading", "done": 10 * Handler.health_asked, "total": 100} if loading else HEALTHY
        answer = far if self.path == "/health" else {"data": [{"id": "m", "context": 777}]}
        self.reply(json.dumps(answer).encode(), "application/json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        dies = self.mode == "die-always" or (self.mode == "die-once" and self.starts == 1)
        if dies or self.mode == "stall":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(chunk({"content": "Hel"}))
            self.wfile.flush()
        if dies:
            sys.stderr.write("GGML_ASSERT failed: the tensor is on fire\n")
            os.abort()
        if self.mode == "stall":
            Handler.mode = "silent"
            threading.Event().wait()
        self.reply(HELLO, "text/event-stream")

    def reply(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--idle-timeout", type=float, required=True)
    options = parser.parse_args()
    record = options.model.with_suffix(".starts")
    with record.open("a") as file:
        file.write(json.dumps({"pid": os.getpid(), "environ": sorted(os.environ), "cwd": os.getcwd()}) + "\n")
    Handler.starts = len(record.read_text().splitlines())
    Handler.mode = options.mode
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    match options.mode:
        case "bad-file":
            sys.stderr.write("m.gguf is cut off after 12 bytes\n  Copy it again.\n")
            sys.exit(2)
        case "crash":
            sys.stderr.write("loading\nout of memory: 600 GB needed\n")
            sys.exit(1)
        case "abort":
            os.abort()
        case "deaf":
            threading.Event().wait()
    with socketserver.ThreadingUnixStreamServer(options.socket, Handler) as server:
        server.daemon_threads = True
        server.serve_forever(poll_interval=0.01)


if __name__ == "__main__":
    main()
