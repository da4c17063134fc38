"""What goes into the engine and what comes out. Free of torch, so a web node can import it.

EngineError
    CheckpointUnavailable    the weights cannot be had: path, wheel, hub or hash
    TemplateError            this conversation cannot be rendered for this checkpoint
    PromptTooLong            it renders, but leaves no room for an answer
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

Finish = Literal["stop", "length"]
Message = Mapping[str, str]


class EngineError(Exception):
    """The engine cannot do what was asked."""


class CheckpointUnavailable(EngineError):
    """The checkpoint's weights cannot be loaded."""


class TemplateError(EngineError):
    """The conversation cannot be rendered with the chat template."""


class PromptTooLong(EngineError):
    """The prompt leaves no room for an answer."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Sampler settings under transformers' names. 0 turns top_k, min_p off; 1 top_p, the penalty."""

    temperature: float = 0.5
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.15
    do_sample: bool = True
    max_new_tokens: int = 500
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, (is_allowed, allowed) in _LIMITS.items():
            value = getattr(self, name)
            if not is_allowed(value):
                raise ValueError(f"Sampler setting {name} is {value!r}; it must be {allowed}.")

    @property
    def is_greedy(self) -> bool:
        return not self.do_sample or self.temperature == 0

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Read a candidate's settings. An unknown name is refused: it would silently do nothing."""
        known = {setting.name for setting in fields(cls)}
        if unknown := sorted(set(settings) - known):
            raise ValueError(f"Unknown sampler settings {unknown}; known are {sorted(known)}.")
        values = dict(settings)
        if "stop" in values:
            values["stop"] = (values["stop"],) if isinstance(values["stop"], str) else tuple(values["stop"])
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "stop": list(self.stop)}


_LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (lambda value: value >= 0, "0 or more"),
    "top_p": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "top_k": (lambda value: value >= 0, "0 (off) or more"),
    "min_p": (lambda value: 0 <= value <= 1, "between 0 (off) and 1"),
    "repetition_penalty": (lambda value: value > 0, "above 0"),
    "max_new_tokens": (lambda value: value >= 1, "1 or more"),
    "stop": (lambda value: all(value), "a list of strings that are not empty"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation to answer.

    Every user message that no assistant message follows is a turn to answer; an assistant message that is
    given stands as it is. `template` is None for the tokenizer's own, `preset:<name>` for one of
    `templates.PRESETS`, else a Jinja text.
    """

    id: int | str
    messages: tuple[Message, ...]
    sampler: Sampler
    seed: int
    system: str | None = None
    template: str | None = None
    template_args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    text: str
    tokens: int
    finish: Finish

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one request, or why there is none. `turns` is empty where `error` is set.

    `batch` says where it was made: `rows` that its last turn began with, `position` among them.
    """

    id: int | str
    turns: tuple[Turn, ...]
    seed: int
    batch: dict[str, int]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    finished: int
    running: int
    waiting: int
    tokens: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint in memory. `model` and `tokenizer` are transformers' own and untyped here to stay
    torch-free.

    `revision` is the hub's commit, or `sha256:<hex>` of the files that were read.
    """

    model: Any
    tokenizer: Any
    source: str
    location: str
    revision: str
    dtype: str
    device: str
    eos_ids: frozenset[int]
    context_length: int
