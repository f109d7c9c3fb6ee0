"""`cairn identify`, `cairn waiting`, `cairn decide`: the agency's desk, for scripts.

`identify` does on the authorization page what a citizen does, so that a wallet without a browser
can be tried; it knows nothing but the page.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from identity.adapters.secret_files import read_access_keys
from identity.installation.folder import DataFolder
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.refusals import NotFound, NotPermitted

HTTP_SECONDS = 15.0
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_ACTION = re.compile(r'<form method="post" action="([^"]+)"')

Agency = Annotated[str, typer.Option(help="Slug of the agency")]
Base = Annotated[str, typer.Option(help="Public base URL")]
Data = Annotated[Path, typer.Option(help="Data folder with the access keys")]


def identify(
    url: Annotated[str, typer.Argument(help="Address of the authorization page")],
    code: Annotated[str, typer.Option(help="Identification code from the agency")],
    birth_date: Annotated[str, typer.Option(help="Date of birth, as 2004-02-29")],
) -> None:
    """Fill in the authorization page and print where it sends the browser."""
    with httpx2.Client(timeout=HTTP_SECONDS, trust_env=False, follow_redirects=False) as http:
        page = http.get(url)
        action = _ACTION.search(page.text)
        if page.status_code != 200 or action is None:
            raise NotPermitted("the request is unknown, has ended, or is open elsewhere")
        typed = {"answer": "identify", "code": code, "birth_date": birth_date}
        answer = http.post(action[1], data={**dict(_HIDDEN.findall(page.text)), **typed})
    if answer.status_code != 303:
        raise NotPermitted("code and birth date do not identify anybody")
    typer.echo(answer.headers["Location"])


def waiting(
    agency: Agency = "civil-registry",
    base: Base = "http://127.0.0.1:8000",
    data: Data = Path("data"),
) -> None:
    """List credentials that wait for a decision of the agency, one JSON object a line."""
    for item in _call("GET", base, agency, data, "/deferred")["waiting"]:
        typer.echo(json.dumps(item))


def decide(
    offer: Annotated[str, typer.Argument(help="As `cairn waiting` lists it")],
    decision: Annotated[str, typer.Argument(help="issue or deny")],
    claims: Annotated[Path | None, typer.Option(help="JSON: what the agency adds")] = None,
    principal: Annotated[
        str | None, typer.Option(help="Of a mandate: subject of whom the holder acts for")
    ] = None,
    durable: Annotated[
        bool, typer.Option(help="Of a power of attorney: it outlasts her capacity")
    ] = False,
    agency: Agency = "civil-registry",
    base: Base = "http://127.0.0.1:8000",
    data: Data = Path("data"),
) -> None:
    """Let a waiting credential be issued, or deny it."""
    body: JsonObject = {"decision": decision}
    if claims is not None:
        body["claims"] = parse_json_object(claims.read_bytes())
    if principal is not None:
        body["principal"] = principal
    if durable:
        body["durable"] = True
    _call("POST", base, agency, data, f"/deferred/{offer}", body)
    typer.echo(f"{offer}: {decision}")


def _call(
    method: str, base: str, agency: str, data: Path, path: str, body: JsonObject | None = None
) -> JsonObject:
    keys = read_access_keys(DataFolder(data).secrets)
    if f"issuer:{agency}" not in keys:
        raise NotFound(f"no access key for issuer:{agency} in {data}")
    with httpx2.Client(timeout=HTTP_SECONDS, trust_env=False) as http:
        answer = http.request(
            method,
            f"{base}/issuers/{agency}{path}",
            headers={"Authorization": f"Bearer {keys[f'issuer:{agency}']}"},
            json=body,
        )
    if answer.is_error:
        raise NotPermitted(str(parse_json_object(answer.content).get("detail", answer.status_code)))
    return parse_json_object(answer.content) if answer.content else {}
