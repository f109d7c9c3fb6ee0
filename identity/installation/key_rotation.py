"""An agency's JOSE key and those before it, and how the next one comes.

`issuer-<agency>.keys` holds the first. Each rotation adds `issuer-<agency>.jose-N.keys`, under the
fragment that the ledger has for it. The file is called `….next.keys` until the ledger lists the
key: what a start finds under its final name may sign, and a rotation that was interrupted goes on.
"""

import re
from dataclasses import dataclass

from identity.core.signing import NamedSigner, PrivateKey
from identity.installation.did_controller import DidController
from identity.installation.key_ring import KeyRing
from registry.core.keys import KeyType
from registry.core.refusals import Conflict

JOSE_KEYS = {"jose": KeyType.P256}
FIRST = "jose-1"
_FRAGMENT = re.compile(r"jose-([1-9][0-9]{0,8})")


def jose_signers(
    ring: KeyRing, slug: str, did: str, *, first: PrivateKey
) -> tuple[NamedSigner, ...]:
    """Every JOSE key of an agency under its verification method, the newest first.

    Args:
        first: the one of the agency's first key file.
    """
    prefix, numbers = f"issuer-{slug}.", []
    for path in ring.folder.keys.glob(f"{prefix}jose-*.keys"):
        if match := _FRAGMENT.fullmatch(path.name.removeprefix(prefix).removesuffix(".keys")):
            numbers.append(int(match.group(1)))
    later = [
        NamedSigner(ring.open(f"{prefix}jose-{number}", JOSE_KEYS)["jose"], f"{did}#jose-{number}")
        for number in sorted(numbers, reverse=True)
    ]
    return (*later, NamedSigner(first, f"{did}#{FIRST}"))


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """Brings in the next JOSE key of an agency whose key files are here."""

    ring: KeyRing
    controller: DidController

    def rotate(
        self, slug: str, did: str, *, ledger: PrivateKey, retired: tuple[str, ...] = ()
    ) -> str:
        """Make a key, put it onto the ledger, and keep it where the next start finds it.

        1. The file of the new key, so that a key on the ledger is never lost.
        2. The new version of the DID; keys before it stay listed, unless they are `retired`.
        3. The file's final name.

        Interrupted anywhere, it goes on when it is called again.

        Args:
            slug: the agency.
            did: its DID.
            ledger: its key for transactions.
            retired: fragments of keys that the DID's newest version lists no more.

        Returns:
            The verification method of the new key.

        Raises:
            Refusal: as `DidController.add_key`.
            Conflict: another file has the final name.
        """
        name = f"issuer-{slug}.next"
        private = self.ring.open(name, JOSE_KEYS)["jose"]  # 1
        fragment = self.controller.add_key(  # 2
            did, signer=ledger, kind="jose", new=private, retired=retired
        )
        made, final = (
            self.ring.folder.keys / f"{item}.keys" for item in (name, f"issuer-{slug}.{fragment}")
        )
        if final.exists():
            raise Conflict(f"{final.name} is already there")
        made.rename(final)  # 3
        return f"{did}#{fragment}"
