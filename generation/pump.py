"""The pump of a generation worker: lease jobs, answer them, store each answer as it comes.

The only module outside generation.engine that needs torch; nothing a web node imports may import it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from generation import heartbeat, jobs, stopping
from generation.engine import checkpoints, device, loop, manifest
from generation.engine.types import EngineError, LoadedModel, Progress, Request, Result, Sampler
from generation.manifests import keep
from generation.models import Candidate, Checkpoint, Job, Manifest

log = logging.getLogger(__name__)

LEASE_SECONDS = 60
# Three chances to renew before a lease ends.
RENEW_SECONDS = 15
# Enough that the rows never run dry, few enough that a worker that dies takes little with it.
MIN_LEASED, MAX_LEASED = 16, 64
_LOCK_SPACE = 0x9E57
_BEAT_SECONDS = 2.0

# One at a time: two checkpoints rarely fit one GPU, and a worker stays with one until it has no jobs left.
_loaded: dict[int, LoadedModel] = {}


class Stopped(Exception):
    """The worker was asked to stop: what is done is kept, the rest is handed back."""


def run(checkpoint_id: int) -> int:
    """Answer jobs of this checkpoint until none is pending. How many were finished."""
    checkpoint = Checkpoint.objects.filter(pk=checkpoint_id).first()
    if checkpoint is None:
        log.info("Checkpoint %s is gone; nothing to generate.", checkpoint_id)
        return 0
    with _alone(checkpoint_id) as is_alone:
        if not is_alone or not _has_work(checkpoint_id):
            return 0
        try:
            loaded = _load(checkpoint)
        except EngineError as error:
            waiting = jobs.fail_checkpoint(checkpoint_id=checkpoint_id, error=str(error))
            log.error("%s cannot be loaded, %d jobs wait: %s", checkpoint, waiting, error)
            return 0
        return _Pump(checkpoint, loaded).go()


def _load(checkpoint: Checkpoint) -> LoadedModel:
    if checkpoint.pk not in _loaded:
        # Seen from now on: a first load may convert the weights, which takes a minute.
        heartbeat.beat(checkpoint=checkpoint.name, finished=0, running=0, waiting=0, tokens_per_second=0.0)
        _loaded.clear()
        device.limit_threads()
        _loaded[checkpoint.pk] = checkpoints.load(
            source=checkpoint.source,
            location=checkpoint.location,
            revision=checkpoint.revision,
            dtype=checkpoint.dtype or "auto",
            cache_dir=settings.GENERATION_CACHE,
        )
    return _loaded[checkpoint.pk]


def _has_work(checkpoint_id: int) -> bool:
    pending = Job.objects.filter(checkpoint=checkpoint_id, state=Job.State.PENDING, plan__state="running")
    return pending.exists()


@contextmanager
def _alone(checkpoint_id: int) -> Iterator[bool]:
    """A second worker would load the same weights for nothing; it takes another checkpoint instead.

    A courtesy, not a guarantee: the lock goes with its connection, and the leases hold without it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, checkpoint_id])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, checkpoint_id])


class _Pump:
    def __init__(self, checkpoint: Checkpoint, loaded: LoadedModel) -> None:
        self.checkpoint = checkpoint
        self.loaded = loaded
        self.max_rows = settings.GENERATION_MAX_ROWS
        self.held: dict[int, tuple[Job, UUID]] = {}
        self.manifests: dict[int, Manifest] = {}
        self.n_finished = 0
        self.began_at = time.monotonic()
        self.next_beat_at = 0.0

    def go(self) -> int:
        with _Renewal(self.held):
            try:
                loop.run(
                    self.loaded,
                    self.more(max(MIN_LEASED, min(MAX_LEASED, 2 * self.max_rows))),
                    on_finish=self.on_finish,
                    on_progress=self.on_progress,
                    more=self.more,
                    max_rows=self.max_rows,
                )
            except Stopped:
                log.info("Asked to stop: %d done, %d handed back.", self.n_finished, len(self.held))
            finally:
                # Also after an error: what this process will not finish, another may begin at once.
                self._hand_back()
        return self.n_finished

    def more(self, n: int) -> Sequence[Request]:
        if stopping.is_asked():
            return []
        # What a dead worker held comes back here too: this one may be busy for hours and announce nothing.
        jobs.release_expired()
        limit = max(MIN_LEASED, min(MAX_LEASED, n))
        requests = []
        for job in jobs.claim(checkpoint_id=self.checkpoint.pk, limit=limit, lease_seconds=LEASE_SECONDS):
            assert job.lease_token is not None
            self.held[job.pk] = (job, job.lease_token)
            requests.append(_request(job))
        return requests

    def on_finish(self, result: Result) -> None:
        job, token = self.held[int(result.id)]
        error = result.error
        if error is None:
            try:
                made_by = self._manifest(job.candidate)
            except EngineError as problem:
                error = str(problem)
        if error is not None:
            log.warning("%s on %s failed: %s", job.candidate, job.prompt, error)
            jobs.fail(job=job, token=token, error=error)
        else:
            turns = [turn.to_json() for turn in result.turns]
            jobs.finish(job=job, token=token, turns=turns, manifest=made_by, batch=result.batch)
            self.n_finished += 1
        del self.held[job.pk]

    def on_progress(self, progress: Progress) -> None:
        if stopping.is_asked():
            raise Stopped
        now = time.monotonic()
        if now >= self.next_beat_at:
            self.next_beat_at = now + _BEAT_SECONDS
            heartbeat.beat(
                checkpoint=self.checkpoint.name,
                finished=self.n_finished,
                running=progress.running,
                waiting=progress.waiting,
                tokens_per_second=progress.tokens / max(now - self.began_at, 0.001),
            )

    def _manifest(self, candidate: Candidate) -> Manifest:
        if candidate.pk not in self.manifests:
            body = manifest.manifest(
                self.loaded,
                template=candidate.template,
                sampler=Sampler.from_json(candidate.sampler),
                system=candidate.system or None,
                template_args=candidate.template_args,
            )
            self.manifests[candidate.pk] = keep(body)
        return self.manifests[candidate.pk]

    def _hand_back(self) -> None:
        if tokens := sorted({token for _, token in self.held.values()}):
            jobs.release(tokens=tokens)
            self.held.clear()


def _request(job: Job) -> Request:
    prompt, candidate = job.prompt, job.candidate
    return Request(
        id=job.pk,
        messages=tuple(prompt.messages),
        sampler=Sampler.from_json(candidate.sampler),
        seed=job.seed,
        system=prompt.system or candidate.system or None,
        template=candidate.template,
        template_args=candidate.template_args,
    )


class _Renewal:
    """Renews the leases of what is held, from a thread with a database connection of its own."""

    def __init__(self, held: dict[int, tuple[Job, UUID]]) -> None:
        self._held = held
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease renewal", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._done.wait(RENEW_SECONDS):
                # list() first: the other thread adds and removes meanwhile.
                tokens = sorted({token for _, token in list(self._held.values())})
                try:
                    jobs.renew(tokens=tokens, lease_seconds=LEASE_SECONDS)
                except DatabaseError as error:
                    # The next round, or another worker after the lease's end, mends it.
                    log.warning("Leases could not be renewed: %s", error)
                    connection.close()
        finally:
            connection.close()
