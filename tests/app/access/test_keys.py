"""A run's key says which run it is, not that one may go on with it: recordings hold it, and others may know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...conftest import serving
from ...frames import Trainer
from .test_roles import reason_of_end

if TYPE_CHECKING:
    from pathlib import Path

KEY = "what is in every recording"


def test_a_runs_key_is_no_token(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--require-token") as server:
        made = [server.post("/api/tokens", {"name": name}).json() for name in ("mine", "theirs")]
        (mine, kept), (theirs, _) = ((one["token"], one["id"]) for one in made)
        trainer = Trainer(server, KEY, mine)
        run = trainer.hear()["run"]
        trainer.send(0, 1)
        trainer.acknowledged(1)
        refused = "unknown run: its token is not one of this server's"
        assert reason_of_end(Trainer(server, KEY, KEY).socket) == refused
        assert reason_of_end(Trainer(server, "the key of another run", KEY).socket) == refused
        assert reason_of_end(Trainer(server, KEY, theirs).socket) == "this run is not one of this sender's"
        trainer.send(2)
        trainer.acknowledged(2)  # nobody has taken its place
        assert server.http.delete(f"{server.url}/api/tokens/{kept}").status_code == 200
        assert reason_of_end(trainer.socket) == "this token has been revoked"
        assert reason_of_end(Trainer(server, KEY, KEY).socket) == refused
        assert server.run(run)["last_step"] == 2
