"""DID documents: what a version stands for, and which version held at a height."""

from dataclasses import replace

import pytest

from registry.core.did import DidDetails, Service, key_commitment
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.did_document import did_document, document_metadata
from registry.core.did_record import DidRecord, FragmentRecord, VersionMissing, version_at
from registry.core.records import did_fragment_key, did_key, did_version_key
from registry.core.refusals import Malformed
from tests.registry.core.actors import P256Pair, TestLedger, method, pair, recovery

DETAILS = DidDetails(
    verification_methods=(
        method("ledger-1", pair("one")),
        method("di-1", pair("di"), "assertionMethod"),
        method("jose-1", P256Pair(5), "assertionMethod"),
        method("request-1", P256Pair(6), "authentication"),
    ),
    also_known_as=("https://agency.example/issuers/a",),
    services=(Service(fragment="site", type="LinkedDomains", endpoint="https://agency.example/"),),
    next_key_commitments=(key_commitment(pair("next").key),),
    recovery=(recovery("recovery-1", pair("safe")),),
)
KEYS = {
    "ledger_1": pair("one"),
    "di_1": pair("di"),
    "jose_1": P256Pair(5),
    "request_1": P256Pair(6),
    "recovery_1": pair("safe"),
}


@pytest.fixture
def ledger() -> TestLedger:
    return TestLedger()


def newest(ledger: TestLedger, did: str) -> DidRecord:
    return DidRecord.parse(ledger.state[did_key(did)])


def test_a_document_holds_multikeys_under_absolute_ids(ledger: TestLedger) -> None:
    did = ledger.create("agency", DETAILS, **KEYS)

    assert did_document(newest(ledger, did)) == {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "alsoKnownAs": ["https://agency.example/issuers/a"],
        "verificationMethod": [
            {
                "id": f"{did}#{fragment}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": held.key.multikey,
            }
            for fragment, held in (
                ("ledger-1", pair("one")),
                ("di-1", pair("di")),
                ("jose-1", P256Pair(5)),
                ("request-1", P256Pair(6)),
            )
        ],
        "capabilityInvocation": [f"{did}#ledger-1"],
        "assertionMethod": [f"{did}#di-1", f"{did}#jose-1"],
        "authentication": [f"{did}#request-1"],
        "service": [
            {
                "id": f"{did}#site",
                "type": "LinkedDomains",
                "serviceEndpoint": "https://agency.example/",
            }
        ],
    }


def test_recovery_keys_and_commitments_are_in_no_document(ledger: TestLedger) -> None:
    did = ledger.create("agency", DETAILS, **KEYS)

    text = str(did_document(newest(ledger, did)))

    assert pair("safe").key.multikey not in text
    assert "recovery" not in text
    assert "ommitment" not in text


def test_the_document_of_a_deactivated_did_holds_no_key(ledger: TestLedger) -> None:
    did = ledger.create("agency")
    ledger.ask("agency", did, DeactivateDid(version=1))

    record = newest(ledger, did)

    assert did_document(record) == {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
    }
    assert document_metadata(record) == {
        "created": "2023-11-14T22:13:21Z",
        "updated": "2023-11-14T22:13:22Z",
        "versionId": "2",
        "deactivated": True,
    }


def test_metadata_names_the_version_and_the_next(ledger: TestLedger) -> None:
    did = ledger.create("agency")
    first = newest(ledger, did)
    details = replace(first.details, also_known_as=("https://agency.example",))
    ledger.ask("agency", did, UpdateDid(version=1, details=details))

    assert document_metadata(first, following=newest(ledger, did)) == {
        "created": "2023-11-14T22:13:21Z",
        "versionId": "1",
        "nextUpdate": "2023-11-14T22:13:22Z",
        "nextVersionId": "2",
    }


def test_a_time_beyond_the_calendar_is_refused(ledger: TestLedger) -> None:
    record = replace(newest(ledger, ledger.create("agency")), created_time=2**53 - 1)

    with pytest.raises(Malformed):
        document_metadata(record)


def history(*heights: int) -> dict[int, DidRecord]:
    """Versions that began at these heights."""
    ledger = TestLedger()
    did = ledger.create("agency")
    first = replace(newest(ledger, did), created_height=heights[0], height=heights[0])
    return {
        version: replace(first, version=version, height=height)
        for version, height in enumerate(heights, start=1)
    }


@pytest.mark.parametrize(
    "heights", [(3,), (3, 5), (3, 3, 5), (3, 5, 5, 5, 9), tuple(range(3, 40, 3)), (3, 9, 9)]
)
def test_the_version_at_a_height_is_the_last_that_began_by_then(heights: tuple[int, ...]) -> None:
    versions = history(*heights)
    reads: list[int] = []

    def read(version: int) -> DidRecord | None:
        reads.append(version)
        return versions.get(version)

    for height in range(max(heights) + 2):
        reads.clear()
        found = version_at(height, newest=versions[len(heights)], read_version=read)

        begun = [v for v, record in versions.items() if record.height <= height]
        assert (found.version if found else None) == (max(begun) if begun else None)
        assert len(reads) <= len(heights).bit_length() + 1


def test_a_missing_or_wrong_version_is_not_passed_over() -> None:
    versions = history(3, 5, 9)
    other = {**versions, 2: replace(versions[2], version=3)}
    late = {**versions, 1: replace(versions[1], height=8), 2: replace(versions[2], height=8)}

    stranger = newest(TestLedger(), TestLedger().root)
    foreign = {v: replace(record, did=stranger.did) for v, record in versions.items()}

    for read in (lambda _version: None, other.get, late.get, foreign.get):
        with pytest.raises(VersionMissing):
            version_at(6, newest=versions[3], read_version=read)


def test_an_old_version_keeps_its_keys(ledger: TestLedger) -> None:
    did = ledger.create("agency")
    after = DidDetails(verification_methods=(method("ledger-2", pair("two")),))
    ledger.do(
        did,
        UpdateDid(version=1, details=after),
        keys={"ledger-1": pair("agency"), "ledger-2": pair("two")},
    )

    found = version_at(
        1,
        newest=newest(ledger, did),
        read_version=lambda v: DidRecord.parse(ledger.state[did_version_key(did, v)]),
    )

    assert found is not None
    assert found.details.invocation_keys == (pair("agency").key,)


def test_records_go_there_and_back(ledger: TestLedger) -> None:
    did = ledger.create("agency", DETAILS, **KEYS)
    data = ledger.state[did_key(did)]
    fragment = ledger.state[did_fragment_key(did, "recovery-1")]

    assert DidRecord.parse(data).encode() == data
    assert DidRecord.parse(DidRecord.parse(data).to_object()).details == DETAILS
    assert FragmentRecord.parse(fragment).encode() == fragment
    assert FragmentRecord.parse(fragment).purpose == "recovery"


@pytest.mark.parametrize(
    "change",
    [
        {"record": "schema"},
        {"version": 0},
        {"created_height": 2},
        {"deactivated": True},  # and yet it has keys
        {"verificationMethods": []},  # and yet it is not deactivated
        {"did": "did:web:a"},
        {"extra": 1},
        {"recovery": []},
    ],
)
def test_a_bad_record_is_refused(ledger: TestLedger, change: dict[str, object]) -> None:
    record = newest(ledger, ledger.create("agency")).to_object()
    DidRecord.parse(record)

    with pytest.raises(Malformed):
        DidRecord.parse(record | change)


@pytest.mark.parametrize("value", [None, 1, "x", [], b"", b"[]", b"null", b"{}"])
def test_what_is_no_record_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        DidRecord.parse(value)
