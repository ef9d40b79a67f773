"""Try the sixteen claims and write down what came out: `make science`, about an hour on two cores.

Each claim is started through the server's interface, as a person would from the page. What it found is kept in
docs/findings as JSON, from which docs/science.md and its figures are written, with what stands there about a claim as
Markdown. Effects and verdicts are found anew, by the rules that stand in the catalogue, from what every run came to;
`--write` does this alone and tries nothing, `--only 4,6` tries some claims only, `--missing` what was never tried.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

HOUSE = Path(__file__).parent.parent
sys.path.insert(0, str(HOUSE))

from normscope.catalogue import CLAIMS  # noqa: E402  the house itself
from normscope.findings import MIN_SEEDS, Evidence, Outcome, judge  # noqa: E402
from normscope.intervals import interval  # noqa: E402
from normscope.spec import check_settings  # noqa: E402
from scripts.forest import forest  # noqa: E402
from scripts.ranks import rank_losses  # noqa: E402
from tests.conftest import ENDED, Server  # noqa: E402  the same server that the tests use

FOLDER: Final = HOUSE / "docs" / "findings"
PAGE: Final = HOUSE / "docs" / "science.md"


class Trial(NamedTuple):
    """A claim to try at a size, perhaps with other settings."""

    claim: int
    size: str = "quick"
    settings: tuple[tuple[str, Any], ...] = ()
    named: int | None = None

    @property
    def label(self) -> str:
        """What is special about it: the first so many of its settings, or all."""
        changed = [f"{name} {value}" for name, value in self.settings[: self.named]]
        return ", ".join([*([self.size] if self.size != "quick" else []), *changed])


_DESCENT: Final = (("optimizer", "sgd"), ("rate", 0.05))
_FIRST: Final = (("init", "glorot"), ("batch", 64), ("target", 0.5), ("landscape_every", 10), ("measure_every", 20))
"""Settings that claim 7 began with."""
MORE: Final = (
    Trial(4, "deep linear"),
    Trial(6, "deep linear"),
    *(Trial(n, "deep linear", (("dln_rate", 1e-7),)) for n in (4, 6)),
    *(Trial(n, settings=_DESCENT) for n in (4, 5, 6)),
    Trial(7, settings=(*_DESCENT, *_FIRST), named=2),
    Trial(15, settings=(("data", "even_mixture"),)),
    Trial(16, settings=(("rate", 0.3),)),
)
"""What to try beside quick: the papers' own sizes, and what tells why a finding came out as it did."""

PREFACE: Final = """# Sixteen claims, tried

Written by `make science`, which starts every claim of the catalogue at size *quick* (and the deep linear net of
claims 4 and 6 at the paper's full size and both of its rates), waits for its seeds and writes down what came out.
What is measured, and from where its formula comes, is in [measures.md](measures.md); the rules stand in
`normscope/catalogue/`.

An effect is found per seed, in pairs of runs that start from the same weights and see the same data in the same
order; its interval is a bootstrap of the mean over seeds at 95 %, expanded because seeds are few. A criterion is met
when the whole interval lies on the side that the claim expects, missed when all of it lies on the other. A claim is
*supported* when every decisive criterion is met, *contradicted* when one is missed, else *undecided*.

## What may be concluded

- A verdict is about small nets on small data, at one number of steps and, unless rates are varied, at one learning
  rate for all arms. Nothing was tuned for an arm: another rate may be better for one of them. Where an outcome
  differs from the literature, it is shown as it is.
- *Supported* says that the rule's criteria hold, no more than that. They ask for a direction, or for more than a
  threshold, and the thresholds (a half, a twentieth, a tenth) are ours. Read the effects.
- Decisive criteria were written before the data and never changed. Those marked · have no say; some were added later,
  to show what a remark or the literature speaks of. Settings are another matter: the rates of claims 9, 10 and 16
  were chosen anew while the laboratory was built, and claims 4 to 7 got other settings after nets without
  normalization had not learned anything. What the first ones of these gave stands below, too. For claim 7 one of them
  is part of the rule: the loss that counts, which was 0.5 and became 2.0 (guessing is at ln 10 ≈ 2.30), so that
  "steps to the loss" are steps until a net has begun to learn.
- How verdicts are reached was changed once after the data were in: five seeds are asked for, not three, intervals are
  expanded, and a criterion that lacks a seed's number says nothing. Each of these can only take a verdict away.
- Seeds change initial weights and the order of the data; the data and what of them is for testing stay the same. Five
  seeds are few. Where nothing differs and effects are normal, an interval from five excludes zero in {five} of cases,
  and from ten in {ten}, where 5 % is meant. One without any width says that all seeds agree (five of five nets
  learned), not that the next one must. There are many criteria, and no interval is widened for that.
- Steps to a loss count as all steps where the loss was not reached, so that a ratio of them is a bound.
- Where the reason says that no run of an arm reached the loss that counts, nets that learn are compared with nets
  that do not. Such a comparison says what training with and without normalization looks like; it does not say what
  normalization does to one and the same landscape.
- That effects go together does not say that one is the other's cause.

Time is what it took here, two nets training at once on two cores, now and then beside other work;
[benchmarks.md](benchmarks.md) has what the slowest claim takes at size quick.
"""


