"""`cairn conformance`: what the command-line suites of the W3C run, file in, result out.

Those of VC-JOSE-COSE and VC JSON Schema start a program for each case, with a key or a schema in a
file, and read `{"result": "success" | "failure" | "indeterminate"}` from another file. Only what
such a file can say is judged: form, signature, schema; never trust, time or status.
"""

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from identity.adapters.key_files import FileKey, file_key, key_from_seed
from identity.adapters.schema_files import load_catalogue, load_context_store
from identity.core import vcdm
from identity.core.json_schema import DoesNotFit, NotJudged, SchemaNotValid, check_schema_of
from identity.core.sd_jwt import ClaimPath
from identity.core.signing import NamedSigner
from identity.core.verification import envelopes
from identity.core.verification.envelopes import EnvelopeMalformed, Securing
from identity.issuer.securing import sign_enveloped
from registry.core.encoding import JsonObject, base64url_decode, parse_json_object
from registry.core.keys import KeyType, PublicKey, parse_jwk
from registry.core.refusals import Malformed, Refusal

MAX_FILE_BYTES = 1 << 20
SUCCESS, FAILURE, INDETERMINATE = "success", "failure", "indeterminate"
_FEATURE = re.compile(r"(credential|presentation)_(jose|sdjwt|cose)")
_SECURING = {"jose": Securing.JWT, "sdjwt": Securing.SD_JWT, "cose": Securing.COSE}
_CURVES: dict[KeyType, ec.EllipticCurve] = {
    KeyType.P256: ec.SECP256R1(),
    KeyType.P384: ec.SECP384R1(),
    KeyType.P521: ec.SECP521R1(),
}

app = typer.Typer(help="What the command-line suites of the W3C run.", no_args_is_help=True)

Input = Annotated[Path, typer.Option(help="Document, or what secures one")]
Key = Annotated[Path, typer.Option(help="Verification method with its JWK, public or secret")]
FeatureName = Annotated[str, typer.Option("--feature", help="credential_jose, …")]
Output = Annotated[Path, typer.Option(help="Where the result is written")]


@dataclass(frozen=True, slots=True)
class _Feature:
    member: str
    securing: Securing


@app.command()
def issue(
    input: Input,
    key: Key,
    feature: FeatureName,
    output: Output,
    disclosures: Annotated[str, typer.Option(help="Paths, comma-separated: a.b[0]")] = "",
) -> None:
    """Secure a credential or presentation (VC-JOSE-COSE)."""

    def act() -> JsonObject:
        wanted = _feature(feature)
        if wanted is None:
            return {"result": INDETERMINATE}
        document = parse_json_object(_read(input))
        _check_form(document, wanted.member)
        method = parse_json_object(_read(key))
        text = sign_enveloped(
            document,
            member=wanted.member,
            securing=wanted.securing,
            signer=NamedSigner(_private(method["secretKeyJwk"]), _key_id(method)),
            paths=[_path(one) for one in disclosures.split(",") if one],
            random=secrets.token_bytes,
        )
        return {"result": SUCCESS, "data": text}

    _report(output, act)


@app.command()
def verify(input: Input, key: Key, feature: FeatureName, output: Output) -> None:
    """Verify a secured credential or presentation with the key in a file (VC-JOSE-COSE).

    Of the credentials in a presentation only the form can be judged: their keys are others.
    """

    def act() -> JsonObject:
        wanted = _feature(feature)
        if wanted is None:
            return {"result": INDETERMINATE}
        method = parse_json_object(_read(key))
        encoding = ";base64" if wanted.securing is Securing.COSE else ""
        opened = envelopes.open_secured(
            f"{wanted.member}+{wanted.securing}{encoding}",
            _read(input).decode("ascii", "replace").strip(),
            member=wanted.member,
        )
        now = int(datetime.now(UTC).timestamp())
        envelopes.verify_envelope(opened, key=_public(method), now=now)
        _check_form(opened.document, wanted.member)
        return {"result": SUCCESS, "data": json.dumps(opened.document, ensure_ascii=False)}

    _report(output, act)


