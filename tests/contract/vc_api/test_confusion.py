"""The type confusion matrix over HTTP: what each endpoint of the VC API takes for what it is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.adversary.judging import BINDING
from tests.attacks.signed_kinds import KINDS, Maker, enveloped
from tests.contract.vc_api.suite import Suite

SUBTYPES = (
    *("vc+jwt", "vp+jwt", "vc+sd-jwt", "vp+sd-jwt", "vc+cose;base64", "vp+cose;base64", "jwt"),
)
OPTIONS = {"domain": BINDING["audience"], "challenge": BINDING["nonce"]}
# The one way in which each kind is what an endpoint takes; the others are taken by neither.
CREDENTIALS = {
    "vc+jwt": "vc+jwt",
    "vc+sd-jwt": "vc+sd-jwt",
    "vc+cose": "vc+cose;base64",
    "JWT with vc": "jwt",
    "credential with a proof": "as it is",
    "dc+sd-jwt": "text",
}
PRESENTATIONS = {
    "vp+jwt": "vp+jwt",
    "vp+sd-jwt": "vp+sd-jwt",
    "vp+cose": "vp+cose;base64",
    "JWT with vp": "jwt",
    "presentation with a proof": "as it is",
}


def sent_as(value: Any, member: str) -> dict[str, Any]:
    """One object in every form in which a client could send it."""
    kind = "Credential" if member == "vc" else "Presentation"
    forms = {
        subtype: {**enveloped(value, subtype), "type": f"EnvelopedVerifiable{kind}"}
        for subtype in SUBTYPES
    }
    forms["as it is"] = value if isinstance(value, dict) else {"id": str(value)}
    if isinstance(value, str):
        forms["text"] = f"{value}~"
        forms["bare text"] = value
    return forms


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_right_endpoint_takes_it_in_the_right_form(suite: Suite, kind: str):
    value = Maker(suite.signer("enveloped"), datetime.now(UTC)).kinds()[kind]
    taken = {
        "credential": {
            form for form, sent in sent_as(value, "vc").items() if suite.verify(sent).is_verified
        },
        "presentation": {
            form
            for form, sent in sent_as(value, "vp").items()
            if suite.verify_presentation(sent, options=OPTIONS).is_verified
        },
    }

    assert taken["credential"] == ({CREDENTIALS[kind]} if kind in CREDENTIALS else set())
    assert taken["presentation"] == ({PRESENTATIONS[kind]} if kind in PRESENTATIONS else set())
