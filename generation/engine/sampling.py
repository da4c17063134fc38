"""Draw the next token of many rows at once, each with its own settings.

What a row draws depends on its logits and its own key only, never on the rows beside it: one uniform number
per (seed, turn, step) is looked up in the row's cumulative distribution, in the order of token ids. In
float32 a request therefore gives the same text alone and in any batch; torch's global generator could not
promise that.
"""

import hashlib
import struct
from collections.abc import Sequence

import torch
from torch import Tensor

from generation.engine.types import Sampler

# Sorting a vocabulary of 260,000 costs more than the forward pass of a small model. What top_p, top_k and
# min_p keep nearly always lies among this many tokens; rows where it does not are drawn from the whole
# vocabulary.
_SHORT_LIST = 1024


def uniform(seed: int, turn: int, step: int) -> float:
    """The random number in [0, 1) that decides one token."""
    key = struct.pack("<qqq", seed, turn, step)
    return float(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 11) * 2.0**-53


def penalise(logits: Tensor, seen: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """Repetition penalty as transformers applies it: to every token of the prompt and of the answer so far.

    `logits` and `seen` are (rows, vocabulary); `seen` is boolean.
    """
    if all(sampler.repetition_penalty == 1 for sampler in samplers):
        return logits
    penalty = _column([sampler.repetition_penalty for sampler in samplers], logits)
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def draw(logits: Tensor, samplers: Sequence[Sampler], uniforms: Sequence[float]) -> Tensor:
    """The next token of each row: (rows, vocabulary) of float32 logits to (rows,) of token ids.

    Temperature, then top_k, top_p, min_p, in transformers' order. Greedy rows take the largest logit.
    """
    tokens = logits.argmax(dim=-1)
    random_rows = [row for row, sampler in enumerate(samplers) if not sampler.is_greedy]
    if not random_rows:
        return tokens
    short = min(_SHORT_LIST, logits.shape[-1])
    at = torch.tensor(random_rows, device=logits.device)
    drawn, complete = _draw_from_top(
        logits[at], [samplers[row] for row in random_rows], [uniforms[row] for row in random_rows], short
    )
    tokens[at] = drawn
    wide = [row for row, is_complete in zip(random_rows, complete, strict=True) if not is_complete]
    if wide:
        at = torch.tensor(wide, device=logits.device)
        tokens[at], _ = _draw_from_top(
            logits[at], [samplers[row] for row in wide], [uniforms[row] for row in wide], logits.shape[-1]
        )
    return tokens


def _draw_from_top(
    logits: Tensor, samplers: Sequence[Sampler], uniforms: Sequence[float], size: int
) -> tuple[Tensor, list[bool]]:
    """Draw from the `size` likeliest tokens; say of each row if they hold all that its settings keep."""
    vocabulary = logits.shape[-1]
    scaled = logits / _column([sampler.temperature for sampler in samplers], logits)
    values, ids = scaled.topk(size, dim=-1)
    top_k = _column([sampler.top_k or vocabulary for sampler in samplers], logits)
    allowed = torch.arange(size, device=logits.device) < top_k
    # Without top_k the mass of the tail counts for top_p; with it the kept tokens alone make up the whole.
    total = torch.where(
        top_k < vocabulary,
        values.masked_fill(~allowed, -torch.inf).logsumexp(-1, keepdim=True),
        scaled.logsumexp(-1, keepdim=True),
    )
    probabilities = (values - total).exp().masked_fill(~allowed, 0)
    before = probabilities.cumsum(-1) - probabilities
    kept = allowed & (before < _column([sampler.top_p for sampler in samplers], logits))
    kept &= probabilities >= _column([sampler.min_p for sampler in samplers], logits) * probabilities[:, :1]
    kept[:, 0] = True
    complete = (~kept[:, -1] | (top_k[:, 0] <= size) | (size == vocabulary)).tolist()
    return _invert(probabilities.masked_fill(~kept, 0), ids, uniforms), complete


def _invert(probabilities: Tensor, ids: Tensor, uniforms: Sequence[float]) -> Tensor:
    """Look each row's uniform number up in its cumulative distribution over ascending token ids.

    By id and not by probability: there, a rounding difference would swap neighbours of equal probability
    and move every boundary between them.
    """
    ids, order = ids.sort(dim=-1)
    # MPS has no float64; the larger rounding there only widens the boundaries between two tokens a little.
    precise = torch.float32 if probabilities.device.type == "mps" else torch.float64
    ordered = probabilities.gather(-1, order).to(precise)
    cumulative = ordered.cumsum(-1)
    target = torch.tensor(uniforms, dtype=precise, device=ids.device)[:, None] * cumulative[:, -1:]
    # Strictly above: a token without probability shares its neighbour's cumulative value and is never taken.
    place = (cumulative <= target).sum(-1, keepdim=True)
    last_kept = (
        (ordered > 0)
        .long()
        .mul(torch.arange(1, ids.shape[-1] + 1, device=ids.device))
        .argmax(-1, keepdim=True)
    )
    return ids.gather(-1, torch.minimum(place, last_kept))[:, 0]


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device)[:, None]
