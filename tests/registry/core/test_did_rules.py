"""DIDs on the ledger: who may create, change, rotate, recover and deactivate which keys."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.authorship import (
    AuthorDeactivated,
    AuthorNotProven,
    AuthorUnknown,
    PossessionNotProven,
    SignerNotAllowed,
)
from registry.core.did import DidDetails, Service, key_commitment
from registry.core.did_actions import CreateDid, DeactivateDid, UpdateDid
from registry.core.did_record import DidRecord
from registry.core.did_rules import (
    DidExists,
    DidVersionConflict,
    FragmentTaken,
    KeyMoved,
    KeyNotCommitted,
    RecoveryKeyNeeded,
)
from registry.core.keys import KeyType, PublicKey, SignatureNotValid
from registry.core.records import did_key, did_version_key, transaction_key
from registry.core.refusals import Malformed, Refusal
from registry.core.transactions import (
    Payload,
    Signature,
    derive_did,
    encode_signed,
    parse_transaction,
    signing_message,
)
from registry.core.transitions import AlreadyApplied, WrongNetwork
from tests.registry.core.actors import (
    NETWORK,
    P256Pair,
    TestLedger,
    method,
    nonce,
    pair,
    recovery,
    sign,
)

ONE = DidDetails(verification_methods=(method("ledger-1", pair("one")),))
TWO = DidDetails(verification_methods=(method("ledger-2", pair("two")),))


@pytest.fixture
def ledger() -> TestLedger:
    return TestLedger()


def newest(ledger: TestLedger, did: str) -> DidRecord:
    return DidRecord.parse(ledger.state[did_key(did)])


def create(details: DidDetails = ONE, *, network: str = NETWORK) -> Payload:
    return Payload(
        network=network, author="", nonce=nonce("create"), action=CreateDid(details=details)
    )


def test_a_did_is_created_by_its_keys(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))

    record = newest(ledger, did)
    assert (record.version, record.height, record.time) == (1, 1, 1_700_000_001)
    assert record.details == ONE
    assert ledger.state[did_version_key(did, 1)] == ledger.state[did_key(did)]


def test_keys_of_several_types_and_purposes_sign_their_creation(ledger: TestLedger) -> None:
    details = DidDetails(
        verification_methods=(
            method("ledger-1", pair("one")),
            method("jose-1", P256Pair(5), "assertionMethod"),
            method("request-1", P256Pair(6), "authentication"),
        ),
        also_known_as=("https://agency.example/issuers/agency",),
        services=(
            Service(fragment="site", type="LinkedDomains", endpoint="https://agency.example/"),
        ),
        recovery=(recovery("recovery-1", pair("safe")),),
    )
    keys = {"#ledger-1": pair("one"), "#jose-1": P256Pair(5), "#request-1": P256Pair(6)}
    keys["#recovery-1"] = pair("safe")

    for missing in keys:
        some = {key: held for key, held in keys.items() if key != missing}
        with pytest.raises(PossessionNotProven):
            ledger.apply(sign(create(details), some))
    ledger.apply(sign(create(details), keys))

    assert newest(ledger, derive_did(create(details))).details == details


def test_a_foreign_key_cannot_create(ledger: TestLedger) -> None:
    with pytest.raises(SignatureNotValid):
        ledger.apply(sign(create(), {"#ledger-1": pair("two")}))


def test_a_signature_over_another_payload_is_refused(ledger: TestLedger) -> None:
    value = pair("one").sign(signing_message(create(TWO)))

    with pytest.raises(SignatureNotValid):
        ledger.apply(encode_signed(create(), [Signature(key="#ledger-1", value=value)]))


def test_a_signature_without_the_label_is_refused(ledger: TestLedger) -> None:
    message = signing_message(create()).removeprefix(b"cairn-transaction/1\0")
    value = pair("one").sign(message)

    with pytest.raises(SignatureNotValid):
        ledger.apply(encode_signed(create(), [Signature(key="#ledger-1", value=value)]))


def test_every_signature_must_verify_and_not_only_enough_of_them(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    both = replace(ONE, verification_methods=(*ONE.verification_methods, method("l-2", pair("x"))))
    ledger.do(
        did,
        UpdateDid(version=1, details=both),
        keys={"ledger-1": pair("one"), "l-2": pair("x")},
    )

    with pytest.raises(SignatureNotValid):
        ledger.do(did, DeactivateDid(version=2), keys={"ledger-1": pair("one"), "l-2": pair("y")})


@pytest.mark.parametrize("key", ["ledger-1", "#ledger-2", "#", "did:key:z6Mk#z6Mk", "#Ledger-1"])
def test_a_signature_under_an_unknown_key_id_is_refused(ledger: TestLedger, key: str) -> None:
    with pytest.raises(SignerNotAllowed):
        ledger.apply(sign(create(), {"#ledger-1": pair("one"), key: pair("one")}))


def test_a_transaction_for_another_network_is_refused(ledger: TestLedger) -> None:
    with pytest.raises(WrongNetwork):
        ledger.apply(sign(create(network="cairn-other"), {"#ledger-1": pair("one")}))


def test_the_same_transaction_twice_answers_where_it_is(ledger: TestLedger) -> None:
    data = sign(create(), {"#ledger-1": pair("one")})
    ledger.apply(data)
    ledger.create("between")

    with pytest.raises(AlreadyApplied) as refused:
        ledger.apply(data)

    assert (refused.value.height, refused.value.index) == (1, 1)
    assert transaction_key(parse_transaction(data).id) in ledger.state


def test_a_did_is_not_created_over_another(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    again = Payload(
        network=NETWORK, author="", nonce=nonce("agency"), action=CreateDid(details=ONE)
    )
    assert derive_did(again) == did
    del ledger.state[
        transaction_key(parse_transaction(sign(again, {"#ledger-1": pair("one")})).id)
    ]  # as if an id had met another

    with pytest.raises(DidExists):
        ledger.apply(sign(again, {"#ledger-1": pair("one")}))


def test_an_unknown_author_is_refused(ledger: TestLedger) -> None:
    with pytest.raises(AuthorUnknown):
        ledger.do(derive_did(create()), DeactivateDid(version=1), keys={"ledger-1": pair("one")})


def test_an_update_replaces_everything(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))

    ledger.do(
        did,
        UpdateDid(version=1, details=TWO),
        keys={"ledger-1": pair("one"), "ledger-2": pair("two")},
    )

    assert newest(ledger, did).details == TWO
    assert newest(ledger, did).version == 2
    assert DidRecord.parse(ledger.state[did_version_key(did, 1)]).details == ONE
    with pytest.raises(SignerNotAllowed):
        ledger.do(did, DeactivateDid(version=2), keys={"ledger-1": pair("one")})
    ledger.do(did, DeactivateDid(version=2), keys={"ledger-2": pair("two")})


def test_an_update_needs_an_old_key_and_every_new_one(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    update = UpdateDid(version=1, details=TWO)

    with pytest.raises(AuthorNotProven):
        ledger.do(did, update, keys={"ledger-2": pair("two")})
    with pytest.raises(PossessionNotProven):
        ledger.do(did, update, keys={"ledger-1": pair("one")})
    ledger.do(did, update, keys={"ledger-1": pair("one"), "ledger-2": pair("two")})


def test_only_ledger_keys_speak_for_a_did(ledger: TestLedger) -> None:
    details = DidDetails(
        verification_methods=(
            method("ledger-1", pair("one")),
            method("di-1", pair("di"), "assertionMethod"),
            method("request-1", pair("rq"), "authentication"),
        )
    )
    did = ledger.create("x", details, ledger_1=pair("one"), di_1=pair("di"), request_1=pair("rq"))

    for fragment, held in (("di-1", pair("di")), ("request-1", pair("rq"))):
        with pytest.raises(SignerNotAllowed):
            ledger.do(did, DeactivateDid(version=1), keys={fragment: held})


@pytest.mark.parametrize("version", [1, 3])
def test_an_update_of_another_version_is_refused(ledger: TestLedger, version: int) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    keys = {"ledger-1": pair("one")}
    ledger.do(did, UpdateDid(version=1, details=ONE), keys=keys)

    with pytest.raises(DidVersionConflict):
        ledger.do(did, UpdateDid(version=version, details=ONE), keys=keys)
    with pytest.raises(DidVersionConflict):
        ledger.do(did, DeactivateDid(version=version), keys=keys)


def test_a_deactivated_did_stays_so(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    keys = {"ledger-1": pair("one")}
    ledger.do(did, DeactivateDid(version=1), keys=keys)

    record = newest(ledger, did)
    assert record.deactivated
    assert not record.details.verification_methods
    for action in (UpdateDid(version=2, details=ONE), DeactivateDid(version=2)):
        with pytest.raises(AuthorDeactivated):
            ledger.do(did, action, keys=keys)


def test_a_fragment_names_one_key_for_ever(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    usurping = DidDetails(verification_methods=(method("ledger-1", pair("two")),))

    # At once: the old key signs under the fragment that both claim.
    with pytest.raises(FragmentTaken):
        ledger.do(did, UpdateDid(version=1, details=usurping), keys={"ledger-1": pair("one")})
    ledger.do(
        did,
        UpdateDid(version=1, details=TWO),
        keys={"ledger-1": pair("one"), "ledger-2": pair("two")},
    )
    third = replace(
        TWO, verification_methods=(*TWO.verification_methods, method("ledger-1", pair("three")))
    )
    # And after the first key has gone.
    with pytest.raises(FragmentTaken):
        ledger.do(
            did,
            UpdateDid(version=2, details=third),
            keys={"ledger-2": pair("two"), "ledger-1": pair("three")},
        )


def test_a_key_does_not_change_its_purpose(ledger: TestLedger) -> None:
    details = replace(
        ONE,
        verification_methods=(
            *ONE.verification_methods,
            method("di-1", pair("di"), "assertionMethod"),
        ),
    )
    did = ledger.create("agency", details, ledger_1=pair("one"), di_1=pair("di"))
    promoted = replace(
        details, verification_methods=(details.verification_methods[0], method("di-1", pair("di")))
    )
    moved = replace(
        details, verification_methods=(details.verification_methods[0], method("l-9", pair("di")))
    )

    with pytest.raises(FragmentTaken):
        ledger.do(did, UpdateDid(version=1, details=promoted), keys={"ledger-1": pair("one")})
    with pytest.raises(KeyMoved):
        ledger.do(
            did,
            UpdateDid(version=1, details=moved),
            keys={"ledger-1": pair("one"), "l-9": pair("di")},
        )


def test_a_service_does_not_take_the_fragment_of_a_key(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    ledger.do(
        did,
        UpdateDid(version=1, details=TWO),
        keys={"ledger-1": pair("one"), "ledger-2": pair("two")},
    )
    service = Service(fragment="ledger-1", type="LinkedDomains", endpoint="https://a.example/")

    with pytest.raises(FragmentTaken):
        ledger.do(
            did,
            UpdateDid(version=2, details=replace(TWO, services=(service,))),
            keys={"ledger-2": pair("two")},
        )


# Pre-rotation.

COMMITTED = replace(ONE, next_key_commitments=(key_commitment(pair("two").key),))


def test_only_a_committed_key_becomes_a_ledger_key(ledger: TestLedger) -> None:
    did = ledger.create("agency", COMMITTED, ledger_1=pair("one"))
    thief = DidDetails(verification_methods=(method("ledger-x", pair("thief")),))

    with pytest.raises(KeyNotCommitted):
        ledger.do(
            did,
            UpdateDid(version=1, details=thief),
            keys={"ledger-1": pair("one"), "ledger-x": pair("thief")},
        )
    ledger.do(
        did,
        UpdateDid(version=1, details=TWO),
        keys={"ledger-1": pair("one"), "ledger-2": pair("two")},
    )


@pytest.mark.parametrize(
    "details",
    [
        ONE,  # drops the commitment
        replace(ONE, next_key_commitments=(key_commitment(pair("thief").key),)),
        replace(
            COMMITTED,
            next_key_commitments=(
                *COMMITTED.next_key_commitments,
                key_commitment(pair("thief").key),
            ),
        ),
    ],
)
def test_a_thief_cannot_change_commitments(ledger: TestLedger, details: DidDetails) -> None:
    did = ledger.create("agency", COMMITTED, ledger_1=pair("one"))

    with pytest.raises(KeyNotCommitted):
        ledger.do(did, UpdateDid(version=1, details=details), keys={"ledger-1": pair("one")})


def test_a_thief_cannot_get_around_commitments_by_recovery(ledger: TestLedger) -> None:
    did = ledger.create("agency", COMMITTED, ledger_1=pair("one"))
    details = replace(COMMITTED, recovery=(recovery("r", pair("thief")),))

    with pytest.raises(KeyNotCommitted):
        ledger.do(
            did,
            UpdateDid(version=1, details=details),
            keys={"ledger-1": pair("one"), "r": pair("thief")},
        )


def test_other_things_change_under_a_commitment(ledger: TestLedger) -> None:
    did = ledger.create("agency", COMMITTED, ledger_1=pair("one"))
    details = replace(COMMITTED, also_known_as=("https://agency.example",))

    ledger.do(did, UpdateDid(version=1, details=details), keys={"ledger-1": pair("one")})

    assert newest(ledger, did).details == details


# Recovery.

SAFE = replace(COMMITTED, recovery=(recovery("recovery-1", pair("safe")),))
FRESH = DidDetails(
    verification_methods=(method("ledger-3", pair("three")),),
    recovery=(recovery("recovery-2", pair("safe 2")),),
)


def test_recovery_replaces_lost_keys_without_them(ledger: TestLedger) -> None:
    did = ledger.create("agency", SAFE, ledger_1=pair("one"), recovery_1=pair("safe"))

    ledger.do(
        did,
        UpdateDid(version=1, details=FRESH),
        keys={
            "recovery-1": pair("safe"),
            "ledger-3": pair("three"),
            "recovery-2": pair("safe 2"),
        },
    )

    assert newest(ledger, did).details == FRESH


def test_a_recovery_key_only_updates(ledger: TestLedger) -> None:
    did = ledger.create("agency", SAFE, ledger_1=pair("one"), recovery_1=pair("safe"))

    with pytest.raises(SignerNotAllowed):
        ledger.do(did, DeactivateDid(version=1), keys={"recovery-1": pair("safe")})


def test_a_recovery_key_that_is_gone_recovers_nothing(ledger: TestLedger) -> None:
    did = ledger.create("agency", SAFE, ledger_1=pair("one"), recovery_1=pair("safe"))
    new = {"recovery-1": pair("safe"), "ledger-3": pair("three"), "recovery-2": pair("safe 2")}
    ledger.do(did, UpdateDid(version=1, details=FRESH), keys=new)

    with pytest.raises(SignerNotAllowed):
        ledger.do(did, UpdateDid(version=2, details=FRESH), keys={"recovery-1": pair("safe")})


@pytest.mark.parametrize("after", [(), (recovery("r", pair("thief")),)])
def test_ledger_keys_cannot_change_recovery(ledger: TestLedger, after: Any) -> None:
    start = replace(SAFE, next_key_commitments=())
    did = ledger.create("agency", start, ledger_1=pair("one"), recovery_1=pair("safe"))
    keys = {"ledger-1": pair("one"), **{item.fragment: pair("thief") for item in after}}

    with pytest.raises(RecoveryKeyNeeded):
        ledger.do(did, UpdateDid(version=1, details=replace(start, recovery=after)), keys=keys)


# What a controller may say.

BAD_DETAILS: dict[str, Any] = {
    "no keys": lambda b: b.update(verificationMethods=[]),
    "eleven keys": lambda b: b.update(
        verificationMethods=[method(f"l-{n}", pair(str(n))).to_object() for n in range(11)]
    ),
    "no ledger key": lambda b: b["verificationMethods"][0].update(purposes=["assertionMethod"]),
    "two purposes": lambda b: b["verificationMethods"][0].update(
        purposes=["capabilityInvocation", "assertionMethod"]
    ),
    "no purpose": lambda b: b["verificationMethods"][0].update(purposes=[]),
    "an unused purpose": lambda b: b["verificationMethods"][0].update(
        purposes=["capabilityDelegation"]
    ),
    "one fragment twice": lambda b: b["verificationMethods"].append(
        method("ledger-1", pair("two")).to_object()
    ),
    "one key twice": lambda b: b["verificationMethods"].append(
        method("di-1", pair("one"), "assertionMethod").to_object()
    ),
    "a ledger key as recovery key": lambda b: b.update(
        recovery=[recovery("r", pair("one")).to_object()]
    ),
    "an identity point as key": lambda b: b["verificationMethods"][0].update(
        publicKeyMultibase=PublicKey(KeyType.ED25519, b"\x01" + bytes(31)).multikey
    ),
    "a private key's prefix": lambda b: b["verificationMethods"][0].update(
        publicKeyMultibase="z3u2en7t5LR2WtQH5PfFqMqwVHgeXouLzo6haApm8XHqvjxq"
    ),
    "a fragment with a slash": lambda b: b["verificationMethods"][0].update(fragment="a/b"),
    "a fragment with a line end": lambda b: b["verificationMethods"][0].update(fragment="a\n"),
    "a long fragment": lambda b: b["verificationMethods"][0].update(fragment="a" * 65),
    "an unknown member": lambda b: b.update(controller="did:web:a"),
    "a name over http": lambda b: b.update(alsoKnownAs=["http://agency.example"]),
    "a name with a user": lambda b: b.update(alsoKnownAs=["https://a@agency.example"]),
    "a name with a fragment": lambda b: b.update(alsoKnownAs=["https://agency.example/#x"]),
    "a name in capitals": lambda b: b.update(alsoKnownAs=["https://Agency.example"]),
    "a name twice": lambda b: b.update(alsoKnownAs=["https://a.example"] * 2),
    "a long name": lambda b: b.update(alsoKnownAs=["https://a.example/" + "x" * 500]),
    "eleven names": lambda b: b.update(alsoKnownAs=[f"https://a{n}.example" for n in range(11)]),
    "a script as service": lambda b: b.update(
        services=[{"fragment": "s", "type": "X", "serviceEndpoint": "javascript:alert(1)"}]
    ),
    "a service type of two words": lambda b: b.update(
        services=[{"fragment": "s", "type": "A B", "serviceEndpoint": "https://a.example"}]
    ),
    "a service under a key's fragment": lambda b: b.update(
        services=[{"fragment": "ledger-1", "type": "A", "serviceEndpoint": "https://a.example"}]
    ),
    "empty commitments": lambda b: b.update(nextKeyCommitments=[]),
    "a short commitment": lambda b: b.update(nextKeyCommitments=["AAAA"]),
    "a commitment to a key in use": lambda b: b.update(
        nextKeyCommitments=[
            replace(ONE, next_key_commitments=(key_commitment(pair("one").key),)).to_members()[
                "nextKeyCommitments"
            ][0]
        ]
    ),
    "empty recovery": lambda b: b.update(recovery=[]),
    "five recovery keys": lambda b: b.update(
        recovery=[recovery(f"r-{n}", pair(f"r{n}")).to_object() for n in range(5)]
    ),
}


@pytest.mark.parametrize("name", BAD_DETAILS)
def test_bad_details_are_refused(name: str) -> None:
    body = CreateDid(details=ONE).to_body()
    assert CreateDid.parse(body).details == ONE

    BAD_DETAILS[name](body)

    with pytest.raises(Malformed):
        CreateDid.parse(body)


def test_a_refused_transaction_changes_nothing(ledger: TestLedger) -> None:
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    before = dict(ledger.state)

    with pytest.raises(Refusal):
        ledger.do(did, DeactivateDid(version=9), keys={"ledger-1": pair("one")})

    assert ledger.state == before
