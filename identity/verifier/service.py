"""What relying parties do: ask a wallet, take its answer once, hand the verdict to who asked."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from identity.core import presentation_request, sealed_result
from identity.core.asking import purpose_of
from identity.core.dcql import DcqlQuery, parse_dcql
from identity.core.dcql_answer import TooManyPresentations, check_count, query_called
from identity.core.deriving import derive
from identity.core.encrypted_answer import AnswerKey, new_answer_key
from identity.core.hashed_code import code_digest
from identity.core.mdoc import Handover
from identity.core.parties import RelyingParty
from identity.core.presentation_request import Delivery
from identity.core.pseudonym import PseudonymExpectation
from identity.core.verification import pipeline, presented
from identity.core.verification.case import Expectation, World
from identity.core.verification.policy import Policy, for_credentials
from identity.core.verification.presented import Unverified
from identity.core.verification.verdict import Check, Verdict
from identity.verifier.answer import Declined, Presentations, read_answer
from identity.verifier.asking import Ask, Asking
from identity.verifier.evidence import EvidenceReader
from identity.verifier.ports import Registry, RequestStore, StoredRequest
from identity.verifier.records import RecordJudge, take_credential
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.encoding import (
    JsonObject,
    base64url_encode,
    canonical_json,
    parse_json,
    parse_json_object,
)
from registry.core.receipt import AnchorReceipt
from registry.core.refusals import Conflict, NotFound, NotPermitted, Refusal

REQUEST_SECONDS = 300  # from asking to answering; a person reads and decides in between
RESULT_SECONDS = 300  # an answer waits this long for the page that asked
FETCHED_SECONDS = 30  # a page whose connection broke may ask again
_ID_BYTES = 16  # 128 random bits name a request

Entry = tuple[Any, AnchorReceipt | Refusal | None]


class NoSuchVerifier(NotFound):
    """No relying party of that name is served here."""


class NoSuchRequest(NotFound):
    """No such request, or it was deleted after its time."""


class RequestExpired(Conflict):
    """The request has expired; ask again."""


class AlreadyAnswered(Conflict):
    """A request is answered once."""


class StateMismatch(NotPermitted):
    """The answer belongs to another request."""


class OtherSession(NotPermitted):
    """The answer was given in another browser session than the one that asked."""


class Rendezvous(Protocol):
    """Where a citizen's wallet waits for a link; see `identity.rendezvous`."""

    def post(self, reference: str, link: str) -> None:
        """Leave `link` for the wallet behind `reference`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """One relying party, and what it insists on."""

    party: RelyingParty
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRequest:
    """What the asking page gets. The secret is told here and nowhere else."""

    request: str
    request_uri: str
    link: str
    result_secret: str
    client_id: str
    matching_code: str  # shown on both screens
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of an answer: the verdict (None: the wallet declined), and where to go next."""

    verdict: Verdict | None
    redirect_uri: str  # empty across devices