def attempt(server: Server, trial: Trial, seeds: int | None) -> dict[str, Any]:
    """Run a claim to its end; its finding."""
    settings = dict(trial.settings) | ({} if seeds is None else {"seeds": seeds})
    began = time.monotonic()
    body = {"claim": trial.claim, "size": trial.size, "settings": settings}
    experiment = server.post("/api/experiments", body).json()
    path = f"/api/experiments/{experiment['id']}"
    while True:
        runs = server.get(path)["runs"]
        done = sum(run["status"] in ENDED for run in runs)
        print(f"\rclaim {trial.claim} {trial.label}: {done} of {len(runs)} runs", end="", flush=True)
        if done == len(runs):
            break
        time.sleep(1)
    print(f", {time.monotonic() - began:.0f} s")
    for run in runs:
        if run["status"] != "finished":
            print(f"  {run['name']}: {run['status']} {run['error']}")
    finding: dict[str, Any] = server.get(f"{path}/finding")
    return finding | {"claim": trial.claim, "label": trial.label, "seconds": round(time.monotonic() - began)}


def keep(finding: dict[str, Any]) -> None:
    """Write a finding where the page is made from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(finding, ensure_ascii=False, indent=1)
    (FOLDER / f"{stem(finding)}.json").write_text(text + "\n")


def stem(finding: dict[str, Any]) -> str:
    """What its files are called."""
    return f"{finding['claim']:02}-{finding['label'].replace(', ', '-').replace(' ', '-') or 'quick'}"


def judged(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding by its claim's rule as it stands, from what its runs came to."""
    outcomes = [
        Outcome(run["arm"], run["seed"], run["varied"], _known(run["numbers"]))
        for run in finding["outcomes"]
        if run["status"] == "finished"
    ]
    found = judge(CLAIMS[finding["claim"]].rule, outcomes)
    evidence = json.loads(json.dumps([_evidence(one) for one in found.evidence]))
    return finding | {
        "verdict": found.verdict, "reason": found.reason, "evidence": evidence, "own": own(finding),
        "min_seeds": MIN_SEEDS,
    }  # fmt: skip


