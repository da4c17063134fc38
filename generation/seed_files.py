"""What the team behind Shisa 7B generated and compared: CHECKPOINT_temp-T_run-N.json, from AUGMXNT/shisa.

A list of {chat: [{role, content} …], response, lang, task: {id, type, …}}. The system prompt stands in the
chat and differs by task, so it belongs to the prompt. The same task in Japanese and English is one concept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generation.errors import GenerationError, RowError
from generation.response_rows import ResponseRow

SET = "shisa-v1"
_NAME = re.compile(r"(?P<checkpoint>.+)_temp-(?P<temperature>\d+(?:\.\d+)?)_run-(?P<run>[1-9]\d*)\.json")
# Their settings beside the temperature that the file's name says.
_SAMPLER = {"top_p": 0.95, "repetition_penalty": 1.15, "max_new_tokens": 500}
_TRANSLATION = re.compile(r"translation-(?:ja|en)-(?P<to>ja|en)")


def read(path: Path, data: bytes) -> Iterator[tuple[int, ResponseRow | RowError]]:
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise GenerationError(
            f"{path.name} does not say what made it. Name it CHECKPOINT_temp-T_run-N.json, "
            "such as my-model_temp-0.7_run-1.json."
        )
    try:
        rows = json.loads(data)
    except ValueError as error:
        raise GenerationError(f"{path} is not JSON: {error}.") from error
    if not isinstance(rows, list):
        raise GenerationError(f"{path} is a JSON {type(rows).__name__}; a list of responses is expected.")
    return _read_rows(rows, name["checkpoint"], name["temperature"], int(name["run"]))


def _read_rows(
    rows: list[Any], checkpoint: str, temperature: str, run: int
) -> Iterator[tuple[int, ResponseRow | RowError]]:
    sampler = {"temperature": float(temperature), **_SAMPLER}
    shared: dict[str, Any] = {
        "checkpoint": {
            "name": checkpoint, "source": "imported", "stage": "DPO" if "dpo" in checkpoint else "",
            "parent": parent_name(checkpoint),
        },
        "candidate": {"label": f"{checkpoint} @ {temperature}", "sampler": sampler},
        "sample": run - 1,
        "seed": None,
        "manifest": {"imported": "AUGMXNT/shisa eval/generations", "run": run, "sampler": sampler},
    }  # fmt: skip
    for number, row in enumerate(rows, start=1):
        try:
            yield number, _row(row, shared)
        except RowError as error:
            yield number, error


def parent_name(checkpoint: str) -> str | None:
    """The checkpoint that a DPO one was trained from, where its name says so."""
    if "dpo" not in checkpoint:
        return None
    # An organisation may stand in front: augmxnt_shisa-mega-7b-v1.2-dpo comes from shisa-mega-7b-v1.2.
    return re.sub(r"dpo-|-dpo", "", checkpoint.rpartition("_")[2])


def _row(row: object, shared: Mapping[str, Any]) -> ResponseRow:
    if not isinstance(row, dict):
        raise RowError("row", f"is {type(row).__name__}. Give an object with chat, response, lang and task.")
    for field, kind in (("chat", list), ("response", str), ("lang", str), ("task", dict)):
        if not isinstance(row.get(field), kind):
            raise RowError(field, f"is {type(row.get(field)).__name__}, not {kind.__name__}. Give it.")
    task = row["task"]
    if not isinstance(task.get("id"), int) or not isinstance(task.get("type"), str):
        raise RowError("task", "has no id (a number) or no type (text). Give both.")
    key = f"task-{task['id']}"
    prompt = {
        "key": key,
        "concept": key,
        "language": row["lang"],
        "answer_language": _answer_language(task["type"]),
        "category": task["type"],
        **_conversation(row["chat"], row["response"]),
    }
    turns = [{"text": row["response"], "tokens": None, "finish": None}]
    return ResponseRow(prompt_key=(SET, key, row["lang"]), prompt=prompt, turns=turns, **shared)


def _conversation(chat: list[Any], response: str) -> dict[str, Any]:
    """The system prompt and the user's message; the chat ends with the response itself."""
    roles = [message.get("role") if isinstance(message, dict) else None for message in chat]
    if roles not in (["system", "user", "assistant"], ["user", "assistant"]):
        raise RowError(
            "chat", f"has the roles {roles}. An optional system, a user and an assistant are expected."
        )
    if chat[-1].get("content") != response:
        raise RowError("response", "differs from the chat's last message. Which of them is the answer?")
    return {
        "system": chat[0].get("content") if roles[0] == "system" else None,
        "messages": [{"role": "user", "content": chat[-2].get("content")}],
    }


def _answer_language(task_type: str) -> str | None:
    translation = _TRANSLATION.fullmatch(task_type)
    return translation["to"] if translation else None
