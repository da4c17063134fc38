from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from generation.language import detect
from generation.models import Prompt, PromptSet
from generation.prompts import add_prompt
from tests import factories

pytestmark = pytest.mark.django_db

GOOD = {"key": "a", "language": "en", "category": "writing", "messages": [{"role": "user", "content": "Hi?"}]}


def written(folder: Path, *rows: Any, name: str = "prompts.jsonl") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def run(path: Path, **options: Any) -> None:
    call_command("import_prompts", path, set="s", **options)


def test_our_format(tmp_path: Path) -> None:
    row = GOOD | {"concept": "c", "answer_language": "ja", "system": "Be **brief**."}
    run(written(tmp_path, row))
    made = Prompt.objects.get()
    assert (made.set.slug, made.key, made.concept, made.expected_language) == ("s", "a", "c", "ja")
    assert made.system == "Be **brief**." and made.html == ["<p>Hi?</p>"] and made.turns == 1


def test_the_demo_prompts_are_half_japanese_and_have_two_turn_ones() -> None:
    run(Path("demo/prompts.jsonl"))
    assert Prompt.objects.filter(language="ja").count() == Prompt.objects.filter(language="en").count() >= 24
    assert Prompt.objects.filter(turns=2).count() >= 8


def test_fastchat_questions(tmp_path: Path) -> None:
    row = {
        "question_id": 81,
        "category": "writing",
        "turns": ["日記を書いて。", "短くして。"],
        "reference": ["x"],
    }
    run(written(tmp_path, row))
    made = Prompt.objects.get()
    assert (made.key, made.language, made.category, made.turns) == ("81", "ja", "writing", 2)


def test_chat_messages_with_a_system_message_and_a_given_answer(tmp_path: Path) -> None:
    roles = [("system", "Be kind."), ("user", "One?"), ("assistant", "Yes."), ("user", "Two?")]
    run(written(tmp_path, {"messages": [{"role": role, "content": text} for role, text in roles], "id": 7}))
    made = Prompt.objects.get()
    assert made.system == "Be kind." and made.turns == 1 and len(made.messages) == 3
    assert made.html[0].index("One?") < made.html[0].index("Yes.") < made.html[0].index("Two?")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_csv(tmp_path: Path, encoding: str) -> None:
    text = 'key,category,prompt,prompt_2\r\na,writing,"東京の,いいところは？",もっと短く。\r\nb,math,What is 2+2?,\r\n'
    (tmp_path / "p.csv").write_bytes(text.encode(encoding))
    run(tmp_path / "p.csv")
    japanese, english = Prompt.objects.order_by("key")
    assert japanese.messages[0]["content"] == "東京の,いいところは？" and japanese.turns == 2
    assert (japanese.language, english.language, english.turns) == ("ja", "en", 1)


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, {"messages": [{"role": "user", "content": "No key?"}]})
    run(path)
    before = list(Prompt.objects.values())
    run(path)
    assert list(Prompt.objects.values()) == before and len(before) == 2


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    run(written(tmp_path, GOOD), dry_run=True)
    assert not PromptSet.objects.exists()


def test_the_same_content_under_another_key_stays_one_prompt(tmp_path: Path) -> None:
    run(written(tmp_path, GOOD, GOOD | {"key": "b"}))
    assert Prompt.objects.get().key == "a"


def test_language_by_option(tmp_path: Path) -> None:
    run(written(tmp_path, {"question_id": 1, "turns": ["一期一会"]}), language="ja")
    assert Prompt.objects.get().language == "ja"


@pytest.mark.parametrize(
    ("text", "language"),
    [("東京はどこ？", "ja"), ("Where is Tokyo?", "en"), ("Explain 「おはよう」.", "en"),
     ("「How are you?」を訳して。", "ja"), ("`print('あ')` prints what?", "en"), ("「なまむぎ」", "ja")],
)  # fmt: skip
def test_detected(text: str, language: str) -> None:
    assert detect(text) == language


