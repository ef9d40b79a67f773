"""Files that were made to do harm: recordings, what could not be sent, arrays, and names in what is written."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import normscope
from normscope import wire
from normscope.command import exporting, importing
from normscope.errors import WireError
from normscope.wire.file import MAGIC, filed
from trainer import data

from ..frames import LAYERS, frame

if TYPE_CHECKING:
    from ..conftest import Server

ATTACK = "../../../etc/=cmd|' /C calc'!A0\x1b[2J\n<img src=x onerror=alert(1)>"
HELLO = wire.Hello("a key that is long enough", "n", LAYERS)


def recording(path: Path, hello: wire.Hello = HELLO, count: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = (wire.encode(frame(seq)) for seq in range(count))
    told: list[str | bytes] = [hello.dump(), *frames, wire.End("finished").dump()]
    path.write_bytes(MAGIC + b"".join(filed(one) for one in told))
    return path


def test_a_recording_promises_no_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    path.write_bytes(MAGIC + filed(HELLO.dump()) + struct.pack("<BI", 1, 1 << 31))
    with pytest.raises(WireError, match=r"a message of 2,147,483,648 bytes at byte \d+; the longest have"):
        normscope.open(path)
    recording(path, replace(HELLO, layers=LAYERS[:1]))
    with pytest.raises(WireError, match=r"run\.normscope cannot be read: a frame is of layer 1 of 1"):
        normscope.open(path)
    path.unlink()
    os.mkfifo(path)
    for one in (path, tmp_path):
        with pytest.raises(WireError, match="it is no file"):
            normscope.open(one)


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "tensorboard"])
def test_damaged_recordings_are_read_written_or_refused_and_nothing_else(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = recording(tmp_path / "run.normscope").read_bytes()
    rng = np.random.default_rng(3)
    outcomes = set()
    for number in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(len(MAGIC), len(whole), 2 if number % 2 else 1):
            damaged[at] = rng.integers(256)
        (tmp_path / "run.normscope").write_bytes(damaged)
        status = exporting.main(
            [str(tmp_path / "run.normscope"), "--format", form, "-o", str(tmp_path / f"{number}")], "app"
        )
        outcomes.add(status)
        assert (tmp_path / f"{number}").exists() == (status == 0)
        assert capsys.readouterr().err.count("normscope: ") == status
    assert outcomes == {0, 1}


def test_what_is_written_goes_by_a_name_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    recording(tmp_path / "run.normscope", replace(HELLO, name=ATTACK, layers=(wire.Layer(ATTACK, ATTACK), LAYERS[1])))
    assert exporting.main([str(tmp_path / "run.normscope"), "--format", "csv"], "app") == 0
    name = "etc-cmd-c-calc-a0-2j-img-src-x-onerror-alert-1-csv"
    assert [path.name for path in Path.cwd().iterdir()] == [name]
    assert capsys.readouterr().out == f"{name}\n"
    assert exporting.main([ATTACK, "--format", "csv", "--url", "http://127.0.0.1:1"], "app") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_wrong_with_one_that_was_not_sent_keeps_no_other_back(
    shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unsent, elsewhere = tmp_path / "unsent", tmp_path / "elsewhere"
    monkeypatch.setenv("NORMSCOPE_UNSENT", str(unsent))
    (unsent / "a").mkdir(parents=True)
    (unsent / "a" / "0000000000.part").write_bytes(b"its writer was killed")
    recording(unsent / "b" / "0000000000.normscope", replace(HELLO, layers=LAYERS[:1]))
    recording(unsent / "c" / "0000000000.normscope", replace(HELLO, layers=(wire.Layer("x" * 600, "x"), LAYERS[1])))
    recording(unsent / "d" / "0000000000.normscope", replace(HELLO, name="not lost"))
    recording(elsewhere / "0000000000.normscope")
    (unsent / "e").symlink_to(elsewhere)
    (unsent / "f").touch()
    assert importing.main(["--unsent", "--url", shared_server.url]) == 1
    heard = capsys.readouterr()
    assert heard.out == f"{unsent / 'd'}: not lost, 3 of 3 steps were new\n"
    said = heard.err.splitlines()
    assert [any(words in line for line in said) for words in (
        "does not say of which run it is", "a frame is of layer 1 of 1", "names of layers have at most 500 characters",
    )] == [True] * 3, said  # fmt: skip
    assert sorted(path.name for path in unsent.iterdir()) == ["a", "b", "c", "e", "f"]
    assert list(elsewhere.iterdir())
    assert importing.main(["--unsent", "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.count("cannot reach") <= 1


def npy(head: str) -> bytes:
    text = head.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "member",
    [
        b"no array at all",
        npy("{'descr': " + "-" * 9000 + "1}"),
        npy("{'descr': " + "(" * 150 + "1}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-5,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (5,)}"),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (100000000000,)}"),
    ],
)
@pytest.mark.parametrize("flag", [0, 1, 99])
def test_an_archive_of_what_are_no_arrays_is_refused_in_a_sentence(tmp_path: Path, member: bytes, flag: int) -> None:
    path, good = tmp_path / "own.npz", io.BytesIO()
    np.save(good, np.arange(10))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", member)
        file.writestr("y.npy", good.getvalue())
    raw = bytearray(path.read_bytes())
    directory = raw.find(b"PK\x01\x02")
    if flag == 1:  # it says that it is encrypted
        raw[6] |= flag
        raw[directory + 8] |= flag
    elif flag:  # by a method that there is not
        raw[directory + 10] = flag
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"own\.npz: (is not an \.npz file|x has shape|x is of type)"):
        data.load(str(path))
