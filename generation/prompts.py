"""Prompts: conversations to answer. What is refused here can reach no model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from generation import render
from generation.errors import RowError, SettingsError
from generation.hashing import sha_of
from generation.models import LANGUAGES, Prompt, PromptSet

MAX_CHARS = 100_000
# In a user's text they would become real special tokens and end the turn, or begin another one.
_SPECIAL = re.compile(
    r"</?s>|<\|[^\s|<>]{1,40}\|>|<｜[^\s｜<>]{1,40}｜>|</?(?:start|end)_of_(?:turn|image)>|<(?:bos|eos|pad|unk)>"
    r"|\[/?INST\]|<</?SYS>>",
    re.IGNORECASE,
)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def add_prompt(*, prompt_set: PromptSet, **fields: Any) -> Prompt:
    """Add one prompt, with the fields of `build`; one of the same content that is there is returned."""
    prompt = build(prompt_set=prompt_set, **fields)
    with transaction.atomic():
        Prompt.objects.bulk_create([prompt], ignore_conflicts=True)
    same_key = Q(key=prompt.key) | Q(content_sha=prompt.content_sha)
    for found in Prompt.objects.filter(same_key, set=prompt_set, language=prompt.language):
        if found.content_sha == prompt.content_sha:
            return found
    raise SettingsError(
        f"Prompt {prompt.key!r} ({prompt.language}) is in {prompt_set} with another content. "
        "Give this one another key: a prompt never changes, since answers refer to it."
    )


def build(
    *,
    prompt_set: PromptSet,
    key: str,
    language: str,
    category: str,
    messages: Sequence[Mapping[str, str]],
    concept: str = "",
    system: str | None = None,
    answer_language: str | None = None,
    content_warning: str = "",
) -> Prompt:
    """An unsaved prompt, checked and rendered. Raises RowError naming the field."""
    check_short("key", key, 100)
    check_short("concept", concept or key, 100)
    check_short("category", category, 50)
    check_language("language", language)
    if answer_language is not None:
        check_language("answer_language", answer_language)
    said = check_messages(messages)
    if system is not None:
        system = check_text("system", system)
    check_length([system or "", *(message["content"] for message in said)])
    html = html_of(said)
    return Prompt(
        set=prompt_set,
        key=key,
        concept=concept or key,
        language=language,
        answer_language=None if answer_language == language else answer_language,
        category=category,
        system=system or None,
        messages=said,
        html=html,
        html_version=render.HTML_VERSION,
        turns=len(html),
        content_sha=sha_of({"system": system or None, "messages": said}),
        content_warning=content_warning,
    )


def check_short(field: str, text: str, longest: int) -> None:
    check_text(field, text)
    if len(text) > longest:
        raise RowError(field, f"has {len(text)} characters; at most {longest} are kept. Shorten it.")


def check_language(field: str, language: str) -> None:
    if language not in LANGUAGES:
        known = " or ".join(LANGUAGES)
        raise RowError(field, f"is {str(language)[:40]!r}, which is not known. Say {known}.")


def check_text(field: str, text: object) -> str:
    if not isinstance(text, str):
        raise RowError(field, f"is {type(text).__name__}, not text. Give a string.")
    if not text.strip():
        raise RowError(field, "is empty. Write something, or take the row out.")
    if found := _NOT_TEXT.search(text):
        raise RowError(field, f"holds the control character U+{ord(found[0]):04X}. Take it out.")
    if found := _SPECIAL.search(text):
        raise RowError(
            field,
            f"holds {found[0]!r}, a special token of chat models: it would end or begin a turn. "
            "Take it out or write it differently.",
        )
    return text


def check_length(texts: Sequence[str]) -> None:
    total = sum(len(text) for text in texts)
    if total > MAX_CHARS:
        raise RowError(
            "messages", f"have {total:,} characters; at most {MAX_CHARS:,} are taken. Shorten them."
        )


def check_messages(messages: object) -> list[dict[str, str]]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise RowError("messages", 'is not a list of messages. Give [{"role": "user", "content": …}].')
    said = []
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise RowError(f"messages[{number}]", 'is not an object. Give {"role": "user", "content": …}.')
        role = message.get("role")
        if role not in ("user", "assistant"):
            raise RowError(
                f"messages[{number}].role",
                f"is {str(role)[:40]!r}. Say user, or assistant for a given answer.",
            )
        said.append(
            {"role": role, "content": check_text(f"messages[{number}].content", message.get("content"))}
        )
    if said[0]["role"] != "user":
        raise RowError("messages[0].role", "is assistant. A conversation begins with the user.")
    if said[-1]["role"] != "user":
        raise RowError(
            f"messages[{len(said) - 1}].role",
            "is assistant: nothing is left to answer. Take the last answer out.",
        )
    return said


def turns_of(messages: Sequence[Mapping[str, str]]) -> Sequence[Sequence[Mapping[str, str]]]:
    """The messages, cut behind each user message that no assistant message follows: the turns to answer."""
    parts: list[list[Mapping[str, str]]] = [[]]
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        parts[-1].append(message)
        if message["role"] == "user" and (following is None or following["role"] == "user"):
            parts.append([])
    return parts[:-1]


def html_of(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """One safe HTML string per turn to answer."""
    return [_turn_html(part) for part in turns_of(messages)]


def _turn_html(part: Sequence[Mapping[str, str]]) -> str:
    if len(part) == 1:
        return render.to_html(part[0]["content"])
    # Given exchanges in front of the question: who spoke must stay visible.
    return "".join(
        f'<div class="said-by-{message["role"]}">{render.to_html(message["content"])}</div>'
        for message in part
    )
