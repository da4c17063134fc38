"""Answer many requests of one checkpoint: finished rows leave the batch, waiting ones take their places.

An own loop, since `model.generate` keeps a batch until its last row is done, draws from one global
generator, and takes one set of sampler settings; transformers' continuous batching ignores the repetition
penalty on a CPU.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence

import torch

from generation.engine import sampling
from generation.engine.batch import Batch
from generation.engine.device import free_cached_memory, is_out_of_memory
from generation.engine.rows import Row, open_row
from generation.engine.types import EngineError, Finish, LoadedModel, Progress, Request, Result

log = logging.getLogger(__name__)

OnFinish = Callable[[Result], None]
OnProgress = Callable[[Progress], None]
More = Callable[[int], Sequence[Request]]


def run(
    loaded: LoadedModel,
    requests: Sequence[Request],
    *,
    on_finish: OnFinish,
    on_progress: OnProgress | None = None,
    more: More | None = None,
    max_rows: int = 16,
    token_budget: int = 32_768,
) -> Progress:
    """Answer `requests`, calling `on_finish` once for each, in the order in which they end.

    A request that cannot be answered gets a Result with `error`; the others go on. `on_progress` is called
    at every step and may raise to abandon the rest; what `on_finish` has had is done. `more(n)` may hand
    over up to n further requests when places are about to fall empty, until it returns none. At most
    `max_rows` rows run at once, fewer where rows times the longest would exceed `token_budget` tokens;
    running out of memory halves them.
    """
    return _Run(loaded, on_finish, on_progress, more, max_rows, token_budget).go(requests)


class _Run:
    def __init__(
        self,
        loaded: LoadedModel,
        on_finish: OnFinish,
        on_progress: OnProgress | None,
        more: More | None,
        max_rows: int,
        token_budget: int,
    ) -> None:
        self.loaded = loaded
        self.on_finish = on_finish
        self.on_progress = on_progress
        self.more = more
        self.max_rows = max_rows
        self.token_budget = token_budget
        self.batch = Batch(loaded)
        self.waiting: deque[Row] = deque()
        self.n_in_flight = 0
        self.n_finished = 0
        self.n_tokens = 0

    @torch.inference_mode()
    def go(self, requests: Sequence[Request]) -> Progress:
        self._queue(requests)
        while True:
            self._ask_for_more()
            if not (self.batch.rows or self.waiting):
                return self._progress()
            failure = ""
            try:
                self._admit()
                self._advance()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error) or type(error).__name__
            if failure:
                # Only here: inside the handler the traceback would keep the tensors of the failed step alive.
                self._halve(failure)
            if self.on_progress:
                self.on_progress(self._progress())

    def _queue(self, requests: Sequence[Request]) -> None:
        rows = []
        for request in requests:
            try:
                rows.append(open_row(request, self.loaded))
            except EngineError as error:
                self._finish(Result(id=request.id, turns=(), seed=request.seed, batch={}, error=str(error)))
        # Longest first, so that no long row is left to run alone at the end; equal prompts together, since
        # those that are admitted at once share a prefill.
        self.waiting.extend(sorted(rows, key=lambda row: (-row.cost, row.prompt)))

    def _ask_for_more(self) -> None:
        free = self.max_rows - len(self.batch.rows) - len(self.waiting)
        if self.more is not None and free > 0:
            requests = self.more(free)
            if not requests:
                self.more = None
            self._queue(requests)

    def _admit(self) -> None:
        rows = self.batch.rows
        longest = max((row.cost for row in rows), default=0)
        new: list[Row] = []
        while self.waiting and len(rows) + len(new) < self.max_rows:
            longest = max(longest, self.waiting[0].cost)
            # A row that alone exceeds the budget still runs, by itself.
            if (rows or new) and (len(rows) + len(new) + 1) * longest > self.token_budget:
                break
            new.append(self.waiting.popleft())
        if not new:
            return
        for place, row in enumerate(new):
            row.batch = {"rows": len(rows) + len(new), "position": len(rows) + place}
        self.n_in_flight = len(rows) + len(new)
        try:
            self.batch.admit(new)
        except BaseException:
            self.waiting.extendleft(reversed(new))
            raise

    def _advance(self) -> None:
        """Draw one token for every row, let those that end leave, and step the others."""
        if (broken := self.batch.logits.isnan().any(-1)).any():
            self._drop_broken(broken.tolist())
            return
        going = [place for place, ended in enumerate(self._draw()) if ended is None]
        if len(going) < len(self.batch.rows):
            self.batch.keep(going)
        self.n_in_flight = len(going)
        if going:
            self.batch.step([row.answer[-1] for row in self.batch.rows])

    def _draw(self) -> list[Finish | None]:
        rows = self.batch.rows
        samplers = [row.request.sampler for row in rows]
        uniforms = [sampling.uniform(row.request.seed, len(row.turns), len(row.answer)) for row in rows]
        logits = sampling.penalise(self.batch.logits, self.batch.seen, samplers)
        tokens = sampling.draw(logits, samplers, uniforms).tolist()
        self.n_tokens += len(rows)
        ends = [row.take(token) for row, token in zip(rows, tokens, strict=True)]
        for row, finish in zip(rows, ends, strict=True):
            if finish is not None:
                self._end_turn(row, finish)
        return ends

    def _end_turn(self, row: Row, finish: Finish) -> None:
        row.end_turn(finish)
        try:
            if row.begin_turn():
                # Its next turn goes first: what is begun should be finished, and saved, before new work.
                self.waiting.appendleft(row)
                return
        except EngineError as error:
            self._finish(row.result(error=str(error)))
            return
        self._finish(row.result())

    def _drop_broken(self, broken: Sequence[bool]) -> None:
        for row, is_broken in zip(self.batch.rows, broken, strict=True):
            if is_broken:
                hint = " Load it in bfloat16 or float32." if self.loaded.dtype == "float16" else ""
                self._finish(
                    row.result(error=f"The model's output is not a number in {self.loaded.dtype}.{hint}")
                )
        self.batch.keep([place for place, is_broken in enumerate(broken) if not is_broken])

    def _halve(self, failure: str) -> None:
        """After running out of memory: back to waiting with what they have, and fewer at a time from now on.

        Rows keep the tokens they drew, and what a row draws does not depend on its batch, so no answer
        changes.
        """
        rows = self.batch.rows
        self.waiting.extendleft(reversed(rows))
        self.batch.clear()
        free_cached_memory(self.loaded.device)
        if self.n_in_flight <= 1:
            row = self.waiting.popleft()
            self._finish(row.result(error=f"Out of memory even with one row ({row.cost} tokens): {failure}"))
            return
        self.max_rows = self.n_in_flight // 2
        log.warning("Out of memory with %d rows; going on with at most %d.", self.n_in_flight, self.max_rows)

    def _finish(self, result: Result) -> None:
        self.n_finished += 1
        self.on_finish(result)

    def _progress(self) -> Progress:
        return Progress(self.n_finished, len(self.batch.rows), len(self.waiting), self.n_tokens)
