"""Render a conversation as the candidate's chat template says, and encode it with exactly one leading BOS."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generation.engine.presets import PRESETS
from generation.engine.types import Message, TemplateError

PRESET_PREFIX = "preset:"


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template that is settled: its Jinja text, and the strings at which an answer under it ends."""

    text: str
    stop: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256("\0".join((self.text, *self.stop)).encode()).hexdigest()


def resolve(template: str | None, tokenizer: Any) -> Template:
    """The template of a candidate: Jinja text, `preset:<name>`, or None for the tokenizer's own."""
    if template and template.startswith(PRESET_PREFIX):
        name = template.removeprefix(PRESET_PREFIX)
        if name not in PRESETS:
            raise TemplateError(f"There is no template preset {name!r}; known are {', '.join(PRESETS)}.")
        return Template(PRESETS[name].text, PRESETS[name].stop)
    if template:
        return Template(template)
    own = tokenizer.chat_template
    if isinstance(own, Mapping):
        own = own.get("default")
    if not own:
        raise TemplateError(
            "This checkpoint's tokenizer has no chat template. Give the candidate one, or a preset: "
            + ", ".join(PRESET_PREFIX + name for name in PRESETS)
        )
    return Template(own)


def render(
    messages: Sequence[Message],
    *,
    system: str | None,
    template: Template,
    tokenizer: Any,
    template_args: Mapping[str, Any] | None = None,
) -> str:
    """The text up to where the answer begins."""
    conversation = [dict(message) for message in messages]
    if system:
        conversation.insert(0, {"role": "system", "content": system})
    try:
        # A template can fail in any way that Jinja and its own raise_exception can; all of them are the
        # template's.
        return str(
            tokenizer.apply_chat_template(
                conversation,
                chat_template=template.text,
                tokenize=False,
                add_generation_prompt=True,
                **(template_args or {}),
            )
        )
    except Exception as error:
        raise TemplateError(f"The chat template cannot render this conversation: {error}") from error


def encode(text: str, tokenizer: Any) -> list[int]:
    """Token ids with exactly one leading BOS where the tokenizer works with one.

    Rendering and then calling the tokenizer gives two, a template without a system message may give none.
    Only leading ones count: a template of several turns may well write one per turn.
    """
    ids: list[int] = list(tokenizer.encode(text, add_special_tokens=False))
    wanted = bos_id(tokenizer)
    leading = count_leading_bos(ids, tokenizer)
    if wanted is None:
        # The tokenizer never puts its BOS itself; whether one belongs here is the template's to say, but
        # never two.
        return ids[max(0, leading - 1) :]
    return [wanted, *ids[leading:]]


def bos_id(tokenizer: Any) -> int | None:
    """The BOS that texts must begin with; None for a tokenizer that names one but does not put it itself."""
    with_special = tokenizer.encode("a", add_special_tokens=True)
    if tokenizer.bos_token_id is not None and with_special[:1] == [tokenizer.bos_token_id]:
        return int(tokenizer.bos_token_id)
    return None


def count_leading_bos(ids: Sequence[int], tokenizer: Any) -> int:
    if tokenizer.bos_token_id is None:
        return 0
    return next((place for place, token in enumerate(ids) if token != tokenizer.bos_token_id), len(ids))


def turn_end_ids(
    template: Template, tokenizer: Any, template_args: Mapping[str, Any] | None = None
) -> frozenset[int]:
    """The special token that this template writes after an answer, if it writes one.

    Fine-tunes often forget to name it as EOS in their generation settings, and then answers never end.
    """
    mark = "0answer0"
    conversation = [{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}]
    try:
        text = tokenizer.apply_chat_template(
            conversation, chat_template=template.text, tokenize=False, **(template_args or {})
        )
    except Exception:
        return frozenset()  # The conversations themselves will say what is wrong with it.
    after = tokenizer.encode(text.rpartition(mark)[2].lstrip(), add_special_tokens=False)
    return frozenset(after[:1]) & frozenset(tokenizer.all_special_ids)


def bos_check(
    template: Template, tokenizer: Any, template_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """For the manifest: the BOS, how many the template itself writes in front, and how many are sent."""
    text = render(
        [{"role": "user", "content": "?"}],
        system=None,
        template=template,
        tokenizer=tokenizer,
        template_args=template_args,
    )
    rendered = tokenizer.encode(text, add_special_tokens=False)
    return {
        "token": tokenizer.bos_token,
        "rendered": count_leading_bos(rendered, tokenizer),
        "sent": count_leading_bos(encode(text, tokenizer), tokenizer),
    }
