"""An agency's key is replaced: what it signed is believed, and may still be revoked."""

import time
from base64 import b64decode
from collections.abc import Callable

from cryptography import x509
from typer.testing import CliRunner

from identity.cli.main import app
from identity.core.jose import parse_compact, verify_compact
from identity.core.sd_jwt_vc import TYP
from registry.core.encoding import JsonObject
from registry.core.keys import parse_jwk
from tests.scenarios.installation import DEMO, Held, Installation, person
from tests.scenarios.showing import show

WHO = 16


def published_keys(here: Installation) -> dict[str, JsonObject]:
    """What verifiers of SD-JWT VCs find, by `kid`."""
    address = f"{here.base}/.well-known/jwt-vc-issuer/issuers/civil-registry"
    return {key["kid"]: key for key in here.call(here.http.get(address))["jwks"]["keys"]}


def check_signed(here: Installation, held: Held, fragment: str) -> None:
    """Credential, its certificate and its status list are of one key, which is published."""
    credential = parse_compact(held.copies[0].text.split("~", 1)[0])
    status = here.http.get(credential.claims["status"]["status_list"]["uri"])
    jwk = published_keys(here)[credential.header["kid"]]
    key = parse_jwk({name: jwk[name] for name in ("kty", "crv", "x", "y")})
    leaf = x509.load_der_x509_certificate(b64decode(credential.header["x5c"][0]))

    assert credential.header["kid"].endswith(f"#{fragment}")
    assert f"{leaf.public_key().public_numbers().x:064x}" == key.data[1:].hex()  # type: ignore[union-attr]
    verify_compact(credential, key=key, typ=TYP)
    token = verify_compact(status.text, key=key, typ="statuslist+jwt")
    assert token.header["kid"] == credential.header["kid"]


def test_credentials_of_the_key_before_are_believed_and_revoked(
    make_installation: Callable[..., Installation],
) -> None:
    here = make_installation()  # whose agency gets another key
    here.start()
    before = here.issue(person(WHO))
    rooted = ["--config", str(DEMO), "--data", str(here.data.root), "--base", here.address]

    done = CliRunner().invoke(app, ["issuer", "rotate-key", "civil-registry", *rooted])

    assert done.exit_code == 0, done.output
    assert "#jose-2 signs from the next start on" in done.output
    assert not list(here.data.keys.glob("*.next.keys"))
    meanwhile = here.issue(person(WHO + 1))  # not started anew yet
    check_signed(here, meanwhile, "jose-1")
    here.restart()
    after = here.issue(person(WHO + 2))
    check_signed(here, after, "jose-2")
    for held in (before, meanwhile):
        check_signed(here, held, "jose-1")
    for held in (before, meanwhile, after):
        assert show(here, held.wallet, held.copies[0]).verified

    assert here.change_status(before.credential, "revocation", on=True).is_success

    since = time.monotonic()
    while (shown := show(here, before.wallet, before.copies[0])).verified:
        assert time.monotonic() - since < 60
        time.sleep(0.2)
    assert shown.failed == {"status": "revoked"}
    check_signed(here, before, "jose-1")