SAY = {"role": "user"}
BAD = [
    ('{"key": ', "line", "is not JSON"),
    ("[1]", "line", "is a JSON list"),
    (GOOD | {"language": "fr"}, "language", "'fr'.*Say ja or en"),
    (GOOD | {"answer_language": "xx"}, "answer_language", "'xx'"),
    (GOOD | {"langauge": "en"}, "langauge", "is not known"),
    (GOOD | {"key": ""}, "key", "is empty"),
    (GOOD | {"key": "k" * 101}, "key", "has 101 characters"),
    (GOOD | {"messages": []}, "messages", "is not a list of messages"),
    (GOOD | {"messages": [SAY | {"content": " \n"}]}, r"messages\[0\].content", "is empty"),
    (GOOD | {"messages": [SAY | {"content": None}]}, r"messages\[0\].content", "is NoneType"),
    (GOOD | {"messages": [SAY | {"content": "a\u0000b"}]}, r"messages\[0\].content", r"U\+0000"),
    (GOOD | {"messages": [SAY | {"content": "x" * 1_000_000}]}, "messages", "1,000,000 characters"),
    (GOOD | {"messages": [{"role": "assistant", "content": "a"}]}, r"messages\[0\].role", "begins with the user"),
    (GOOD | {"messages": [{"role": "tool", "content": "a"}]}, r"messages\[0\].role", "'tool'"),
    (GOOD | {"messages": [SAY | {"content": "a"}, {"role": "assistant", "content": "b"}]}, r"messages\[1\]", "left"),
    (GOOD | {"system": "<|im_start|>system"}, "system", "special token"),
    ({"question_id": 1, "turns": "Hi"}, "turns", "is str"),
    ({"turns": ["Hi"]}, "question_id", "is missing"),
    ({"question_id": 1, "turns": ["一期一会"]}, "language", "cannot be told"),
    ({"key": "a", "language": "en"}, "messages", "is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "field", "says"), BAD)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, row: Any, field: str, says: str) -> None:
    path = written(tmp_path, GOOD | {"key": "fine", "messages": [SAY | {"content": "Fine?"}]}, row)
    with pytest.raises(CommandError, match=rf"prompts.jsonl, row 2, field {field}[^:]*: .*{says}"):
        run(path)
    assert not PromptSet.objects.exists()


TOKENS = [
    "</s>",
    "<s>",
    "<|im_start|>",
    "<|endoftext|>",
    "<start_of_turn>",
    "<bos>",
    "[INST]",
    "<<SYS>>",
    "<｜User｜>",
]


@pytest.mark.parametrize("token", TOKENS)
def test_special_tokens_are_refused(tmp_path: Path, token: str) -> None:
    row = GOOD | {"messages": [SAY | {"content": f"Say {token} please"}]}
    with pytest.raises(CommandError, match="special token"):
        run(written(tmp_path, row))


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        run(written(tmp_path, "{", GOOD, "{", "", GOOD | {"language": "de"}))
    lines = str(caught.value).splitlines()
    assert [line.split(",")[1].strip() for line in lines[:-1]] == ["row 1", "row 3", "row 5"]
    assert lines[-1] == "Nothing was imported: mend 3 error(s) and import again."


def test_a_key_with_another_content_is_refused(tmp_path: Path) -> None:
    run(written(tmp_path, GOOD))
    changed = GOOD | {"messages": [SAY | {"content": "Changed?"}]}
    with pytest.raises(CommandError, match="already in the set with another content"):
        run(written(tmp_path, changed))
    with pytest.raises(CommandError, match="in row 1 with another content"):
        run(written(tmp_path, GOOD | {"key": "b"} | {"messages": [SAY | {"content": "1"}]},
                    GOOD | {"key": "b"} | {"messages": [SAY | {"content": "2"}]}))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("p.csv", b"key,promt\r\na,b\r\n", "column 'promt' is not known"),
        ("p.csv", b"key,category\r\na,b\r\n", "no column prompt"),
        ("p.csv", b"key,prompt\r\na,b,c\r\n", "row 2, field row: has more cells"),
        ("p.csv", b'key,prompt\r\na,"b\r\n', "is not CSV"),
        ("p.csv", b"key,prompt\r\na,\r\n", r"row 2, field messages\[0\].content: is empty"),
        ("p.csv", b"key,prompt\r\na,\x81 ", "neither UTF-8 nor cp932"),
        ("p.jsonl", b'{"key": "\x93\xfa"}', "row 1, field line: is not UTF-8"),
        ("p.jsonl", b"\n\n", "holds no prompts"),
        ("p.txt", b"Hi", "neither .jsonl nor .csv"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CommandError, match=says):
        run(tmp_path / name)
    assert not PromptSet.objects.exists()


def test_a_missing_file_a_bad_slug_and_an_unknown_language_are_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run(tmp_path / "none.jsonl")
    with pytest.raises(CommandError, match="'a b' cannot name a prompt set"):
        call_command("import_prompts", written(tmp_path, GOOD), set="a b")
    with pytest.raises(CommandError, match="--language fr is not known"):
        run(written(tmp_path, GOOD), language="fr")


def test_adding_one_again_returns_the_first() -> None:
    prompt_set = factories.make_prompt_set()
    fields = {"language": "en", "category": "math", "messages": GOOD["messages"]}
    first = add_prompt(prompt_set=prompt_set, key="a", **fields)
    assert add_prompt(prompt_set=prompt_set, key="b", **fields) == first
