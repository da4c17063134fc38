"""Which pair a voter is shown next, and the exact probability of that choice. Plain numpy: no Django, no SQL.

The prompt is drawn first, so that the mix of prompts is the same for all candidates; then one sample of each
candidate; then the pair, with probability `floor` uniformly among the eligible pairs, else by the round's
goal. The recorded propensity is the probability of the pair given the prompt and the samples drawn:

    floor / m + (1 - floor) * weight of this pair / weight of all eligible pairs        m eligible pairs

and 1 / m where the policy gives none of them any weight, or where there is no policy. A pair is eligible when
both candidates are active and have an answer, the settings allow it, this voter has not had it on this
prompt, and the two drawn samples are no twins.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.integer]
Bools = NDArray[np.bool_]
Goal = Literal["coverage", "best", "top_k", "release", "confirm"]

DRAWS = 4096
# For the order that a pair has had less: Efron, "Forcing a sequential experiment to be balanced", 1971.
NUDGED = 2 / 3
# A draw of samples may leave only twins although other samples of the same candidates differ.
SAMPLE_TRIES = 4


@dataclass(frozen=True)
class Catalogue:
    """What may be shown, m prompts by n round positions; immutable, shared by all requests of a process.

    prompts : i8[m], ids.    languages, categories : m each.
    answers : answers[prompt index][position] are the ids of the responses that may be shown, perhaps none.
    weights : f8[m], prompt weights fixed when the round opened; a prompt of weight 0 is never drawn.
    twins : (prompt index, lower response id, higher response id).
    """

    version: int
    prompts: NDArray[np.int64]
    languages: tuple[str, ...]
    categories: tuple[str, ...]
    answers: tuple[tuple[tuple[int, ...], ...], ...]
    weights: Floats
    twins: frozenset[tuple[int, int, int]]

    @cached_property
    def has_answer(self) -> Bools:
        """bool[m, n]."""
        return np.array([[bool(ids) for ids in row] for row in self.answers], dtype=bool)

    @cached_property
    def twins_at(self) -> Mapping[int, frozenset[tuple[int, int]]]:
        """Twins by prompt index."""
        found: dict[int, set[tuple[int, int]]] = {}
        for prompt, low, high in self.twins:
            found.setdefault(prompt, set()).add((low, high))
        return {prompt: frozenset(pairs) for prompt, pairs in found.items()}

    @cached_property
    def index(self) -> Mapping[int, int]:
        """Prompt index by prompt id."""
        return {int(prompt): k for k, prompt in enumerate(self.prompts)}

    @cached_property
    def category_codes(self) -> NDArray[np.int64]:
        """i8[m], equal where the category is equal."""
        return np.unique(np.array(self.categories, dtype=str), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class Settings:
    """What the round asks for.

    floor : share of uniform draws, 0 to 1.    top_k : size of the wanted set, for goal "top_k".
    active : bool[n].    languages : of prompts, that this voter reads.
    allowed : bool[n, n], allowed[lo, hi] for lo < hi, pairs that may be compared; all if None. It carries
        `match_sampler`, "different checkpoints only", and the pairs of a confirmation.
    """

    goal: Goal
    floor: float
    top_k: int
    active: Bools
    languages: frozenset[str]
    allowed: Bools | None = None


@dataclass(frozen=True)
class Policy:
    """What a refresh published, made ready to draw from; see `make_policy`.

    shares : f8[n, n], upper triangle, share of the 4,096 fixed draws that pick this pair; None for coverage.
    shown : i[n, n], upper triangle, times each pair was shown.    lo_left : of these, with lo on the left.
    prompt_votes : i[m], aligned with `Catalogue.prompts`.
    """

    version: int
    shares: Floats | None
    shown: Counts
    prompt_votes: Counts
    lo_left: Counts | None = None


@dataclass(frozen=True)
class Seen:
    """What this voter has been shown in this round: by prompt id, the (lo, hi) of every comparison."""

    pairs: Mapping[int, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> "Seen":
        """Group rows of (prompt id, lo, hi)."""
        pairs: dict[int, list[tuple[int, int]]] = {}
        for prompt, lo, hi in rows:
            pairs.setdefault(prompt, []).append((lo, hi))
        return cls(pairs)


@dataclass(frozen=True)
class Pick:
    """A pair to show, and why: propensity is its probability given the prompt and the samples."""

    prompt_id: int
    lo: int
    hi: int
    left_response: int
    right_response: int
    lo_is_left: bool
    policy_version: int | None
    propensity: float


def make_policy(
    *,
    round_id: int,
    version: int,
    theta: Floats,
    cov: Floats,
    df: float,
    shown: Counts,
    prompt_votes: Counts,
    settings: Settings,
    lo_left: Counts | None = None,
) -> Policy:
    """Turn a published posterior into shares of pairs; the same in every process, as the draws are seeded.

    Parameters
    ----------
    theta, cov : f8[n] and f8[n, n], symmetric; negative eigenvalues are clipped.
    df : degrees of freedom of the t draws; infinity for normal ones.
    settings : its goal, top_k and active candidates are used.

    Goal "best" is top-two Thompson sampling (Russo, "Simple Bayesian Algorithms for Best-Arm Identification",
    Operations Research 68(6), 2020): the best of a draw against the best of the next draw that has another
    best. "top_k" takes the k-th and the (k+1)-th of a draw; "release" does half of the draws for the best and
    half for the top three.
    """
    shares = None
    n = len(theta)
    active = settings.active[:n]  # a candidate added since the refresh has no strength yet
    if settings.goal not in ("coverage", "confirm") and active.sum() > 1:
        draws = _strengths(np.random.default_rng([round_id, version, 2]), theta, cov, df, active)
        picks = _picks(draws, settings, int(active.sum()) - 1)
        cells = np.bincount(picks.min(axis=1) * n + picks.max(axis=1), minlength=n * n)
        shares = cells.reshape(n, n) / DRAWS
    return Policy(version, shares, shown, prompt_votes, lo_left)


def _picks(draws: Floats, settings: Settings, last: int) -> NDArray[np.int64]:
    """Return i8[DRAWS, 2], the pair of each draw under the goal; `last` is one less than the candidates."""
    if settings.goal == "best":
        return _top_two(draws)
    if settings.goal == "top_k":
        return _boundary(draws, min(settings.top_k, last))
    half = DRAWS // 2
    return np.concatenate([_top_two(draws[:half]), _boundary(draws[half:], min(3, last))])


def _strengths(rng: np.random.Generator, theta: Floats, cov: Floats, df: float, active: Bools) -> Floats:
    """Return f8[DRAWS, n] t draws; inactive candidates at minus infinity."""
    values, vectors = np.linalg.eigh((cov + cov.T) / 2)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    noise = rng.standard_normal((DRAWS, len(theta))) @ root
    if np.isfinite(df):
        noise *= np.sqrt(df / rng.chisquare(df, DRAWS))[:, None]
    draws: Floats = theta + noise
    draws[:, ~active] = -np.inf
    return draws


def _top_two(draws: Floats) -> NDArray[np.int64]:
    """Return i8[draws, 2]: the best, and the best of the next draw (round and round) that has another
    best."""
    best = draws.argmax(axis=1)
    ends = np.flatnonzero(best != np.roll(best, -1))
    if not len(ends):
        return np.argsort(-draws, axis=1)[:, :2]
    end = ends[np.searchsorted(ends, np.arange(len(best))) % len(ends)]
    return np.stack([best, best[(end + 1) % len(best)]], axis=1)


def _boundary(draws: Floats, k: int) -> NDArray[np.int64]:
    """Return i8[draws, 2]: the k-th and the (k+1)-th of each draw, k from 1."""
    k = max(k, 1)
    return np.argsort(-draws, axis=1)[:, k - 1 : k + 1]


def pick(
    *,
    catalogue: Catalogue,
    policy: Policy | None,
    settings: Settings,
    seen: Seen,
    rng: np.random.Generator,
    coin: Callable[[], float],
) -> Pick | None:
    """Choose the next pair for one voter, or None when nothing eligible is left.

    Parameters
    ----------
    policy : None, or too old by the caller's judgement and passed as None: pairs are uniform.
    rng : draws the prompt, the samples and the pair.
    coin : uniform on [0, 1), from `secrets`, so that nobody can foretell the sides.
    """
    for prompt in _prompts(catalogue, policy, settings, seen, rng):
        possible = _possible(catalogue, settings, seen, prompt)
        twins = catalogue.twins_at.get(prompt)
        for _ in range(SAMPLE_TRIES if twins and possible.any() else 1):
            samples = _samples(catalogue.answers[prompt], rng)
            eligible = _without_twins(possible, samples, twins) if twins else possible
            pairs = np.flatnonzero(eligible)
            if len(pairs):
                chosen, propensity = _choose(pairs, policy, settings, rng)
                lo, hi = divmod(chosen, len(settings.active))
                lo_is_left = coin() < _chance_of_lo_left(policy, lo, hi)
                left, right = (lo, hi) if lo_is_left else (hi, lo)
                version = policy.version if policy is not None else None
                prompt_id = int(catalogue.prompts[prompt])
                return Pick(prompt_id, lo, hi, samples[left], samples[right], lo_is_left, version, propensity)
    return None


def _prompts(
    catalogue: Catalogue, policy: Policy | None, settings: Settings, seen: Seen, rng: np.random.Generator
) -> Iterator[int]:
    """Yield prompt indices in the order to try: category by weight; least seen; fewest votes; at random."""
    readable = np.array([language in settings.languages for language in catalogue.languages], dtype=bool)
    weights = np.where(readable, catalogue.weights, 0.0)
    seen_counts = np.zeros(len(weights), dtype=np.int64)
    for prompt_id, pairs in seen.pairs.items():
        if prompt_id in catalogue.index:
            seen_counts[catalogue.index[prompt_id]] = len(pairs)
    votes = np.zeros(len(weights), dtype=np.int64)
    # A catalogue newer than the policy has other prompts: then the votes break no ties until the next
    # refresh.
    if policy is not None and len(policy.prompt_votes) == len(votes):
        votes[:] = policy.prompt_votes
    by_category: Floats = np.zeros(int(catalogue.category_codes.max(initial=-1)) + 1)
    np.add.at(by_category, catalogue.category_codes, weights)
    while by_category.any():
        category = _draw(by_category, rng)
        by_category[category] = 0.0
        members = np.flatnonzero((catalogue.category_codes == category) & (weights > 0))
        order = np.lexsort((rng.random(len(members)), votes[members], seen_counts[members]))
        yield from (int(k) for k in members[order])


def _possible(catalogue: Catalogue, settings: Settings, seen: Seen, prompt: int) -> Bools:
    """Return bool[n, n], upper triangle: pairs eligible on this prompt but for twins."""
    usable = catalogue.has_answer[prompt] & settings.active
    possible: Bools = np.triu(usable[:, None] & usable[None, :], 1)
    if settings.allowed is not None:
        possible &= settings.allowed
    for lo, hi in seen.pairs.get(int(catalogue.prompts[prompt]), ()):
        possible[lo, hi] = False
    return possible


def _samples(answers: tuple[tuple[int, ...], ...], rng: np.random.Generator) -> list[int]:
    """Draw one response id for each position, -1 where there is no answer."""
    uniforms = rng.random(len(answers)).tolist()
    return [ids[int(u * len(ids))] if ids else -1 for ids, u in zip(answers, uniforms, strict=True)]


def _without_twins(possible: Bools, samples: list[int], twins: frozenset[tuple[int, int]]) -> Bools:
    eligible = possible.copy()
    position = {response: k for k, response in enumerate(samples)}
    for low, high in twins:
        if low in position and high in position:
            i, j = position[low], position[high]
            eligible[min(i, j), max(i, j)] = False
    return eligible


def _choose(
    pairs: NDArray[np.int64], policy: Policy | None, settings: Settings, rng: np.random.Generator
) -> tuple[int, float]:
    """Draw one of the eligible pairs, given as flat indices lo * n + hi; return it and its probability.

    Drawing from the mixture at once is the same as first tossing for the floor, and shows that the propensity
    is exact.
    """
    weights = _weights(pairs, policy, settings)
    probabilities = np.full(len(pairs), 1 / len(pairs))
    if weights.any():
        probabilities = settings.floor * probabilities + (1 - settings.floor) * weights / weights.sum()
    k = _draw(probabilities, rng)
    # Rounding can lift a lone pair's 1 by one bit, and the database refuses a probability above 1.
    return int(pairs[k]), min(1.0, float(probabilities[k]))


def _weights(pairs: NDArray[np.int64], policy: Policy | None, settings: Settings) -> Floats:
    """Return the policy's weight of each eligible pair; all zero for uniform."""
    n = len(settings.active)
    if policy is not None and settings.goal in ("coverage", "confirm"):
        shown = _grown(policy.shown, n).ravel()[pairs]
        return np.where(shown == shown.min(), 1.0, 0.0)
    if policy is None or policy.shares is None:
        return np.zeros(len(pairs))
    return np.asarray(_grown(policy.shares, n).ravel()[pairs], dtype=np.float64)


def _grown(matrix: NDArray[np.generic], n: int) -> Floats:
    """Pad with zeros to f8[n, n]: positions are only ever appended, and the policy may not know the last
    ones."""
    known = np.asarray(matrix[:n, :n], dtype=np.float64)
    return np.pad(known, (0, n - len(known)))


def _draw(weights: Floats, rng: np.random.Generator) -> int:
    """Return an index with probability in proportion to its weight."""
    cumulated = weights.cumsum()
    # side="right" never stops at a weight of zero, not even at a uniform of exactly 0.
    return int(cumulated.searchsorted(rng.random() * cumulated[-1], side="right"))


def _chance_of_lo_left(policy: Policy | None, lo: int, hi: int) -> float:
    if policy is None or policy.lo_left is None or hi >= len(policy.lo_left):
        return 0.5
    surplus = 2 * int(policy.lo_left[lo, hi]) - int(policy.shown[lo, hi])
    if surplus == 0:
        return 0.5
    return 1 - NUDGED if surplus > 0 else NUDGED
