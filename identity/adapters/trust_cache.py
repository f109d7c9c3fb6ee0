"""Newest-seen memory of status lists, shared by all instances through the database.

A restored backup or a lagging node could show an older list together with an older record. Whatever
any instance has seen once is the least that all of them accept.
"""

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from identity.adapters.database import transaction
from identity.adapters.verifier_tables import SeenVersionRow
from identity.verifier.ports import OlderThanSeen
from registry.core.hashing import sha256

MAX_REMEMBERED = 4096  # lists known without asking the database; each is an int and a digest


class DatabaseSeenVersions:
    """Keeps the promises of `SeenVersions`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[bytes, int] = {}  # what this process noted itself; only ever too low

    def remember(self, uri: str, version: int) -> None:
        """As `SeenVersions.remember`. Asks the database only when it has something to learn."""
        key = sha256(uri.encode("utf-8"))
        if self._known.get(key) == version:
            return
        seen = self._raise_to(key, version)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[key] = seen
        if version < seen:
            raise OlderThanSeen("a newer version of this status list was seen before")

    def _raise_to(self, key: bytes, version: int) -> int:
        """The newest version on record, after noting `version`."""
        try:
            return self._raise_once(key, version)
        except IntegrityError:  # another instance noted its first version in the same moment
            return self._raise_once(key, version)

    def _raise_once(self, key: bytes, version: int) -> int:
        newest = select(SeenVersionRow.version).where(SeenVersionRow.uri_digest == key)
        with transaction(self._engine) as session:
            found = session.scalars(newest).one_or_none()
            if found is None:
                session.add(SeenVersionRow(uri_digest=key, version=version))
                return version
            if version > found:
                session.execute(
                    update(SeenVersionRow)
                    .where(SeenVersionRow.uri_digest == key, SeenVersionRow.version < version)
                    .values(version=version)
                )
            return max(found, version)
