"""What every way of proofing promises: a register here, one over HTTP, officers, a provider."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWK

from identity.adapters.embedded_register import EmbeddedRegister, invented_people
from identity.adapters.http_register import CircuitBreaker, HttpRegister, register_client
from identity.adapters.oidc_provider import OidcProvider, ProviderClient
from identity.adapters.proofing_store import SqlLoginStore, SqlSittingStore
from identity.core.proofing import EvidenceKind, assurance_level
from identity.realname.in_person import TICKET_SECONDS, InPersonDesk
from identity.realname.oidc_login import LOGIN_SECONDS, OidcDesk
from identity.realname.ports import NoMatch, RegisterQuery, RegisterUnavailable
from identity.realname.proofing import (
    Application,
    ProofingSource,
    RegisterSource,
    TicketNotValid,
)
from registry.core.encoding import base64url_encode
from registry.core.refusals import Malformed, Refusal
from tests.identity.realname.oidc_server import CLIENT, REDIRECT, OidcServer, providing, signed
from tests.identity.realname.parts import SCHEMES, identity_engine
from tests.identity.realname.register_server import RegisterServer, serving
from tests.identity.vault.parts import real_vault

NOW = 1_790_000_000
TODAY = date(2026, 9, 1)
LIN = invented_people()[0]
EVIDENCE = ("document", "visual-match")
ACR = {"high": (EvidenceKind.CHIP_DOCUMENT, EvidenceKind.BIOMETRIC_MATCH)}


def query_for(**changes: Any) -> RegisterQuery:
    person = LIN.person
    query = RegisterQuery(
        country=LIN.country,
        number=LIN.number,
        family_name=person.family_name,
        given_name=person.given_name,
        birth_date=person.birth_date,
    )
    return replace(query, **changes)


@dataclass
class Way:
    """A source, and how an applicant comes to a ticket of it at an agency."""

    source: ProofingSource
    ticket: Callable[[str], str | None]
    folder: Path
    asked: Callable[[], str]  # everything that was sent to somebody outside
    clock: list[int]
    lifetime: int = 0
    down: Callable[[], None] | None = None


@pytest.fixture(params=["embedded", "http", "in-person", "oidc"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    clock = [NOW]
    if request.param == "embedded":
        register = RegisterSource(EmbeddedRegister(invented_people()))
        yield Way(register, lambda _agency: None, tmp_path, str, clock)
    elif request.param == "http":
        with serving(RegisterServer(now=lambda: NOW)) as server, register_client() as client:
            over_http = HttpRegister(
                url=server.url,
                key=server.signer.key,
                client=client,
                breaker=CircuitBreaker(failures=5, pause_seconds=30, clock=lambda: 0.0),
                random=secrets.token_bytes,
                now=lambda: NOW,
            )
            yield Way(
                RegisterSource(over_http),
                lambda _agency: None,
                tmp_path,
                lambda: "".join(server.paths),
                clock,
            )
    elif request.param == "in-person":
        yield in_person(tmp_path, clock)
    else:
        with providing(OidcServer(now=lambda: clock[0])) as provider, register_client() as client:
            yield oidc(tmp_path, clock, provider, client)


def in_person(folder: Path, clock: list[int]) -> Way:
    vault = real_vault(folder)
    desk = InPersonDesk(
        sittings=SqlSittingStore(identity_engine(folder / "identity.db")),
        vault=vault,
        random=secrets.token_bytes,
        now=lambda: clock[0],
    )

    def ticket(agency: str) -> str:
        made = desk.state(query_for(), EVIDENCE, agency=agency, officer="ada")
        desk.confirm(made, query_for(), EVIDENCE, agency=agency, officer="bob")
        return made

    return Way(desk, ticket, folder, str, clock, TICKET_SECONDS)


def oidc_desk(
    folder: Path, wall: list[int], provider: OidcServer, client: Any, **changes: Any
) -> OidcDesk:
    provider.person = {
        "national_id": LIN.number,
        "family_name": LIN.person.family_name,
        "given_name": LIN.person.given_name,
        "birthdate": LIN.person.birth_date.isoformat(),
    } | provider.person
    settings = ProviderClient(
        issuer=provider.url,
        client_id=CLIENT,
        client_secret=provider.secret,
        redirect_uri=REDIRECT,
        country="CN",
        number_claim="national_id",
    )
    return OidcDesk(
        provider=OidcProvider(
            settings,
            client=client,
            breaker=CircuitBreaker(failures=50, pause_seconds=30, clock=lambda: 0.0),
            now=lambda: wall[0],
            retry_wait_seconds=0.01,
            **changes,
        ),
        evidence=ACR,
        normal_number=lambda country, number: SCHEMES.parse(country, number, today=TODAY).number,
        logins=SqlLoginStore(identity_engine(folder / "identity.db")),
        vault=real_vault(folder),
        random=secrets.token_bytes,
        now=lambda: wall[0],
    )


def oidc(folder: Path, clock: list[int], provider: OidcServer, client: Any) -> Way:
    desk = oidc_desk(folder, clock, provider, client)

    def ticket(agency: str) -> str:
        url, _ = desk.begin(agency=agency)
        return desk.complete(*provider.log_in(url), agency=agency)

    return Way(desk, ticket, folder, lambda: repr(provider.requests), clock, LOGIN_SECONDS)


def application(way: Way, agency: str = "registry", **changes: Any) -> Application:
    return Application(query=query_for(**changes), agency=agency, ticket=way.ticket("registry"))


def test_who_agrees_in_everything_is_proofed(way: Way) -> None:
    proofed = way.source.prove(application(way))

    assert proofed.person.family_name == LIN.person.family_name
    assert proofed.person.birth_date == LIN.person.birth_date
    assert proofed.evidence
    claimed = (EvidenceKind.DOCUMENT, EvidenceKind.VISUAL_MATCH) if way.source.takes_claims else ()
    assert assurance_level((*claimed, *proofed.evidence)) >= "IAL1"


@pytest.mark.parametrize(
    "change",
    [
        {"number": "110000199102030135"},
        {"family_name": "王"},
        {"given_name": "晓"},
        {"given_name": "晓\n雨"},
        {"birth_date": date(1991, 2, 4)},
        {"country": "TW"},
    ],
)
def test_whoever_differs_in_anything_is_not(way: Way, change: dict[str, Any]) -> None:
    with pytest.raises(NoMatch) as refusal:
        way.source.prove(application(way, **change))
    assert LIN.number not in refusal.value.detail
    way.source.prove(application(way))  # the twin


def test_a_ticket_is_of_its_agency_proves_once_and_ends(way: Way) -> None:
    if way.source.takes_claims:
        with pytest.raises(Malformed):  # a register proves without one
            way.source.prove(replace(application(way), ticket="x"))
        return
    with pytest.raises(TicketNotValid):
        way.source.prove(application(way, agency="university"))
    one = application(way)
    way.source.prove(one)
    for ticket in (one.ticket, None, "", "x", "sit_" + "A" * 22, secrets.token_urlsafe(32)):
        with pytest.raises(TicketNotValid):
            way.source.prove(replace(one, ticket=ticket))
    late = application(way)
    way.clock[0] += way.lifetime + 1
    with pytest.raises(TicketNotValid):
        way.source.prove(late)


def test_nobody_outside_learns_the_agency_and_no_url_holds_her(way: Way) -> None:
    way.source.prove(application(way))
    assert "registry" not in way.asked()
    for canary in (LIN.number, LIN.person.family_name, LIN.person.birth_date.isoformat()):
        assert canary not in way.asked()
        for path in way.folder.rglob("*"):
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path


def test_what_waited_is_erased_afterwards(way: Way) -> None:
    way.source.prove(application(way))
    if way.source.takes_claims:
        return
    store = way.source._vault._store  # type: ignore[attr-defined]
    assert store.versions(after="", limit=10) == []


def test_what_nobody_came_back_for_is_swept(way: Way) -> None:
    if way.source.takes_claims:
        return
    vault = way.source._vault  # type: ignore[attr-defined]
    one = application(way)
    way.source.sweep()  # type: ignore[attr-defined]
    assert vault._store.versions(after="", limit=10) != []  # not while it may be used
    way.clock[0] += way.lifetime + 1
    way.source.sweep()  # type: ignore[attr-defined]

    assert vault._store.versions(after="", limit=10) == []
    with pytest.raises(TicketNotValid):
        way.source.prove(one)


# -- two officers -----------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> InPersonDesk:
    source = in_person(tmp_path, [NOW]).source
    assert isinstance(source, InPersonDesk)
    return source


def test_one_officer_is_nobody(desk: InPersonDesk) -> None:
    ticket = desk.state(query_for(), EVIDENCE, agency="registry", officer="ada")
    one = Application(query=query_for(), agency="registry", ticket=ticket)
    with pytest.raises(TicketNotValid):
        desk.prove(one)
    with pytest.raises(Refusal, match="second officer"):
        desk.confirm(ticket, query_for(), EVIDENCE, agency="registry", officer="ada")
    with pytest.raises(TicketNotValid):
        desk.confirm(ticket, query_for(), EVIDENCE, agency="university", officer="bob")
    desk.confirm(ticket, query_for(), EVIDENCE, agency="registry", officer="bob")
    with pytest.raises(TicketNotValid):
        desk.confirm(ticket, query_for(), EVIDENCE, agency="registry", officer="eve")
    assert desk.prove(one).evidence == (EvidenceKind.DOCUMENT, EvidenceKind.VISUAL_MATCH)


@pytest.mark.parametrize(
    ("query", "evidence"),
    [
        (query_for(given_name="晓晴"), EVIDENCE),
        (query_for(number="110000199102030135"), EVIDENCE),
        (query_for(), ("document", "biometric-match")),
        (query_for(), ("chip-document", "visual-match")),
    ],
)
def test_officers_who_saw_different_things_begin_anew(
    desk: InPersonDesk, query: RegisterQuery, evidence: tuple[str, ...]
) -> None:
    ticket = desk.state(query_for(), EVIDENCE, agency="registry", officer="ada")
    with pytest.raises(Refusal, match="did not see the same"):
        desk.confirm(ticket, query, evidence, agency="registry", officer="bob")
    with pytest.raises(TicketNotValid):
        desk.confirm(ticket, query_for(), EVIDENCE, agency="registry", officer="bob")


@pytest.mark.parametrize("evidence", [(), ("document",), ("register-record",), ("a photo",)])
def test_officers_cannot_state_what_is_no_evidence(
    desk: InPersonDesk, evidence: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal):
        desk.state(query_for(), evidence, agency="registry", officer="ada")


# -- the identity provider ----------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[OidcServer]:
    with providing(OidcServer(now=lambda: NOW)) as server:
        yield server


@pytest.fixture
def login(tmp_path: Path, provider: OidcServer) -> Iterator[Callable[..., str]]:
    with register_client() as client:
        desk = oidc_desk(tmp_path, [NOW], provider, client)

        def go(**changes: Any) -> str:
            url, _ = desk.begin(agency="registry")
            state, code = provider.log_in(url)
            return desk.complete(
                changes.get("state", state), changes.get("code", code), agency="registry"
            )

        yield go


def other_key(server: OidcServer, payload: bytes) -> str:
    return signed(payload, JWK.generate(kty="RSA", size=2048, kid="first"), alg="RS256")


def unsigned(server: OidcServer, payload: bytes) -> str:
    header = base64url_encode(b'{"alg":"none","kid":"first"}')
    return f"{header}.{base64url_encode(payload)}."


def symmetric(server: OidcServer, payload: bytes) -> str:
    """Signed with the provider's public key as if it were a secret."""
    from registry.core.encoding import base64url_encode

    public = server.key.export_to_pem()
    return signed(payload, JWK(kty="oct", k=base64url_encode(public)), alg="HS256")


