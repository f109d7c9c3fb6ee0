"""One question each to the verifier, which a single missing step would answer otherwise.

They stand beside the single faults: what only W3C forms have, what only weaker policies allow, and
what somebody has to be caught in the act of. `switches.toml` says which step each of them holds.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2

from identity.core import cose, data_integrity, jose, sd_jwt, sd_jwt_vc, status_list
from identity.core.asking import build_query
from identity.core.bbs.keys import public_key_of, secret_key
from identity.core.data_integrity import add_proof
from identity.core.dcql import parse_dcql
from identity.core.json_schema import MAX_SCHEMA_BYTES, SchemaNotValid, check_schema_of
from identity.core.mdoc import Handover
from identity.core.pseudonym import PseudonymExpectation, Wish
from identity.core.signing import NamedSigner
from identity.core.verification import pipeline, presented, proof, trust_checks
from identity.core.verification.case import Case, OffLedgerStatus, StatusEvidence, World
from identity.core.verification.did_documents import (
    IssuerDocument,
    bbs_key_of,
    key_of,
    self_description,
)
from identity.core.verification.envelopes import open_envelope, open_jwt
from identity.core.verification.failure import CheckFailed
from identity.core.verification.holder import (
    Freshness,
    binding_of,
    prove_presentation,
    verify_holder,
)
from identity.core.verification.policy import (
    Policy,
    PolicyNotUsable,
    Rule,
    Trust,
    for_credentials,
    weakened_policy,
)
from identity.core.verification.verdict import (
    PASSED,
    Check,
    CheckResult,
    Outcome,
    Verdict,
    conclude,
)
from identity.verifier.records import RecordJudge, take_credential
from registry.core.did_document import did_document
from registry.core.encoding import canonical_json, parse_json_object
from registry.core.keys import KeyType
from registry.core.refusals import Malformed, Refusal, Unavailable
from tests.adversary.judging import NOW, SECONDS, Judge, KeysAlone, policy_for
from tests.adversary.kinds import (
    EXAMPLES,
    V2,
    Cose,
    Embedded,
    EmbeddedPresentation,
    Jws,
    Kind,
    SdJwt,
    credential,
    plain,
    presentation,
)
from tests.adversary.strict_kinds import StrictSdJwt
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import signer
from tests.identity.core.verification.faults import LDP, Trial
from tests.identity.verifier.stage import CATALOGUE, LIST_SIZE, Stage, holder_signer

ISSUER, HOLDER = signer(KeyType.P256, 1), signer(KeyType.ED25519, 50)
_GONE = Unavailable("gone")
_KINDS: dict[str, Kind] = {}


def kind(name: str) -> Any:
    """A kind of the mutations, made once."""
    makers: dict[str, Callable[[], Kind]] = {
        "vc+jwt": lambda: Jws("vc+jwt", KeyType.P256, plain),
        "vp+jwt": lambda: Jws("vp+jwt", KeyType.P256, presentation),
        "vc+sd-jwt": lambda: SdJwt("vc+sd-jwt", KeyType.P256, plain),
        "vc+cose": lambda: Cose("vc+cose", KeyType.P256, plain),
        "vc": lambda: Embedded("eddsa-jcs-2022", KeyType.ED25519, plain),
        "vp": lambda: EmbeddedPresentation("eddsa-jcs-2022", KeyType.ED25519, presentation),
        "dc+sd-jwt": StrictSdJwt,
    }
    if name not in _KINDS:
        _KINDS[name] = makers[name]()
    return _KINDS[name]


def says(verdict: Verdict, *expected: str) -> None:
    """The verdict is "no", for exactly one of these reasons first; with none, it is "yes"."""
    if not expected:
        assert verdict.is_verified, verdict.failures
        return
    assert not verdict.is_verified
    first = verdict.failures[0]
    assert f"{first.check}:{first.reason}" in expected, first


def changed(name: str, *path: Any, to: Any = None) -> Any:
    """The object of a kind with one place changed (None: removed), rightly signed."""
    one = kind(name)
    tree = copy.deepcopy(one.tree)
    place = tree
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return one.judge(one.signed(tree, one.right))


def refuses(refusal: type[Exception], act: Callable[[], object], reason: str = "") -> None:
    """`act` refuses, with the reason code where one is given."""
    try:
        act()
    except refusal as caught:
        assert not reason or getattr(caught, "reason", "") == reason, caught
        return
    raise AssertionError(f"no {refusal.__name__}")


def strict(fmt: Any = None, **parts: Any) -> Case:
    """The case of a healthy presentation, with some of its parts replaced."""
    trial = Trial(Stage()) if fmt is None else Trial(Stage(), format=fmt)
    return replace(trial.case(), **parts)


def judged(case: Case, check: Check) -> CheckResult:
    (result,) = [found for found in pipeline.run_checks(case) if found.check is check]
    return result


def reason_is(case: Case, check: Check, reason: str) -> None:
    result = judged(case, check)
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason), result


# --- the verdict -------------------------------------------------------------------------------


def _result(check: Check, outcome: Outcome = Outcome.PASSED, reason: str = PASSED) -> CheckResult:
    return CheckResult(check=check, outcome=outcome, reason=reason, detail="d")


def an_excused_credential_does_not_hide_the_failed_one_beside_it() -> None:
    excused = _result(Check.STATUS, Outcome.NOT_APPLICABLE, "not_present")
    failed = _result(Check.STATUS, Outcome.FAILED, "revoked")
    others = [_result(check) for check in Check if check is not Check.STATUS]
    verdict = conclude([excused, failed, *others], credentials=(), verified_at=NOW)
    says(verdict, "status:revoked")


def what_is_excused_counts_as_fine() -> None:
    excused = _result(Check.STATUS, Outcome.NOT_APPLICABLE, "not_present")
    others = [_result(check) for check in Check if check is not Check.STATUS]
    says(conclude([excused, *others], credentials=(), verified_at=NOW))


def _answered(query: Any, answer: Any, *, now: Any, wish: Wish = Wish.NONE) -> Any:
    """The verdict about an answer without a pseudonym."""
    return pipeline.judge_answer(
        query,
        answer,
        unverified_pseudonym=None,
        expected=PseudonymExpectation(
            wish=wish,
            party="did:cairn:test:bar",
            audience="bar",
            nonce="nonce",
            vp_token={},
            max_age_seconds=300,
            skew_seconds=60,
            now=int(now.timestamp()),
        ),
        now=now,
    )


def a_set_with_a_credential_missing_is_no() -> None:
    trial = Trial(Stage())
    purpose = trial.stage.party.purposes[0]
    query = build_query(purpose, CATALOGUE, trial.format)
    both = [*query["credentials"], {**query["credentials"][0], "id": "second"}]
    parsed = parse_dcql({"credentials": both})
    verdict = _answered(parsed, {parsed.credentials[0].id: [trial.case()]}, now=trial.stage.now)
    assert not verdict.is_verified


def a_pseudonym_that_was_required_and_is_missing_is_no() -> None:
    trial = Trial(Stage())
    query = parse_dcql(build_query(trial.stage.party.purposes[0], CATALOGUE, trial.format))
    answer = {query.credentials[0].id: [trial.case()]}
    says(
        _answered(query, answer, now=trial.stage.now, wish=Wish.REQUIRED),
        "policy:pseudonym_missing",
    )
    says(_answered(query, answer, now=trial.stage.now, wish=Wish.WANTED))


def a_deciding_claim_that_nobody_was_asked_for_is_no() -> None:
    trial = Trial(Stage())
    trial.expectation = {"require": {"age_over_18": True, "never_asked": True}}
    query = parse_dcql(build_query(trial.stage.party.purposes[0], CATALOGUE, trial.format))
    verdict = _answered(query, {query.credentials[0].id: [trial.case()]}, now=trial.stage.now)
    says(verdict, "policy:condition_not_met")


def a_check_without_a_sentence_is_no() -> None:
    case = strict()
    original = pipeline.CHECKS[Check.SCHEMA]
    for answer in ("", None, True):
        pipeline.CHECKS[Check.SCHEMA] = lambda _case, said=answer: said  # type: ignore[misc]
        try:
            reason_is(case, Check.SCHEMA, "check_raised")
        finally:
            pipeline.CHECKS[Check.SCHEMA] = original


def kinds_of_trust_that_do_not_fit_are_no_policy() -> None:
    for issuers, keys in (
        (Trust.ANY_KEY, frozenset[str]()),
        (frozenset({"did:x:y"}), Trust.ANY_ACCREDITED),
    ):
        refuses(
            PolicyNotUsable,
            lambda issuers=issuers, keys=keys: weakened_policy(  # type: ignore[misc]
                "p",
                weaker={},
                trusted_issuers=issuers,
                trusted_keys=keys,
                dangerous_because="a reason",
            ),
        )


# --- issuer, anchor, schema, validity ----------------------------------------------------------


def documents_that_could_not_be_read_say_why() -> None:
    case = strict()
    reason_is(replace(case, evidence=replace(case.evidence, documents=_GONE)), *_ISSUER_GONE)


_ISSUER_GONE = (Check.ISSUER, "unavailable")


def a_second_proof_by_another_did_is_another_signer() -> None:
    one = kind("vc")
    document = credential(one.right, one.holder)
    for key in (one.right, signer(KeyType.ED25519, 77)):
        document = add_proof(
            document,
            signer=NamedSigner(key, key.verification_method),
            cryptosuite="eddsa-jcs-2022",
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
        )
    says(one.judge(canonical_json(document)), "issuer:other_signer")


def a_batch_of_another_issuer_or_another_type_anchors_nothing() -> None:
    case = strict()
    other = replace(case.hints, did="did:cairn:testnet:somebody")
    refuses(Refusal, lambda: trust_checks.check_anchor(replace(case, hints=other)), "other_issuer")
    original = trust_checks.verify_receipt
    trust_checks.verify_receipt = (  # type: ignore[assignment]
        lambda *a, **k: replace(original(*a, **k), types=("degree",))
    )
    try:
        refuses(Refusal, lambda: trust_checks.check_anchor(case), "other_type")
    finally:
        trust_checks.verify_receipt = original
    assert not isinstance(case.proven, Refusal)
    undated = replace(case, proven=replace(case.proven, issued_at=None))
    refuses(Refusal, lambda: trust_checks.check_anchor(undated), "issuing_undated")


def a_named_schema_other_than_the_published_one_is_no() -> None:
    trial = Trial(Stage(), format=LDP)
    other = {"id": "https://e.example/s.json", "type": "JsonSchema"}
    trial.held = trial.stage.issue_ldp(changes={"credentialSchema": other})
    reason_is(trial.case(), Check.SCHEMA, "other_schema")


_SCHEMA = {
    "$id": "https://s.example/1",
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "required": ["name"],
}


def _named(*entries: Any, **members: Any) -> CheckResult:
    document = {**credential(ISSUER, HOLDER), **members}
    if entries:
        document["credentialSchema"] = list(entries)
    one = kind("vc+jwt")
    sent = one.signed({**one.tree, "payload": document}, one.right)
    policy = for_credentials(policy_for(frozenset({ISSUER.key.did_key})))
    policy = replace(policy, rules={**policy.rules, Check.SCHEMA: Rule.IF_PRESENT})
    world = World(
        contexts=bundled(),
        catalogue=CATALOGUE,
        trust=Stage().world.trust,
        schemas={_SCHEMA["$id"]: _SCHEMA},  # type: ignore[dict-item]
    )
    verdict = RecordJudge(evidence=KeysAlone(), world=world).judge(  # type: ignore[arg-type]
        lambda: take_credential(sent), stapled=None, policy=policy, binding={}, now=NOW
    )
    return verdict.result(Check.SCHEMA)


def named_schemas_are_judged_where_they_are_here() -> None:
    ours = {"id": _SCHEMA["$id"], "type": "JsonSchema"}
    stranger = {"id": "https://e.example/s.json", "type": "JsonSchema"}
    assert _named().reason == "not_present"
    assert _named(ours, name="N").reason == "passed"
    assert _named(ours).reason == "does_not_fit"
    assert _named(ours, stranger, name="N").reason == "indeterminate"
    many = [{**stranger, "id": f"https://e.example/{n}"} for n in range(9)]
    assert _named(*many).reason == "too_many_schemas"


def a_credential_without_any_date_is_not_valid_for_ever() -> None:
    one = kind("vc+jwt")
    document = credential(ISSUER, HOLDER)
    del document["validFrom"], document["validUntil"]
    sent = one.signed({**one.tree, "payload": document}, one.right)
    policy = for_credentials(policy_for(frozenset({ISSUER.key.did_key})))
    policy = replace(policy, rules={**policy.rules, Check.VALIDITY: Rule.REQUIRED})
    says(_by(policy, sent), "validity:validity_missing")


def _by(policy: Policy, sent: Any) -> Verdict:
    world = World(contexts=bundled(), catalogue=CATALOGUE, trust=Stage().world.trust)
    return RecordJudge(evidence=KeysAlone(), world=world).judge(  # type: ignore[arg-type]
        lambda: take_credential(sent), stapled=None, policy=policy, binding={}, now=NOW
    )


def a_schema_longer_than_any_should_be_is_refused() -> None:
    entry = {"id": _SCHEMA["$id"], "type": "JsonSchema"}
    long = {**_SCHEMA, "description": "x" * MAX_SCHEMA_BYTES}
    refuses(SchemaNotValid, lambda: check_schema_of({"name": 1}, entry, long))


# --- status ------------------------------------------------------------------------------------


def without_a_status_a_policy_may_excuse_it() -> None:
    trial = Trial(Stage())
    trial.held = trial.stage.issue(changes={"status": None})
    case = trial.case()
    rules = {**case.policy.rules, Check.STATUS: Rule.IF_PRESENT}
    weaker = replace(case.policy, rules=rules, dangerous_because="a reason")
    assert judged(replace(case, policy=weaker), Check.STATUS).reason == "not_present"


def a_list_that_only_says_suspended_says_nothing_of_revocation() -> None:
    trial = Trial(Stage(), format=LDP)
    held = trial.stage.issue_ldp()
    entries = held.credential["credentialStatus"][1:]
    trial.held = trial.stage.issue_ldp(changes={"credentialStatus": entries})
    reason_is(trial.case(), Check.STATUS, "status_missing")


def a_list_must_have_been_read_and_be_the_issuers_and_the_newest() -> None:
    case = strict()
    (uri,) = case.evidence.statuses
    listed = case.evidence.statuses[uri]
    assert isinstance(listed, StatusEvidence)

    def status(found: Any, reason: str) -> None:
        statuses = {} if found is None else {uri: found}
        reason_is(
            replace(case, evidence=replace(case.evidence, statuses=statuses)), Check.STATUS, reason
        )

    status(None, "status_not_read")
    status(OffLedgerStatus(body=listed.body), "status_not_on_ledger")
    status(replace(listed, issuer="did:cairn:testnet:somebody"), "status_of_other_issuer")
    status(replace(listed, digest=bytes(32)), "status_not_newest")
    status(replace(listed, body=_GONE), "unavailable")


def a_list_of_seconds_from_now_is_judged_by_the_policys_own_skew() -> None:
    trial = Trial(Stage())
    agency = trial.stage.agency
    data = status_list.pack_token_list({}, size=LIST_SIZE, bits=2)
    agency.ledger.now += 45
    body = agency.token_body(data)
    agency.ledger.now -= 45
    case = trial.case()
    (uri,) = case.evidence.statuses
    listed = replace(case.evidence.statuses[uri], body=body)  # type: ignore[type-var]
    case = replace(case, evidence=replace(case.evidence, statuses={uri: listed}))
    assert judged(case, Check.STATUS).reason == "passed"
    hurried = replace(case, policy=replace(case.policy, clock_skew_seconds=10))
    reason_is(hurried, Check.STATUS, "status_in_future")


def bitstrings_of_the_future_and_of_the_past_are_no_lists() -> None:
    trial = Trial(Stage(), format=LDP)
    agency, case = trial.stage.agency, trial.case()
    data = status_list.pack_bitstring({}, size=LIST_SIZE)
    uri = agency.uri("revocation")

    def listed(seconds: int, lifetime: int, reason: str) -> None:
        agency.ledger.now += seconds
        body = agency.bitstring_body("revocation", data, lifetime=lifetime)
        agency.ledger.now -= seconds
        found = replace(case.evidence.statuses[uri], body=body)  # type: ignore[type-var]
        statuses = {**case.evidence.statuses, uri: found}
        changed_case = replace(case, evidence=replace(case.evidence, statuses=statuses))
        assert judged(changed_case, Check.STATUS).reason == reason

    listed(0, 3600, "passed")
    listed(300, 3600, "status_in_future")
    listed(-600, 60, "status_expired")


def a_bitstring_is_signed_and_issued_by_the_issuer() -> None:
    trial = Trial(Stage(), format=LDP)
    agency, case = trial.stage.agency, trial.case()
    uri = agency.uri("revocation")
    body = parse_json_object(agency.bodies[uri])

    def reads(document: Any, reason: str) -> None:
        found = replace(
            case.evidence.statuses[uri],  # type: ignore[type-var]
            body=canonical_json(document),
        )
        statuses = {**case.evidence.statuses, uri: found}
        changed_case = replace(case, evidence=replace(case.evidence, statuses=statuses))
        assert judged(changed_case, Check.STATUS).reason == reason

    def signed(document: Any) -> Any:
        return add_proof(
            {name: value for name, value in document.items() if name != "proof"},
            signer=agency.di,
            cryptosuite="eddsa-rdfc-2022",
            created=trial.stage.now,
            purpose="assertionMethod",
            contexts=bundled(),
        )

    reads(body, "passed")
    reads(signed(body), "passed")
    reads({**body, "name": "Another"}, "signature_not_valid")
    reads(signed({**body, "issuer": "did:example:x"}), "status_of_other_issuer")


def a_list_signed_by_a_key_that_describes_itself_is_nobodys() -> None:
    trial = Trial(Stage())
    agency, stranger = trial.stage.agency, signer(KeyType.P256, 99)
    data = status_list.pack_token_list({}, size=LIST_SIZE, bits=2)
    named = NamedSigner(stranger, stranger.verification_method)
    agency.bodies[agency.uri("token")] = agency.token_body(data, signer=named)
    reason_is(trial.case(), Check.STATUS, "status_of_other_issuer")


# --- holder and audience -----------------------------------------------------------------------


def an_audience_without_a_nonce_is_not_enough_to_expect() -> None:
    trial = Trial(Stage())
    trial.expectation = {"binding": {"audience": trial.audience}}
    reason_is(trial.case(), Check.AUDIENCE, "nothing_expected")


def where_nothing_is_expected_the_audience_is_not_judged() -> None:
    result = kind("vc+jwt").judge(kind("vc+jwt").twin).result(Check.AUDIENCE)
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "not_present")


def another_type_than_was_asked_for_is_no_answer() -> None:
    trial = Trial(Stage())
    vct = CATALOGUE.by_name("degree").vct
    trial.expectation = {"query": replace(trial.query, types=((vct,),))}
    assert judged(trial.case(), Check.POLICY).outcome is Outcome.FAILED


def a_profile_asks_for_a_certificate_in_the_header() -> None:
    case = strict()
    expectation = replace(case.expectation, haip=True)
    reason_is(replace(case, expectation=expectation), Check.POLICY, "haip_not_kept")


def a_profile_wants_a_certificate_whatever_the_format() -> None:
    case = strict(LDP)
    expectation = replace(case.expectation, haip=True)
    reason_is(replace(case, expectation=expectation), Check.POLICY, "haip_not_kept")


def two_people_are_no_one_person_however_they_are_judged() -> None:
    trial = Trial(Stage())
    case = trial.case()
    query = parse_dcql(build_query(trial.stage.party.purposes[0], CATALOGUE, trial.format))
    original = pipeline.check_together

    def refuse(_shown: Any) -> None:
        raise CheckFailed("mandate_of_other_person", "the mandate is another person's")

    pipeline.check_together = refuse
    try:
        for verdict in (
            pipeline.judge([case, case], now=trial.stage.now),
            _answered(query, {query.credentials[0].id: [case]}, now=trial.stage.now),
        ):
            says(verdict, "policy:mandate_of_other_person")
    finally:
        pipeline.check_together = original


def a_mobile_document_is_its_issuers_and_its_devices() -> None:
    stage = Stage()
    handover = Handover(
        client_id="x509_hash:abc", nonce="n", response_uri="https://e.example", key_thumbprint=b""
    )
    held, other = stage.issue_mdoc(), replace(handover, nonce="another")

    def mobile(answered: Handover, signer_name: str = "") -> tuple[Any, Any, Any]:
        issued = stage.issue_mdoc(signer=holder_signer(signer_name)) if signer_name else held
        text = stage.present_mdoc(issued, handover=handover)
        unverified = presented.parse_mdoc(text, handover=answered)
        hints = presented.hints(unverified)
        documents = (_document_of(stage),)
        return unverified, hints, documents

    def proven(parts: tuple[Any, Any, Any]) -> Any:
        unverified, hints, documents = parts
        return proof.prove(
            unverified, hints=hints, documents=documents, contexts=bundled(), now=stage.now
        )

    good = mobile(handover)
    shown = proven(good)
    fresh = Freshness(
        now=stage.now,
        max_age_seconds=300,
        skew_seconds=60,
        needs_date=True,
        accepts_anybody=False,
    )
    verify_holder(good[0], shown, contexts=bundled(), freshness=fresh)
    assert binding_of(good[0], shown) == {"audience": "x509_hash:abc", "nonce": "n"}
    elsewhere = mobile(other)
    assert binding_of(elsewhere[0], shown) == {}
    refuses(
        Refusal,
        lambda: verify_holder(elsewhere[0], shown, contexts=bundled(), freshness=fresh),
    )
    stranger = NamedSigner(holder_signer("stranger").private, stage.agency.jose.verification_method)
    forged = stage.present_mdoc(stage.issue_mdoc(signer=stranger), handover=handover)
    unverified = presented.parse_mdoc(forged, handover=handover)
    refuses(Refusal, lambda: proven((unverified, good[1], good[2])))


def _document_of(stage: Any) -> IssuerDocument:
    record = stage.ledger.did(stage.agency.did)
    return IssuerDocument(document=did_document(record), start=record.time, end=None)


def a_key_binding_names_audience_and_nonce() -> None:
    says(
        changed("dc+sd-jwt", "binding", "payload", "nonce"),
        "holder_binding:holder_binding_incomplete",
    )
    says(
        changed("dc+sd-jwt", "binding", "payload", "aud"),
        "holder_binding:holder_binding_incomplete",
    )


def _presented(**members: Any) -> Verdict:
    """A presentation with an embedded proof; `proof` changes it, `held` the credential."""
    one = kind("vp")
    tree = copy.deepcopy(one.tree)
    proof, held = members.pop("proof", {}), members.pop("held", None)
    tree.update(members)
    for name, value in proof.items():
        if value is None:
            del tree["proof"][name]
        else:
            tree["proof"][name] = value
    if held is not None:
        tree["verifiableCredential"] = [
            add_proof(
                held,
                signer=one.issuer,
                cryptosuite="ecdsa-jcs-2019",
                created=NOW,
                purpose="assertionMethod",
                contexts=bundled(),
            )
        ]
    return one.judge(one.signed(tree, one.right))


def presentations_are_by_the_subject_dated_and_fresh() -> None:
    one = kind("vp")
    says(_presented())
    nobody = credential(one.issuer, one.right)
    del nobody["credentialSubject"]["id"]
    says(_presented(held=nobody), "holder_binding:holder_key_missing")
    says(_presented(holder="did:example:x"), "holder_binding:holder_is_not_signer")
    says(_presented(proof={"created": None}), "holder_binding:holder_proof_undated")
    old, young = "2026-11-20T11:50:00Z", "2026-11-20T12:05:00Z"
    says(_presented(proof={"created": old}), "holder_binding:holder_proof_too_old")
    says(_presented(proof={"created": young}), "holder_binding:holder_proof_in_future")


def presentations_are_well_formed_whatever_signs_them() -> None:
    undefined = {"@context": [V2], "undefinedTerm": "x"}
    says(
        _presented(**undefined, proof={"@context": [V2]}),
        "holder_binding:json_ld_refused",
    )
    one = kind("vp")
    bare = {name: value for name, value in one.tree.items() if name != "proof"}
    says(one.judge(one.unsigned(bare)), "holder_binding:holder_binding_missing")


def a_credential_alone_has_no_holder() -> None:
    policy = policy_for(frozenset({ISSUER.key.did_key}))
    says(_by(policy, kind("vc+jwt").twin), "holder_binding:holder_binding_missing")


def a_key_binding_in_an_envelope_holds_and_is_fresh() -> None:
    one = kind("vc+sd-jwt")
    payload = {**credential(ISSUER, HOLDER), "cnf": {"jwk": HOLDER.key.jwk}}
    header = {"typ": "vc+sd-jwt", "kid": ISSUER.verification_method}
    policy = policy_for(frozenset({ISSUER.key.did_key}))
    policy = replace(
        policy,
        rules={**policy.rules, Check.AUDIENCE: Rule.IF_PRESENT},
        dangerous_because="a reason",
    )

    def shown(claims: Any, key: Any = HOLDER, *, drop: str = "", at: int = SECONDS - 5) -> Any:
        text = sd_jwt.issue_sd_jwt(payload=claims, disclosures=[], header=header, signer=ISSUER)
        bound = {
            "iat": at,
            "aud": "a",
            "nonce": "n",
            "sd_hash": sd_jwt.format.digest_of(text),
        }
        bound.pop(drop, None)
        return one.envelope(
            text + jose.sign_compact(header={"typ": "kb+jwt"}, payload=bound, signer=key)
        )

    says(_by(policy, shown(payload)))
    says(_by(policy, shown(payload, at=SECONDS - 900)), "holder_binding:holder_proof_too_old")
    says(_by(policy, shown(payload, signer(KeyType.ED25519, 3))), "proof:signature_not_valid")
    says(_by(policy, shown(payload, drop="nonce")), "proof:holder_binding_incomplete")
    without = {name: value for name, value in payload.items() if name != "cnf"}
    says(_by(policy, shown(without)), "proof:holder_key_missing")


def the_holder_is_who_signs() -> None:
    held = kind("vc+jwt").twin  # its issuer presents it
    document = {
        "@context": [V2, EXAMPLES],
        "type": ["VerifiablePresentation"],
        "holder": ISSUER.key.did_key,
        "verifiableCredential": [held],
    }
    policy = replace(
        policy_for(frozenset({ISSUER.key.did_key})),
        accepts_unbound_holders=True,
        dangerous_because="a reason",
    )
    policy = replace(policy, rules={**policy.rules, Check.AUDIENCE: Rule.WAIVED})
    world = World(contexts=bundled(), catalogue=CATALOGUE, trust=Stage().world.trust)
    records = RecordJudge(evidence=KeysAlone(), world=world)  # type: ignore[arg-type]

    def judge_it(content: Any) -> Verdict:
        proof = add_proof(
            content,
            signer=ISSUER,
            cryptosuite="ecdsa-jcs-2019",
            created=NOW,
            purpose="authentication",
            contexts=bundled(),
        )
        return records.judge_presentation(proof, policy=policy, binding={}, now=NOW)

    says(judge_it(document))
    says(
        judge_it({**document, "holder": "did:example:x"}),
        "holder_binding:holder_is_not_signer",
    )


def enveloped_presentations_are_by_their_holder_and_in_time() -> None:
    says(
        changed("vp+jwt", "payload", "holder", to="did:example:x"),
        "proof:envelope_malformed",
        "holder_binding:holder_is_not_signer",
    )
    says(
        changed("vp+jwt", "payload", "iss", to="did:example:x"),
        "holder_binding:envelope_malformed",
    )
    one = kind("vp+jwt")
    tree = copy.deepcopy(one.tree)
    del tree["payload"]["holder"]
    tree["payload"]["iss"] = "did:example:x"
    says(one.judge(one.signed(tree, one.right)), "holder_binding:holder_is_not_signer")
    for name, value in (("exp", SECONDS - 60), ("nbf", SECONDS + 61)):
        says(
            changed("vp+jwt", "payload", name, to=value),
            "holder_binding:presentation_not_valid_now",
        )
    for name, value in (("exp", SECONDS - 59), ("nbf", SECONDS + 60)):  # clocks differ
        says(changed("vp+jwt", "payload", name, to=value))
    says(
        changed("vp+jwt", "payload", "iat", to=SECONDS - 900),
        "holder_binding:holder_proof_too_old",
    )
    says(
        changed("vp+jwt", "payload", "iat", to=SECONDS + 900),
        "holder_binding:holder_proof_in_future",
    )


# --- proofs and envelopes ----------------------------------------------------------------------


def credentials_are_well_formed_whatever_signs_them() -> None:
    one = kind("vc")
    tree = copy.deepcopy(one.tree)
    tree["@context"] = tree["proof"]["@context"] = [V2]
    says(one.judge(one.signed(tree, one.right)), "proof:json_ld_refused")
    says(changed("vc+jwt", "payload", "@context", to=[V2]), "proof:json_ld_refused")


def an_envelope_has_the_context_and_a_bounded_address() -> None:
    twin = kind("vc+jwt").twin
    refuses(Malformed, lambda: open_envelope({**twin, "@context": EXAMPLES}, twin["type"]))
    long = {**twin, "id": twin["id"] + "A" * (512 << 10)}
    refuses(Malformed, lambda: open_envelope(long, twin["type"]))
    for value in (7, "A" * ((512 << 10) + 1)):
        refuses(Malformed, lambda value=value: open_jwt(value, member="vc"))  # type: ignore[misc]


def claims_beside_the_document_say_the_same() -> None:
    for name in ("iss", "jti", "sub"):
        says(changed("vc+jwt", "payload", name, to="urn:a:b"), "proof:envelope_malformed")
    says(changed("vc+jwt", "payload", "vc", to={"x": 1}), "proof:envelope_malformed")
    says(changed("vc+jwt", "payload", "exp", to="soon"), "proof:time_malformed")
    says(changed("vc+jwt", "header", "cty", to="vp"), "proof:envelope_malformed")
    says(changed("vc+jwt", "header", "cty", to="vc"))


def an_envelope_is_signed_by_the_key_it_names() -> None:
    for name in ("vc+jwt", "vc+sd-jwt", "vc+cose"):
        one = kind(name)
        says(one.judge(one.signed(one.tree, one.wrong[0])), "proof:signature_not_valid")


def a_presentation_in_an_envelope_names_its_key_and_is_well_formed() -> None:
    says(changed("vp+jwt", "header", "kid"), "holder_binding:holder_key_unknown")
    says(changed("vp+jwt", "payload", "@context", to=[EXAMPLES]), *_MALFORMED)
    says(changed("vp+jwt", "payload", "type", to=["VerifiablePresentation", 7]), *_MALFORMED)
    says(changed("vp+jwt", "payload", "undefined", to={"id": "relative"}), *_LOST)


_MALFORMED = ("holder_binding:presentation_malformed",)
_LOST = ("holder_binding:json_ld_refused",)


def a_bare_jwt_is_well_formed_as_its_data_model_has_it() -> None:
    document = credential(ISSUER, HOLDER)
    document["@context"] = ["https://www.w3.org/2018/credentials/v1"]
    document["issuanceDate"] = document.pop("validFrom")
    document.pop("validUntil")

    def plain_proof(content: Any) -> Any:
        text = jose.sign_compact(
            header={"typ": "JWT", "kid": ISSUER.verification_method},
            payload={"vc": content},
            signer=ISSUER,
        )
        unverified = presented.UnverifiedEnveloped(
            envelope=open_jwt(text, member="vc"), presentation=None
        )
        return proof.prove(
            unverified,
            hints=presented.hints(unverified),
            documents=(self_description(ISSUER.verification_method),),
            contexts=bundled(),
            now=NOW,
        )

    assert plain_proof(document).issuer == ISSUER.key.did_key
    refuses(Malformed, lambda: plain_proof({**document, "type": ["Something"]}))


def a_bare_presentation_is_well_formed_as_its_data_model_has_it() -> None:
    document = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": ["a.b.c"],
    }

    def proven(content: Any) -> Any:
        text = jose.sign_compact(
            header={"typ": "JWT", "kid": ISSUER.verification_method},
            payload={"vp": content, "iss": ISSUER.key.did_key},
            signer=ISSUER,
        )
        return prove_presentation(
            open_jwt(text, member="vp"), contexts=bundled(), now=NOW, skew_seconds=60
        )

    assert proven(document).dids == (ISSUER.key.did_key,)
    refuses(Malformed, lambda: proven({**document, "type": ["Something"]}))


def what_verifiers_need_is_not_kept_back() -> None:
    one = kind("vc+sd-jwt")
    payload, disclosures = sd_jwt.make_disclosures(
        credential(ISSUER, HOLDER), random=bytes, paths=[("validUntil",)]
    )
    header = {"typ": "vc+sd-jwt", "kid": ISSUER.verification_method}
    text = sd_jwt.issue_sd_jwt(
        payload=payload, disclosures=disclosures, header=header, signer=ISSUER
    )
    says(one.judge(one.envelope(text)), "proof:sd_jwt_malformed")


def the_old_form_is_read_where_it_says_and_verified() -> None:
    document = credential(ISSUER, HOLDER)

    def sent(payload: Any, header: Any, key: Any = ISSUER) -> Any:
        named = {"alg": "ES256", "kid": ISSUER.verification_method, **header}
        text = ".".join(jose.base64url_encode(canonical_json(part)) for part in (named, payload))
        return {
            "@context": V2,
            "type": "EnvelopedVerifiableCredential",
            "id": f"data:application/jwt,{text}.{jose.base64url_encode(key.sign(text.encode()))}",
        }

    judge = Judge(frozenset({ISSUER.key.did_key}))
    says(judge.credential(sent({"vc": document}, {})))
    says(judge.credential(sent({"vc": document}, {"typ": "JWT"})))
    says(judge.credential(sent({"vc": "x"}, {})), "proof:envelope_malformed")
    says(judge.credential(sent(document, {})), "proof:envelope_malformed")
    says(
        judge.credential(sent({"vc": document}, {}, signer(KeyType.P256, 2))),
        "proof:signature_not_valid",
    )
    says(
        judge.credential(sent({"vc": document}, {"typ": "JWT"}, signer(KeyType.P256, 2))),
        "proof:signature_not_valid",
    )
    says(judge.credential(sent({"vc": document}, {"alg": "ES384"})), "proof:envelope_malformed")


def a_did_that_is_its_own_document_has_one_key() -> None:
    did = ISSUER.key.did_key
    jwk = f"did:jwk:{jose.base64url_encode(canonical_json(ISSUER.key.jwk))}"
    assert key_of(f"{did}#{ISSUER.key.multikey}") == key_of(f"{jwk}#0") == ISSUER.key
    bbs = public_key_of(secret_key(bytes(range(32)))).did_key
    assert bbs_key_of(f"{bbs}#{bbs.removeprefix('did:key:')}").did_key == bbs
    refuses(Malformed, lambda: bbs_key_of(f"{bbs}#other"))
    for method in (f"{did}#other", did, f"{jwk}#1", jwk):
        refuses(Malformed, lambda method=method: key_of(method))  # type: ignore[misc]


def proofs_have_their_members_and_bounds_when_they_are_made() -> None:
    document = credential(ISSUER, HOLDER)

    def made(content: Any, **options: Any) -> Any:
        return add_proof(
            content,
            signer=ISSUER,
            cryptosuite="ecdsa-jcs-2019",
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
            options=options or None,
        )

    refuses(Malformed, lambda: made(document, expires="never"))
    refuses(Malformed, lambda: made(document, unknown="x"))
    crowd = {**document, "proof": [made(document)["proof"]] * data_integrity.proofs.MAX_PROOFS}
    refuses(Malformed, lambda: made(crowd))
    many = [f"https://{n}.example" for n in range(data_integrity.proofs.MAX_PROOFS + 1)]
    says(_with_domain(many), "proof:proof_malformed")
    says(_with_domain(many[:2]))


def _with_domain(domains: list[str]) -> Verdict:
    one = kind("vc")
    tree = copy.deepcopy(one.tree)
    tree["proof"]["domain"] = domains
    return one.judge(one.signed(tree, one.right))


# --- SD-JWT VC and COSE by themselves ----------------------------------------------------------


def an_sd_jwt_vc_has_its_claims_and_no_others_place() -> None:
    payload = {
        "iss": "https://id.example",
        "vct": "https://id.example/t",
        "cnf": {"jwk": HOLDER.key.jwk},
    }

    def verified(typ: str = "dc+sd-jwt", **changes: Any) -> Any:
        content = {**payload, **changes}
        text = sd_jwt.issue_sd_jwt(
            payload={name: value for name, value in content.items() if value is not None},
            disclosures=[],
            header={"typ": typ},
            signer=ISSUER,
        )
        return sd_jwt_vc.verify_sd_jwt_vc(sd_jwt.parse_sd_jwt(text), key=ISSUER.key)

    assert verified().holder_key == HOLDER.key
    wrong: list[dict[str, Any]] = [
        {"status": "x"},
        {"cnf": {}},
        {"cnf": 7},
        {"vct": None},
        {"vct": ""},
        {"iss": 7},
        {"exp": "soon"},
        {"iat": True},
        {"nbf": -1},
        {"typ": "vc+sd-jwt", "@context": [V2]},
    ]
    for changes in wrong:
        refuses(Malformed, lambda changes=changes: verified(**changes))  # type: ignore[misc]
    moment = {"now": 1000, "leeway_seconds": 10}
    sd_jwt_vc.check_validity(verified(iat=1005, exp=995), **moment)
    for changes in ({"iat": 1011}, {"nbf": 1011}, {"exp": 990}):
        refuses(
            Refusal,
            lambda changes=changes: sd_jwt_vc.check_validity(  # type: ignore[misc]
                verified(**changes), **moment
            ),
        )


def a_cose_message_is_an_array_of_four_with_two_headers() -> None:
    good = cose.sign_sign1(protected={cose.TYP: "t", cose.KID: b"k"}, payload=b"x", signer=ISSUER)
    header, unprotected, payload, signature = cbor2.loads(good).value
    assert cose.parse_sign1(cbor2.dumps([header, unprotected, payload, signature])).payload == b"x"
    claims = cbor2.dumps({1: -7, 16: "t", 15: [1]})
    for message in (
        [header, unprotected, payload],
        [header, unprotected, payload, signature, b""],
        {0: header, 1: {}, 2: payload, 3: signature},
        [header, unprotected, None, signature],
        [header, {4: b"x"}, payload, signature],
        [claims, {}, payload, signature],
        [b"\x80", {}, payload, signature],
        [cbor2.dumps({16: "t"}), {1: -7}, payload, signature],
    ):
        refuses(
            Malformed,
            lambda message=message: cose.parse_sign1(cbor2.dumps(message)),  # type: ignore[misc]
        )


def _all() -> dict[str, Callable[[], None]]:
    module = globals()
    return {
        name: value
        for name, value in module.items()
        if callable(value)
        and getattr(value, "__module__", "") == __name__
        and not name.startswith("_")
        and name not in {"kind", "says", "changed", "refuses", "strict", "judged", "reason_is"}
    }


PROBES = _all()