@app.command()
def validate(
    schema: Annotated[Path, typer.Option(help="JSON Schema, or the credential that holds it")],
    credential: Annotated[Path, typer.Option(help="Credential that names it")],
    output: Output,
    format: Annotated[str, typer.Option(help="JsonSchema or JsonSchemaCredential")] = "JsonSchema",
) -> None:
    """Validate a credential against a schema in a file (VC JSON Schema)."""

    def act() -> JsonObject:
        document = parse_json_object(_read(credential))
        named = document.get("credentialSchema", {})
        entries = named if isinstance(named, list) else [named]
        held = parse_json_object(_read(schema))
        try:
            for entry in entries:
                if not isinstance(entry, dict) or entry.get("type") != format:
                    raise SchemaNotValid(f"credentialSchema is no {format}")
                check_schema_of(document, entry, held)
        except NotJudged as reason:
            return {"result": INDETERMINATE, "data": reason.detail}
        except (DoesNotFit, SchemaNotValid) as reason:
            return {"result": FAILURE, "data": reason.detail}
        return {"result": SUCCESS if entries else FAILURE}

    _report(output, act)


def _report(output: Path, act: Any) -> None:
    """Write the result; a refusal is a failure, and its sentence the data."""
    try:
        result = act()
    except Refusal as refusal:
        result = {"result": FAILURE, "data": refusal.detail}
    output.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")


def _feature(name: str) -> _Feature | None:
    match = _FEATURE.fullmatch(name)
    if match is None:
        return None
    return _Feature("vc" if match[1] == "credential" else "vp", _SECURING[match[2]])


def _check_form(document: JsonObject, member: str) -> None:
    contexts = load_context_store(load_catalogue("https://cairn.invalid/schemas"))
    if member == "vc":
        vcdm.check_credential(document, contexts=contexts)
        return
    vcdm.check_presentation(document, contexts=contexts)
    held = document.get("verifiableCredential", [])
    for credential in held if isinstance(held, list) else [held]:
        address = credential.get("id")
        if credential.get("type") not in (envelopes.CREDENTIAL, [envelopes.CREDENTIAL]) or not (
            isinstance(address, str) and address.startswith("data:application/vc+")
        ):
            raise EnvelopeMalformed("a credential in the presentation is not enveloped")


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise Malformed(f"there is no file {path.name}")
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Malformed(f"{path.name} is longer than {MAX_FILE_BYTES} bytes")
    return data


def _public(method: JsonObject) -> PublicKey:
    return parse_jwk(method.get("publicKeyJwk"))


def _key_id(method: JsonObject) -> str:
    """The DID URL of the method; the `kid` of its JWK where it has none."""
    jwk = method.get("publicKeyJwk")
    named = jwk.get("kid") if isinstance(jwk, dict) else None
    identifier = method.get("id", named)
    if not isinstance(identifier, str):
        raise Malformed("the verification method has no id")
    return identifier


def _private(jwk: Any) -> FileKey:
    if not isinstance(jwk, dict) or "d" not in jwk:
        raise Malformed("the verification method has no secret key")
    public = parse_jwk({name: value for name, value in jwk.items() if name != "d"})
    secret = base64url_decode(jwk["d"])
    if public.type is KeyType.ED25519:
        return key_from_seed(public.type, secret)
    try:
        private = ec.derive_private_key(int.from_bytes(secret, "big"), _CURVES[public.type])
    except ValueError as error:
        raise Malformed("the secret key is none of its curve") from error
    return file_key(private, public)


def _path(text: str) -> ClaimPath:
    """`credentialSubject.phoneNumbers[0]` as steps."""
    steps: list[str | int | None] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", text):
        steps.append(int(index) if index else name)
    return tuple(steps)
