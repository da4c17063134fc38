"""The rows that are in the model at once: their key-value cache, and the logits of each one's next token.

Rows lie left padded and end at the same column, so that one forward step serves all of them. A row's real
columns have no gap; sliding-window masks, which count columns, therefore stay right.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from generation.engine.rows import Row
from generation.engine.types import EngineError, LoadedModel

_BATCHED_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


class Batch:
    """`logits` is (rows, vocabulary) in float32; `seen` marks the tokens of each row's prompt and answer."""

    def __init__(self, loaded: LoadedModel) -> None:
        _require_plain_attention(loaded)
        self.loaded = loaded
        known = inspect.signature(loaded.model.forward).parameters
        # Logits of a whole prompt over 260,000 tokens would take gigabytes; only the last position is needed.
        self._extra = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._takes_positions = "position_ids" in known
        self.clear()

    def clear(self) -> None:
        self.rows: list[Row] = []
        self.logits: Tensor = torch.empty(0)
        self.seen: Tensor = torch.empty(0, dtype=torch.bool)
        self._mask: Tensor = torch.empty(0)
        self._cache: Any = None

    def admit(self, rows: Sequence[Row]) -> None:
        """Prefill `rows` and put them behind those that are already here."""
        # The samples of one prompt share its prefill.
        unique = {tuple(row.ids): None for row in rows}
        place = {ids: number for number, ids in enumerate(unique)}
        logits, mask, cache = self._prefill(list(unique))
        at = self._tensor([place[tuple(row.ids)] for row in rows])
        cache.batch_select_indices(at)
        logits, mask = logits[at], mask[at]
        seen = torch.zeros_like(logits, dtype=torch.bool)
        for number, row in enumerate(rows):
            seen[number, self._tensor(row.ids)] = True
        if self.rows:
            width = max(mask.shape[1], self._mask.shape[1])
            _append(self._cache, cache, width)
            mask = torch.cat([_pad_left(self._mask, width), _pad_left(mask, width)])
            logits, seen = torch.cat([self.logits, logits]), torch.cat([self.seen, seen])
        else:
            self._cache = cache
        self.logits, self.seen, self._mask = logits, seen, mask
        self.rows = [*self.rows, *rows]

    def keep(self, places: Sequence[int]) -> None:
        """Drop every other row, and the columns that no row needs any more."""
        if not places:
            self.clear()
            return
        at = self._tensor(places)
        self.rows = [self.rows[place] for place in places]
        self.logits, self.seen, mask = self.logits[at], self.seen[at], self._mask[at]
        unused = int(mask.any(0).long().argmax())
        self._cache.batch_select_indices(at)
        for layer in _filled_layers(self._cache):
            layer.keys, layer.values = layer.keys[..., unused:, :], layer.values[..., unused:, :]
        self._mask = mask[:, unused:]

    def step(self, tokens: Sequence[int]) -> None:
        """Feed each row the token that it drew, and get the logits of the one after."""
        ids = self._tensor(tokens)[:, None]
        positions = self._mask.sum(1, keepdim=True)
        self._mask = pad(self._mask, (0, 1), value=1)
        self.logits = self._forward(ids, self._mask, positions, self._cache)
        self.seen.scatter_(1, ids, True)

    def _prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Any]:
        width = max(len(ids) for ids in prompts)
        # What stands in the padding is masked; 0 is in every vocabulary.
        ids = self._tensor([[0] * (width - len(ids)) + list(ids) for ids in prompts])
        mask = self._tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts])
        # Without a config the cache keeps sliding layers in full, so rows can be cut and joined like others.
        cache: Any = DynamicCache()
        logits = self._forward(ids, mask, (mask.cumsum(1) - 1).clamp(min=0), cache)
        return logits, mask, cache

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        extra = {**self._extra, "position_ids": positions} if self._takes_positions else self._extra
        output = self.loaded.model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **extra
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def _tensor(self, values: Sequence[Any]) -> Tensor:
        return torch.tensor(values, device=self.loaded.device)


def _require_plain_attention(loaded: LoadedModel) -> None:
    kinds = set(getattr(loaded.model.config.get_text_config(), "layer_types", None) or ())
    if getattr(loaded.model, "_is_stateful", False) or not kinds <= _BATCHED_LAYERS:
        raise EngineError(
            f"{loaded.location} has recurrent layers, whose state cannot be cut and joined by row. "
            "Serve it behind an OpenAI-compatible endpoint (vLLM) and add it with source 'endpoint'."
        )


def _filled_layers(cache: Any) -> list[Any]:
    """A model whose layers share keys and values leaves some of them empty."""
    return [layer for layer in cache.layers if layer.get_seq_length()]


def _append(cache: Any, more: Any, width: int) -> None:
    for layer, new in zip(_filled_layers(cache), _filled_layers(more), strict=True):
        layer.keys = torch.cat([_pad_columns(layer.keys, width), _pad_columns(new.keys, width)])
        layer.values = torch.cat([_pad_columns(layer.values, width), _pad_columns(new.values, width)])


def _pad_columns(states: Tensor, width: int) -> Tensor:
    """(rows, heads, columns, size) with empty columns on the left up to `width`."""
    return pad(states, (0, 0, width - states.shape[-2], 0))


def _pad_left(mask: Tensor, width: int) -> Tensor:
    return pad(mask, (width - mask.shape[1], 0))
