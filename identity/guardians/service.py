"""The desk: a person arranges, guardians approve, time passes, and what she lost ends."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from identity.core import guardians as rules
from identity.core import sd_jwt
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.guardians import Act, Arrangement, RecoveryCase
from identity.core.key_proof import verify_key_proof
from identity.guardians.ports import (
    GuardianStore,
    KeptArrangement,
    KeptRecovery,
    People,
    RecoveryState,
)
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.keys import PublicKey, parse_jwk
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted, Refusal, Unavailable

MAX_UNDER_WAY = 16  # of one arrangement: whoever knows its name may begin one
OPEN_SECONDS = 7 * rules.DAY
READY_SECONDS = 14 * rules.DAY  # after the wait: approvals are for now, not for some other year
CLAIM_SECONDS = 600  # to end and to offer; then another call may go on in place of a dead process
ANSWER_AGAIN_SECONDS = rules.DAY  # a phone that lost the answer asks once more
_STOPPABLE = (RecoveryState.OPEN, RecoveryState.WAITING)


class NotHerOrder(NotPermitted):
    """Nothing proves that a person of this agency ordered it; one text for every reason."""


class NoSuchArrangement(NotFound):
    """There is no such arrangement at this agency, or it was replaced or withdrawn."""


class NoSuchRecovery(NotFound):
    """There is no such recovery, or its arrangement is gone."""


class RecoveryNotReady(Conflict):
    """Too few approvals, the wait is not over, it was stopped, or it is done."""


class TooManyRecoveries(Conflict):
    """Enough recoveries of this arrangement are under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A recovery as everybody who knows its name may see it."""

    case: RecoveryCase
    new_key: JsonObject
    state: RecoveryState
    approvals: int
    threshold: int
    ends_at: int  # of the wait; 0 before it begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What ended, and what is offered to the new wallet."""

    ended: int
    offers: tuple[JsonObject, ...]


