"""Sealing people at their registration, and releasing the gate when the ledger has an order."""

from collections.abc import Callable

from identity.core.opening.giving import release_gate
from identity.core.opening.order import OrderNotVerified, verify_order
from identity.core.opening.sealed_identity import Custody, SealedIdentity, seal_identity
from identity.opening.ports import OpeningNotice, OpeningStore, OrderEvidenceReader
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.refusals import NotFound


class NothingSealed(NotFound):
    """No sealed identity belongs to what was named."""


class OrderNotRecorded(NotFound):
    """The ledger holds no order of that number."""


class IdentitySealer:
    """Seals a person's identity to the institutions when she is registered."""

    def __init__(
        self,
        *,
        custody: Custody,
        store: OpeningStore,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        self._custody = custody
        self._store = store
        self._random = random
        self._now = now

    def seal(self, person: str, identity: bytes, *, renew: bool) -> None:
        """Seal and keep; safe to repeat.

        Args:
            person: reference of her row in the vault.
            identity: what an opening is to tell: number, names, birth date.
            renew: also when there is a seal already, because something of it has changed.
        """
        if not renew and self._store.seal_of_person(person) is not None:
            return
        sealed = seal_identity(identity, custody=self._custody, random=self._random)
        self._store.put_seal(person, sealed, renew=renew, now=self._now())

    def forget(self, person: str) -> None:
        """Destroy every seal of a person who is erased; nobody can open what is not there."""
        self._store.forget_person(person)


class OpeningDesk:
    """What the installation does for an opening: finds the sealed record, guards the gate."""

    def __init__(
        self,
        *,
        store: OpeningStore,
        evidence: OrderEvidenceReader,
        trust: Callable[[], AnyTrustAnchor],
        gate: bytes,
        now: Callable[[], int],
    ) -> None:
        """Join the parts.

        Args:
            trust: what is trusted now; a consortium's anchor moves on.
            gate: private key of the gate.
            now: Unix seconds.
        """
        self._store = store
        self._evidence = evidence
        self._trust = trust
        self._gate = gate
        self._now = now

    def seal_behind(self, digest: bytes) -> SealedIdentity:
        """The sealed record of whoever holds the credential copy with this anchor digest.

        Raises:
            NothingSealed: no such copy, or nothing was sealed for its holder.
        """
        person = self._store.person_of_copy(digest)
        sealed = None if person is None else self._store.seal_of_person(person)
        if sealed is None:
            raise NothingSealed("no sealed identity belongs to that credential")
        return sealed

    def release(self, sealed: SealedIdentity, *, salt: bytes, number: int) -> bytes:
        """The gate's secret, once the ledger proves the order and the person's notice is kept.

        1. The ledger proves order `number`, for this very record.
        2. The record is one of ours, so there is somebody to tell.
        3. The notice is on disk, for the day that the order says.
        4. Only then is the gate's secret decrypted.

        Raises:
            OrderNotRecorded: there is no such order.
            OrderNotVerified: it is for another record.
            NothingSealed: the record is none of ours.
            Unavailable: the registry or the database does not answer; nothing was released.
        """
        evidence = self._evidence.order_evidence(number)
        if evidence is None:
            raise OrderNotRecorded("the ledger holds no order of that number")
        if evidence.order.number != number:
            raise OrderNotVerified("the ledger answered with another order")
        order = verify_order(  # 1
            evidence, sealed=sealed, salt=salt, trust=self._trust(), now=self._now()
        )
        person = self._store.person_of_seal(sealed.seal, sealed.digest)  # 2
        if person is None:
            raise NothingSealed("this sealed identity is none of ours")
        self._store.put_notice(  # 3
            OpeningNotice(
                order=order.order.number,
                person=person,
                legal_basis=order.order.legal_basis,
                institutions=order.order.institutions,
                ordered_at=order.order.time,
                due=order.order.notice_time,
            )
        )
        return release_gate(sealed, order=order, private=self._gate)  # 4
