"""How the server is reached from elsewhere: TLS, proxies, and flags that make no sense."""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from websockets.sync.client import connect

from app.access.reach import add_flags, reach
from app.access.rights import Role
from app.settings import Settings
from normscope import wire
from normscope.command import main as run
from normscope.errors import NormscopeError

from ...conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

TLS: Final = Path(__file__).parent / "tls"
CERT: Final = ssl.create_default_context(cafile=str(TLS / "cert.pem"))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--tls-cert", "a.pem"], "--tls-cert and --tls-key belong together"),
        (["--tls-cert", "/nowhere/a.pem", "--tls-key", "b.pem"], "cannot use the certificate /nowhere/a.pem"),
        (["--tls-cert", __file__, "--tls-key", __file__], "cannot use the certificate"),
        (["--user-header", "X-Remote-User"], "say which proxy sends it with --forwarded-allow-ips"),
        (["--forwarded-allow-ips", "127.0.0.1,proxy"], "'proxy' is neither an address nor a network"),
        (["--root-path", "lab"], "--root-path lab: it begins with a slash"),
    ],
)
def test_flags_that_make_no_sense_are_a_sentence(flags: list[str], sentence: str) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    with pytest.raises(NormscopeError, match=sentence):
        reach(parser.parse_args(flags))


@pytest.mark.parametrize(
    ("given", "asks", "names"),
    [
        ({}, False, {"127.0.0.1", "localhost", "::1"}),
        ({"host": "::1", "hosts": ("lab",)}, False, {"127.0.0.1", "localhost", "::1", "lab"}),
        ({"require_token": True}, True, {"127.0.0.1", "localhost", "::1"}),
        ({"proxies": "127.0.0.1"}, True, {"127.0.0.1", "localhost", "::1"}),
        ({"host": "0.0.0.0"}, True, None),
        ({"host": "10.0.0.7", "hosts": ("lab",)}, True, {"127.0.0.1", "localhost", "::1", "10.0.0.7", "lab"}),
    ],
)
def test_who_is_asked_for_a_token_and_by_which_name(
    given: dict[str, object], asks: bool, names: set[str] | None
) -> None:
    settings = Settings(**given)  # type: ignore[arg-type]
    assert (settings.asks, settings.names) == (asks, names)


def test_every_flag_and_role_is_documented() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_flags(parser)
    text = (Path(__file__).parents[3] / "docs" / "security.md").read_text("utf-8")
    assert [flag for action in parser._actions for flag in action.option_strings if flag not in text] == []
    assert [role for role in Role if f"| {role} |" not in text] == []


def test_the_printed_address_has_the_name_that_a_certificate_is_for() -> None:
    tls = (TLS / "cert.pem", TLS / "key.pem")
    settings = Settings(host="0.0.0.0", hosts=("lab.example",), tls=tls, local_port=4000, root_path="/x")
    assert (settings.page, settings.url) == ("https://lab.example:8000/x", "http://127.0.0.1:4000")
    assert Settings(host="::", port=1).page == "http://[::1]:1"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, httpx.Client]]:
    """A server with TLS, and its owner."""
    flags = ("--require-token", "--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem"))
    server = Server(tmp_path_factory.mktemp("tls") / "data", flags=flags)
    server.address = f"https://localhost:{server.port}"
    server.http = httpx.Client(base_url=server.address, verify=CERT, timeout=30)
    server.start()
    server.come_as_owner()
    yield server, server.http
    server.close()


def test_over_tls_the_cookie_is_secure_and_scripts_get_in(secure: tuple[Server, httpx.Client]) -> None:
    server, owner = secure
    token = owner.headers["authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=owner.base_url, verify=CERT) as browser:
        answer = browser.get("/", params={"token": token})
        assert "secure" in answer.headers["set-cookie"].lower()
        assert browser.get("/api/experiments").status_code == 200
    url = f"wss://localhost:{server.port}/ws/ingest"
    with connect(url, ssl=CERT) as trainer:
        trainer.send(wire.Hello("a key over TLS, long", "far away", (), token).dump())
        assert isinstance(wire.parse(str(trainer.recv(timeout=10))), wire.Welcome)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://localhost:{server.port}/healthz")


def test_what_runs_on_this_machine_needs_no_certificate(
    secure: tuple[Server, httpx.Client], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Launched trainers, and `normscope run`, come by a port of loopback's own, where a token is asked for, too."""
    server, owner = secure
    monkeypatch.setenv("NORMSCOPE_DATA", str(server.data))
    monkeypatch.setenv("NORMSCOPE_TOKEN", owner.headers["authorization"].removeprefix("Bearer "))
    monkeypatch.delenv("NORMSCOPE_URL", raising=False)
    assert run(["1", "--set", "steps=3", "--set", "pace=0", "--arms", "none"], "app.folder") == 0
    assert "1 of 1 seeds done" in capsys.readouterr().out
    monkeypatch.setenv("NORMSCOPE_TOKEN", "wrong")
    assert run(["1", "--set", "steps=3"], "app.folder") == 2
    assert "this token is unknown or has been revoked" in capsys.readouterr().err
    local = (server.data / "server").read_text()
    assert httpx.get(f"{local}/api/experiments").status_code == 401
    assert "Traceback" not in server.log