class GuardianDesk:
    """Arrangements and recoveries; `min_wait_seconds` is below a day in demonstrations alone."""

    def __init__(
        self,
        store: GuardianStore,
        people: People,
        *,
        random: Callable[[int], bytes],
        min_wait_seconds: int = rules.MIN_WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._people = people
        self._random = random
        self._min_wait = min_wait_seconds

    def rules(self, slug: str) -> dict[str, int]:
        """Bounds of an arrangement at this agency.

        Raises:
            UnknownAgency: there is none.
        """
        self._people.issuer_url(slug)
        return {
            "min_approvals": rules.MIN_APPROVALS,
            "max_guardians": rules.MAX_GUARDIANS,
            "min_wait_seconds": self._min_wait,
            "max_wait_seconds": rules.MAX_WAIT_SECONDS,
        }

    def order(self, slug: str, credential: str, order: str, *, now: int) -> str | None:
        """Do what a person of the agency ordered; the name of a new arrangement.

        1. The credential is a valid copy that this agency issued, by its anchor digest.
        2. Its key signed the order for this agency, just now, over a nonce of ours.

        Raises:
            NotHerOrder: a step fails.
            ArrangementNotAccepted, KeyNotAdmitted: it is hers, but cannot be.
            NoSuchArrangement, NoSuchRecovery, RecoveryNotReady: nothing to withdraw or stop.
        """
        agency = self._people.issuer_url(slug)
        subject, holder = self._holder(slug, credential)
        try:
            ordered = rules.verify_order(
                order, holder=holder, agency=agency, now=now, min_wait_seconds=self._min_wait
            )
        except NotPermitted as refusal:
            raise NotHerOrder("the order proves nothing about a person here") from refusal
        if not self._people.use_nonce(slug, ordered.nonce, now=now):
            raise NotHerOrder("the order proves nothing about a person here")
        if ordered.act is Act.STOP:
            self._stop(slug, subject, str(ordered.recovery), now=now)
            return None
        if ordered.act is Act.WITHDRAW:
            told = _told(holder, order, None)
            if not self._store.withdraw(slug, subject, now=now, told=told):
                raise NoSuchArrangement("there is no arrangement to withdraw")
            return None
        name = base64url_encode(self._random(16))
        self._store.set_arrangement(
            KeptArrangement(
                arrangement=name,
                agency=slug,
                subject=subject,
                order=order,
                holder=holder.jwk,
                created=now,
            ),
            told=_told(holder, order, ordered.arrangement),
        )
        return name

    def begin(self, slug: str, arrangement: str, key_proof: str, *, now: int) -> View:
        """Begin a recovery for the new key that `key_proof` proves (typ of OpenID4VCI F.1).

        Raises:
            NoSuchArrangement, TooManyRecoveries, InvalidProof, NotHerOrder: as they say.
        """
        agency = self._people.issuer_url(slug)
        kept = self._kept(slug, arrangement)
        key = self._proven(slug, agency, key_proof, now=now)
        arranged = self._arranged(kept, agency)
        if key in arranged.guardians:
            raise Malformed("a guardian's key is not the key of the new wallet")
        self._lapse(arrangement, arranged, now=now)
        recovery = KeptRecovery(
            recovery=base64url_encode(self._random(16)),
            arrangement=arrangement,
            new_key=key.jwk,
            state=RecoveryState.OPEN,
            begun=now,
            expires=now + OPEN_SECONDS,
        )
        if not self._store.begin(recovery, most=MAX_UNDER_WAY, now=now):
            raise TooManyRecoveries("enough recoveries of this arrangement are under way")
        return self.read(slug, recovery.recovery, now=now)

    def approve(self, slug: str, recovery: str, approval: str, *, now: int) -> View:
        """Keep a guardian's approval; with enough of them the wait begins. Repeatable until then.

        Raises:
            NoSuchRecovery, RecoveryNotReady, ApprovalNotAccepted: as they say.
        """
        agency, found, kept = self._found(slug, recovery, now=now)
        arranged, case = self._arranged(kept, agency), _case(agency, found)
        guardian = rules.verify_approval(
            approval, case=case, guardians=arranged.by_thumbprint, now=now
        )
        if not self._store.approve(recovery, guardian, approval, now=now):
            raise RecoveryNotReady("this recovery takes no approvals any more")
        if rules.enough(self._store.approvals(recovery), arrangement=arranged, case=case):
            self._store.move(recovery, of={RecoveryState.OPEN}, to=RecoveryState.WAITING, now=now)
        return self.read(slug, recovery, now=now)

    def read(self, slug: str, recovery: str, *, now: int) -> View:
        """How far a recovery is.

        Raises:
            NoSuchRecovery: there is none.
        """
        agency, found, kept = self._found(slug, recovery, now=now)
        arranged = self._arranged(kept, agency)
        waits = found.waiting_since
        return View(
            case=_case(agency, found),
            new_key=found.new_key,
            state=found.state,
            approvals=len(self._store.approvals(recovery)),
            threshold=arranged.threshold,
            ends_at=waits + arranged.wait_seconds if waits else 0,
        )

    def complete(self, slug: str, recovery: str, key_proof: str, *, now: int) -> Completed:
        """End all she held and offer it anew, to the wallet that holds the approved key.

        1. The wait is over; her registration is active.
        2. The new key that the guardians named signs a nonce of ours.
        3. The stored signatures, hers and the guardians', verify anew; enough guardians signed.
        4. It is taken, by one call at a time; from here on only the end of the arrangement stops
           it, and it can be tried again.
        5. Everything ends, at every agency; then her types are offered, to the new key alone.
        6. Her arrangement still stands and the call still has it, or its offers are taken back.

        For `ANSWER_AGAIN_SECONDS` it may be asked again: then nothing ends, and what was offered
        and not yet taken is offered anew.

        Raises:
            NoSuchRecovery, RecoveryNotReady, InvalidProof, NotHerOrder: as they say.
            Refusal: what ending and offering may raise; try again.
        """
        agency, found, kept = self._found(slug, recovery, now=now)
        arranged, case = self._arranged(kept, agency), _case(agency, found)
        done = found.state is RecoveryState.COMPLETED
        if done and now >= found.closed_at + ANSWER_AGAIN_SECONDS:
            raise RecoveryNotReady(f"this recovery is {found.state}")
        if not done and found.state not in (RecoveryState.WAITING, RecoveryState.ENDING):  # 1
            raise RecoveryNotReady(f"this recovery is {found.state}")
        if now < found.waiting_since + arranged.wait_seconds:
            raise RecoveryNotReady("the wait is not over")
        if not self._people.is_active(kept.subject):
            raise RecoveryNotReady("nothing is issued to this person now")
        key = self._proven(slug, agency, key_proof, now=now)  # 2
        if key.jwk_thumbprint != case.new_key:
            raise NotHerOrder("this is not the key that the guardians approved")
        if not rules.enough(  # 3
            self._store.approvals(recovery), arrangement=arranged, case=case
        ):
            raise RecoveryNotReady("fewer guardians approved than she asked for")
        if done:
            return self._again(slug, kept, case, now=now)
        claim = now + CLAIM_SECONDS  # 4
        types = self._store.claim(
            recovery,
            until=claim,
            types=self._people.offerable(slug, kept.subject),
            now=now,
        )
        if types is None:
            raise RecoveryNotReady("this recovery was stopped, or is being completed")
        offers: list[JsonObject] = []
        try:
            ended = self._people.end_everywhere(kept.subject)  # 5
            offers.extend(  # one by one: those before a failure are there to be taken back
                self._people.offer(slug, kept.subject, kind, key=case.new_key, now=now)
                for kind in types
            )
        except Exception:
            try:
                self._people.take_back(slug, offers)
            finally:
                self._store.release(recovery, claim=claim)
            raise
        if not self._store.finish(recovery, claim=claim, now=now):  # 6
            self._people.take_back(slug, offers)
            raise RecoveryNotReady("this recovery was stopped, or another call completes it")
        return Completed(ended=ended, offers=tuple(offers))

    def _again(
        self, slug: str, kept: KeptArrangement, case: RecoveryCase, *, now: int
    ) -> Completed:
        """What was not yet taken, anew; unless her guardians are withdrawn in this moment."""
        offers = self._people.offer_again(slug, kept.subject, key=case.new_key, now=now)
        if self._store.arrangement(slug, kept.arrangement) is None:
            self._people.take_back(slug, offers)
            raise NoSuchRecovery("there is no such recovery")
        return Completed(ended=0, offers=tuple(offers))

    def _stop(self, slug: str, subject: str, recovery: str, *, now: int) -> None:
        found = self._store.recovery(recovery)
        kept = None if found is None else self._store.arrangement(slug, found.arrangement)
        if kept is None or kept.subject != subject:
            raise NoSuchRecovery("there is no such recovery")
        if not self._store.move(recovery, of=_STOPPABLE, to=RecoveryState.STOPPED, now=now):
            raise RecoveryNotReady("this recovery cannot be stopped any more")

    def _holder(self, slug: str, credential: str) -> tuple[str, PublicKey]:
        """Whose copy it is, and the key that it is bound to."""
        try:
            unverified = sd_jwt.parse_sd_jwt(credential)
            payload = unverified.jws.claims
            digest = credential_digest(payload, anchor_claim(payload).salt)
            confirmation = payload.get("cnf")
            key = parse_jwk(confirmation.get("jwk") if isinstance(confirmation, dict) else None)
            subject = self._people.subject_of(slug, digest)
        except Unavailable:
            raise
        except Refusal as refusal:
            raise NotHerOrder("the order proves nothing about a person here") from refusal
        if subject is None:
            raise NotHerOrder("the order proves nothing about a person here")
        return subject, key

    def _proven(self, slug: str, agency: str, key_proof: str, *, now: int) -> PublicKey:
        proven = verify_key_proof(key_proof, audience=agency, now=now)
        if proven.key.type not in rules.KEY_TYPES:
            raise Malformed("the new key is a P-256 or an Ed25519 key")
        if not self._people.use_nonce(slug, proven.nonce, now=now):
            raise NotHerOrder("the nonce is not ours, or was used")
        return proven.key

    def _kept(self, slug: str, arrangement: str) -> KeptArrangement:
        kept = self._store.arrangement(slug, arrangement)
        if kept is None:
            raise NoSuchArrangement("there is no such arrangement")
        return kept

    def _found(
        self, slug: str, recovery: str, *, now: int
    ) -> tuple[str, KeptRecovery, KeptArrangement]:
        agency = self._people.issuer_url(slug)
        found = self._store.recovery(recovery)
        kept = None if found is None else self._store.arrangement(slug, found.arrangement)
        if found is None or kept is None:
            raise NoSuchRecovery("there is no such recovery")
        if found.state is RecoveryState.OPEN and found.expires <= now:
            raise NoSuchRecovery("there is no such recovery")
        if found.state is RecoveryState.WAITING:
            arranged = self._arranged(kept, agency)
            if found.waiting_since <= _lapsed(arranged, now):
                self._lapse(kept.arrangement, arranged, now=now)
                raise NoSuchRecovery("there is no such recovery")
        return agency, found, kept

    def _lapse(self, arrangement: str, arranged: Arrangement, *, now: int) -> None:
        self._store.lapse(arrangement, waiting_before=_lapsed(arranged, now), now=now)

    def _arranged(self, kept: KeptArrangement, agency: str) -> Arrangement:
        """What she signed, verified anew: a changed row is no arrangement of hers."""
        order = rules.verify_order(
            kept.order,
            holder=parse_jwk(kept.holder),
            agency=agency,
            now=kept.created,
            min_wait_seconds=self._min_wait,
        )
        if order.arrangement is None:
            raise NoSuchArrangement("there is no such arrangement")
        return order.arrangement


def _told(holder: PublicKey, order: str, arranged: Arrangement | None) -> JsonObject:
    """For her record: which of her keys signed, the digest of what it signed, and how many."""
    digest = hashlib.sha256(order.encode()).digest()
    told: JsonObject = {"key": holder.jwk_thumbprint, "order": base64url_encode(digest)}
    if arranged is not None:
        told |= {
            "guardians": len(arranged.guardians),
            "threshold": arranged.threshold,
            "wait_seconds": arranged.wait_seconds,
        }
    return told


def _lapsed(arranged: Arrangement, now: int) -> int:
    """Nobody came for what has waited since then, or longer."""
    return now - arranged.wait_seconds - READY_SECONDS


def _case(agency: str, found: KeptRecovery) -> RecoveryCase:
    return RecoveryCase(
        agency=agency,
        arrangement=found.arrangement,
        recovery=found.recovery,
        new_key=parse_jwk(found.new_key).jwk_thumbprint,
    )
