"""The authorization code flow: PAR, PKCE, the page, the code, and everything that is refused."""

import pytest

from tests.identity.issuer.code_flow import (
    CLIENT,
    REDIRECT,
    CodeFlow,
    error_of,
)
from tests.identity.issuer.workbench import (
    ALICE_FACTS,
    Workbench,
    payload_of,
)

BIRTH = ALICE_FACTS["birth_date"]


@pytest.fixture
def flow(bench: Workbench) -> CodeFlow:
    return CodeFlow(bench)


def test_a_wallet_that_comes_by_itself_gets_a_credential(flow: CodeFlow, bench: Workbench) -> None:
    code = flow.code(state="s p&=")

    back = flow.back()
    answer = flow.token(code)

    assert flow.answer.headers["location"].startswith(f"{REDIRECT}?")
    assert (back["iss"], back["state"]) == (bench.issuer, "s p&=")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    received = bench.receive(answer.json()["access_token"], keys=2)
    payload = payload_of(received["credentials"][0]["credential"])
    assert payload["iss"] == bench.issuer


def test_a_pushed_request_answers_201_with_an_urn_and_when_it_ends(flow: CodeFlow) -> None:
    answer = flow.push()

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert 300 <= answer.json()["expires_in"] < 600  # FAPI 2.0 §5.3.2.2
    assert answer.headers["cache-control"] == "no-store"


