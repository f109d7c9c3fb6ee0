"""`cairn request`: ask a wallet from a script; print the link, and with `--wait` the verdict."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer

from identity.adapters.secret_files import read_access_keys
from identity.core.client_identifier import ClientDid, ClientIdPrefix
from identity.core.dcql import CredentialFormat
from identity.core.presentation_request import Delivery
from identity.core.pseudonym import Wish
from identity.installation.folder import DataFolder
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.refusals import NotFound, NotPermitted

HTTP_SECONDS = 15.0
POLL_SECONDS = 0.3
_WAITING = ("pending", "returning")


def request(
    purpose: Annotated[str, typer.Argument(help="Code of a purpose; empty: the first one")] = "",
    verifier: Annotated[str, typer.Option(help="Slug of the relying party")] = "bar",
    format: Annotated[
        CredentialFormat, typer.Option(help="Format of the credentials")
    ] = CredentialFormat.SD_JWT_VC,
    prefix: Annotated[
        ClientIdPrefix, typer.Option(help="Client identifier prefix to ask under")
    ] = ClientIdPrefix.X509_HASH,
    did: Annotated[
        ClientDid, typer.Option(help="Which DID, under decentralized_identifier")
    ] = ClientDid.LEDGER,
    delivery: Annotated[
        Delivery | None, typer.Option(help="By reference, by value, or in the query string")
    ] = None,
    encrypted: Annotated[bool, typer.Option(help="Answer by direct_post.jwt")] = False,
    query: Annotated[Path | None, typer.Option(help="DCQL query of your own, JSON")] = None,
    pseudonym: Annotated[
        Wish, typer.Option(help="Ask for a pseudonym, to know the wallet again")
    ] = Wish.NONE,
    wait: Annotated[bool, typer.Option(help="Wait for the answer, print the verdict")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the link")] = False,
    base: Annotated[str, typer.Option(help="Public base URL")] = "http://127.0.0.1:8000",
    data: Annotated[Path, typer.Option(help="Data folder with the access keys")] = Path("data"),
) -> None:
    """Print a link for any wallet; with --wait, then the verdict as JSON (exit code 1 for a no)."""
    keys = read_access_keys(DataFolder(data).secrets)
    if f"verifier:{verifier}" not in keys:
        raise NotFound(f"no access key for verifier:{verifier} in {data}")
    body: dict[str, Any] = {"format": format, "client_id_prefix": prefix, "did": did}
    if pseudonym is not Wish.NONE:
        body["pseudonym"] = pseudonym
    if encrypted:  # else as the relying party usually asks
        body["encrypted"] = True
    if delivery is not None:
        body["delivery"] = delivery
    if query is not None:
        body["query"] = parse_json_object(query.read_bytes())
    address = f"{base}/verifiers/{verifier}"
    with httpx2.Client(timeout=HTTP_SECONDS, trust_env=False) as http:
        bearer = {"Authorization": f"Bearer {keys[f'verifier:{verifier}']}"}
        known = _read(http.get(address, headers=bearer))
        body["purpose"] = purpose or _first_purpose(known)
        asked = _read(http.post(f"{address}/requests", headers=bearer, json=body))
        typer.echo(json.dumps(asked) if as_json else asked["link"])
        if not wait:
            return
        result = _result(http, address, asked)
    typer.echo(json.dumps(result))
    if result.get("verdict", {}).get("verified") is not True:
        raise typer.Exit(1)


def _result(http: httpx2.Client, address: str, asked: JsonObject) -> JsonObject:
    """The final state of the request; it expires by itself, so this ends."""
    secret = {"Authorization": f"Bearer {asked['result_secret']}"}
    while True:
        result = _read(http.get(f"{address}/requests/{asked['request']}/result", headers=secret))
        if result["state"] not in _WAITING:
            return result
        time.sleep(POLL_SECONDS)


def _first_purpose(party: JsonObject) -> str:
    purposes = party["purposes"]
    if not purposes:
        raise NotFound("this relying party has no purpose")
    return str(purposes[0]["purpose"])


def _read(answer: httpx2.Response) -> JsonObject:
    content: JsonObject = parse_json_object(answer.content)
    if answer.is_error:
        raise NotPermitted(str(content.get("detail", answer.status_code)))
    return content
