from dataclasses import replace

import pytest
import torch
from transformers import GenerationConfig

from generation.engine import templates
from generation.engine.batch import Batch
from generation.engine.loop import run
from generation.engine.manifest import canonical, manifest
from generation.engine.types import Request, Sampler

HOT = Sampler(temperature=1.0, max_new_tokens=24)
GREEDY = Sampler(do_sample=False, repetition_penalty=1.0, max_new_tokens=24)


def request(number, *contents, sampler=HOT, **fields) -> Request:
    contents = contents or ("Hello " * (number + 1),)
    messages = tuple({"role": "user", "content": content} for content in contents)
    return Request(id=number, messages=messages, sampler=sampler, seed=1000 + number, **fields)


def answer(tiny, requests, **settings):
    results = []
    run(tiny, requests, on_finish=results.append, **settings)
    assert len(results) == len({result.id for result in results})
    return {result.id: result for result in results}


def texts(results):
    return {number: [turn.text for turn in result.turns] for number, result in results.items()}


def mixed_requests():
    samplers = [
        HOT,
        GREEDY,
        replace(HOT, max_new_tokens=5),
        replace(HOT, min_p=0.1, top_p=1.0, max_new_tokens=40),
    ]
    some = [request(number, sampler=samplers[number % 4]) for number in range(12)]
    return [
        *some,
        request(12, "東京?", "And then?"),
        request(13, "東京?", sampler=HOT),
        request(14, "東京?", sampler=HOT),
    ]


def test_a_request_gets_the_same_text_alone_and_in_any_batch(tiny):
    alone = {}
    for one in mixed_requests():
        alone |= texts(answer(tiny, [one]))
    assert len({str(text) for text in alone.values()}) == len(alone)
    for max_rows in (3, 16):
        assert texts(answer(tiny, mixed_requests(), max_rows=max_rows)) == alone


def test_greedy_answers_are_those_of_generate(tiny):
    requests = [request(number, sampler=GREEDY) for number in range(6)]
    found = answer(tiny, requests)
    settled = templates.resolve(None, tiny.tokenizer)
    for one in requests:
        text = templates.render(one.messages, system=None, template=settled, tokenizer=tiny.tokenizer)
        ids = torch.tensor([templates.encode(text, tiny.tokenizer)])
        settings = GenerationConfig(max_new_tokens=24, do_sample=False, eos_token_id=1, pad_token_id=2)
        whole = tiny.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
        expected = tiny.tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        assert found[one.id].turns[0].text == expected.replace("\0", "").rstrip("\ufffd").strip()


def test_an_end_token_stops_and_the_limit_cuts(tiny):
    cut = answer(tiny, [request(0, sampler=GREEDY)])[0].turns[0]
    assert (cut.finish, cut.tokens) == ("length", 24)
    any_token = frozenset(range(len(tiny.tokenizer)))
    ended = answer(replace(tiny, eos_ids=any_token), [request(0, sampler=GREEDY)])[0].turns[0]
    assert (ended.finish, ended.tokens) == ("stop", 1)


def test_a_stop_string_ends_the_answer_and_stays_out_of_it(tiny):
    whole = answer(tiny, [request(0, sampler=GREEDY)])[0].turns[0]
    mark = whole.text[6:9]
    turn = answer(tiny, [request(0, sampler=replace(GREEDY, stop=(mark,)))])[0].turns[0]
    assert turn.finish == "stop" and turn.tokens < whole.tokens
    assert turn.text == whole.text[: whole.text.index(mark)].strip()


def test_the_second_turn_answers_what_the_first_said(tiny):
    first, second = answer(tiny, [request(0, "東京?", "Why?", sampler=GREEDY)])[0].turns
    given = (
        {"role": "user", "content": "東京?"},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "Why?"},
    )
    asked = Request(id=1, messages=given, sampler=GREEDY, seed=1)
    assert answer(tiny, [asked])[1].turns == (second,)


