"""What an agency takes back, verifiers refuse within the minute, and say why."""

import time
from collections.abc import Callable

from tests.scenarios.installation import Held, Installation, person
from tests.scenarios.showing import Shown, show

LIMIT_SECONDS = 60.0  # Z6, the promise
USUAL_SECONDS = 15.0  # what it takes here, with everything else that this machine does


def shown(held: Held, copy: int = 0) -> Shown:
    return show(held.installation, held.wallet, held.copies[copy])


def seconds_until(wanted: Callable[[Shown], bool], held: Held) -> float:
    """Ask again and again until a presentation is judged as wanted."""
    began = time.monotonic()
    while not wanted(shown(held)):
        assert time.monotonic() - began < LIMIT_SECONDS, "verifiers still disagree"
        time.sleep(0.2)
    return time.monotonic() - began


def change(held: Held, purpose: str, *, on: bool) -> None:
    answer = held.installation.change_status(held.credential, purpose, on=on)
    assert answer.status_code == 200, answer.text  # published, not only noted


def test_suspended_reinstated_revoked(shared: Installation) -> None:
    held = shared.issue(person(1))
    other = shared.issue(person(7))
    assert shown(held).verified  # verifiers hold the list as it was before the change
    for purpose, on, reason in (
        ("suspension", True, "suspended"),
        ("suspension", False, ""),
        ("revocation", True, "revoked"),
    ):
        change(held, purpose, on=on)

        def as_wanted(seen: Shown, reason: str = reason) -> bool:
            if not reason:
                return seen.verified
            return not seen.verified

        assert seconds_until(as_wanted, held) < USUAL_SECONDS
        for copy in range(len(held.copies)):  # one status for all copies of a credential
            seen = shown(held, copy)
            assert seen.failed == ({"status": reason} if reason else {})
            assert seen.verified is (not reason)
        assert shown(other).verified  # nobody else is touched


def test_revoked_is_for_ever(shared: Installation) -> None:
    held = shared.issue(person(3))
    change(held, "revocation", on=True)
    for purpose, on in (("revocation", False), ("suspension", False), ("suspension", True)):
        answer = shared.change_status(held.credential, purpose, on=on)
        assert answer.status_code == 409, answer.text
        assert answer.json()["type"] == "/problems/status-is-final"
    change(held, "revocation", on=True)  # saying it again is not a change
    seconds_until(lambda seen: seen.failed == {"status": "revoked"}, held)


def test_a_revocation_survives_a_restart(make_installation: Callable[..., Installation]) -> None:
    installation = make_installation()
    installation.start()
    held, twin = installation.issue(person(0)), installation.issue(person(1))
    change(held, "revocation", on=True)
    installation.kill()  # the answer was given; nothing may be left to do
    installation.start()
    assert shown(held).failed == {"status": "revoked"}
    assert shown(twin).verified
    assert installation.change_status(held.credential, "revocation", on=False).status_code == 409


def test_only_the_agency_changes_a_status(shared: Installation) -> None:
    held = shared.issue(person(4))
    body = {
        "credentialId": held.credential,
        "credentialStatus": [
            {"type": "BitstringStatusListEntry", "statusPurpose": "revocation", "status": "1"}
        ],
    }
    url = f"{shared.base}/issuers/civil-registry/credentials/status"
    keys = shared.keys
    for authorization in ("", keys["issuer:university"], keys["verifier:bar"]):
        headers = {"Authorization": f"Bearer {authorization}"} if authorization else {}
        assert shared.http.post(url, json=body, headers=headers).status_code in (401, 403)
    foreign = shared.post("issuer:university", "/credentials/status", body)
    assert foreign.json()["type"] == "/problems/no-such-credential"
    assert shown(held).verified
