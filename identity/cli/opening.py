"""`cairn opening`: institutions open one identity together, under an order on the ledger.

| who | command | |
| --- | --- | --- |
| each institution, once | `seal-keys` | makes the key that shares are encrypted to |
| operator | `case` | the sealed record behind a credential, and a fresh salt, in a file |
| one institution | `order` | a draft of the order |
| each institution | `sign` | adds its signature |
| any of them | `submit` | records the order; the public count grows |
| each institution | `share` | checks the order's proof, then gives its share |
| one institution | `combine` | has the gate released, which keeps the person's notice, and opens |
"""

import json
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer

from identity.adapters.opening_keys import create_opening_key, open_opening_key
from identity.adapters.opening_store import SqlOpeningStore
from identity.adapters.order_evidence import LedgerOrderEvidence
from identity.cli.issuer import signer_of_author
from identity.cli.key_access import passphrase_of_file
from identity.cli.positions import MAY_BEGIN_WITH_A_DASH
from identity.cli.remote_registry import (
    DEFAULT_BASE,
    DEFAULT_TRUST,
    Base,
    PassphraseFile,
    Trust,
    open_key_file,
    remote_registry,
)
from identity.config import load_settings
from identity.core.opening.giving import GivenShare, combine, give_share
from identity.core.opening.order import SALT_BYTES, VerifiedOrder, commitment_of, verify_order
from identity.core.opening.sealed_identity import (
    KEY_BYTES,
    SealedIdentity,
    parse_sealed_identity,
    public_half,
)
from identity.installation.databases import open_identity_database
from identity.installation.folder import DataFolder
from identity.installation.parties import AGENCY_KEYS
from identity.opening.service import NothingSealed, OrderNotRecorded
from registry.client import HttpTransport, RegistryClient
from registry.core.disclosure import RecordDisclosure
from registry.core.encoding import (
    JsonObject,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.fields import members, octets
from registry.core.refusals import Malformed, Unavailable
from registry.core.transactions import (
    Payload,
    Signature,
    encode_signed,
    parse_transaction,
    signing_message,
)

MAX_FILE_BYTES = 1 << 18

app = typer.Typer(help="Open one identity together, on a public count.", no_args_is_help=True)

CaseFile = Annotated[Path, typer.Argument(help="The case, as `cairn opening case` wrote it")]
Out = Annotated[Path, typer.Option("--out", help="File to write; must not be there yet")]
Number = Annotated[int, typer.Option("--order", min=1, help="Number of the order on the ledger")]
OpeningKey = Annotated[Path, typer.Option("--keys", help="This institution's opening key")]


@app.command("seal-keys")
def seal_keys(out: Out, passphrase_file: PassphraseFile = None) -> None:
    """Make this institution's opening key; prints the public half for the settings."""
    private = create_opening_key(
        out, passphrase=passphrase_of_file(out, passphrase_file), random=secrets.token_bytes
    )
    typer.echo(base64url_encode(public_half(private)))


@app.command("case", context_settings=MAY_BEGIN_WITH_A_DASH)
def case(
    digest: Annotated[str, typer.Argument(help="Anchor digest of the credential (base64url)")],
    out: Out,
    config: Annotated[Path | None, typer.Option(help="TOML file with all settings")] = None,
    data: Annotated[Path, typer.Option(help="Data folder of the installation")] = Path("data"),
) -> None:
    """Write the sealed record of whoever holds a credential, with a salt for the order."""
    folder = DataFolder(data)
    engine = open_identity_database(load_settings(config), folder)
    try:
        store = SqlOpeningStore(engine)
        person = store.person_of_copy(octets(digest, "digest", size=32))
        sealed = None if person is None else store.seal_of_person(person)
    finally:
        engine.dispose()
    if sealed is None:
        raise NothingSealed("no sealed identity belongs to that credential")
    salt = base64url_encode(secrets.token_bytes(SALT_BYTES))
    _write(out, {"sealed": sealed.to_object(), "salt": salt})
    holders = ", ".join(item.institution for item in sealed.custody.holders)
    typer.echo(f"{sealed.custody.threshold} of these open it, with an order: {holders}")


@app.command("order")
def order(
    case_file: CaseFile,
    institution: Annotated[list[str], typer.Option(help="DID that signs; give it several times")],
    legal_basis: Annotated[str, typer.Option(help="A code, such as court-order; public for ever")],
    out: Out,
    notice_days: Annotated[int, typer.Option(min=0, max=180, help="When she is told")] = 0,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
) -> None:
    """Draft the order; the first institution is its author."""
    sealed, salt = _read_case(case_file)
    with remote_registry(base, trust) as registry:
        payload = Payload(
            network=registry.network,
            author=institution[0],
            nonce=secrets.token_bytes(16),
            action=RecordDisclosure(
                number=registry.governance.disclosure_count() + 1,
                reference=base64url_encode(secrets.token_bytes(16)),
                legal_basis=legal_basis,
                institutions=tuple(institution),
                commitment=commitment_of(sealed, salt),
                notice_days=notice_days,
            ),
        )
    _write(out, {"payload": payload.to_object(), "signatures": []})
    typer.echo(f"order number {_disclosure(payload).number}, to be signed by {len(institution)}")


@app.command("sign")
def sign(
    draft: Annotated[Path, typer.Argument(help="The draft; the signature is added to it")],
    case_file: CaseFile,
    author: Annotated[str, typer.Option(help="DID of this institution")],
    keys: Annotated[Path, typer.Option(help="Its key file, with its ledger key")],
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign the order, when it is for the identity of the case."""
    sealed, salt = _read_case(case_file)
    payload, signatures = _read_draft(draft)
    if _disclosure(payload).commitment != commitment_of(sealed, salt):
        raise Malformed("the order is for another sealed identity than the case")
    private = open_key_file(keys, passphrase_file, AGENCY_KEYS)["ledger"]
    with remote_registry(base, trust) as registry:
        signer = signer_of_author(registry, author, private)
    signature = Signature(
        key=signer.verification_method, value=signer.sign(signing_message(payload))
    )
    kept = [item for item in signatures if item.key != signature.key]
    data = encode_signed(payload, [*kept, signature])
    draft.write_bytes(data)
    typer.echo(f"signed by {len(kept) + 1} of {len(_disclosure(payload).institutions)}")


@app.command("submit")
def submit(
    draft: Annotated[Path, typer.Argument(help="The order, signed by all its institutions")],
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
) -> None:
    """Record the order on the ledger."""
    with remote_registry(base, trust) as registry:
        receipt = registry.submit(draft.read_bytes())
        count = registry.governance.disclosure_count()
    typer.echo(f"recorded at height {receipt.height}; the public count is {count}")


@app.command("share")
def share(
    case_file: CaseFile,
    number: Number,
    keys: OpeningKey,
    to: Annotated[str, typer.Option(help="Public opening key of the one that combines")],
    out: Out,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give this institution's share, after the ledger has proven the order for this case."""
    sealed, salt = _read_case(case_file)
    with remote_registry(base, trust) as registry:
        verified = _verified(registry, sealed, salt, number)
    private = open_opening_key(keys, passphrase=passphrase_of_file(keys, passphrase_file))
    given = give_share(sealed, order=verified, private=private, to=octets(to, "to", size=KEY_BYTES))
    _write(out, given.to_object())
    typer.echo(f"share {given.holder} for order {given.order}")


@app.command("combine")
def put_together(
    case_file: CaseFile,
    shares: Annotated[list[Path], typer.Argument(help="The shares that were given")],
    number: Number,
    keys: OpeningKey,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Open: prints the identity on standard output, and nothing else."""
    sealed, salt = _read_case(case_file)
    given = [GivenShare.parse(_read(path)) for path in shares]
    private = open_opening_key(keys, passphrase=passphrase_of_file(keys, passphrase_file))
    with remote_registry(base, trust) as registry:
        verified = _verified(registry, sealed, salt, number)
    gate = _released(base, sealed, salt, number)
    identity = combine(sealed, order=verified, shares=given, gate=gate, private=private)
    typer.echo(json.dumps(json.loads(identity), ensure_ascii=False))


def _verified(
    registry: RegistryClient, sealed: SealedIdentity, salt: bytes, number: int
) -> VerifiedOrder:
    evidence = LedgerOrderEvidence(registry).order_evidence(number)
    if evidence is None:
        raise OrderNotRecorded("the ledger holds no order of that number")
    return verify_order(
        evidence, sealed=sealed, salt=salt, trust=registry.trust, now=int(time.time())
    )


def _released(base: str, sealed: SealedIdentity, salt: bytes, number: int) -> bytes:
    body = {"sealed": sealed.to_object(), "salt": base64url_encode(salt), "order": number}
    transport = HttpTransport(base)
    try:
        answer = transport.post("/opening/releases", canonical_json(body))
    finally:
        transport.close()
    if answer.status != 200:
        raise Unavailable(f"the gate stays shut: {answer.status}")
    return octets(parse_json_object(answer.body).get("gate"), "gate", size=32)


def _read_case(path: Path) -> tuple[SealedIdentity, bytes]:
    found = members(_read(path), "case", required=("sealed", "salt"))
    return parse_sealed_identity(found["sealed"]), octets(found["salt"], "salt", size=SALT_BYTES)


def _read_draft(path: Path) -> tuple[Payload, list[Signature]]:
    """The payload of a draft, and who signed it already; a first one has no signatures."""
    value = _read(path)
    found = members(value, "draft", required=("payload", "signatures"))
    unsigned = {"payload": found["payload"], "signatures": _PLACEHOLDER}
    signed = parse_transaction(canonical_json(value if found["signatures"] else unsigned))
    return signed.payload, list(signed.signatures) if found["signatures"] else []


# A transaction has at least one signature; a draft that nobody signed is read with this one.
_PLACEHOLDER = [{"key": "#nobody", "value": base64url_encode(bytes(64))}]


def _disclosure(payload: Payload) -> RecordDisclosure:
    if not isinstance(payload.action, RecordDisclosure):
        raise Malformed("the draft is no disclosure order")
    return payload.action


def _read(path: Path) -> JsonObject:
    if not path.is_file():
        raise Malformed(f"there is no file {path.name}")
    return parse_json_object(path.read_bytes(), max_bytes=MAX_FILE_BYTES)


def _write(path: Path, value: JsonObject) -> None:
    if path.exists():
        raise Malformed(f"{path.name} is already there")
    path.write_bytes(canonical_json(value) + b"\n")