def test_running_out_of_memory_halves_the_rows_and_changes_no_text(tiny, monkeypatch):
    expected = texts(answer(tiny, mixed_requests()))
    rows_seen = []
    forward = Batch._forward

    def small_card(self, ids, mask, positions, cache):
        rows_seen.append(len(ids))
        # Too many rows fail at once, and a batch that had fitted fails when it grows longer.
        if len(ids) > 5 or (len(ids) > 2 and mask.shape[1] > 30):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, ids, mask, positions, cache)

    monkeypatch.setattr(Batch, "_forward", small_card)
    assert texts(answer(tiny, mixed_requests())) == expected
    assert max(rows_seen) > 5 and rows_seen[-1] <= 2


def test_a_row_too_large_for_the_memory_fails_alone(tiny, monkeypatch):
    forward = Batch._forward

    def small_card(self, ids, mask, positions, cache):
        if ids.shape[1] > 60:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, ids, mask, positions, cache)

    monkeypatch.setattr(Batch, "_forward", small_card)
    found = answer(tiny, [request(0), request(1, "x " * 100), request(2)])
    assert "Out of memory even with one row" in found[1].error
    assert found[0].turns and found[2].turns


def test_other_runtime_errors_are_not_taken_for_a_full_memory(tiny, monkeypatch):
    def broken(*args):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Batch, "_forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        answer(tiny, [request(0)])


def test_requests_that_cannot_be_asked_do_not_stop_the_others(tiny):
    found = answer(
        tiny,
        [
            request(0),
            request(1, template="{{ raise_exception('odd roles') }}"),
            request(2, "long " * 600),
            Request(id=3, messages=({"role": "assistant", "content": "Hi"},), sampler=HOT, seed=1),
        ],
    )
    assert found[0].error is None and found[0].turns
    assert "odd roles" in found[1].error
    assert "reaches 512" in found[2].error
    assert "no user message" in found[3].error
    assert not (found[1].turns or found[2].turns or found[3].turns)


def test_the_answer_is_cut_where_the_context_ends(tiny):
    turn = answer(tiny, [request(0, "y" * 490, sampler=replace(GREEDY, max_new_tokens=200))])[0].turns[0]
    assert turn.finish == "length" and turn.tokens < 30


def test_output_that_is_no_number_is_an_error_of_its_row(tiny, monkeypatch):
    forward = Batch._forward

    def overflow(self, ids, mask, positions, cache):
        logits = forward(self, ids, mask, positions, cache)
        logits[0] = float("nan")
        return logits

    monkeypatch.setattr(Batch, "_forward", overflow)
    found = answer(tiny, [request(number) for number in range(3)])
    assert [bool(found[number].error) for number in range(3)].count(True) >= 1
    assert all("not a number in float32" in result.error for result in found.values() if result.error)


def test_the_token_budget_bounds_rows_times_length(tiny):
    found = answer(tiny, [request(number) for number in range(8)], token_budget=150)
    assert max(result.batch["rows"] for result in found.values()) < 5
    assert all(result.turns for result in found.values())


def test_more_requests_are_fetched_until_there_are_none(tiny):
    stock = [request(number) for number in range(3, 9)]
    asked = []

    def more(free):
        asked.append(free)
        return [stock.pop() for _ in range(min(free, len(stock)))]

    assert len(answer(tiny, [request(number) for number in range(3)], more=more, max_rows=4)) == 9
    assert not stock and all(free > 0 for free in asked)


def test_progress_may_abandon_the_rest_and_keeps_what_is_done(tiny):
    done = []

    def lease_lost(progress):
        if progress.finished == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tiny, mixed_requests(), on_finish=done.append, on_progress=lease_lost, max_rows=2)
    assert len(done) == 2


def test_the_manifest_is_canonical_and_tells_settings_apart(tiny):
    body = manifest(tiny, template=None, sampler=HOT)
    assert canonical(body) == canonical(manifest(tiny, template=None, sampler=HOT))
    assert body["bos"] == {"token": "<s>", "rendered": 1, "sent": 1}
    assert body["revision"].startswith("sha256:") and body["dtype"] == "float32"
    assert canonical(body) != canonical(manifest(tiny, template="preset:gemma-plain", sampler=HOT))
