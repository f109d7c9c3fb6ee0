"""`--ledger consortium`: the same services on a network of members, run beside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from identity.config import Settings
from identity.consortium import make_local_network
from registry.audit import audit
from registry.consortium.folder import MemberFolder
from registry.consortium.local_network import LocalNetwork, wait_until_ready
from registry.consortium.supervisor import NotReady, Supervisor
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.refusals import Conflict

START_SECONDS = 90.0
MEMBERS = 4  # the fewest that survive the failure of one


class MembersDisagree(Conflict):
    """Members of the consortium end with different ledgers, or one of them is not whole."""


class LedgerChoice(StrEnum):
    """Which engine keeps the ledger."""

    EMBEDDED = "embedded"
    CONSORTIUM = "consortium"


@contextmanager
def running_consortium(settings: Settings, *, quiet: bool = False) -> Iterator[dict[str, Any]]:
    """A local network of four members in the data folder, founded on the first start.

    Yields:
        What the settings need to use it: the section `ledger`.

    Raises:
        NotReady: the members do not answer in time.
        NoCometBft, CometBftTooOld: without the program there is no consortium.
    """
    network = LocalNetwork(settings.server.data_dir / "consortium")
    if not network.exists:
        make_local_network(network, name=settings.ledger.network, members=MEMBERS)
    supervisor = Supervisor(
        [folder.root for folder in network.folders],
        tell=_Telling(quiet=quiet),
    )
    supervisor.start()
    try:
        if not wait_until_ready(network.apis(), seconds=START_SECONDS):
            raise NotReady(f"the members do not answer; see {network.root}/member-*/logs")
        yield {
            "engine": "consortium",
            "members": tuple(network.apis()),
            "trust_anchor": network.folders[0].trust_anchor_file,
            "local_network": network.root,
        }
    finally:
        supervisor.stop()


@dataclass(frozen=True, slots=True)
class _Telling:
    """Lines of members, of which a demonstration shows only those that say what went wrong."""

    quiet: bool

    def __call__(self, line: str) -> None:
        if not self.quiet or "ended with code" in line or "cairn:" in line:
            print(line, flush=True)


def audit_members(folders: list[MemberFolder], trust: AnyTrustAnchor) -> tuple[int, int]:
    """Replay the ledger of every member, after they ended; all must be whole, and the same.

    Returns:
        Entries and records of the longest.

    Raises:
        MembersDisagree: one is not whole, or says otherwise than another.
    """
    reports = []
    for folder in folders:
        report = audit(folder.ledger, trust=trust)
        if not report.is_clean or report.head is None:
            raise MembersDisagree(f"{folder.root.name}: {report.fault}")
        reports.append(report)
    newest = max(reports, key=lambda report: report.entries)
    for report in reports:
        if report.entries == newest.entries and report.head != newest.head:
            raise MembersDisagree("two members end with different heads")
    return newest.entries, newest.records
