"""`cairn conformance`: the cases of the command-line suites of VC-JOSE-COSE and VC JSON Schema."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from identity.cli.main import app
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType
from tests.identity.core.signers import KeySigner, signer

V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
CREDENTIAL = {
    "@context": [V2, EXAMPLES],
    "id": "urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5",
    "type": ["VerifiableCredential", "ExampleCredential"],
    "issuer": "https://issuer.example/1",
    "validFrom": "2024-01-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:example:1",
        "firstName": "Jane",
        "phoneNumbers": [{"number": "1"}, {"number": "2"}],
    },
}
PRESENTATION = {
    "@context": [V2, EXAMPLES],
    "type": "VerifiablePresentation",
    "holder": "did:example:1",
    "verifiableCredential": [
        {
            "@context": V2,
            "type": "EnvelopedVerifiableCredential",
            "id": "data:application/vc+jwt,eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        }
    ],
}
FEATURES = [
    f"{what}_{how}" for what in ("credential", "presentation") for how in ("jose", "sdjwt", "cose")
]


def method(one: KeySigner) -> dict[str, Any]:
    numbers = one.private
    if one.key.type is KeyType.ED25519:
        secret = numbers.private_bytes_raw()  # type: ignore[union-attr]
    else:
        size = one.key.signature_bytes // 2
        secret = numbers.private_numbers().private_value.to_bytes(size, "big")  # type: ignore[union-attr]
    jwk = {**one.key.jwk, "kid": one.key.jwk_thumbprint}
    return {
        "id": "did:example:key#1",
        "type": "JsonWebKey",
        "controller": "did:example:key",
        "publicKeyJwk": jwk,
        "secretKeyJwk": {**jwk, "d": base64url_encode(secret)},
    }


class Desk:
    """Files, and the command between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, content: Any) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def run(self, *arguments: str) -> Any:
        output = self.folder / "result.json"
        output.unlink(missing_ok=True)
        result = CliRunner().invoke(app, ["conformance", *arguments, "--output", str(output)])
        assert result.exit_code == 0, result.output
        return json.loads(output.read_text())

    def issue(self, document: Any, key: Any, feature: str, *more: str) -> Any:
        files = ("--input", self.file("in.json", document), "--key", self.file("key.json", key))
        return self.run("issue", *files, "--feature", feature, *more)

    def verify(self, text: str, key: Any, feature: str) -> Any:
        files = ("--input", self.file("in.txt", text + "\n"), "--key", self.file("key.json", key))
        return self.run("verify", *files, "--feature", feature)["result"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("key_type", KeyType)
@pytest.mark.parametrize("feature", FEATURES)
def test_what_is_issued_verifies_under_its_key_and_as_nothing_else(
    desk: Desk, feature: str, key_type: KeyType
):
    document = CREDENTIAL if feature.startswith("credential") else PRESENTATION
    key, other = method(signer(key_type)), method(signer(key_type, 2))

    issued = desk.issue(document, key, feature)

    assert issued["result"] == "success"
    assert desk.verify(issued["data"], key, feature) == "success"
    assert desk.verify(issued["data"], other, feature) == "failure"
    assert desk.verify(issued["data"][:-4] + "AAAA", key, feature) == "failure"
    for another in FEATURES:
        if another != feature:
            assert desk.verify(issued["data"], key, another) == "failure"


def test_disclosures_by_path(desk: Desk):
    key = method(signer(KeyType.P384))
    paths = "credentialSubject.firstName,credentialSubject.phoneNumbers[0]"

    issued = desk.issue(CREDENTIAL, key, "credential_sdjwt", "--disclosures", paths)

    assert issued["data"].count("~") == 3
    assert desk.verify(issued["data"], key, "credential_sdjwt") == "success"
    without = issued["data"].split("~")[0] + "~"
    assert desk.verify(without, key, "credential_sdjwt") == "success"


def test_what_is_not_well_formed_is_a_failure_and_an_unknown_feature_indeterminate(desk: Desk):
    key = method(signer(KeyType.P256))
    lost = {**CREDENTIAL, "@context": [V2], "unknownExtension": 1}
    bare = {**PRESENTATION, "verifiableCredential": [CREDENTIAL]}
    wrong = {
        **PRESENTATION,
        "verifiableCredential": [{**PRESENTATION["verifiableCredential"][0], "type": "X"}],
    }

    assert desk.issue(lost, key, "credential_jose")["result"] == "failure"
    for bad in (bare, wrong):
        assert desk.issue(bad, key, "presentation_jose")["result"] == "failure"
    assert desk.issue(CREDENTIAL, key, "credential_ldp")["result"] == "indeterminate"
    assert desk.verify("x", key, "credential_jose") == "failure"
    assert desk.verify("x", {}, "credential_cose") == "failure"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "success"),
        ({"required": ["lastName"]}, "failure"),
        ({"$id": "https://e.example/other.json"}, "failure"),
        ({"$id": "relative"}, "failure"),
        ({"$schema": None}, "failure"),
        ({"$schema": "https://json-schema.org/unknown/schema#"}, "indeterminate"),
    ],
)
def test_a_credential_is_validated_against_a_schema_in_a_file(
    desk: Desk, changes: Any, expected: str
):
    schema = {
        "$id": "https://e.example/s.json",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "required": ["credentialSubject"],
        **changes,
    }
    schema = {name: value for name, value in schema.items() if value is not None}
    entry = {"id": "https://e.example/s.json", "type": "JsonSchema"}
    document = {**CREDENTIAL, "credentialSchema": entry}
    files = ("--schema", desk.file("s.json", schema), "--credential", desk.file("c.json", document))

    assert desk.run("validate", *files, "--format", "JsonSchema")["result"] == expected
    other = desk.run("validate", *files, "--format", "JsonSchemaCredential")
    assert other["result"] == "failure"
