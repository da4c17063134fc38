"""Sentences say what the numbers beside them say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ranking import evidence, wording


def _bodies() -> ModuleType:
    # importmode importlib: a helper beside the tests is loaded by its path.
    spec = importlib.util.spec_from_file_location("bodies", Path(__file__).with_name("bodies.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bodies = _bodies()
LABELS = ["a @ 0.4", "b @ 0.4", "c @ 0.7", "d @ 0.7", "e @ 1.0"]


def test_no_votes() -> None:
    found = wording.verdict(bodies.no_votes(12))
    assert found.heading == "No votes yet" and "12 candidates are ready" in found.lede
    assert evidence.checks(bodies.no_votes(12), {}) == []


def test_one_voter_gets_strengths_and_no_probability() -> None:
    found = wording.verdict(bodies.one_voter())
    assert (found.heading, found.finding) == ("More voters needed:", "all 20 votes are one person’s")
    marks = {check.title: check.mark for check in evidence.checks(bodies.one_voter(), {})}
    assert marks["One voter only"] == "no"
    assert not any("sure" in title.lower() for title in marks)


@pytest.mark.parametrize(
    ("limits", "low", "high", "finding"),
    [
        ("votes", 432, 2148, "about 430 to 2,100 more votes"),
        ("votes", 430, None, "about 430 more votes, or far more"),
        ("votes", 430, 431, "about 430 more votes"),
        ("votes", None, None, "more votes needed"),
        ("voters", 430, 2150, "more voters needed"),
        ("prompts", 430, None, "more prompts needed"),
    ],
)
def test_what_limits_the_answer(limits: str, low: int | None, high: int | None, finding: str) -> None:
    body = bodies.undecided(LABELS, limits)
    body["verdict"] |= {"votes_needed_low": low, "votes_needed_high": high}
    found = wording.verdict(body)
    assert (found.heading, found.finding) == ("No separable winner yet:", finding)
    assert "84%" in found.lede and "b @ 0.4 could still be it" in found.lede


def test_a_leader_is_told_with_its_lead_and_what_is_missing() -> None:
    body = bodies.leading(LABELS)
    found = wording.verdict(body)
    assert (found.heading, found.finding) == ("a @ 0.4 leads:", "97% to be the best")
    assert "with 99% probability and stands 34 rating points above it" in found.lede
    assert f"{wording.looks_held(body)} so far" in found.lede


def test_few_voters_are_called_these_few_people() -> None:
    body = bodies.leading(LABELS, "named", few_voters=True) | {"voters": 6, "k_eff_voters": 4.2}
    found = wording.verdict(body)
    assert found.heading == "These 6 voters like a @ 0.4 best:" and "new voters" in found.lede
    assert any(check.title == "Few voters" and check.mark == "mind" for check in evidence.checks(body, {}))


def test_looks_are_counted_back_from_the_last() -> None:
    def held(*looks: tuple[str, float]) -> int:
        return wording.looks_held({"looks": [{"votes": 40, "leader": who, "p_best": p} for who, p in looks]})

    assert held() == 0
    assert held(("a", 0.96), ("b", 0.97), ("b", 0.95)) == 2
    assert held(("a", 0.96), ("a", 0.94)) == 0


def test_checks_that_stand_against_a_decision_come_first() -> None:
    body = bodies.leading(LABELS) | {"tie_p_value": 0.001, "islands": 2, "left_share": 0.7}
    marks = [check.mark for check in evidence.checks(body, {})]
    assert marks == sorted(marks, key=("no", "mind", "open", "yes").index)
    assert marks.count("mind") >= 3


def test_languages_are_compared_by_identity_not_by_name() -> None:
    body, other = bodies.leading(LABELS), bodies.leading(LABELS)
    other["rows"][0]["id"] = 99
    checks = {check.title for check in evidence.checks(body, {"ja": body, "en": other})}
    assert "Not the same first in both languages" in checks
    checks = {check.title for check in evidence.checks(body, {"ja": body, "en": body})}
    assert "First in Japanese and in English" in checks


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "unknown"), (20, "less than a minute"), (600, "10 min"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert wording.duration(seconds) == said
