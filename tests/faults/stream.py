"""A run without a net, as a process: `python -m tests.faults.stream URL NAME RATE FOLDER`.

Until it is sent SIGTERM it delivers frames as a courier does, and writes down what has been acknowledged, so that a
test knows what must be kept.
"""

from __future__ import annotations

import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Final

from normscope import wire
from normscope.sending.delivery import Delivery, Listener

from ..frames import LAYERS, frame

COUNT: Final = struct.Struct("<qq")
"""How many frames were acknowledged, and how many were put."""
PATIENCE: Final = 120.0
"""Seconds that acknowledgments may take on a machine that has other things to do."""


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def main(url: str, name: str, rate: float, folder: Path) -> int:
    """Deliver so many frames a second; 0 if all were acknowledged and none dropped."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    hello = wire.Hello(f"the key of {name}", name, LAYERS)
    delivery = Delivery(url, hello, Listener(lambda _: None, lambda _: None, _tell))
    began = time.monotonic()
    with (folder / f"{name}.count").open("wb", buffering=0) as file:
        seq = -1
        while not told.is_set():
            seq += 1
            if delivery.has_room():
                delivery.put(wire.encode(frame(seq)))
            while True:
                file.seek(0)
                file.write(COUNT.pack(delivery.committed + 1, seq + 1))
                left = began + seq / rate - time.monotonic()
                if left <= 0:
                    break
                committed = delivery.committed
                delivery.wait(lambda committed=committed: delivery.committed > committed, left)  # type: ignore[misc]
        done = delivery.close(wire.End("finished"), PATIENCE)
        file.seek(0)
        file.write(COUNT.pack(delivery.committed + 1, seq + 1))
    return int(not done or delivery.dropped > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])))