class VerifierService:
    """All relying parties of an installation. Holds no state; everything is in the store."""

    def __init__(
        self,
        verifiers: Mapping[str, Verifier],
        *,
        registry: Registry,
        evidence: EvidenceReader,
        requests: RequestStore,
        rendezvous: Rendezvous,
        world: World,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
        trust: Callable[[], AnyTrustAnchor] | None = None,
    ) -> None:
        """`verifiers` by slug; `now` is aware and in UTC; `random` gives fresh bytes."""
        self._verifiers = dict(verifiers)
        self._asking = Asking(registry=registry, catalogue=world.catalogue)
        self._records = RecordJudge(evidence=evidence, world=world, trust=trust)
        self._requests = requests
        self._rendezvous = rendezvous
        self._world = world
        self._now = now
        self._random = random

    def party(self, slug: str) -> RelyingParty:
        """The relying party called `slug`.

        Raises:
            NoSuchVerifier: there is none.
        """
        return self._verifier(slug).party

    def open_request(self, slug: str, ask: Ask) -> OpenedRequest:
        """Ask a wallet.

        Raises:
            PurposeUnknown, AsksTooMuch: the party may not ask that.
            ClientIdNotAvailable, ProfileDemandsMore, AskMalformed: not in this way.
            NotFound: nobody waits under the reference.
            Unavailable: the registration cannot be proven now.
        """
        party = self._verifier(slug).party
        query = self._asking.query(party, ask)
        now = self._seconds()
        secret = self._random(sealed_result.SECRET_BYTES)
        number = base64url_encode(self._random(_ID_BYTES))
        name = self._asking.name(party, ask, number)
        request = StoredRequest(
            request=number,
            party=slug,
            purpose=ask.purpose,
            query=canonical_json(query).decode(),
            nonce=base64url_encode(self._random(_ID_BYTES)),
            state=base64url_encode(self._random(_ID_BYTES)),
            status="pending",
            secret_digest=sealed_result.secret_digest(secret),
            result_key=sealed_result.result_key(secret),
            answer_key=new_answer_key(self._random).scalar if ask.encrypted else b"",
            sealed=None,
            client_id=name.value,
            delivery=ask.delivery,
            return_to=ask.return_to,
            response_code=b"",
            pseudonym=ask.pseudonym,
            created_at=now,
            expires_at=now + REQUEST_SECONDS,
        )
        link = self._asking.link(party, request)
        self._requests.purge(now=now)
        self._requests.add(request, delete_after=request.expires_at + RESULT_SECONDS)
        if ask.reference:
            self._rendezvous.post(ask.reference, link)
        return OpenedRequest(
            request=number,
            request_uri=self._asking.request_uri(party, number),
            link=link,
            result_secret=base64url_encode(secret),
            client_id=name.value,
            matching_code=presentation_request.matching_code(name.value, request.nonce),
            expires_in=REQUEST_SECONDS,
        )

    def request_object(
        self, slug: str, request: str, *, wallet_nonce: str, wallet_metadata: str
    ) -> str:
        """The signed request object; wallets may fetch it more than once.

        Raises:
            NoSuchRequest, RequestExpired, AlreadyAnswered: as they say.
            AsksTooMuch: the registration was taken back meanwhile.
            WalletMetadataMalformed, WalletCannot: the wallet says of itself that it cannot answer.
        """
        party = self._verifier(slug).party
        stored = self._open(slug, request)
        if stored.delivery != Delivery.URI:
            raise NoSuchRequest("this request was passed in its link; there is no object to fetch")
        self._asking.hear_wallet(stored, wallet_metadata)
        return self._asking.signed(party, stored, wallet_nonce=wallet_nonce)

    def take_answer(self, slug: str, request: str, form: Mapping[str, str]) -> Taken:
        """Read and judge a wallet's answer, and keep the verdict, sealed.

        A verdict of "no" uses the request up as well. What cannot be read does not.

        Raises:
            AnswerMalformed, AnswerNotDecrypted: it cannot be read.
            NoSuchRequest, RequestExpired, AlreadyAnswered, StateMismatch: as they say.
        """
        stored = self._open(slug, request)
        key = AnswerKey(stored.answer_key) if stored.answer_key else None
        answer = read_answer(form, key=key)
        if not hmac.compare_digest(answer.state.encode(), stored.state.encode()):
            raise StateMismatch("the answer has another state than the request")
        verdict: Verdict | None = None
        if isinstance(answer, Declined):
            status, result = "declined", {"error": answer.error}
        else:
            verdict = self._judge(self._verifier(slug), stored, answer)
            status, result = "answered", verdict.to_json()
        now = self._seconds()
        # A "no" goes to the page at once: there is nothing in it, and the wallet is sent nowhere.
        returns = stored.return_to and (verdict is None or verdict.is_verified)
        code = base64url_encode(self._random(_ID_BYTES)) if returns else ""
        sealed = sealed_result.seal(
            canonical_json(result),
            public=stored.result_key,
            context=request.encode(),
            random=self._random,
        )
        if not self._requests.answer(
            request,
            status=status,
            sealed=sealed,
            response_code=code_digest(code) if code else b"",
            now=now,
            delete_after=now + RESULT_SECONDS,
        ):
            raise AlreadyAnswered("the request was answered meanwhile, or has expired")
        return Taken(
            verdict=verdict,
            redirect_uri=f"{stored.return_to}#response_code={code}" if code else "",
        )

    def result(
        self,
        slug: str,
        request: str,
        *,
        presented_secret: str | None,
        response_code: str | None = None,
    ) -> JsonObject:
        """State of a request, and the verdict, for the holder of its secret.

        In the same device the verdict also needs the code that came back with the browser, so that
        whoever made somebody else's wallet answer his own request is left without it.

        Raises:
            NoSuchRequest: there is none.
            SecretNotValid: somebody else asked.
            OtherSession: the code is another's: the wallet came back to another browser.
        """
        secret = sealed_result.parse_secret(presented_secret)
        stored = self._requests.read(request, party=slug)
        if stored is None:
            raise NoSuchRequest("there is no such request, or no longer")
        if not hmac.compare_digest(stored.secret_digest, sealed_result.secret_digest(secret)):
            raise sealed_result.SecretNotValid("the result secret is not valid")
        now = self._seconds()
        if stored.sealed is None:
            return {"state": "pending" if now < stored.expires_at else "expired"}
        if stored.response_code:
            if response_code is None:
                return {"state": "returning"}
            if not hmac.compare_digest(stored.response_code, code_digest(response_code)):
                raise OtherSession(
                    "the wallet came back to another session than the one that asked"
                )
        result = parse_json(
            sealed_result.open_sealed(stored.sealed, secret=secret, context=request.encode())
        )
        self._requests.delete_soon(request, delete_after=now + FETCHED_SECONDS)
        member = "verdict" if stored.status == "answered" else "reason"
        return {"state": stored.status, member: result}

    def verify_credential(self, slug: str, value: object, *, binding: Mapping[str, str]) -> Verdict:
        """Judge a credential by itself: an SD-JWT VC text, or a W3C credential.

        Args:
            binding: expected `audience` and `nonce`, as far as the caller names them.
        """
        return self._records.for_request().judge(
            lambda: take_credential(value),
            stapled=None,
            policy=for_credentials(self._verifier(slug).policy),
            binding=binding,
            now=self._now(),
        )

    def verify_presentation(
        self, slug: str, value: object, *, binding: Mapping[str, str]
    ) -> Verdict:
        """Judge a presentation: an SD-JWT VC with key binding, or a W3C presentation."""
        return self._records.for_request().judge_presentation(
            value, policy=self._verifier(slug).policy, binding=binding, now=self._now()
        )

    def derive(self, slug: str, base: JsonObject, options: JsonObject) -> JsonObject:
        """What `options.selectivePointers` select of a credential with a base proof.

        Holders derive by themselves; this is for conformance suites, so strict verifiers refuse.

        Raises:
            NoSuchVerifier: there is none, or it does not derive.
            Malformed: no base proof, or a pointer that leads nowhere.
        """
        if not self._verifier(slug).policy.accepts_unbound_holders:
            raise NoSuchVerifier("this relying party derives nothing")
        contexts = self._world.contexts.for_request()
        return derive(base, options, contexts=contexts, random=self._random)

    def _judge(self, verifier: Verifier, stored: StoredRequest, answer: Presentations) -> Verdict:
        query = parse_dcql(parse_json_object(stored.query))
        purpose = purpose_of(verifier.party, stored.purpose)
        now = self._now()
        binding = {"audience": stored.client_id, "nonce": stored.nonce}
        handover = self._asking.handover(verifier.party, stored)
        records = self._records.for_request()
        try:
            cases = {
                query_id: [
                    records.case(
                        unverified,
                        stapled=receipt,
                        expectation=Expectation(
                            query=query_called(query_id, query),
                            require=purpose.require,
                            binding=binding,
                            haip=verifier.party.haip,
                        ),
                        policy=verifier.policy,
                        now=now,
                    )
                    for unverified, receipt in self._take(query_id, query, entries, handover)
                ]
                for query_id, entries in answer.entries.items()
            }
        except TooManyPresentations as refusal:
            return pipeline.refuse(refusal, now=now, failed=Check.POLICY)
        except Refusal as refusal:
            return pipeline.refuse(refusal, now=now)
        return pipeline.judge_answer(
            query,
            cases,
            unverified_pseudonym=answer.pseudonym,
            expected=PseudonymExpectation(
                wish=stored.pseudonym,
                party=verifier.party.did,
                audience=stored.client_id,
                nonce=stored.nonce,
                vp_token=answer.vp_token,
                max_age_seconds=verifier.policy.max_presentation_age_seconds,
                skew_seconds=verifier.policy.clock_skew_seconds,
                now=int(now.timestamp()),
            ),
            now=now,
        )

    @staticmethod
    def _take(
        query_id: str, query: DcqlQuery, entries: tuple[Entry, ...], handover: Handover
    ) -> list[tuple[Unverified, AnchorReceipt | Refusal | None]]:
        wanted = query_called(query_id, query)
        check_count(wanted, len(entries))  # before anything of theirs costs work
        return [
            (unverified, receipt)
            for value, receipt in entries
            for unverified in presented.parse_presentation(value, wanted.format, handover=handover)
        ]

    def _open(self, slug: str, request: str) -> StoredRequest:
        """The request, if it may still be answered."""
        self._verifier(slug)
        stored = self._requests.read(request, party=slug)
        if stored is None:
            raise NoSuchRequest("there is no such request, or no longer")
        if stored.status != "pending":
            raise AlreadyAnswered("the request has been answered")
        if self._seconds() >= stored.expires_at:
            raise RequestExpired("the request has expired")
        return stored

    def _verifier(self, slug: str) -> Verifier:
        if slug not in self._verifiers:
            raise NoSuchVerifier("no such relying party is served here")
        return self._verifiers[slug]

    def _seconds(self) -> int:
        return int(self._now().timestamp())
