"""What came of a fault, or of a load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .vitals import Vitals


@dataclass
class Found:
    """The figures of a part, and what is wrong with them.

    Attributes:
        times: How often the fault was injected.
        sent: Frames that were made for the server,
        acknowledged: of which it said so many that it has them; None where nobody counted,
        lost: of which so many were missing in the end,
        doubled: or there more than once.
        before: How the server fared at first,
        after: and in the end.
        checked: What was looked at, in words.
        faults: What was not as it must be, in sentences.
        missing: Why it could not be tried here, if it could not.
    """

    times: int = 0
    sent: int | None = None
    acknowledged: int | None = None
    lost: int | None = None
    doubled: int | None = None
    before: Vitals | None = None
    after: Vitals | None = None
    checked: str = ""
    faults: list[str] = field(default_factory=list)
    missing: str = ""

    @property
    def outcome(self) -> str:
        """In a word."""
        return "**failed**" if self.faults else "not run" if self.missing else "held"

    def expect(self, holds: bool, fault: str) -> None:
        """Note a fault unless something holds."""
        if not holds:
            self.faults.append(fault)

    def judge(self) -> None:
        """No frame may be missing or doubled."""
        self.expect(not self.lost, f"{self.lost} frames were lost")
        self.expect(not self.doubled, f"{self.doubled} frames were there twice")
