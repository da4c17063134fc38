import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from generation.engine.sampling import draw, penalise, uniform
from generation.engine.types import Sampler

OFF = {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0}


def logits(rows: int, vocabulary: int = 3000, *, spread: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(1)) * spread


def peer_distribution(row: torch.Tensor, sampler: Sampler) -> torch.Tensor:
    """What transformers' own warpers leave, in the order in which `generate` applies them."""
    warpers = [TemperatureLogitsWarper(sampler.temperature)]
    warpers += [TopKLogitsWarper(sampler.top_k)] if sampler.top_k else []
    warpers += [TopPLogitsWarper(sampler.top_p)] if sampler.top_p < 1 else []
    warpers += [MinPLogitsWarper(sampler.min_p)] if sampler.min_p else []
    scores = row[None]
    for warper in warpers:
        scores = warper(None, scores)
    return scores.softmax(-1)[0].double()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.5, "top_p": 0.95},
        {"temperature": 1.3},
        {"top_k": 40},
        {"top_k": 40, "top_p": 0.7},
        {"top_k": 2000, "temperature": 2.0},
        {"min_p": 0.1},
        {"top_p": 0.9, "min_p": 0.02, "temperature": 1.7},
    ],
    ids=str,
)
@pytest.mark.parametrize("spread", [0.1, 3.0], ids=["flat", "peaked"])
def test_draws_follow_the_distribution_of_transformers(settings, spread):
    sampler = Sampler(**{**OFF, **settings})
    row = logits(1, spread=spread)[0]
    n = 2000
    grid = [(step + 0.5) / n for step in range(n)]
    tokens = torch.cat(
        [draw(row.expand(100, -1), [sampler] * 100, grid[start : start + 100]) for start in range(0, n, 100)]
    )
    expected = peer_distribution(row, sampler)
    assert (expected[tokens] > 0).all()
    # Evenly spaced numbers through an inverted distribution: every cumulative share is met to within one of
    # them.
    shares = torch.bincount(tokens, minlength=len(row)).double().cumsum(0) / n
    assert (shares - expected.cumsum(0)).abs().max() < 1.5 / n


def test_repetition_penalty_is_that_of_transformers():
    scores, ids = logits(1), torch.tensor([[5, 7, 7, 2999]])
    seen = torch.zeros_like(scores, dtype=torch.bool).scatter(1, ids, True)
    peer = RepetitionPenaltyLogitsProcessor(1.3)(ids, scores.clone())
    assert torch.equal(penalise(scores, seen, [Sampler(repetition_penalty=1.3)]), peer)


def test_a_row_draws_the_same_alone_and_beside_others():
    scores = logits(6)
    samplers = [Sampler(**{**OFF, "temperature": 0.3 * (row + 1)}) for row in range(6)]
    uniforms = [uniform(row, 0, 0) for row in range(6)]
    alone = [draw(scores[row : row + 1], [samplers[row]], [uniforms[row]]).item() for row in range(6)]
    assert draw(scores, samplers, uniforms).tolist() == alone


def test_greedy_rows_take_the_largest_logit_beside_random_ones():
    scores = logits(3)
    samplers = [Sampler(do_sample=False), Sampler(**{**OFF, "temperature": 5.0}), Sampler(temperature=0)]
    tokens = draw(scores, samplers, [0.9, 0.999, 0.9])
    best = scores.argmax(-1)
    assert (tokens == best).tolist() == [True, False, True]


@pytest.mark.parametrize("number", [0.0, 1 - 2.0**-53])
def test_the_ends_of_the_unit_interval_draw_kept_tokens(number):
    scores = logits(1)
    sampler = Sampler(**{**OFF, "top_k": 3})
    token = draw(scores, [sampler], [number]).item()
    assert token in scores.topk(3).indices[0].tolist()


def test_uniform_numbers_are_keyed_and_even():
    numbers = torch.tensor(
        [uniform(seed, turn, step) for seed in range(20) for turn in range(2) for step in range(50)]
    )
    assert len(numbers.unique()) == 2000
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.03
    assert uniform(2**63 - 1, 0, 3) == uniform(2**63 - 1, 0, 3)


def test_unknown_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="temprature"):
        Sampler.from_json({"temprature": 1.0})
    with pytest.raises(ValueError, match="top_p is 0"):
        Sampler(top_p=0)


def test_settings_survive_json():
    sampler = Sampler(temperature=0.7, min_p=0.1, stop=("\n\n", "質問："))
    assert Sampler.from_json(sampler.to_json()) == sampler
