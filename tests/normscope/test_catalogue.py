"""The catalogue: sixteen claims that hang together, and specs that differ in what they say they differ in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.datasets import load_digits

from normscope.catalogue import CHARTS, CLAIMS, Claim, claim
from normscope.catalogue.claim import _SPEC
from normscope.findings import MIN_SEEDS
from normscope.spec import Spec

each = pytest.mark.parametrize("entry", CLAIMS.values(), ids=[f"claim {n}" for n in CLAIMS])


def specs(entry: Claim, size: str) -> list[Spec]:
    arms = entry.sizes[size].arms or entry.default_arms
    return entry.specs(entry.check(entry.sized(size, {}), arms), arms)


def test_there_are_sixteen_and_a_courses_exercise() -> None:
    assert list(CLAIMS) == list(range(1, 18))
    with pytest.raises(ValueError, match="unknown claim 18; there are 1, 2"):
        claim(18)


@each
def test_every_size_can_be_started_and_its_specs_cross_as_json(entry: Claim) -> None:
    assert "quick" in entry.sizes
    for size in entry.sizes:
        found = specs(entry, size)
        assert len({(s.arm, s.seed, *s.conditions.values()) for s in found}) == len(found)
        assert all(Spec.load(s.dump()) == s for s in found)
    with pytest.raises(ValueError, match="unknown size 'vast'"):
        entry.sized("vast", {})


@each
def test_a_whole_seed_comes_before_the_next(entry: Claim) -> None:
    seeds = [s.seed for s in specs(entry, "quick")]
    assert seeds == sorted(seeds)
    assert len(set(seeds)) >= MIN_SEEDS


@each
def test_a_rule_speaks_of_arms_and_conditions_that_there_are(entry: Claim) -> None:
    arms = {arm.name for arm in entry.arms}
    quick = specs(entry, "quick")
    trained, varied = {s.arm for s in quick}, set(quick[0].varied)
    assert any(c.decisive for c in entry.rule)
    assert len({c.name for c in entry.rule}) == len(entry.rule)
    for c in entry.rule:
        mine = {c.arm} if isinstance(c.arm, str) else set(c.arm)
        assert mine | ({c.against} if c.against else set()) <= arms
        if c.decisive:
            assert mine | ({c.against} if c.against else set()) <= trained
        assert set(c.where) | set(c.against_where or {}) | ({c.over} if c.over else set()) <= varied
        if c.how in ("ratio", "difference"):
            assert c.against is not None or c.against_where is not None
            assert c.against not in mine


@each
def test_every_arm_has_a_sentence_and_every_measure_a_chart(entry: Claim) -> None:
    texts = [entry.sentence, entry.measures, entry.literature, *(arm.sentence for arm in entry.arms)]
    texts += [size.sentence for size in entry.sizes.values()]
    assert all(text.endswith((".", "?")) for text in texts)
    measures = entry.fixed.get("measures", ())
    assert set(measures) <= {*CHARTS, "along_gradient"}
    assert {name for name, values in entry.varied.items()} <= {s.name for s in entry.settings}


def test_arms_differ_in_their_normalizer_alone() -> None:
    for entry in CLAIMS.values():
        for arm in entry.arms:
            if not arm.name.startswith("DLN"):
                assert set(arm.changes) <= {"norm", "frozen"}


@each
def test_every_setting_counts_for_every_arm_or_is_named_as_what_an_arm_has_of_its_own(entry: Claim) -> None:
    usual = entry.check({}, [arm.name for arm in entry.arms])
    for arm in entry.arms:
        own = entry.own(usual, [arm.name]).get(arm.name, {})
        (first, *_) = entry.specs(usual, [arm.name])
        for setting in entry.settings:
            if setting.name not in _SPEC or setting.name in {*own, *arm.takes, *entry.varied}:
                continue
            other = {"seed": 7, "device": "cpu"}.get(setting.name, "of another value")
            (changed, *_) = entry.specs({**usual, setting.name: other}, [arm.name])
            assert getattr(changed, setting.name) == other
            assert replace(changed, **{setting.name: getattr(first, setting.name)}) == first


@pytest.mark.parametrize("number", [4, 6])
def test_the_deep_linear_net_has_its_own_rate_and_the_rest_is_told(number: int) -> None:
    entry = claim(number)
    arms = ("none", "DLN none", "DLN batch")
    settings = entry.check({"dln_rate": 1e-7, "rate": 0.5}, arms)
    assert {spec.arm: spec.rate for spec in entry.specs(settings, arms)} == {
        "none": 0.5, "DLN none": 1e-7, "DLN batch": 1e-7,
    }  # fmt: skip
    own = entry.own(settings, arms)
    assert set(own) == {"DLN none", "DLN batch"}
    assert own["DLN none"] == {
        "net": "dln", "data": "gaussian", "batch": 1000, "optimizer": "sgd", "target": 1000.0, "rate": 1e-7,
        "init": "glorot",
    }  # fmt: skip


def test_the_course_s_paper_size_is_twenty_epochs() -> None:
    entry = claim(17)
    (spec, *_) = specs(entry, "paper")
    assert spec.steps * spec.batch / 50_000 == pytest.approx(20, rel=0.01)


def test_the_full_batch_is_all_that_there_is() -> None:
    for number in (8, 14, 16):
        largest = max(spec.batch for spec in specs(claim(number), "quick"))
        assert largest == len(load_digits().target) - round(0.2 * len(load_digits().target))


def test_too_many_runs_are_refused() -> None:
    entry = claim(10)
    scales = tuple(float(s) for s in range(1, 13))
    with pytest.raises(ValueError, match=r"make 5760 runs; an experiment has at most 1000"):
        entry.check({"init_scales": scales, "rates": scales, "seeds": 20}, ("none", "batch"))


def test_data_may_be_a_file_by_its_whole_path() -> None:
    arms = ("none",)
    assert claim(2).check({"data": "/home/ann/mine.npz"}, arms)["data"] == "/home/ann/mine.npz"
    sentence = r"is not one of digits, .*, nor the whole path of a file that ends in \.npz"
    for refused in ("mine.npz", "/home/ann/mine.csv", "/" + "a" * 1000 + ".npz", "/a\0b.npz", 3):
        with pytest.raises(ValueError, match=sentence):
            claim(2).check({"data": refused}, arms)
    with pytest.raises(ValueError, match=r"is not one of mixture, even_mixture$"):
        claim(15).check({"data": "/home/ann/mine.npz"}, arms)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "is not a list of numbers"),
        (3, "is not a list of numbers"),
        ([3, 3], "each once"),
        (list(range(1, 14)), "at most 12 values"),
        ([3, "x"], "'x' is not a number"),
        ([3, 2.5], "2.5 is not a whole number"),
        ([3, 1000], "1000 is not between 1 and 80"),
    ],
)
def test_wrong_lists_are_refused(value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        claim(11).check({"depths": value}, ("none",))
