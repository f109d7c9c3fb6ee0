"""Rules for every test: loopback only, and nothing skipped in silence."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.postgres import Cluster, NoPostgres, cluster

# No test is timed: a busy machine is no fault. The same examples each time; CAIRN_EXPLORE=1 takes
# new ones.
settings.register_profile(
    "cairn",
    deadline=None,
    derandomize=not os.environ.get("CAIRN_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cairn")

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _refuse_foreign(family: int, address: Any) -> None:
    if family == socket.AF_UNIX:
        return
    host = address[0]
    if host == "localhost" or ipaddress.ip_address(host).is_loopback:
        return
    raise AssertionError(f"a test tried to reach {host}; tests talk to loopback only")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection beyond this machine fails the test that tried it."""

    def connect(self: socket.socket, address: Any) -> None:
        _refuse_foreign(self.family, address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_foreign(self.family, address)
        return _connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """A throw-away PostgreSQL cluster; started when the first test asks."""
    try:
        with cluster() as running:
            yield running
    except NoPostgres as missing:
        pytest.skip(str(missing))


@pytest.fixture
def postgresql(postgresql_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; connections that a test left open are closed after it."""
    opened: list[Any] = []

    def note(connection: Any, _record: Any) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", note)
    yield postgresql_cluster
    event.remove(Pool, "connect", note)
    for connection in opened:
        connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database; the test runs on each kind that we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: Cluster = request.getfixturevalue("postgresql")
    return server.new_database()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A name that differs from process to process stops the run on two workers; say which."""
    unstable = [item.nodeid for item in items if " object at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"this test is named after an address in memory: {unstable[0]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip is a failure: a missing tool must not look like a passed test."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("CI") != "true":
        return
    if reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("CI=true: skipped tests count as failures", red=True)
