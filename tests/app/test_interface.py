"""The HTTP interface as a stranger's program finds it: schemathesis makes requests from the OpenAPI page, mostly wrong.

No answer may be one of the server's own failure, and none may be other than the page says.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from normscope import wire

from ..conftest import serving
from ..frames import Trainer, frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..conftest import Server

PAGE = "/openapi.json"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
KNOWN = """
[[operations]]
include-path-regex = "^/api/runs/"
parameters = {{ "path.id" = "{run}" }}
[[operations]]
include-path-regex = "^/api/experiments/"
exclude-method = "DELETE"
parameters = {{ "path.id" = "{experiment}" }}
"""
"""What makes it ask for things that there are."""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets a client ask as often as it likes."""
    with serving(tmp_path_factory.mktemp("patient") / "data", "--rates", "0") as one:
        yield one


@pytest.mark.parametrize("known", [False, True], ids=["anything", "what there is"])
def test_no_request_breaks_the_server_or_is_answered_in_a_way_that_is_not_documented(
    patient: Server, tmp_path: Path, known: bool
) -> None:
    trainer = Trainer(patient, key=f"a key of its own: {known}")
    run = trainer.hear()["run"]
    trainer.say(*(wire.encode(frame(seq)) for seq in range(40)))
    trainer.acknowledged(39)
    trainer.close()
    config = tmp_path / "schemathesis.toml"
    config.write_text(KNOWN.format(run=run, experiment=patient.run(run)["experiment"]) if known else "")
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{patient.url}{PAGE}",
            "--phases", "coverage,fuzzing", "--max-examples", "15", "--checks", CHECKS, "--continue-on-failure",
            "--seed", "1", "--generation-database", "none", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "Traceback" not in patient.log