def test_neither_state_nor_secret_nor_scope_is_demanded_where_an_offer_says_it(
    flow: CodeFlow, bench: Workbench
) -> None:
    offer = bench.offer(grants=["authorization_code"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]

    flow.open(flow.push(scope="", issuer_state=state, client_secret="x").json()["request_uri"])
    flow.send(answer="identify", code=offer["identification_code"], birth_date=BIRTH)
    back = flow.back()

    assert "state" not in back
    token = flow.token(back["code"]).json()["access_token"]
    assert bench.receive(token)["credentials"]
    assert "pre-authorized" not in str(offer["credential_offer"]["grants"])


def test_an_offer_with_both_grants_can_be_used_by_one_of_them(
    flow: CodeFlow, bench: Workbench
) -> None:
    offer = bench.offer(grants=["authorization_code", "pre-authorized_code"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    bench.token(offer)

    assert error_of(flow.push(issuer_state=state))["error"] == "invalid_request"


def test_an_offer_for_the_code_flow_has_no_pre_authorized_code(bench: Workbench) -> None:
    from identity.core.offers import pre_authorized_code

    offer = bench.offer(grants=["authorization_code"])
    reference = offer["credential_offer_uri"].rsplit("/", 1)[1]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": pre_authorized_code(reference),
    }

    answer = bench.http.post(f"{bench.issuer}/token", data=form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_request"),
        ({"redirect_uri": "data:text/html,x"}, "invalid_request"),
        ({"redirect_uri": "http://wallet.example/cb"}, "invalid_request"),
        ({"redirect_uri": "https://wallet.example/cb#x"}, "invalid_request"),
        ({"redirect_uri": "https://user@wallet.example/cb"}, "invalid_request"),
        ({"redirect_uri": "https://"}, "invalid_request"),
        ({"redirect_uri": "/cb"}, "invalid_request"),
        ({"redirect_uri": "https://wallet.example/\r\nX: y"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid profile"}, "invalid_scope"),
        ({"scope": "resident-identity-sd-jwt residence-sd-jwt"}, "invalid_scope"),
        ({"issuer_state": "x"}, "invalid_request"),
        ({"issuer_state": "A" * 43}, "invalid_request"),
        ({"resource": "https://else.example"}, "invalid_target"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"request": "eyJ"}, "invalid_request"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"payment"}]'}, "invalid_authorization_details"),
        (
            {
                "authorization_details": '[{"type":"openid_credential",'
                '"credential_configuration_id":"x"}]'
            },
            "invalid_authorization_details",
        ),
    ],
)
def test_a_bad_pushed_request_is_refused_in_the_protocols_form(
    flow: CodeFlow, changes: dict[str, str], error: str
) -> None:
    answer = flow.push(**changes)

    assert answer.status_code == 400
    assert error_of(answer)["error"] == error


@pytest.mark.parametrize(
    "uri",
    [
        "eu.example.wallet:/cb",
        "openid-credential-offer://",
        "http://127.0.0.1:4711/cb?x=1",
        "http://[::1]:4711/cb",
        "http://localhost/cb",
        "https://wallet.example/cb",
    ],
)
def test_wallets_come_back_by_https_by_loopback_or_by_a_scheme_of_their_own(
    flow: CodeFlow, uri: str
) -> None:
    code = flow.code(redirect_uri=uri)

    assert flow.answer.headers["location"].startswith(uri)
    assert flow.token(code, redirect_uri=uri).status_code == 200
    # Browsers hold the redirect after a form to `form-action` as well.
    assert "form-action 'self' " in flow.answer.headers["content-security-policy"]


def test_the_page_names_agency_credential_and_where_the_answer_goes_in_both_languages(
    flow: CodeFlow,
) -> None:
    uri = flow.push(redirect_uri="https://wallet.example/cb").json()["request_uri"]

    english, chinese = flow.open(uri), flow.open(uri, lang="zh")

    assert english.status_code == 200
    for text in ("Registrar", "wallet.example", 'lang="en"'):
        assert text in english.text
    for text in ("登记处", "出生日期", 'lang="zh"'):
        assert text in chinese.text
    assert english.headers["cache-control"] == "no-store"
    assert "script" not in english.text
    cookie = english.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert "samesite=lax" in cookie.lower()


def test_what_a_wallet_sent_cannot_become_markup(flow: CodeFlow) -> None:
    page = flow.open(
        flow.push(
            client_id='"><script>', redirect_uri='https://a.example/"><script>x</script>'
        ).json()["request_uri"],
        client_id='"><script>',
    )

    assert page.status_code == 200
    assert "<script" not in page.text


def test_a_request_belongs_to_the_browser_that_opened_it_first(
    flow: CodeFlow, bench: Workbench
) -> None:
    uri = flow.push().json()["request_uri"]
    flow.open(uri)
    form, code = flow.form, flow.identification_code()

    bench.http.cookies.clear()
    assert flow.open(uri).status_code == 400
    flow.form = form
    assert flow.send(answer="identify", code=code, birth_date=BIRTH).status_code == 400


def test_a_form_that_is_not_from_our_page_does_nothing(flow: CodeFlow) -> None:
    uri = flow.push().json()["request_uri"]
    flow.open(uri)
    code = flow.identification_code()
    flow.form["form"] = "A" * 43

    assert flow.send(answer="identify", code=code, birth_date=BIRTH).status_code == 400
    flow.open(uri)
    assert flow.send(answer="identify", code=code, birth_date=BIRTH).status_code == 303


@pytest.mark.parametrize(
    ("client", "uri"), [(CLIENT, "urn:ietf:params:oauth:request_uri:" + "A" * 43), (CLIENT, "x")]
)
def test_an_unknown_request_is_a_page_that_leads_nowhere(
    flow: CodeFlow, client: str, uri: str
) -> None:
    answer = flow.open(uri, client)

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


def test_a_request_of_another_client_or_that_expired_is_not_shown(
    flow: CodeFlow, bench: Workbench
) -> None:
    first, second = (flow.push().json()["request_uri"] for _ in range(2))

    assert flow.open(first, "https://other.example").status_code == 400
    bench.clock.forward(seconds=601)
    assert flow.open(second).status_code == 400


def test_a_citizen_who_cancels_sends_access_denied_to_the_wallet(flow: CodeFlow) -> None:
    flow.open(flow.push(state="x").json()["request_uri"])

    flow.send(answer="cancel")

    assert flow.back()["error"] == "access_denied"
    assert flow.back()["state"] == "x"
    assert flow.back()["iss"] == flow.issuer


def test_five_wrong_answers_end_the_request_and_the_code_of_the_agency(flow: CodeFlow) -> None:
    code = flow.identification_code()
    flow.open(flow.push().json()["request_uri"])

    pages = [
        flow.send(answer="identify", code=code, birth_date="1990-01-01").status_code
        for _ in range(4)
    ]
    last = flow.send(answer="identify", code=code, birth_date="1990-01-01")

    assert pages == [200] * 4
    assert last.status_code == 303
    assert flow.back()["error"] == "access_denied"
    flow.open(flow.push().json()["request_uri"])
    right = flow.send(answer="identify", code=code, birth_date=BIRTH)
    assert right.status_code == 200  # the page again: the code is dead too
    assert 'role="alert"' in right.text


def test_a_code_of_the_agency_works_once(flow: CodeFlow) -> None:
    code = flow.identification_code()
    outcomes = []
    for _ in range(2):
        flow.open(flow.push().json()["request_uri"])
        outcomes.append(flow.send(answer="identify", code=code, birth_date=BIRTH).status_code)

    assert outcomes == [303, 200]


def test_a_code_is_read_as_people_type_it(flow: CodeFlow) -> None:
    code = flow.identification_code()
    flow.open(flow.push().json()["request_uri"])

    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert flow.send(answer="identify", code=typed, birth_date=BIRTH).status_code == 303


def test_an_offer_for_one_person_is_not_granted_to_another(
    flow: CodeFlow, bench: Workbench
) -> None:
    bench.persons.people["prs_bob"] = {**ALICE_FACTS, "given_name": "Bob"}
    offer = bench.offer(grants=["authorization_code"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    flow.open(flow.push(issuer_state=state).json()["request_uri"])

    flow.send(answer="identify", code=flow.identification_code("prs_bob"), birth_date=BIRTH)

    assert flow.back()["error"] == "access_denied"
