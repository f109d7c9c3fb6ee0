"""A new validator key for a member that goes on: made ahead, voted in, and only then put to use.

The old key signs until the members have decided. A key that was put aside never signs again: the
new one comes with an empty memory of its own, and the old file is kept under another name only so
that nobody wonders where it went.
"""

from collections.abc import Callable
from pathlib import Path

from registry.consortium.folder import MemberFolder
from registry.core.keys import PublicKey
from registry.core.refusals import Conflict
from registry.ledger.comet.node_files import make_key, read_validator_key

_NEXT = "next-validator"  # a folder beside the node's, with the same two files
_KEY = Path("config") / "priv_validator_key.json"
_STATE = Path("data") / "priv_validator_state.json"


class NextKeyExists(Conflict):
    """A next key was made already, and waits for the vote."""


def make_next_key(folder: MemberFolder, random: Callable[[int], bytes]) -> PublicKey:
    """Make the key that is to sign blocks after the members have voted for it.

    Raises:
        NextKeyExists: there is one.
    """
    if next_key(folder) is not None:
        raise NextKeyExists("a next validator key waits for the vote; see `cairn consortium key`")
    return make_key(folder.root / _NEXT, random(32))


def next_key(folder: MemberFolder) -> PublicKey | None:
    """The key that waits for the vote; None when there is none."""
    place = folder.root / _NEXT
    return read_validator_key(place) if (place / _KEY).exists() else None


def use_next_key(folder: MemberFolder, deciding: frozenset[PublicKey]) -> bool:
    """Put the next key to use if it votes on blocks now; whether it was.

    Call it while the node does not run. The key's memory is put in place before the key: a crash
    in between leaves the old key with an empty memory, and the guard keeps that from signing.

    Args:
        deciding: the keys that vote on blocks, as the ledger has them.
    """
    key = next_key(folder)
    if key is None or key not in deciding:
        return False
    place, node = folder.root / _NEXT, folder.node
    number = 1 + len(list((node / "config").glob("retired-*.json")))
    for part in (_STATE, _KEY):  # each step may be the last before a crash, and is done once
        if not (place / part).exists():
            continue
        if (node / part).exists():
            (node / part).rename((node / part).with_name(f"retired-{number}-{part.name}"))
        (place / part).rename(node / part)
    return True
