"""A throw-away PostgreSQL cluster on a Unix socket: stores are tested on both databases."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

_USER = "cairn"
_NUMBERS = count(1)
# Nothing here survives the tests, so nothing has to survive a power cut.
_SETTINGS = (
    "listen_addresses=''",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "log_min_messages=fatal",
)
_NEW = ("-E", "UTF8", "--locale=C.UTF-8", "--no-sync")


class NoPostgres(Exception):
    """PostgreSQL's server programs are not on this machine."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; each test takes databases of its own."""

    folder: Path

    def new_database(self) -> str:
        """SQLAlchemy URL of a new, empty database."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(
            host=str(self.folder), user=_USER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.folder}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make a cluster, start it, and leave nothing of it behind.

    Raises:
        NoPostgres: there are no server programs.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="cairn-pg-"))
    owner = _unprivileged()
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    try:
        _run(
            owner,
            [programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", *_NEW],
        )
        options = " ".join(
            f"-c {item}" for item in (*_SETTINGS, f"unix_socket_directories={folder}")
        )
        control = [programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log"]
        _run(owner, [*control, "-o", options, "start"])
        try:
            yield Cluster(folder)
        finally:
            _run(owner, [*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where `initdb` is: Debian keeps it out of the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not versions:
        raise NoPostgres("initdb is not on this machine: apt-get install postgresql")
    return versions[-1].parent


def _unprivileged() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; whom to run it as then."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("no unprivileged user to run PostgreSQL as")


def _run(owner: pwd.struct_passwd | None, command: list[object]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
