"""`cairn guardian`: somebody whom a person chose approves her recovery, with a key of her own.

| who | command | |
| --- | --- | --- |
| guardian, once | `keygen` | makes her key; prints the public half, for the person who chose her |
| guardian | `approve` | signs what the person tells her, and hands it to the agency |

What is signed comes from the command line, told by the person herself: an agency cannot have a
guardian approve another key.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from identity.cli.positions import MAY_BEGIN_WITH_A_DASH
from identity.cli.remote_registry import PassphraseFile, open_key_file
from identity.core.guardians import (
    APPROVAL_TYP,
    DAY,
    MAX_APPROVAL_SECONDS,
    RecoveryCase,
    key_code,
    recovery_code,
    sign_approval,
)
from identity.core.signing import NamedSigner
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType
from registry.core.refusals import Malformed, NotPermitted, Unavailable

HTTP_SECONDS = 15.0
GUARDIAN_KEYS = {"guardian": KeyType.P256}

app = typer.Typer(help="Approve the recovery of somebody who chose you.", no_args_is_help=True)

Keys = Annotated[Path, typer.Option("--keys", help="The guardian's key file")]


class ApprovalRefused(NotPermitted):
    """The agency did not take the approval."""


@app.command("keygen")
def keygen(keys: Keys, passphrase_file: PassphraseFile = None) -> None:
    """Make a guardian's key, or open it; prints the public half as a JWK.

    The digits beside it are for the person, who compares them with those that her wallet shows.
    """
    held = open_key_file(keys, passphrase_file, GUARDIAN_KEYS, make=True)["guardian"]
    typer.echo(key_code(held.key), err=True)
    typer.echo(json.dumps(held.key.jwk))


@app.command("approve", context_settings=MAY_BEGIN_WITH_A_DASH)
def approve(
    recovery: Annotated[str, typer.Argument(help="Name of the recovery, told by the person")],
    keys: Keys,
    agency: Annotated[str, typer.Option(help="The agency's URL, …/issuers/<slug>")],
    arrangement: Annotated[str, typer.Option(help="Name of the arrangement, told when it was set")],
    new_key: Annotated[
        str, typer.Option(help="Code of the new wallet's key, told by the person herself")
    ],
    passphrase_file: PassphraseFile = None,
    days: Annotated[int, typer.Option(min=1, max=MAX_APPROVAL_SECONDS // DAY)] = 1,
    send: Annotated[bool, typer.Option(help="Hand it to the agency, not only print it")] = True,
) -> None:
    """Sign that this person, whom you have met or heard, holds the new key."""
    held = open_key_file(keys, passphrase_file, GUARDIAN_KEYS)["guardian"]
    now = int(time.time())
    case = RecoveryCase(agency=agency, arrangement=arrangement, recovery=recovery, new_key=new_key)
    signer = NamedSigner(held, APPROVAL_TYP)
    typer.echo(f"the new wallet must show {recovery_code(case)}", err=True)
    signed = sign_approval(case, signer=signer, now=now, expires=now + days * DAY)
    if not send:
        typer.echo(signed)
        return
    view = _hand_over(agency, recovery, signed)
    typer.echo(f"{view['approvals']} of {view['threshold']} approved; {view['state']}")


def _hand_over(agency: str, recovery: str, signed: str) -> JsonObject:
    try:
        answer = httpx2.post(
            f"{agency}/guardians/recoveries/{recovery}/approvals",
            json={"approval": signed},
            timeout=HTTP_SECONDS,
            trust_env=False,
        )
        body = answer.json()
    except httpx2.InvalidURL as error:
        raise Malformed("the agency's URL is none") from error
    except (httpx2.HTTPError, ValueError) as error:
        raise Unavailable("the agency does not answer") from error
    if not isinstance(body, dict) or answer.is_error:
        detail = body.get("detail") if isinstance(body, dict) else None
        raise ApprovalRefused(str(detail or answer.status_code))
    return body
