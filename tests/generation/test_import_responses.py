from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count

from generation.imports import import_responses
from generation.models import Candidate, Checkpoint, Manifest, Prompt, PromptSet, Response
from tests import factories

pytestmark = pytest.mark.django_db

SEED = sorted(Path("../shared/data/shisa-v1/gen").glob("*.json"))
needs_seed = pytest.mark.skipif(not SEED, reason="the seed team's data (../shared/data/shisa-v1) is not here")


def seed_row(
    task: int = 1, lang: str = "en", user: str = "Hi?", response: str = "Hello.", **task_fields: Any
) -> dict:
    chat = [("system", "Be kind."), ("user", user), ("assistant", response)]
    return {
        "chat": [{"role": role, "content": content} for role, content in chat],
        "response": response,
        "lang": lang,
        "task": {"id": task, "type": "benchmark", **task_fields},
    }


def seed_file(folder: Path, *rows: Any, name: str = "my-model_temp-0.7_run-1.json") -> Path:
    (folder / name).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return folder / name


def test_a_file_of_the_seed_team(tmp_path: Path) -> None:
    rows = [
        seed_row(),
        seed_row(lang="ja", user="やあ？", response="どうも。"),
        seed_row(48, user='Please translate this to Japanese: "a"', type="translation-en-ja"),
    ]
    done = import_responses(paths=[seed_file(tmp_path, *rows, name="org_m-v1_temp-0.7_run-3.json")])
    assert (done.checkpoints, done.candidates, done.prompts, done.responses) == (1, 1, 3, 3)
    candidate = Candidate.objects.get()
    assert candidate.label == "org_m-v1 @ 0.7" and candidate.checkpoint.source == "imported"
    assert candidate.sampler == {
        "temperature": 0.7, "top_p": 0.95, "repetition_penalty": 1.15, "max_new_tokens": 500,
    }  # fmt: skip
    assert set(Response.objects.values_list("sample", flat=True)) == {2}
    first, translation = Prompt.objects.filter(language="en").order_by("key")
    assert first.system == "Be kind." and first.answer_language is None
    assert translation.expected_language == "ja"
    assert Prompt.objects.filter(concept=first.concept).count() == 2


def test_a_dpo_checkpoint_gets_its_parent(tmp_path: Path) -> None:
    names = ("shisa-7b-v1", "shisa-dpo-7b-v1", "org_shisa-7b-v2-dpo")
    import_responses(paths=[seed_file(tmp_path, seed_row(), name=f"{n}_temp-1.0_run-1.json") for n in names])
    parents = dict(Checkpoint.objects.values_list("name", "parent__name"))
    assert parents == {"shisa-7b-v1": None, "shisa-dpo-7b-v1": "shisa-7b-v1", "org_shisa-7b-v2-dpo": None}


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    path = seed_file(tmp_path, seed_row(), seed_row(2, user="Bye?"))
    import_responses(paths=[path])
    tables = (Checkpoint, Candidate, PromptSet, Prompt, Manifest, Response)
    before = [list(table.objects.order_by("id").values()) for table in tables]
    done = import_responses(paths=[path, path])
    assert (done.responses, done.unchanged, done.differing) == (0, 2, [])
    assert [list(table.objects.order_by("id").values()) for table in tables] == before


def test_an_answer_that_differs_is_kept_as_it_was_and_named(tmp_path: Path) -> None:
    import_responses(paths=[seed_file(tmp_path, seed_row())])
    done = import_responses(paths=[seed_file(tmp_path, seed_row(response="Other."))])
    assert done.differing == ["my-model @ 0.7, task-1 (en), sample 0"]
    assert Response.objects.get().turns[0]["text"] == "Hello."


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert import_responses(paths=[seed_file(tmp_path, seed_row())], dry_run=True).responses == 1
    assert not Response.objects.exists() and not Checkpoint.objects.exists()


def test_equal_answers_are_flagged_as_twins(tmp_path: Path) -> None:
    paths = [seed_file(tmp_path, seed_row(), name=f"m_temp-{t}_run-1.json") for t in ("0.1", "0.4")]
    import_responses(paths=paths)
    assert [[flag["code"] for flag in one.flags] for one in Response.objects.all()] == [["twin"], ["twin"]]


BAD_SEED_ROWS = [
    ("row", "row", "is str"),
    (seed_row() | {"lang": "fr"}, "language", "'fr'"),
    (seed_row() | {"task": {"type": "x"}}, "task", "has no id"),
    (seed_row() | {"chat": []}, "chat", "roles"),
    (seed_row() | {"response": "Something else"}, "response", "differs"),
    (seed_row(user=""), r"messages\[0\].content", "is empty"),
    (seed_row(user="</s>"), r"messages\[0\].content", "special token"),
]


@pytest.mark.parametrize(("row", "field", "says"), BAD_SEED_ROWS)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, row: Any, field: str, says: str) -> None:
    path = seed_file(tmp_path, seed_row(9, user="Fine?"), row)
    with pytest.raises(CommandError, match=rf"my-model.*json, row 2, field {field}: .*{says}"):
        call_command("import_responses", path)
    assert not Checkpoint.objects.exists() and not Manifest.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [("answers.json", "[]", "CHECKPOINT_temp-T_run-N.json"), ("m_temp-0.1_run-0.json", "[]", "does not say"),
     ("m_temp-0.1_run-1.json", "{", "is not JSON"), ("m_temp-0.1_run-1.json", "{}", "is a JSON dict"),
     ("m.txt", "", "neither")],
)  # fmt: skip
def test_a_bad_file_is_named(tmp_path: Path, name: str, data: str, says: str) -> None:
    (tmp_path / name).write_text(data)
    with pytest.raises(CommandError, match=says):
        call_command("import_responses", tmp_path / name)


