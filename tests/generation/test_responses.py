from __future__ import annotations

import contextlib
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from generation import checks, manifests, responses
from generation.models import Candidate, Manifest, Prompt, Response
from tests import factories

pytestmark = pytest.mark.django_db


def codes(response: Response) -> list[str]:
    response.refresh_from_db()
    return [flag["code"] for flag in response.flags]


def test_it_is_hashed_rendered_and_counted() -> None:
    turns = [{"text": "**Hi**\n", "tokens": 3, "finish": "stop"}]
    made = factories.make_response(factories.make_candidate(), factories.make_prompt(), turns=turns, seed=7)
    kept = Response.objects.get()
    assert kept == made and kept.turns == turns and kept.html == ["<p><strong>Hi</strong></p>"]
    assert (kept.chars, kept.tokens, kept.seed, kept.flags) == (7, 3, 7, [])


def test_a_second_one_for_the_same_sample_leaves_the_first() -> None:
    candidate, prompt = factories.make_candidate(), factories.make_prompt()
    factories.make_response(candidate, prompt, "first")
    turns = [{"text": "second", "tokens": 1, "finish": "stop"}]
    again = responses.store(candidate=candidate, prompt=prompt, sample=0, turns=turns, manifest={})
    assert again is None and Response.objects.get().turns[0]["text"] == "first"


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [("", "stop", ["empty"]), (" \n", None, ["empty"]), ("and then", "length", ["cut_off"]),
     ("no full stop", "stop", []), ("imported", None, [])],
)  # fmt: skip
def test_flags(text: str, finish: str | None, expected: list[str]) -> None:
    turns = [{"text": text, "tokens": None, "finish": finish}]
    made = factories.make_response(factories.make_candidate(), factories.make_prompt(), turns=turns)
    assert codes(made) == expected


def test_the_later_twin_flags_the_earlier_one_once() -> None:
    prompt = factories.make_prompt()
    texts = ("The same.", "another", " The  same! ", "The same")
    made = [factories.make_response(factories.make_candidate(), prompt, text) for text in texts]
    assert [codes(one) for one in made] == [["twin"], [], ["twin"], ["twin"]]


def test_the_same_answer_to_another_prompt_is_no_twin() -> None:
    made = [
        factories.make_response(factories.make_candidate(), factories.make_prompt(), "Yes.") for _ in "ab"
    ]
    assert [codes(one) for one in made] == [[], []]


def test_what_postgres_cannot_hold_is_replaced() -> None:
    made = factories.make_response(factories.make_candidate(), factories.make_prompt(), "a\0b\ud800c")
    made.refresh_from_db()
    assert made.turns[0]["text"] == "a\ufffdb\ufffdc"


def test_a_manifest_is_kept_once() -> None:
    prompt = factories.make_prompt()
    for _ in range(2):
        factories.make_response(factories.make_candidate(), prompt, manifest={"b": 1, "a": [2]})
    assert Manifest.objects.get().body == {"b": 1, "a": [2]}


def test_a_response_is_not_changed() -> None:
    made = factories.make_response(factories.make_candidate(), factories.make_prompt())
    with pytest.raises(TypeError, match="never changed"):
        made.save()
    made.save(update_fields=["hidden_at"])


def test_the_database_holds_one_response_a_sample() -> None:
    made = factories.make_response(factories.make_candidate(), factories.make_prompt())
    made.pk = None
    with pytest.raises(IntegrityError, match="generation_response_once"), transaction.atomic():
        Response.objects.bulk_create([made])


def test_verify_finds_and_mends_a_missing_twin_and_an_old_rendering() -> None:
    prompt = factories.make_prompt()
    made = [factories.make_response(factories.make_candidate(), prompt, "Same.") for _ in "ab"]
    assert checks.verify() == []
    Response.objects.filter(pk=made[0].pk).update(flags=[], html_version=0, html=["old"])
    Prompt.objects.update(html_version=0)
    assert [finding.n for finding in checks.verify()] == [1, 1, 1]
    checks.verify(repair=True)
    assert checks.verify() == [] and codes(made[0]) == ["twin"]
    assert Response.objects.get(pk=made[0].pk).html == ["<p>Same.</p>"]


def store_equal_answers_at_once(candidates: list[Candidate], prompt: Prompt) -> None:
    """Two transactions that both insert before either commits, unless the lock keeps them apart."""
    met = threading.Barrier(2)

    def store(candidate: Candidate) -> None:
        try:
            with transaction.atomic():
                factories.make_response(candidate, prompt, "Same.")
                with contextlib.suppress(threading.BrokenBarrierError):
                    met.wait(timeout=1)
        finally:
            connection.close()

    threads = [threading.Thread(target=store, args=(candidate,)) for candidate in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [True, False])
def test_twins_stored_at_once_are_both_flagged(locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates, prompt = [factories.make_candidate() for _ in "ab"], factories.make_prompt()
    manifests.keep({"made_by": "a test"})  # else its unique hash keeps them apart
    if not locked:  # the control: without the lock neither sees the other
        monkeypatch.setattr(responses, "_lock_prompts", lambda prompt_ids: None)
    store_equal_answers_at_once(candidates, prompt)
    assert [codes(one) for one in Response.objects.all()] == ([["twin"]] * 2 if locked else [[]] * 2)
