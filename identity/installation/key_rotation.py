"""An agency's JOSE key and those before it, and how the next one comes.

`issuer-<agency>.keys` holds the first. Each rotation adds `issuer-<agency>.jose-N.keys`, under the
fragment that the ledger has for it. The file is called `….next.keys` until the ledger lists the
key: what a start finds under its final name may sign, and a rotation that was interrupted goes on.

`issuer-<agency>.jose-N.withdrawn` beside it marks a key that the DID lists no more, or that was
declared stolen: a start tells nobody of it any more, and asks no ledger for that.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from identity.core.signing import NamedSigner, PrivateKey
from identity.installation.did_controller import DidController, NothingToDo
from identity.installation.folder import DataFolder, founded_dids, read_document
from identity.installation.key_ring import KeyRing
from registry.core.did_record import DidRecord
from registry.core.keys import KeyType, PublicKey
from registry.core.refusals import Conflict

JOSE_KEYS = {"jose": KeyType.P256}
FIRST = "jose-1"
_FRAGMENT = re.compile(r"jose-([1-9][0-9]{0,8})")


class KeyInUse(Conflict):
    """The newest key signs until every process of the agency was started anew."""


def jose_signers(
    ring: KeyRing, slug: str, did: str, *, first: PrivateKey
) -> tuple[NamedSigner, ...]:
    """Every JOSE key of an agency under its verification method, the newest first.

    Args:
        first: the one of the agency's first key file.
    """
    return tuple(
        NamedSigner(
            first if name == FIRST else ring.open(f"issuer-{slug}.{name}", JOSE_KEYS)["jose"],
            f"{did}#{name}",
        )
        for name in _held(ring.folder, slug)
    )


def withdrawn_methods(folder: DataFolder, slug: str, did: str) -> frozenset[str]:
    """Verification methods of the agency's JOSE keys that are marked as withdrawn."""
    return frozenset(
        f"{did}#{name}" for name in _held(folder, slug) if _marker(folder, slug, name).exists()
    )


def mark_stolen(folder: DataFolder, did: str, fragment: str) -> bool:
    """Mark a key that was declared stolen, if it is one of an agency of this folder.

    Returns:
        Whether it is.
    """
    for scope, founded in founded_dids(read_document(folder.parties)).items():
        kind, _, slug = scope.partition(":")
        if (kind, founded) == ("issuer", did) and fragment in _held(folder, slug):
            _marker(folder, slug, fragment).touch()
            return True
    return False


def _held(folder: DataFolder, slug: str) -> list[str]:
    """Fragments of the JOSE keys that are here, the newest first."""
    prefix, numbers = f"issuer-{slug}.", []
    for path in folder.keys.glob(f"{prefix}jose-*.keys"):
        if match := _FRAGMENT.fullmatch(path.name.removeprefix(prefix).removesuffix(".keys")):
            numbers.append(int(match.group(1)))
    return [*(f"jose-{number}" for number in sorted(numbers, reverse=True)), FIRST]


def _marker(folder: DataFolder, slug: str, fragment: str) -> Path:
    return folder.keys / f"issuer-{slug}.{fragment}.withdrawn"


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """Brings in the next JOSE key of an agency whose key files are here."""

    ring: KeyRing
    controller: DidController

    def rotate(
        self,
        slug: str,
        did: str,
        *,
        ledger: PrivateKey,
        retired: tuple[str, ...] = (),
        newest_too: bool = False,
    ) -> str:
        """Make a key, put it onto the ledger, and keep it where the next start finds it.

        1. The file of the new key, so that a key on the ledger is never lost.
        2. The new version of the DID; keys before it stay listed, unless they are `retired`.
        3. Marks beside the files of keys that are listed no more, or were declared stolen.
        4. The file's final name.

        Interrupted anywhere, it goes on when it is called again.

        Args:
            slug: the agency.
            did: its DID.
            ledger: its key for transactions.
            retired: fragments of JOSE keys that the DID's newest version lists no more.
            newest_too: whether the newest of those before this rotation may be among them, though
                processes sign with it until they are started anew.

        Returns:
            The verification method of the new key.

        Raises:
            Refusal: as `DidController.add_key`.
            NothingToDo: `retired` names what is no JOSE key of the DID.
            KeyInUse: it names the newest one.
            Conflict: another file has the final name.
        """
        name = f"issuer-{slug}.next"
        private = self.ring.open(name, JOSE_KEYS)["jose"]  # 1
        gone = self._to_retire(slug, did, private.key, retired, newest_too=newest_too)
        fragment = self.controller.add_key(  # 2
            did, signer=ledger, kind="jose", new=private, retired=gone
        )
        self.withdraw(slug, did)  # 3
        made, final = (
            self.ring.folder.keys / f"{item}.keys" for item in (name, f"issuer-{slug}.{fragment}")
        )
        if final.exists():
            raise Conflict(f"{final.name} is already there")
        made.rename(final)  # 4
        return f"{did}#{fragment}"

    def withdraw(self, slug: str, did: str) -> tuple[str, ...]:
        """Mark the keys here that the DID lists no more, or that were declared stolen.

        Returns:
            Their fragments.

        Raises:
            Refusal: as `DidController.record`.
        """
        record = self.controller.record(did)
        stolen = self.controller.registry.compromised_keys(did)
        listed = {method.fragment for method in record.details.verification_methods}
        gone = tuple(
            name
            for name in _held(self.ring.folder, slug)
            if name not in listed or (stolen is not None and stolen.from_height(name) is not None)
        )
        for name in gone:
            _marker(self.ring.folder, slug, name).touch()
        return gone

    def _to_retire(
        self, slug: str, did: str, new: PublicKey, retired: Iterable[str], *, newest_too: bool
    ) -> tuple[str, ...]:
        """What of `retired` the DID still lists, after a look at each."""
        listed = _jose_keys(self.controller.record(did))
        resumed = new in listed.values()
        before = {name: number for name, number in _numbers(listed) if listed[name] != new}
        gone = []
        for name in retired:
            if name not in before:
                # An interrupted rotation may have taken it off already.
                if resumed and name not in listed and name in _held(self.ring.folder, slug):
                    continue
                raise NothingToDo("the DID has no JOSE key under a fragment to be retired")
            if before[name] == max(before.values()) and not newest_too:
                raise KeyInUse("the newest key signs until every process was started anew")
            gone.append(name)
        return tuple(gone)


def _jose_keys(record: DidRecord) -> dict[str, PublicKey]:
    return {
        method.fragment: method.key
        for method in record.details.verification_methods
        if _FRAGMENT.fullmatch(method.fragment)
    }


def _numbers(names: Iterable[str]) -> Iterable[tuple[str, int]]:
    return ((name, int(name.removeprefix("jose-"))) for name in names)