def critical(server: OidcServer, payload: bytes) -> str:
    return signed(payload, server.key, alg="RS256", crit=["b64"], b64=True)


def unknown_kid(server: OidcServer, payload: bytes) -> str:
    return signed(payload, server.key, alg="RS256", kid="second")


@pytest.mark.parametrize("sign", [other_key, unsigned, symmetric, critical, unknown_kid])
def test_a_token_that_the_provider_did_not_sign_proves_nobody(
    provider: OidcServer, login: Callable[..., str], sign: Any
) -> None:
    login()  # the twin before
    provider.sign = sign
    with pytest.raises(RegisterUnavailable):
        login()
    provider.sign = None
    login()  # and after


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": [CLIENT, "somebody else"]},
        {"aud": []},
        {"azp": "somebody else"},
        {"exp": NOW - 61},
        {"exp": "soon"},
        {"exp": None},
        {"iat": NOW - 700},
        {"iat": NOW + 100},
        {"iat": True},
        {"nonce": "of another login"},
        {"nonce": None},
        {"national_id": None},
        {"national_id": 110000199102030128},
        {"national_id": "1" * 41},
        {"birthdate": "1991-2-3"},
        {"birthdate": "0000-02-03"},
        {"family_name": ""},
        {"given_name": "晓\n雨"},
        {"acr": None},
    ],
)
def test_a_token_with_one_wrong_claim_proves_nobody(
    provider: OidcServer, login: Callable[..., str], change: dict[str, Any]
) -> None:
    provider.alter = lambda claims: {
        name: value for name, value in (claims | change).items() if value is not None
    }
    with pytest.raises(RegisterUnavailable) as refusal:
        login()
    assert LIN.person.family_name not in refusal.value.detail
    provider.alter = lambda claims: claims
    login()


