"""Words of others, as they may stand in a terminal or a log. Needs nothing."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def one_line(text: str) -> str:
    """The text with control characters written out: it begins no line of its own, and tells a terminal nothing.

    So is what turns the direction of reading, and what is no text at all, as names of files can be.
    """
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")
