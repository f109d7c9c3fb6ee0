"""One fault at a time: what is wrong, which checks must say no, and for which reason.

Every case is made from a whole, healthy stage, so the fault is the only difference to its twin.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from identity.core import sd_jwt, status_list
from identity.core.asking import build_query
from identity.core.credential_digest import AnchorClaim
from identity.core.dcql import CredentialFormat, CredentialQuery, parse_dcql
from identity.core.verification import pipeline, presented
from identity.core.verification.case import AccreditationEvidence, Case, Evidence, Expectation
from identity.core.verification.did_documents import IssuerDocument
from identity.core.verification.policy import Policy, strict_policy
from identity.core.verification.verdict import Check, Verdict
from identity.verifier.evidence import EvidenceReader
from registry.core.accreditation import Ending
from registry.core.did_document import did_document
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType
from registry.core.refusals import Refusal, Unavailable
from tests.identity.verifier.stage import (
    CATALOGUE,
    CLAIMS,
    Held,
    Stage,
    holder_signer,
)

NONCE = "n-0S6_WzA2Mj"
SD_JWT, LDP = CredentialFormat.SD_JWT_VC, CredentialFormat.LDP_VC
Failures = Mapping[Check, str]


@dataclass
class Trial:
    """One presentation on its way to the verdict; a fault changes one part of it."""

    stage: Stage
    format: CredentialFormat = SD_JWT
    held: Held | None = None
    shown: Any = None
    stapled: bool = True
    policy: Policy | None = None
    expectation: Mapping[str, Any] | None = None
    evidence: Callable[[Evidence], Evidence] = lambda evidence: evidence

    @property
    def audience(self) -> str:
        return f"decentralized_identifier:{self.stage.party.did}"

    @property
    def query(self) -> CredentialQuery:
        purpose = self.stage.party.purposes[0]
        return parse_dcql(build_query(purpose, CATALOGUE, self.format)).credentials[0]

    def issued(self) -> Held:
        if self.held is None:
            self.held = self.stage.issue() if self.format is SD_JWT else self.stage.issue_ldp()
        return self.held

    def present(self, **options: Any) -> Any:
        named = {"audience": self.audience, "nonce": NONCE, **options}
        present = self.stage.present if self.format is SD_JWT else self.stage.present_ldp
        return present(self.issued(), **named)

    def case(self) -> Case:
        shown = self.present() if self.shown is None else self.shown
        (unverified,) = presented.parse_presentation(shown, self.format)
        hints = presented.hints(unverified)
        policy = self.policy or strict_policy("test")
        reader = EvidenceReader(
            registry=self.stage.ledger,
            status_lists=self.stage,
            batches=self.stage,
            seen_versions=self.stage,
            catalogue=CATALOGUE,
            web_names=self.stage,
        )
        receipt = self.issued().receipt if self.stapled else None
        gathered = reader.gather(hints, stapled=receipt, policy=policy)
        expected = {
            "query": self.query,
            "require": {"age_over_18": True},
            "binding": {"audience": self.audience, "nonce": NONCE},
            **(self.expectation or {}),
        }
        return pipeline.open_case(
            unverified,
            hints=hints,
            evidence=self.evidence(gathered),
            expectation=Expectation(**expected),
            policy=policy,
            world=self.stage.world,
            now=self.stage.now,
        )

    def verdict(self) -> Verdict:
        return pipeline.judge([self.case()], now=self.stage.now)


@dataclass(frozen=True)
class Fault:
    """A named fault. `failures` are all the checks that say no, each with its reason."""

    name: str
    check: Check
    failures: Failures
    make: Callable[[Trial], None]
    format: CredentialFormat = SD_JWT

    def __str__(self) -> str:
        return f"{self.check}-{self.name}"


def run_fault(fault: Fault) -> None:
    """The fault gives exactly its failures; its untouched twin passes before and after."""
    assert_twin(fault.format)
    trial = Trial(Stage(), format=fault.format)
    fault.make(trial)

    verdict = trial.verdict()

    assert {r.check: r.reason for r in verdict.failures} == dict(fault.failures)
    assert not verdict.is_verified
    assert verdict.credentials == ()
    assert_twin(fault.format)


def assert_twin(credential_format: CredentialFormat) -> None:
    verdict = Trial(Stage(), format=credential_format).verdict()
    assert verdict.is_verified, verdict.failures
    assert [c.claims for c in verdict.credentials] == [{"age_over_18": True}]


def _after_proof(reason: str) -> dict[Check, str]:
    """The proof fails, and nothing that it would have covered is looked at."""
    return {check: reason if check is Check.PROOF else "proof_failed" for check in Check}


def _flip_signature(trial: Trial) -> None:
    text = trial.present()
    jwt, rest = text.split("~", 1)
    head, payload, signature = jwt.split(".")
    flipped = ("B" if signature[10] == "A" else "A").join((signature[:10], signature[11:]))
    trial.shown = f"{head}.{payload}.{flipped}~{rest}"


def _other_key(trial: Trial) -> None:
    stranger = holder_signer("stranger")
    named = replace(stranger, verification_method=trial.stage.agency.jose.verification_method)
    trial.held = trial.stage.issue(signer=named)


def _foreign_disclosure(trial: Trial) -> None:
    other = trial.stage.issue(claims={**CLAIMS, "age_over_18": False})
    foreign = sd_jwt.present(other.credential, [("age_over_18",)]).split("~")[1]
    issued, disclosure, binding = trial.present().split("~")
    trial.shown = "~".join((issued, disclosure, foreign, binding))


def _changed_claim(trial: Trial) -> None:
    trial.issued().credential["credentialSubject"]["given_name"] = "Mallory"


def _own_did_in_issuer(trial: Trial) -> None:
    trial.held = trial.stage.issue(changes={"iss": "https://id.example/issuers/police"})


def _wrong_purpose(trial: Trial) -> None:
    trial.held = trial.stage.issue(signer=trial.stage.agency.wrong)


def _rotated_away(trial: Trial) -> None:
    """The old key signs two minutes after it was replaced."""
    stage = trial.stage
    old = stage.agency.jose
    stage.agency.rotate()
    rotated_at = stage.ledger.now
    stage.ledger.now += 120
    stage.agency.publish_status()
    trial.held = stage.issue(signer=old)

    def remember(evidence: Evidence) -> Evidence:
        first = stage.ledger.did_version(stage.agency.did, 1)
        assert first is not None
        assert isinstance(evidence.documents, tuple)
        past = IssuerDocument(document=did_document(first), start=first.time, end=rotated_at)
        return replace(evidence, documents=(*evidence.documents, past))

    trial.evidence = remember


def _stolen_key(fragment: str) -> Callable[[Trial], None]:
    """The ledger declares the key stolen from the very height at which this was anchored."""

    def make(trial: Trial) -> None:
        agency = trial.stage.agency
        height = trial.issued().receipt.batch.height  # type: ignore[union-attr]
        trial.stage.ledger.declare_stolen(agency.did, fragment, from_height=height)

    return make


def _other_issuer_ldp(trial: Trial) -> None:
    trial.held = trial.stage.issue_ldp(changes={"issuer": "did:cairn:testnet:somebody"})
    # The lists are those of whoever signed: the check `issuer` alone says that it is somebody else.


def _ended(trial: Trial) -> None:
    def end(evidence: Evidence) -> Evidence:
        found = evidence.accreditation
        assert isinstance(found, AccreditationEvidence)
        height = trial.issued().receipt.batch.height  # type: ignore[union-attr]
        own = tuple(
            replace(grant, ended=Ending(height=height, reason="misconduct")) for grant in found.own
        )
        return replace(evidence, accreditation=replace(found, own=own))

    trial.evidence = end


def _no_root(trial: Trial) -> None:
    world = trial.stage.world
    roots = (f"did:cairn:testnet:{'z' * 27}",)
    trial.stage.world = replace(world, trust=replace(world.trust, roots=roots))


def _with(part: str, value: object) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        trial.evidence = lambda evidence: replace(evidence, **{part: value})  # type: ignore[arg-type]

    return make


def _misfit(trial: Trial) -> None:
    trial.held = trial.stage.issue(claims={**CLAIMS, "sex": "sometimes"})
    trial.shown = trial.present(paths=(("age_over_18",), ("sex",)))


def _misfit_ldp(trial: Trial) -> None:
    trial.held = trial.stage.issue_ldp(
        claims={name: value for name, value in CLAIMS.items() if name != "birth_date"}
    )


def _expired(trial: Trial) -> None:
    now = trial.stage.ledger.now
    trial.held = trial.stage.issue(changes={"exp": now - 120})


def _too_early(trial: Trial) -> None:
    now = trial.stage.ledger.now
    trial.held = trial.stage.issue(changes={"nbf": now + 300})


def _expired_ldp(trial: Trial) -> None:
    trial.held = trial.stage.issue_ldp(
        changes={"validFrom": "2020-01-01T00:00:00Z", "validUntil": "2020-02-01T00:00:00Z"}
    )


def _status(value: int) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        trial.issued()
        trial.stage.agency.set_status(7, value)

    return make


def _old_list(trial: Trial) -> None:
    """The old list is served on, while the ledger already names the new one."""
    agency = trial.stage.agency
    old = dict(agency.bodies)
    agency.set_status(8, 1)
    agency.bodies = old


def _list_by_stranger(trial: Trial) -> None:
    agency = trial.stage.agency
    data = status_list.pack_token_list({}, size=131_072, bits=2)
    stranger = holder_signer("stranger")
    named = replace(stranger, verification_method=agency.jose.verification_method)
    agency.bodies[agency.uri("token")] = agency.token_body(data, signer=named)


def _list_with_authentication_key(trial: Trial) -> None:
    agency = trial.stage.agency
    data = status_list.pack_token_list({}, size=131_072, bits=2)
    agency.bodies[agency.uri("token")] = agency.token_body(data, signer=agency.wrong)


def _list_expired(trial: Trial) -> None:
    trial.stage.agency.publish_status(lifetime=-30)


def _no_list(trial: Trial) -> None:
    trial.stage.agency.bodies.clear()


def _other_list(trial: Trial) -> None:
    uri = f"{trial.stage.agency.issuer_url}/status/g9/token"
    trial.held = trial.stage.issue(changes={"status": {"status_list": {"idx": 7, "uri": uri}}})


def _no_status(trial: Trial) -> None:
    trial.held = trial.stage.issue(changes={"status": None})


def _older_version(trial: Trial) -> None:
    """Ledger and list were restored from a backup; a newer version was seen before."""
    trial.stage.seen[trial.stage.agency.uri("token")] = 9


def _late(trial: Trial) -> None:
    trial.held = trial.stage.issue(anchor_delay=901)
    trial.stage.agency.publish_status()


def _back_dated_block(trial: Trial) -> None:
    trial.held = trial.stage.issue(changes={"iat": trial.stage.ledger.now + 62})
    trial.stage.ledger.now += 62  # so that only the order of block and issuing is wrong
    trial.stage.agency.publish_status()


def _receipt_of_another(trial: Trial) -> None:
    other, held = trial.stage.issue(), trial.issued()
    held.receipt = other.receipt


def _other_batch(trial: Trial) -> None:
    """Anchored, but in another batch than the content names."""
    held_claim = AnchorClaim(salt=b"s" * 32, batch=base64url_encode(b"b" * 16), network="testnet")
    original = trial.stage._anchor_claim

    def elsewhere() -> AnchorClaim:
        return replace(original(), salt=held_claim.salt)

    trial.stage._anchor_claim = elsewhere  # type: ignore[method-assign]
    trial.held = trial.stage.issue(changes={"anchor": held_claim.to_json(vcdm=False)})


def _never_anchored(trial: Trial) -> None:
    trial.held = trial.stage.issue(anchored=False)
    trial.stapled = False


def _stolen(trial: Trial) -> None:
    trial.shown = trial.present(holder=holder_signer("thief"))


def _stolen_ldp(trial: Trial) -> None:
    trial.shown = trial.present(holder=holder_signer("thief", KeyType.ED25519))


def _no_binding(trial: Trial) -> None:
    """Without a key binding there is no audience either."""
    trial.shown = sd_jwt.present(trial.issued().credential, [("age_over_18",)])


def _stale(trial: Trial) -> None:
    trial.issued()
    trial.shown = trial.present(made_at=trial.stage.ledger.now - 361)


def _other_disclosures(trial: Trial) -> None:
    """The holder consented to one claim; somebody adds another on the way."""
    more = sd_jwt.present(trial.issued().credential, [("birth_date",)]).split("~")[1]
    issued, disclosure, binding = trial.present().split("~")
    trial.shown = "~".join((issued, disclosure, more, binding))


def _not_proven_subject(trial: Trial) -> None:
    trial.held = trial.stage.issue(changes={"cnf": None})


def _elsewhere(trial: Trial) -> None:
    trial.shown = trial.present(audience="decentralized_identifier:did:cairn:testnet:bank")


def _replayed(trial: Trial) -> None:
    trial.shown = trial.present(nonce="an older nonce")


def _nothing_expected(trial: Trial) -> None:
    trial.expectation = {"binding": {}}


def _under_age(trial: Trial) -> None:
    """`values` in the query is only advice to the wallet; the purpose's own condition decides."""
    trial.held = trial.stage.issue(claims={**CLAIMS, "age_over_18": False})
    trial.expectation = {"query": replace(trial.query, claims=_without_values(trial.query))}


