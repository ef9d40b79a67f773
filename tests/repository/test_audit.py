"""The check for known vulnerabilities, with a database of our own: the program that asks it is the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from ..conftest import HOUSE, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Database(BaseHTTPRequestHandler):
    """Knows of one package that version 1.0 is bad."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        events = [{"introduced": "0"}, {"fixed": "1.1"}]
        package = {"name": "badpackage", "ecosystem": "PyPI"}
        bad = {
            "id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z", "details": "It is bad.",
            "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
        }  # fmt: skip
        answer = json.dumps({"vulns": [bad]} if asked["package"]["name"] == "badpackage" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def database() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Database)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def audit(url: str, pins: Path) -> tuple[int, str]:
    command = [sys.executable, str(HOUSE / "scripts" / "audit.py"), str(pins)]
    asking = ["--vulnerability-service", "osv", "--osv-url", url]
    done = subprocess.run([*command, *asking], capture_output=True, text=True, check=False, env={"NO_PROXY": "*"})
    return done.returncode, done.stdout + done.stderr


def test_a_known_vulnerability_fails_the_check_and_is_named(tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    with database() as url:
        pins.write_text("goodpackage==1.0\nbadpackage==1.0\n")
        status, said = audit(url, pins)
        assert status == 1, said
        assert "badpackage 1.0 has PYSEC-1; mended in 1.1" in said
        pins.write_text("goodpackage==1.0\n")
        assert audit(url, pins) == (
            0,
            "audit: 1 pinned versions, 0 with known vulnerabilities, 0 that are unknown there\n",
        )


def test_without_internet_it_says_that_it_could_not_run(tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("goodpackage==1.0\n")
    status, said = audit(f"http://127.0.0.1:{free_port()}", pins)
    assert status == 0
    assert said.startswith("audit: could not run, the database of vulnerabilities was not reached (")
    assert said.count("\n") == 1
