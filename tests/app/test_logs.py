"""The server's log: what came from outside cannot pass for a line of its own."""

from __future__ import annotations

import logging

from app.logs import OneLine


def test_a_record_is_one_line_without_control_characters() -> None:
    attack = "no\r\nERROR normscope: all is lost\x1b[2J\x00\x85\u2028\u202e"
    record = logging.LogRecord("normscope", logging.WARNING, "", 0, "ingest: %s é", (attack,), None)
    line = OneLine("%(levelname)s %(name)s: %(message)s").format(record)
    assert line == (
        "WARNING normscope: ingest: no\\x0d\\x0aERROR normscope: all is lost\\x1b[2J\\x00\\x85\\u2028\\u202e é"
    )