def _wrong_value(trial: Trial) -> None:
    trial.held = trial.stage.issue(claims={**CLAIMS, "age_over_18": False})


def _without_values(query: CredentialQuery) -> Any:
    return tuple(replace(claim, values=()) for claim in query.claims)


def _nothing_shown(trial: Trial) -> None:
    trial.shown = trial.present(paths=())


def _other_type_asked(trial: Trial) -> None:
    vct = CATALOGUE.by_name("degree").vct
    trial.expectation = {"query": replace(trial.query, types=((vct,),))}


def _issuer_not_named(trial: Trial) -> None:
    trial.policy = strict_policy("picky", trusted_issuers=frozenset({"did:cairn:testnet:other"}))


_GONE: Refusal = Unavailable("the registry does not answer")

FAULTS = (
    Fault("flipped-signature", Check.PROOF, _after_proof("signature_not_valid"), _flip_signature),
    Fault("another-key", Check.PROOF, _after_proof("signature_not_valid"), _other_key),
    Fault("foreign-disclosure", Check.PROOF, _after_proof("sd_jwt_malformed"), _foreign_disclosure),
    Fault("changed-claim", Check.PROOF, _after_proof("signature_not_valid"), _changed_claim, LDP),
    Fault("no-documents", Check.PROOF, _after_proof("unavailable"), _with("documents", _GONE)),
    Fault("foreign-name", Check.ISSUER, {Check.ISSUER: "issuer_not_bound"}, _own_did_in_issuer),
    Fault("wrong-purpose", Check.ISSUER, {Check.ISSUER: "method_not_authorized"}, _wrong_purpose),
    Fault("stolen-key", Check.ISSUER, {Check.ISSUER: "key_compromised"}, _stolen_key("jose-1")),
    Fault("stolen-key", Check.ISSUER, {Check.ISSUER: "key_compromised"}, _stolen_key("di-1"), LDP),
    Fault(
        "compromise-not-read",
        Check.ISSUER,
        {Check.ISSUER: "unavailable"},
        _with("compromised", _GONE),
    ),
    Fault("rotated-away", Check.ISSUER, {Check.ISSUER: "method_not_authorized"}, _rotated_away),
    Fault(
        "other-did",
        Check.ISSUER,
        {Check.ISSUER: "issuer_not_bound", Check.STATUS: "status_of_other_issuer"},
        _other_issuer_ldp,
        LDP,
    ),
    Fault("ended", Check.ACCREDITATION, {Check.ACCREDITATION: "not_accredited"}, _ended),
    Fault("no-root", Check.ACCREDITATION, {Check.ACCREDITATION: "not_accredited"}, _no_root),
    Fault(
        "unreadable",
        Check.ACCREDITATION,
        {Check.ACCREDITATION: "unavailable"},
        _with("accreditation", _GONE),
    ),
    Fault("misfit", Check.SCHEMA, {Check.SCHEMA: "claims_do_not_fit"}, _misfit),
    Fault("incomplete", Check.SCHEMA, {Check.SCHEMA: "claims_do_not_fit"}, _misfit_ldp, LDP),
    Fault(
        "other-schema",
        Check.SCHEMA,
        {Check.SCHEMA: "schema_not_on_ledger"},
        _with("schema_digest", bytes(32)),
    ),
    Fault("unreadable", Check.SCHEMA, {Check.SCHEMA: "unavailable"}, _with("schema_digest", _GONE)),
    Fault("expired", Check.VALIDITY, {Check.VALIDITY: "expired"}, _expired),
    Fault("too-early", Check.VALIDITY, {Check.VALIDITY: "not_yet_valid"}, _too_early),
    Fault("expired", Check.VALIDITY, {Check.VALIDITY: "expired"}, _expired_ldp, LDP),
    Fault("revoked", Check.STATUS, {Check.STATUS: "revoked"}, _status(1)),
    Fault("suspended", Check.STATUS, {Check.STATUS: "suspended"}, _status(2)),
    Fault("unknown-value", Check.STATUS, {Check.STATUS: "status_unknown"}, _status(3)),
    Fault("revoked", Check.STATUS, {Check.STATUS: "revoked"}, _status(1), LDP),
    Fault("suspended", Check.STATUS, {Check.STATUS: "suspended"}, _status(2), LDP),
    Fault("old-list", Check.STATUS, {Check.STATUS: "status_not_newest"}, _old_list),
    Fault("old-list", Check.STATUS, {Check.STATUS: "status_not_newest"}, _old_list, LDP),
    Fault("by-stranger", Check.STATUS, {Check.STATUS: "signature_not_valid"}, _list_by_stranger),
    Fault(
        "by-wrong-key",
        Check.STATUS,
        {Check.STATUS: "status_key_unknown"},
        _list_with_authentication_key,
    ),
    Fault("list-expired", Check.STATUS, {Check.STATUS: "status_list_expired"}, _list_expired),
    Fault("no-list", Check.STATUS, {Check.STATUS: "unavailable"}, _no_list),
    Fault("not-on-ledger", Check.STATUS, {Check.STATUS: "status_not_on_ledger"}, _other_list),
    Fault("no-status", Check.STATUS, {Check.STATUS: "status_missing"}, _no_status),
    Fault("older-version", Check.STATUS, {Check.STATUS: "older_than_seen"}, _older_version),
    Fault("late", Check.ANCHOR, {Check.ANCHOR: "anchored_too_late"}, _late),
    Fault(
        "before-issuing",
        Check.ANCHOR,
        {Check.ANCHOR: "anchored_before_issuing"},
        _back_dated_block,
    ),
    Fault("other-batch", Check.ANCHOR, {Check.ANCHOR: "other_batch"}, _other_batch),
    Fault(
        "receipt-of-another",
        Check.ANCHOR,
        {Check.ANCHOR: "anchor_not_proven", Check.ACCREDITATION: "height_unknown"},
        _receipt_of_another,
    ),
    Fault(
        "never-anchored",
        Check.ANCHOR,
        {Check.ANCHOR: "not_anchored", Check.ACCREDITATION: "height_unknown"},
        _never_anchored,
    ),
    Fault("stolen", Check.HOLDER_BINDING, {Check.HOLDER_BINDING: "signature_not_valid"}, _stolen),
    Fault(
        "stolen",
        Check.HOLDER_BINDING,
        {Check.HOLDER_BINDING: "holder_is_not_subject"},
        _stolen_ldp,
        LDP,
    ),
    Fault("stale", Check.HOLDER_BINDING, {Check.HOLDER_BINDING: "holder_proof_too_old"}, _stale),
    Fault(
        "other-disclosures",
        Check.HOLDER_BINDING,
        {Check.HOLDER_BINDING: "key_binding_not_valid"},
        _other_disclosures,
    ),
    Fault(
        "unbound",
        Check.HOLDER_BINDING,
        {Check.HOLDER_BINDING: "holder_key_missing"},
        _not_proven_subject,
    ),
    Fault(
        "no-binding",
        Check.HOLDER_BINDING,
        {
            Check.HOLDER_BINDING: "holder_binding_missing",
            Check.AUDIENCE: "other_audience",
            Check.POLICY: "not_holder_bound",
        },
        _no_binding,
    ),
    Fault("elsewhere", Check.AUDIENCE, {Check.AUDIENCE: "other_audience"}, _elsewhere),
    Fault("replayed", Check.AUDIENCE, {Check.AUDIENCE: "other_nonce"}, _replayed),
    Fault("elsewhere", Check.AUDIENCE, {Check.AUDIENCE: "other_audience"}, _elsewhere, LDP),
    Fault("replayed", Check.AUDIENCE, {Check.AUDIENCE: "other_nonce"}, _replayed, LDP),
    Fault(
        "nothing-expected", Check.AUDIENCE, {Check.AUDIENCE: "nothing_expected"}, _nothing_expected
    ),
    Fault("under-age", Check.POLICY, {Check.POLICY: "condition_not_met"}, _under_age),
    Fault("wrong-value", Check.POLICY, {Check.POLICY: "claim_value"}, _wrong_value),
    Fault("nothing-shown", Check.POLICY, {Check.POLICY: "claim_missing"}, _nothing_shown),
    Fault("other-type", Check.POLICY, {Check.POLICY: "other_type"}, _other_type_asked),
    Fault("issuer", Check.POLICY, {Check.POLICY: "issuer_not_trusted"}, _issuer_not_named),
)