@pytest.mark.parametrize("change", [{"acr": "low"}, {"national_id": "110000199102030126"}])
def test_what_is_true_and_not_enough_is_refused_for_good(
    provider: OidcServer, login: Callable[..., str], change: dict[str, Any]
) -> None:
    provider.alter = lambda claims: claims | change
    with pytest.raises(TicketNotValid):
        login()


def test_state_and_code_are_bound_to_each_other_and_used_once(
    provider: OidcServer, login: Callable[..., str]
) -> None:
    state = login()
    for changes in ({"state": state}, {"state": "x"}, {"state": secrets.token_urlsafe(32)}):
        with pytest.raises(TicketNotValid):
            login(**changes)
    for code in ("", "never given", "x" * 3000, "a\nb"):
        with pytest.raises(TicketNotValid):
            login(code=code)


def test_a_code_of_another_login_is_refused_by_pkce(tmp_path: Path, provider: OidcServer) -> None:
    with register_client() as client:
        desk = oidc_desk(tmp_path, [NOW], provider, client)
        mine, _ = desk.begin(agency="registry")
        hers, _ = desk.begin(agency="registry")
        state, _ = provider.log_in(mine)
        _, code = provider.log_in(hers)
        with pytest.raises(TicketNotValid):
            desk.complete(state, code, agency="registry")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_a_provider_in_trouble_proves_nobody(
    provider: OidcServer, login: Callable[..., str], path: str, status: int
) -> None:
    provider.status[path] = status
    with pytest.raises(RegisterUnavailable):
        login()
    provider.status.clear()
    login()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_metadata_that_is_not_the_providers_own_is_not_followed(
    provider: OidcServer, login: Callable[..., str], change: dict[str, Any]
) -> None:
    provider.metadata = lambda document: document | change
    with pytest.raises(Refusal):
        login()


def test_a_new_key_of_the_provider_is_found(tmp_path: Path, provider: OidcServer) -> None:
    monotonic = [0.0]
    with register_client() as client:
        desk = oidc_desk(tmp_path, [NOW], provider, client, clock=lambda: monotonic[0])

        def go() -> str:
            url, _ = desk.begin(agency="registry")
            return desk.complete(*provider.log_in(url), agency="registry")

        go()
        provider.key = JWK.generate(kty="EC", crv="P-256", kid="second")
        provider.sign = lambda server, payload: signed(
            payload, server.key, alg="ES256", kid="second"
        )
        with pytest.raises(RegisterUnavailable):
            go()  # asked a moment ago: whoever invents key ids makes us fetch nothing
        monotonic[0] += 31
        assert go()


def test_plain_http_to_a_provider_elsewhere_is_refused() -> None:
    with register_client() as client, pytest.raises(Malformed):
        OidcProvider(
            ProviderClient(
                issuer="http://id.example",
                client_id="x",
                client_secret=None,
                redirect_uri=REDIRECT,
                country="CN",
                number_claim="n",
            ),
            client=client,
            breaker=CircuitBreaker(failures=5, pause_seconds=30, clock=lambda: 0.0),
            now=lambda: NOW,
        )
