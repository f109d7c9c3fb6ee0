"""The vault's two audit sinks beside each other: one that is older than the other shows."""

from dataclasses import dataclass
from pathlib import Path

from identity.adapters.audit_sinks import last_audit_record, read_audit_file
from identity.adapters.vault_store import DatabaseAuditSink
from identity.vault.ports import VaultRolledBack


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditComparison:
    """How many records both have, and how many one alone has.

    The database is written first: records that it alone has are of looks that the file refused, so
    that nothing was read, or the end of the file was cut off. Records that the file alone has mean
    that the database is an older backup.
    """

    both: int
    database_alone: int
    file_alone: int


def refuse_older_audit(sink: DatabaseAuditSink, path: Path) -> None:
    """Refuse a database that lacks the newest look that the file tells of.

    This knows a restored database also where its row secrets were restored with it.

    Raises:
        VaultRolledBack: it is an older backup.
    """
    newest = last_audit_record(path)
    if newest is not None and not sink.has(newest.id):
        raise VaultRolledBack(
            "the vault's database lacks looks that its audit file tells of: a restored backup? "
            "Bring the newest copy back, or see `cairn vault accept-loss`"
        )


def compare_audit(sink: DatabaseAuditSink, path: Path) -> AuditComparison:
    """Compare every record of both sinks.

    Raises:
        AuditFileBroken: the chain of the file is broken.
    """
    in_file = {entry.id for entry in read_audit_file(path)} if path.is_file() else set()
    in_database = sink.ids()
    return AuditComparison(
        both=len(in_file & in_database),
        database_alone=len(in_database - in_file),
        file_alone=len(in_file - in_database),
    )


def bring_audit_back(sink: DatabaseAuditSink, path: Path) -> int:
    """Copy into the database what the file alone tells of; how many records.

    Raises:
        AuditFileBroken: the chain of the file is broken.
    """
    known, brought = sink.ids(), 0
    for entry in read_audit_file(path) if path.is_file() else ():
        if entry.id not in known:
            sink.record(entry)
            brought += 1
    return brought
