"""The newest head in a file of its own: what a restored backup of the ledger cannot take back.

The file is replaced in two steps around the ledger's commit. `prepare` writes and syncs the new
head beside the old one, which is where a full disk shows, while the block can still be rolled
back. `publish` renames it into place. Only then is the head handed out. So a head that anybody has
seen is in the store, and a ledger that is behind its store has lost acknowledged transactions.
"""

import os
from pathlib import Path

from registry.core.refusals import Unavailable

MAX_HEAD_BYTES = 1 << 17  # as a signed note


class HeadStoreChanged(Unavailable):
    """Another process replaced the newest head: two of them write one ledger."""


class HeadNotSynced(Unavailable):
    """The disk did not take the newest head, whatever the reason: pages may be lost unseen."""


class HeadStore:
    """Compare-and-swap on one small file. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = path.with_name(path.name + ".next")

    def read(self) -> str | None:
        """The newest head as checkpoint text, unverified; None when there is none yet.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_HEAD_BYTES)
        except FileNotFoundError:
            return None
        # A damaged byte may not be UTF-8; it must fail as a signature does, not as a crash.
        return data.decode("utf-8", errors="replace")

    def prepare(self, *, expected: str | None, head: str) -> None:
        """Write `head` beside the file and sync it, if the file still holds `expected`.

        Raises:
            HeadStoreChanged: it holds something else.
            HeadNotSynced: syncing failed, even if only for lack of room.
            OSError: writing failed; nothing counts yet.
        """
        if self.read() != expected:
            raise HeadStoreChanged(f"{self.path.name} was changed by another process")
        file = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = memoryview(head.encode("utf-8"))
            while data:
                data = data[os.write(file, data) :]
            try:
                os.fsync(file)
            except OSError as error:
                raise HeadNotSynced(f"syncing {self._next.name} failed") from error
        finally:
            os.close(file)

    def publish(self) -> None:
        """Put the prepared head in place and sync its directory.

        Raises:
            OSError: it may or may not be in place.
        """
        os.rename(self._next, self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
