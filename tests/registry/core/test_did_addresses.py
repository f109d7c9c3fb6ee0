"""Names and endpoints of DIDs: shapes in which data about people gets into URLs are refused."""

from dataclasses import replace

import pytest

from registry.core.did import DidDetails, Service
from registry.core.did_actions import CreateDid, UpdateDid
from registry.core.did_addresses import AddressMayNamePerson
from registry.core.refusals import Malformed
from tests.registry.core.actors import TestLedger, method, pair

ONE = DidDetails(verification_methods=(method("ledger-1", pair("one")),))

TELLING = [
    "https://a.example/people/13800138000",
    "https://a.example/people/138-0013-8000",
    "https://a.example/110101199003074514",
    "https://a.example/files/11010119900307451X",
    "https://13800138000.example/",
    "https://a.example/users/ada@mail.example",
    "https://a.example/users/ada%40mail.example",
    "https://a.example/%E5%BC%A0%E4%BC%9F",
    "https://a.example/?session=" + "x" * 60,
    "https://a.example/" + "x" * 81,
]
PLAIN = [
    "https://a.example",
    "https://192.168.100.200:8443/issuers/university",
    "https://a.example/status?version=2",
    "https://a.example/issuers/2026/11/21",
    "https://a.example/did:cairn:example:2DYqCczHvkTZ8miYE7nF7DcaHVJV/files",
]


def with_name(address: str) -> DidDetails:
    return replace(ONE, also_known_as=(address,))


def with_endpoint(address: str) -> DidDetails:
    return replace(ONE, services=(Service(fragment="s", type="Files", endpoint=address),))


@pytest.mark.parametrize("address", TELLING)
@pytest.mark.parametrize("place", [with_name, with_endpoint])
def test_what_may_name_a_person_is_refused(address: str, place: object) -> None:
    ledger, details = TestLedger(), place(address)  # type: ignore[operator]

    with pytest.raises(AddressMayNamePerson) as refused:
        ledger.create("agency", details, ledger_1=pair("one"))

    assert "13800138000" not in refused.value.detail
    did = ledger.create("agency", ONE, ledger_1=pair("one"))
    with pytest.raises(AddressMayNamePerson):
        ledger.do(did, UpdateDid(version=1, details=details), keys={"ledger-1": pair("one")})


@pytest.mark.parametrize("address", PLAIN)
@pytest.mark.parametrize("place", [with_name, with_endpoint])
def test_plain_addresses_are_taken(address: str, place: object) -> None:
    TestLedger().create("agency", place(address), ledger_1=pair("one"))  # type: ignore[operator]


def test_a_did_web_is_another_name() -> None:
    ledger = TestLedger()
    details = with_name("did:web:a.example%3A8443:issuers:university")
    ledger.create("agency", details, ledger_1=pair("one"))

    with pytest.raises(AddressMayNamePerson):
        ledger.create("b", with_name("did:web:a.example:13800138000"), ledger_1=pair("one"))


@pytest.mark.parametrize(
    "name",
    [
        "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd",
        "did:cairn:example:2DYqCczHvkTZ8miYE7nF7DcaHVJV",
        "did:web:",
        "did:web:A.example",
        "did:web:a.example:..",
        "did:web:a.example/x",
        "did:web:a.example#x",
        "did:web:a.example%3A",
        "did:web:a.example:%2e%2e",
        "did:web:a.example:b\n",
        7,
    ],
)
def test_other_dids_are_no_names(name: object) -> None:
    body = CreateDid(details=ONE).to_body()
    body["alsoKnownAs"] = [name]

    with pytest.raises(Malformed):
        CreateDid.parse(body)
