"""The flags of `normscope serve`, each of which says a field of Settings."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import logs
from .access.reach import add_flags
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FLAGS: Final = (
    ("--host", "host", None, "address to listen on (default: %(default)s)"),
    ("--port", "port", None, "port; 0 takes a free one (default: %(default)s)"),
    ("--data", "data", None, "folder to keep everything in (default: %(default)s)"),
    ("--allow-host", "hosts", "NAME", "a further name of this server"),
    ("--allow-frame", "frames", "ORIGIN", "a page that may show this one in a frame, e.g. https://hub.example.org"),
    ("--rates", "rates", "FACTOR",
     "how many times as often as usual a client may ask; 0: no limit (default: %(default)g)"),
    ("--keep-deleted", "keep_deleted", "HOURS",
     "for how long a deleted experiment can be brought back (default: %(default)g)"),
    ("--webhook", "webhooks", "URL", "an address that is told of alerts, by POST"),
    ("--webhook-host", "webhook_hosts", "NAME",
     "a host that webhooks may be at, even at a private address; if given, no others"),
    ("--lost-after", "lost_after", "SECONDS",
     "a run whose training process is silent for so long is called lost (default: %(default)g)"),
    ("--store", "store", "URL",
     "postgresql://USER:PASSWORD@HOST/NAME, for many servers (NORMSCOPE_STORE; default: a file in --data)"),
    ("--bus", "bus", "URL", "redis://HOST, for servers that share a store (NORMSCOPE_BUS; default: %(default)s)"),
    ("--public-url", "public_url", "URL",
     "where runs started from here reach the servers, if there is a proxy (NORMSCOPE_PUBLIC_URL)"),
    ("--launcher", "launcher", "URL",
     "ray: or ray:http://HOST:8265, to train on a Ray cluster (NORMSCOPE_LAUNCHER; default: %(default)s)"),
    ("--run-cpus", "run_cpus", "N", "CPUs of the cluster that a run takes up (default: %(default)g)"),
    ("--run-gpus", "run_gpus", "N", "GPUs of the cluster that a run takes up (default: %(default)g)"),
    ("--keep-steps", "keep_steps", "DAYS",
     "for how long every step of a run that has ended is kept (default: always)"),
)  # fmt: skip
"""What is told as it is meant: the flag, the field, what stands for its value, and what it says. A field with several
values has a flag that may be given several times."""


def arguments() -> argparse.ArgumentParser:
    """The flags; each has its default from Settings."""
    parser = argparse.ArgumentParser("normscope serve", description="Serve the Normscope dashboard.")
    usual = Settings()
    kinds: dict[str, Callable[[str], Any]] = {"data": Path, "lost_after": _seconds, "keep_steps": float}
    for flag, name, metavar, words in _FLAGS:
        default = getattr(usual, name)
        more: Mapping[str, Any] = {"default": default, "type": kinds.get(name, type(default))}
        if isinstance(default, tuple):
            more = {"default": [], "action": "append"}
        parser.add_argument(flag, dest=name, metavar=metavar, help=words, **more)
    parser.add_argument(
        "--then-keep", type=int, choices=(4, 16, 64, 256), default=4**usual.then_level, metavar="N",
        help="after that one frame stands for N: 4, 16, 64 or 256 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--log-format", choices=logs.FORMATS, default=os.environ.get("NORMSCOPE_LOG_FORMAT", "text"),
        help="what the log is written as (NORMSCOPE_LOG_FORMAT; default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open a browser")
    add_flags(parser)
    return parser


def told(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of Settings that the flags say, but for those that `reach` makes of them."""
    found = {field.name: getattr(given, field.name) for field in fields(Settings) if hasattr(given, field.name)}
    found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    level = (given.then_keep.bit_length() - 1) // 2
    return found | {"public_url": given.public_url.rstrip("/"), "then_level": level}


def _seconds(text: str) -> float:
    """A positive number, as argparse wants to have it checked."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value
