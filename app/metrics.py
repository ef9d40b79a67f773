"""What the server counts about itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final


@dataclass(slots=True)
class Metrics:
    """Counters since the server started."""

    frames: int = 0
    frame_bytes: int = 0
    committed: int = 0
    repeated: int = 0
    refused: int = 0
    viewers: int = 0
    delivered: int = 0
    skipped: int = 0
    webhooks_sent: int = 0
    webhooks_failed: int = 0
    webhooks_dropped: int = 0
    limited: int = 0

    def text(self) -> str:
        """In Prometheus' text format, version 0.0.4."""
        lines = []
        for field in fields(self):
            kind = "gauge" if field.name == "viewers" else "counter"
            name = f"normscope_{field.name}{'' if kind == 'gauge' else '_total'}"
            lines += [f"# HELP {name} {_MEANINGS[field.name]}", f"# TYPE {name} {kind}"]
            lines.append(f"{name} {getattr(self, field.name)}")
        return "\n".join(lines) + "\n"


_MEANINGS: Final = {
    "frames": "Frames received from training processes.",
    "frame_bytes": "Bytes of those frames.",
    "committed": "Frames committed to the store.",
    "repeated": "Frames received that were committed before.",
    "refused": "Connections of training processes closed with a reason.",
    "viewers": "Viewers connected now.",
    "delivered": "Frames sent to viewers.",
    "webhooks_sent": "Messages to webhooks that were taken.",
    "webhooks_failed": "Messages to webhooks that were given up.",
    "webhooks_dropped": "Messages to webhooks that found no room.",
    "skipped": "Frames that viewers were told to ask for, since they had fallen behind.",
    "limited": "Requests and sockets turned away since their client had too many.",
}

metrics = Metrics()
