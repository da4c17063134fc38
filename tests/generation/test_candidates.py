from __future__ import annotations

import pytest

from generation import candidates
from generation.errors import SettingsError
from generation.models import Candidate
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_same_settings_are_the_same_candidate_whatever_the_label() -> None:
    checkpoint = factories.make_checkpoint()
    first = candidates.register(checkpoint=checkpoint, label="one", sampler={"temperature": 0.7})
    again = candidates.register(checkpoint=checkpoint, label="other", sampler={"temperature": 0.7})
    assert first == again and again.label == "one" and Candidate.objects.count() == 1


def test_leaving_out_a_default_is_not_another_candidate() -> None:
    checkpoint = factories.make_checkpoint()
    first = candidates.register(checkpoint=checkpoint, label="one", sampler={"temperature": 0.7})
    spelt = {"temperature": 0.7, "top_p": 0.95, "max_new_tokens": 500}
    assert candidates.register(checkpoint=checkpoint, label="two", sampler=spelt) == first


@pytest.mark.parametrize(
    "other",
    [{"sampler": {"temperature": 0.8}}, {"system": "Be brief."}, {"template": "preset:gemma-plain"},
     {"template_args": {"enable_thinking": True}}, {"kind": "decoy"}],
)  # fmt: skip
def test_each_setting_makes_another_candidate(other: dict) -> None:
    checkpoint = factories.make_checkpoint()
    first = candidates.register(checkpoint=checkpoint, label="one", sampler={"temperature": 0.7})
    settings = {"sampler": {"temperature": 0.7}, **other}
    assert candidates.register(checkpoint=checkpoint, label="two", **settings) != first


def test_equal_samplers_on_two_checkpoints_share_their_key() -> None:
    one, two = (factories.make_candidate(sampler={"temperature": 0.4}) for _ in range(2))
    assert one.sampler_key == two.sampler_key and one.checkpoint != two.checkpoint


def test_a_taken_label_is_refused() -> None:
    factories.make_candidate("taken")
    with pytest.raises(SettingsError, match="'taken' belongs to a candidate"):
        factories.make_candidate("taken")


@pytest.mark.parametrize(
    ("sampler", "says"),
    [({"temprature": 1}, "temprature"), ({"top_p": 2}, "top_p is 2"), ({"temperature": "warm"}, "label")],
)
def test_a_sampler_that_cannot_be_is_refused(sampler: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        factories.make_candidate("label", sampler=sampler)
