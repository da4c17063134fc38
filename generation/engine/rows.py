"""One request on its way through the batch: what it still has to answer, and what it has so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from generation.engine import templates
from generation.engine.types import (
    Finish,
    LoadedModel,
    Message,
    PromptTooLong,
    Request,
    Result,
    TemplateError,
    Turn,
)


@dataclass(eq=False, slots=True)
class Row:
    """A request with the turn it is at. `prompt` and `answer` are the token ids of that turn."""

    request: Request
    loaded: LoadedModel
    template: templates.Template
    end_ids: frozenset[int]
    stop: tuple[str, ...]
    prompt: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    batch: dict[str, int] = field(default_factory=dict)
    room: int = 0

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.answer

    @property
    def cost(self) -> int:
        """The length that the row may reach."""
        return len(self.prompt) + self.room

    def begin_turn(self) -> bool:
        """Render up to the next turn to answer; False when there is none left."""
        conversation = _conversation_up_to(self.request.messages, [turn.text for turn in self.turns])
        if conversation is None:
            return False
        text = templates.render(
            conversation,
            system=self.request.system,
            template=self.template,
            tokenizer=self.loaded.tokenizer,
            template_args=self.request.template_args,
        )
        self.prompt, self.answer = templates.encode(text, self.loaded.tokenizer), []
        self.room = min(self.request.sampler.max_new_tokens, self.loaded.context_length - len(self.prompt))
        if not self.prompt:
            raise TemplateError("The chat template renders this conversation to nothing.")
        if self.room < 1:
            raise PromptTooLong(
                f"The prompt has {len(self.prompt)} tokens; the model reaches {self.loaded.context_length}."
            )
        return True

    def take(self, token: int) -> Finish | None:
        """Append one token; say whether it ends the turn, and how."""
        self.answer.append(token)
        if token in self.end_ids or self._meets_stop():
            return "stop"
        return "length" if len(self.answer) >= self.room else None

    def end_turn(self, finish: Finish) -> None:
        text = self._text()
        if finish == "length":
            # The cut may fall inside a character, of which byte tokens leave the replacement mark.
            text = text.rstrip("\ufffd")
        self.turns.append(Turn(text, len(self.answer), finish))

    def result(self, error: str | None = None) -> Result:
        return Result(
            id=self.request.id,
            turns=() if error else tuple(self.turns),
            seed=self.request.seed,
            batch=self.batch,
            error=error,
        )

    def _meets_stop(self) -> bool:
        if not self.stop:
            return False
        # A token is at least one byte, so a stop string just completed lies within this many last tokens;
        # decoding the whole answer at every token would cost the square of its length.
        tail = self.answer[-(max(len(stop.encode()) for stop in self.stop) + 1) :]
        text = self.loaded.tokenizer.decode(tail, skip_special_tokens=True)
        return any(stop in text for stop in self.stop) and _cut(self._decode(), self.stop) is not None

    def _text(self) -> str:
        text = self._decode()
        cut = _cut(text, self.stop)
        # Postgres stores no NUL in text, and byte tokens can spell one.
        return (text if cut is None else cut).replace("\0", "").strip()

    def _decode(self) -> str:
        return str(self.loaded.tokenizer.decode(self.answer, skip_special_tokens=True))


def open_row(request: Request, loaded: LoadedModel) -> Row:
    """A row at its first turn. Raises EngineError where the conversation cannot be asked."""
    template = templates.resolve(request.template, loaded.tokenizer)
    row = Row(
        request=request,
        loaded=loaded,
        template=template,
        end_ids=loaded.eos_ids | templates.turn_end_ids(template, loaded.tokenizer, request.template_args),
        stop=template.stop + request.sampler.stop,
    )
    if not row.begin_turn():
        raise TemplateError("The conversation has no user message to answer.")
    return row


def _conversation_up_to(messages: Sequence[Message], answers: Sequence[str]) -> list[Message] | None:
    """The messages up to the first user message without an answer, with the answers so far put in."""
    conversation: list[Message] = []
    given = iter(answers)
    for place, message in enumerate(messages):
        conversation.append(message)
        follower = messages[place + 1]["role"] if place + 1 < len(messages) else None
        if message["role"] == "user" and follower != "assistant":
            answer = next(given, None)
            if answer is None:
                return conversation
            conversation.append({"role": "assistant", "content": answer})
    return None


def _cut(text: str, stop: Sequence[str]) -> str | None:
    """The text before the first stop string, None where there is none. Leading white space ends nothing."""
    text = text.lstrip()
    ends = [place for mark in stop if (place := text.find(mark)) >= 0]
    return text[: min(ends)] if ends else None