def own(finding: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What its arms have of their own in place of settings."""
    claim = CLAIMS[finding["claim"]]
    arms = list(dict.fromkeys(run["arm"] for run in finding["outcomes"]))
    return claim.own(check_settings(claim.settings, finding["settings"]), arms)


def wrong(seeds: int, draws: int = 1000) -> float:
    """The share of intervals that exclude zero, of means of so many normal effects that are zero on average."""
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(size=seeds)) for _ in range(draws)]
    return sum(low > 0 or high < 0 for low, high in found) / draws


def _known(numbers: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in numbers.items()}


def _evidence(found: Evidence) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    numbers = {"estimate": found.estimate, "low": low, "high": high}
    return {
        **asdict(found.criterion), "seeds": found.seeds, **numbers, "verdict": found.verdict, "missing": found.missing,
    }  # fmt: skip


def findings() -> list[dict[str, Any]]:
    """All that are kept, in the order of the page."""
    kept = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]
    return sorted(kept, key=lambda finding: (finding["claim"], finding["label"]))


def write() -> None:
    """The page and its figures, from what is kept."""
    found = [judged(finding) for finding in findings()]
    for finding in found:
        keep(finding)
        (FOLDER / f"{stem(finding)}.svg").write_text(forest(finding["evidence"]))
    PAGE.write_text(page(found))


def page(found: list[dict[str, Any]]) -> str:
    """The page of these findings."""
    preface = PREFACE.format(five=f"{wrong(5):.0%}".replace("%", " %"), ten=f"{wrong(10):.0%}".replace("%", " %"))
    lines = [preface, "| claim | verdict | seeds | time, and for one seed |", "| --- | --- | --- | --- |"]
    for finding in found:
        title = f"[{titled(finding)}](#claim-{stem(finding)})"
        seeds, seconds = finding["seeds"]["done"], finding["seconds"]
        time_taken = f"{seconds} s, {seconds / max(1, seeds):.0f} s"
        lines.append(f"| {title} | **{finding['verdict']}** | {seeds} | {time_taken} |")
    for finding in found:
        lines += section(finding)
    return "\n".join(lines) + "\n"


def titled(finding: dict[str, Any]) -> str:
    """Number and title of the claim, and what is special about the trial."""
    claim = CLAIMS[finding["claim"]]
    return f"{claim.number}. {claim.title}" + (f" ({finding['label']})" if finding["label"] else "")


def section(finding: dict[str, Any]) -> list[str]:
    """What the page says of a finding."""
    claim, file = CLAIMS[finding["claim"]], stem(finding)
    remark = FOLDER / f"{file}.md"
    rows = [
        f"| {e['name']}{'' if e['decisive'] else ' ·'} | {effect(e)} | {e['relation']} {e['threshold']:g} "
        f"| {e['verdict']} |"
        for e in finding["evidence"]
    ]
    return [
        "", f'<a id="claim-{file}"></a>', f"## {titled(finding)}", "",
        f"{claim.sentence} {claim.measures}", "",
        f"**{finding['verdict'].capitalize()}**: {finding['reason']}. {finding['seeds']['done']} seeds.", "",
        f"![Effects with their intervals](findings/{file}.svg)", "",
        "| criterion (· beside) | effect, 95 % interval | expected | alone it says |", "| --- | --- | --- | --- |",
        *rows, "",
        *_aside(finding),
        *([remark.read_text().strip(), ""] if remark.exists() else []),
        f"Literature: {claim.literature}", "",
        f"Again: `{finding['command']}`. Numbers of every run: [{file}.json](findings/{file}.json).",
    ]  # fmt: skip


def _aside(finding: dict[str, Any]) -> list[str]:
    """What settings some arms have of their own; and of deep linear nets, what linear maps of each rank come to."""
    lines = [
        f"Of its own, *{arm}* has {', '.join(f'{name} {value}' for name, value in fields.items())}."
        for arm, fields in finding["own"].items()
    ]
    if any(arm.startswith("DLN") for arm in finding["own"]):
        final = {
            arm: sorted(run["numbers"]["final_loss"] for run in finding["outcomes"] if run["arm"] == arm)
            for arm in finding["own"] if arm.startswith("DLN")
        }  # fmt: skip
        losses = ", ".join(f"{loss:,.0f}" for loss in rank_losses())
        lines.append(f"The least loss of linear maps of rank 0, 1, 2, …, 10 on these data: {losses}.")
        lines += [
            f"Final losses of *{arm}*: {', '.join(f'{loss:,.0f}' for loss in found)}." for arm, found in final.items()
        ]
    return [*(f"{line}  " for line in lines), ""] if lines else []


def effect(evidence: dict[str, Any]) -> str:
    """An effect with its interval."""
    if evidence["estimate"] is None:
        return "–"
    unit = f" {evidence['unit']}" if evidence["unit"] else ""
    if evidence["low"] is None:
        return f"{evidence['estimate']:.3g}{unit}"
    return f"{evidence['estimate']:.3g}{unit} ({evidence['low']:.3g} to {evidence['high']:.3g})"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=lambda text: [int(n) for n in text.split(",")], default=list(CLAIMS))
    parser.add_argument("--missing", action="store_true", help="try only what nothing is kept of")
    parser.add_argument("--seeds", type=int, help="instead of each claim's own number")
    parser.add_argument("--write", action="store_true", help="write the page from what is kept, and try nothing")
    parser.add_argument("--data", type=Path, help="a data folder to keep, to look at the runs later")
    options = parser.parse_args()
    if not options.write:
        with tempfile.TemporaryDirectory() as temporary:
            server = Server(options.data or Path(temporary) / "data")
            server.start()
            try:
                trials = [*map(Trial, options.only), *(trial for trial in MORE if trial.claim in options.only)]
                kept = {stem(finding) for finding in findings()} if options.missing else set()
                for trial in trials:
                    if stem({"claim": trial.claim, "label": trial.label}) in kept:
                        continue
                    keep(attempt(server, trial, options.seeds))
                    write()
            finally:
                server.stop()
    write()


if __name__ == "__main__":
    main()
