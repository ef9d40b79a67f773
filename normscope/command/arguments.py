"""What `normscope run` is told: flags, and the experiment that they ask for."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import catalogue

if TYPE_CHECKING:
    from ..catalogue import Claim


def arguments() -> argparse.ArgumentParser:
    """The flags of `normscope run`."""
    parser = argparse.ArgumentParser(
        "normscope run", description="Try a claim: train its nets, print what they came to and the verdict."
    )
    parser.add_argument("claim", type=int, nargs="?", metavar="CLAIM", help="its number; see --list")
    parser.add_argument("--list", action="store_true", help="list the claims and their sizes")
    parser.add_argument("--size", metavar="NAME", help="a set of settings to begin with: quick, …")
    parser.add_argument("--arms", metavar="A,B", help="the variants to train, separated by commas")
    parser.add_argument("--seeds", type=int, metavar="N", help="how many times each arm is trained")
    parser.add_argument("--parallel", type=int, metavar="N", help="how many nets train at the same time")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="any setting; several values, where it may have them, separated by commas",
    )  # fmt: skip
    parser.add_argument("--url", help="a server to use (default: NORMSCOPE_URL, or else one of its own)")
    parser.add_argument("--token", help="the owner's, if the server asks for it (default: NORMSCOPE_TOKEN)")
    parser.add_argument("--json", action="store_true", help="print the finding as JSON")
    return parser


def experiment(given: argparse.Namespace) -> dict[str, Any]:
    """The experiment that was asked for, as `POST /api/experiments` takes it.

    Raises:
        ValueError: If there is no such claim or size, or if a setting or an arm is refused.
    """
    if given.claim is None:
        raise ValueError(f"which claim? There are {', '.join(map(str, catalogue.CLAIMS))}")
    claim = catalogue.claim(given.claim)
    settings = dict(_setting(claim, text) for text in given.set)
    settings |= {name: value for name in ("seeds", "parallel") if (value := getattr(given, name)) is not None}
    arms = None if given.arms is None else split_arms(claim, given.arms)
    if given.size is not None:
        settings = claim.sized(given.size, settings)
        arms = arms or claim.sizes[given.size].arms
    arms = arms or claim.default_arms
    claim.check(settings, arms)
    return {"claim": claim.number, "settings": settings, "arms": arms}


def split_arms(claim: Claim, text: str) -> tuple[str, ...]:
    """The arms in a list separated by commas, which names have, too: the longest name that fits is meant."""
    names = sorted((arm.name for arm in claim.arms), key=len, reverse=True)
    arms = []
    rest = f"{text},"
    while rest:
        fitting = (name for name in names if rest.startswith(f"{name},"))
        arm = next(fitting, rest.partition(",")[0])
        arms.append(arm.strip())
        rest = rest[len(arm) + 1 :].lstrip()
    return tuple(arms)


def _setting(claim: Claim, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text}: write a setting as name=value")
    setting = next((setting for setting in claim.settings if setting.name == name), None)
    kind, suffix = (None, "") if setting is None else (setting.kind, setting.suffix)
    if kind in ("ints", "floats"):
        return name, [_number(part) for part in value.split(",")]
    if suffix and value.endswith(suffix):
        value = str(Path(value).absolute())  # trainers work elsewhere
    return name, value if kind == "choice" else _number(value)


def _number(text: str) -> int | float | str:
    """The number in `text`; what is none is left for the setting to refuse."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
