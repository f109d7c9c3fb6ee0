"""A lost phone: proofed anew, and whatever the old phone shows is refused within the minute."""

import time

import pytest

from registry.core.encoding import JsonObject
from registry.core.refusals import Refusal
from tests.scenarios.installation import Held, Installation, enrolment, person
from tests.scenarios.showing import Shown, show

LIMIT_SECONDS = 60.0
WHO = 8
DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "field_of_study": "Hydrology",
    "awarded_on": "2020-07-01",
    "institution": "Riverland University",
}


def recover(here: Installation, number: int, **changes: object) -> JsonObject:
    body = enrolment(person(number), **changes)
    return here.call(here.post("issuer:civil-registry", "/recoveries", body))


def refused_within_the_minute(held: Held, since: float, **asking: str) -> list[Shown]:
    """Every copy, once verifiers have seen the new list."""
    seen = []
    for copy in held.copies:
        while (shown := show(held.installation, held.wallet, copy, **asking)).verified:
            assert time.monotonic() - since < LIMIT_SECONDS, "an old copy is still good"
            time.sleep(0.2)
        seen.append(shown)
    return seen


def test_after_a_recovery_the_old_phone_is_refused_everywhere_and_the_new_one_is_not(
    shared: Installation,
) -> None:
    old, twin = shared.issue(person(WHO)), shared.issue(person(WHO + 1))
    subject = shared.enrol(person(WHO))
    student = shared.enrol(person(WHO), agency="university")
    offer = shared.offer(student, kind="degree", agency="university", claims=DEGREE)
    degrees = old.wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
    for copy in degrees:
        shared.anchored(old.wallet, copy)
    study = Held(shared, old.wallet, degrees, offer["credential_id"])
    pending = [
        shared.offer(subject),
        shared.offer(student, kind="degree", agency="university", claims=DEGREE),
    ]
    asked = {"party": "bank", "purpose": "degree-check"}
    assert show(shared, old.wallet, old.copies[0]).verified
    assert show(shared, study.wallet, study.copies[0], **asked).verified

    done = recover(shared, WHO)
    since = time.monotonic()

    assert (done["subject"], done["ended"]) == (subject, 2)  # the same person; two credentials
    for shown in refused_within_the_minute(old, since):
        assert shown.failed == {"status": "revoked"}
    for shown in refused_within_the_minute(study, since, **asked):
        assert shown.failed == {"status": "revoked"}
    assert time.monotonic() - since < LIMIT_SECONDS
    for dead in pending:
        with pytest.raises(Refusal):
            old.wallet.accept_offer(dead["offer_uri"], tx_code=dead["tx_code"])
    new = shared.issue(person(WHO))
    assert show(shared, new.wallet, new.copies[0]).verified
    assert show(shared, twin.wallet, twin.copies[0]).verified  # nobody else is touched
    assert recover(shared, WHO)["ended"] == 1  # what was issued since


def test_a_thief_with_weaker_evidence_recovers_nobody(shared: Installation) -> None:
    held = shared.issue(person(WHO + 1))
    weak = [{"type": "supporting-record"}, {"type": "confirmation-code"}]

    answer = shared.post(
        "issuer:civil-registry", "/recoveries", enrolment(person(WHO + 1), evidence=weak)
    )

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/proofing-too-weak"
    assert show(shared, held.wallet, held.copies[0]).verified


def test_only_the_agency_recovers(shared: Installation) -> None:
    url = f"{shared.base}/issuers/civil-registry/recoveries"
    for key in (shared.keys["issuer:university"], shared.keys["verifier:bar"], ""):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = shared.http.post(url, json=enrolment(person(WHO)), headers=headers)
        assert answer.status_code in (401, 403)
