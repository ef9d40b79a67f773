"""Another dictionary for blocks can be trained, elsewhere than where the one lies that is in use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import zstandard

from app.store.packing import DICTIONARY
from scripts.dictionary import SIZE, main

if TYPE_CHECKING:
    from pathlib import Path


def test_a_dictionary_is_trained_and_measured_beside_the_one_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "new.zdict"), "--claims", "3"]) == 0
    new = zstandard.ZstdCompressionDict((tmp_path / "new.zdict").read_bytes())
    assert len(new.as_bytes()) <= SIZE
    assert new.dict_id() not in (0, DICTIONARY.dict_id())
    found = re.search(r"a block of claim 1 takes (\d+) bytes; .* number (\d+), (\d+)\n$", capsys.readouterr().out)
    assert found is not None
    ours, number, kept = map(int, found.groups())
    assert number == DICTIONARY.dict_id()
    assert 0.9 * kept < ours < 1.1 * kept


@pytest.mark.parametrize(("name", "words"), [("there", "exists already"), ("no/where", "there is no folder")])
def test_where_none_can_be_written_is_said_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(SystemExit):
        main([str(tmp_path / name)])
    assert words in capsys.readouterr().err