def dumped(folder: Path) -> Path:
    """A dump of two candidates' answers to one prompt, one of them empty."""
    checkpoint = factories.make_checkpoint(
        "base", source="path", location="wheel:x", output_terms="Apache-2.0"
    )
    prompt = factories.make_prompt(factories.make_prompt_set("demo"), key="k", text="Hi?")
    for label, text in (("one", "Hello."), ("two", "")):
        settings = {
            "sampler": {"temperature": 0.1 + len(text)},
            "template": "preset:gemma-plain",
            "system": "S",
        }
        candidate = factories.make_candidate(label, checkpoint, **settings)
        turns = [{"text": text, "tokens": 3, "finish": "stop"}]
        factories.make_response(candidate, prompt, turns=turns, seed=2**62)
    call_command("dump_responses", folder / "out.jsonl", set="demo")
    return folder / "out.jsonl"


def test_what_is_dumped_comes_back_as_it_was(tmp_path: Path) -> None:
    path = dumped(tmp_path)
    first = path.read_bytes()
    for table in (Response, Candidate, Checkpoint, Manifest):
        table.objects.all().delete()
    assert import_responses(paths=[path]).responses == 2
    call_command("dump_responses", path, set="demo")
    assert path.read_bytes() == first
    assert Response.objects.get(candidate__label="one").seed == 2**62


def test_a_dump_leaves_out_what_it_is_told(tmp_path: Path) -> None:
    dumped(tmp_path)
    call_command("dump_responses", tmp_path / "some.jsonl", set="demo", without_flag=["empty"])
    assert [json.loads(line)["candidate"]["label"] for line in (tmp_path / "some.jsonl").open()] == ["one"]


def test_a_dump_of_an_unknown_set_or_to_nowhere_is_refused(tmp_path: Path) -> None:
    dumped(tmp_path)
    with pytest.raises(CommandError, match="no prompt set 'x'; known: demo"):
        call_command("dump_responses", tmp_path / "o.jsonl", set="x")
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        call_command("dump_responses", tmp_path / "none" / "o.jsonl", set="demo")


BAD_DUMPED = [
    (lambda row: row.pop("turns"), "turns: is missing"),
    (lambda row: row.update(extra=1), "extra: is not known"),
    (lambda row: row.update(turns="Hi"), "turns: is not a list"),
    (lambda row: row.update(turns=row["turns"] * 2), "turns: has 2 answers, but the prompt 1"),
    (lambda row: row["turns"][0].update(finish="eos"), r"turns\[0\].finish: is 'eos'"),
    (lambda row: row["turns"][0].update(text=None), r"turns\[0\].text: is NoneType"),
    (lambda row: row.update(sample=-1), "sample: is -1"),
    (lambda row: row.update(seed=1 << 63), "seed: is"),
    (lambda row: row["prompt"].update(key="none"), "prompt: 'none' .*manage.py import_prompts"),
    (lambda row: row["checkpoint"].update(source="web"), "checkpoint.source: is 'web'"),
    (lambda row: row["candidate"]["sampler"].update(heat=1), "candidate: .*heat"),
    (lambda row: row["candidate"].update(label="two", sampler={}), "candidate: .*'two' belongs"),
    (lambda row: row["turns"][0].update(text="Other."), "turns: another answer .*out.jsonl, row 1"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD_DUMPED)
def test_a_bad_line_of_a_dump_is_named(tmp_path: Path, spoil: Any, says: str) -> None:
    path = dumped(tmp_path)
    row = json.loads(path.read_text().splitlines()[0])
    Response.objects.all().delete()
    Candidate.objects.filter(label="one").delete()
    row["checkpoint"]["name"] = "new"
    first = json.dumps(row)
    spoil(row)
    path.write_text(f"{first}\n{json.dumps(row)}\n")
    with pytest.raises(CommandError, match=f"out.jsonl, row 2, field {says}"):
        call_command("import_responses", path)
    assert not Response.objects.exists() and not Checkpoint.objects.filter(name="new").exists()


@needs_seed
def test_the_seed_teams_own_generations() -> None:
    done = import_responses(paths=SEED)
    assert (done.checkpoints, done.candidates, done.prompts, done.responses) == (6, 24, 96, 2304)
    labels = set(Candidate.objects.values_list("label", flat=True))
    assert "shisa-mega-7b-v1.2 @ 0.4" in labels and "augmxnt_shisa-mega-7b-v1.2-dpo @ 1.0" in labels
    per_candidate = Candidate.objects.annotate(n=Count("responses")).values_list("n", flat=True)
    assert set(per_candidate) == {96} and set(Response.objects.values_list("sample", flat=True)) == {0}
    other = Prompt.objects.exclude(answer_language=None).values_list("key", "language", "answer_language")
    assert sorted(other) == [
        ("task-48", "en", "ja"), ("task-49", "en", "ja"), ("task-50", "ja", "en"), ("task-51", "ja", "en"),
    ]  # fmt: skip
    both = Prompt.objects.values("concept").annotate(n=Count("id")).filter(n=2).count()
    assert both == 45 and not Prompt.objects.filter(system=None).exists()
    again = import_responses(paths=SEED)
    assert (again.responses, again.unchanged, again.differing) == (0, 2304, [])
