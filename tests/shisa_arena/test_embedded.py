"""The embedded servers outlive a crash and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from shisa_arena import embedded

HOLD = (
    "import sys, pathlib; from shisa_arena import embedded; "
    "embedded.ensure(pathlib.Path(sys.argv[1])); print('up', flush=True); sys.stdin.read()"
)


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="shisa-embedded-") as folder:
        yield Path(folder) / ("deep" * 20) / "servers"


def hold(data: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "up\n"
    return process


def query(data: Path, sql: str) -> object:
    with psycopg.connect(embedded.database_url(data), autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone() if cursor.description else None


def supervisor_pid(data: Path) -> int:
    return int(json.loads((data / "ready.json").read_text())["supervisor"])


def wait_until_stopped(data: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while processes_of(data) and time.monotonic() < deadline:
        time.sleep(0.1)


def processes_of(data: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    marks = (str(data), str(embedded.socket_dir(data)))
    return [
        line for line in listed.splitlines() if any(mark in line for mark in marks) and HOLD[:20] not in line
    ]


def test_two_processes_share_one_pair_of_servers(data: Path) -> None:
    first, second = hold(data), hold(data)
    query(data, "CREATE TABLE kept (x int)")
    assert redis.Redis.from_url(embedded.redis_url(data)).ping()
    first.kill()
    time.sleep(embedded.IDLE_SECONDS + 1.5)
    assert query(data, "SELECT count(*) FROM kept") == (0,), "the second process still uses them"
    second.kill()
    wait_until_stopped(data)
    assert processes_of(data) == [], "no orphans once nobody is left, however they ended"


def test_a_killed_supervisor_is_replaced_and_the_data_stays(data: Path) -> None:
    with hold(data) as first:
        query(data, "CREATE TABLE kept (x int)")
        os.kill(supervisor_pid(data), signal.SIGKILL)
        time.sleep(0.5)
        with hold(data) as second:
            assert query(data, "SELECT count(*) FROM kept") == (0,)
            second.kill()
        first.kill()
    wait_until_stopped(data)
    assert processes_of(data) == []


def test_a_stale_pid_file_does_not_stop_the_start(data: Path) -> None:
    hold(data).kill()
    wait_until_stopped(data)
    stale = data / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{data}/postgres\n1700000000\n5432\n/nowhere\n\n\nready\n")
    stale.chmod(0o644)
    with hold(data) as process:
        assert query(data, "SELECT 1") == (1,)
        process.kill()
    wait_until_stopped(data)


def test_a_folder_that_cannot_be_written_says_so() -> None:
    with pytest.raises(embedded.EmbeddedServersError, match="SHISA_LOCAL"):
        embedded.ensure(Path("/proc/nothing/here"))


def test_the_socket_path_stays_short(data: Path) -> None:
    assert len(str(embedded.socket_dir(data) / ".s.PGSQL.5432")) < 90
