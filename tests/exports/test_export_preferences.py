from __future__ import annotations

import gzip
import json
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from exports import export
from exports.models import Export
from generation.models import Prompt
from tests import factories
from voting.models import Comparison, Round, Voter

pytestmark = pytest.mark.django_db


def first_prompt(arena: Round) -> Prompt:
    return Prompt.objects.filter(set__roundpromptset__round=arena).order_by("id")[0]


def vote(arena: Round, voter: Voter, outcome: str, lo: int = 0, hi: int = 1, **fields: object) -> Comparison:
    comparison = factories.make_comparison(arena, voter, first_prompt(arena), lo, hi, **fields)  # type: ignore[arg-type]
    factories.cast_directly(comparison, outcome)
    return comparison


def run(path: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("export_preferences", str(path), *arguments, stdout=out)
    return out.getvalue()


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_preferred_answer_is_chosen_whichever_side_it_stood_on(
    arena: Round, voter: Voter, tmp_path: Path
) -> None:
    left = vote(arena, voter, "left", lo_is_left=False)
    run(tmp_path / "out.jsonl")
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["chosen"] == [{"role": "assistant", "content": left.left_response.turns[0]["text"]}]
    assert row["rejected"] == [{"role": "assistant", "content": left.right_response.turns[0]["text"]}]
    assert row["prompt"] == [{"role": "user", "content": first_prompt(arena).messages[0]["content"]}]
    assert row["chosen_candidate"] == left.left_response.candidate.label


def test_the_votes_of_several_voters_are_merged(
    arena: Round, voter: Voter, other_voter: Voter, tmp_path: Path
) -> None:
    vote(arena, voter, "left")
    vote(arena, other_voter, "right", lo_is_left=False)
    run(tmp_path / "out.jsonl")
    (row,) = rows(tmp_path / "out.jsonl")
    assert (row["n_votes"], row["n_voters"], row["votes_chosen"], row["agreement"]) == (2, 2, 2, 1.0)


def test_undecided_pairs_are_left_out_and_counted(arena: Round, voter: Voter, tmp_path: Path) -> None:
    vote(arena, voter, "left")
    vote(arena, voter, "both_bad", 0, 2)
    said = run(tmp_path / "out.jsonl")
    assert len(rows(tmp_path / "out.jsonl")) == 1
    assert "1 left out: as many votes for one answer as for the other" in said


def test_undone_votes_and_excluded_voters_do_not_count(
    arena: Round, voter: Voter, other_voter: Voter, tmp_path: Path
) -> None:
    from voting.models import Vote

    vote(arena, voter, "left")
    undone = vote(arena, voter, "left", 0, 2)
    Vote.objects.filter(comparison=undone).update(undone_at=timezone.now())
    vote(arena, other_voter, "left", 1, 2)
    Voter.objects.filter(pk=other_voter.pk).update(excluded_at=timezone.now())
    run(tmp_path / "out.jsonl")
    assert len(rows(tmp_path / "out.jsonl")) == 1


def test_hidden_answers_are_left_out(arena: Round, voter: Voter, tmp_path: Path) -> None:
    vote(arena, voter, "left", 1, 2)
    hidden = vote(arena, voter, "left").left_response
    hidden.hidden_at = timezone.now()
    hidden.save(update_fields=["hidden_at"])
    assert "1 left out: an answer was hidden" in run(tmp_path / "out.jsonl")


def test_conversations_with_different_histories_are_left_out(voter: Voter, tmp_path: Path) -> None:
    prompt_set = factories.make_prompt_set()
    two_turns = factories.make_prompt(
        prompt_set, messages=[{"role": "user", "content": w} for w in ("One?", "Two?")]
    )
    candidates = [factories.make_candidate(), factories.make_candidate()]
    for candidate in candidates:
        factories.make_response(candidate, two_turns)
    arena = factories.make_round(candidates, [prompt_set])
    vote(arena, voter, "left")
    with pytest.raises(CommandError, match="differ before the judged answer"):
        run(tmp_path / "out.jsonl")


def test_the_same_votes_give_the_same_bytes(arena: Round, voter: Voter, tmp_path: Path) -> None:
    vote(arena, voter, "left")
    vote(arena, voter, "right", 0, 2)
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        run(tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert len(gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).splitlines()) == 2
    first, second = Export.objects.all()
    assert first.rows_sha == second.rows_sha


def test_an_unknown_format_names_the_known_ones(arena: Round, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="'ppo' is not known. Known: dpo"):
        run(tmp_path / "out.jsonl", "--format", "ppo")


def test_an_unknown_round_names_the_rounds(arena: Round, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"no round 'nowhere'. Rounds: {arena.slug}"):
        run(tmp_path / "out.jsonl", "--round", "nowhere")


def test_no_votes_says_so_and_writes_nothing(arena: Round, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no votes yet"):
        run(tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_says_so(arena: Round, voter: Voter, tmp_path: Path) -> None:
    vote(arena, voter, "left")
    with pytest.raises(CommandError, match="cannot be written"):
        run(tmp_path / "no" / "such" / "folder.jsonl")
    assert Export.objects.count() == 0


def test_a_full_disk_leaves_the_old_file_as_it_was(arena: Round, voter: Voter, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("the old one")
    vote(arena, voter, "left")
    full = OSError(28, "No space left on device")
    with patch.object(export, "_write", side_effect=full), pytest.raises(CommandError, match="No space left"):
        run(path)
    assert path.read_text() == "the old one" and list(tmp_path.iterdir()) == [path]


def test_the_page_shows_the_funnel_and_the_button_downloads(
    arena: Round, voter: Voter, as_maintainer: Client
) -> None:
    vote(arena, voter, "left")
    page = as_maintainer.get(f"/dashboard/rounds/{arena.slug}/export")
    assert page.status_code == 200 and "1 row" in page.content.decode()
    file = as_maintainer.post(f"/dashboard/rounds/{arena.slug}/export/dpo.jsonl")
    assert file["Content-Disposition"].startswith(f'attachment; filename="{arena.slug}-dpo-')
    assert len(file.content.decode().splitlines()) == Export.objects.get().rows == 1


def test_strangers_get_the_login_page(arena: Round, client: Client) -> None:
    assert client.get(f"/dashboard/rounds/{arena.slug}/export").status_code == 302
    assert client.post(f"/dashboard/rounds/{arena.slug}/export/dpo.jsonl").status_code == 302


@pytest.mark.parametrize("fields", [{"state": "lost"}, {"state": "done", "rows_sha": ""}])
def test_the_database_refuses_an_export_that_makes_no_sense(fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.create(format="dpo", **fields)


def test_an_answer_with_fewer_turns_than_its_prompt_does_not_stop_the_export(
    voter: Voter, tmp_path: Path
) -> None:
    prompt_set = factories.make_prompt_set()
    two_turns = factories.make_prompt(
        prompt_set, messages=[{"role": "user", "content": w} for w in ("One?", "Two?")]
    )
    one_turn = factories.make_prompt(prompt_set)
    candidates = [factories.make_candidate(), factories.make_candidate()]
    for candidate in candidates:
        short = [{"text": f"Only one turn by {candidate.label}.", "tokens": 5, "finish": "stop"}]
        factories.make_response(candidate, two_turns, turns=short)
        factories.make_response(candidate, one_turn)
    arena = factories.make_round(candidates, [prompt_set])
    for prompt in (two_turns, one_turn):
        factories.cast_directly(factories.make_comparison(arena, voter, prompt, 0, 1), "left")
    run(tmp_path / "out.jsonl")
    assert one_turn.key in [row["prompt_key"] for row in rows(tmp_path / "out.jsonl")]
