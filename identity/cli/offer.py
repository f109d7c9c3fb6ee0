"""`cairn offer`: enrol an invented person and print an offer, for trying the wallet by hand."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import httpx2
import qrcode
import typer
from rich.console import Console

from identity.adapters.embedded_register import InventedPerson, invented_people
from identity.adapters.secret_files import read_access_keys
from identity.core.issuance import Format
from identity.installation.folder import DataFolder
from registry.core.encoding import JsonObject
from registry.core.refusals import NotFound, NotPermitted

HTTP_SECONDS = 15.0


class Grant(StrEnum):
    """How a wallet may redeem an offer."""

    PRE_AUTHORIZED = "pre-authorized"
    CODE = "code"
    BOTH = "both"


GRANTS = {
    Grant.PRE_AUTHORIZED: ["pre-authorized_code"],
    Grant.CODE: ["authorization_code"],
    Grant.BOTH: ["authorization_code", "pre-authorized_code"],
}

# What an agency would know about the person besides her registration.
EXAMPLE_CLAIMS: dict[str, JsonObject] = {
    "degree": {
        "degree_name": "Master of Science",
        "degree_level": "master",
        "field_of_study": "Hydrology",
        "awarded_on": "2024-07-01",
        "institution": "Riverland University",
    },
    "driving-licence": {
        "vehicle_categories": ["B", "AM"],
        "issue_date": "2019-05-20",
        "expiry_date": "2034-05-19",
    },
    "health-entitlement": {
        "scheme": "Riverland National Health",
        "entitled_since": "2015-01-01",
        "valid_until": "2030-12-31",
        "dependants_covered": True,
    },
    "guardianship": {
        "may_decide_care": True,
        "may_collect": True,
        "may_pay": False,
        "valid_until": "2030-12-31",
    },
    "power-of-attorney": {
        "may_pay": True,
        "may_sign": False,
        "valid_until": "2030-12-31",
    },
    "organisation-mandate": {
        "organisation_name": "Blue Heron Ltd",
        "organisation_number": "RL-20417",
        "may_sign": True,
        "valid_until": "2030-12-31",
    },
}
FOR_A_PERSON = frozenset({"guardianship", "power-of-attorney"})


def offer(
    credential_type: Annotated[str, typer.Argument(help="resident-identity, degree, …")],
    agency: Annotated[str, typer.Option(help="Slug of the agency")] = "civil-registry",
    person: Annotated[int, typer.Option(help="Number of an invented person, from 0")] = 1,
    base: Annotated[str, typer.Option(help="Public base URL")] = "http://127.0.0.1:8000",
    data: Annotated[Path, typer.Option(help="Data folder with the access keys")] = Path("data"),
    grant: Annotated[
        Grant, typer.Option(help="How the wallet may redeem it")
    ] = Grant.PRE_AUTHORIZED,
    tx_code: Annotated[bool, typer.Option(help="Ask for a transaction code")] = True,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="Formats to offer; may be repeated")
    ] = None,
    deferred: Annotated[bool, typer.Option(help="Issue only after `cairn decide` says so")] = False,
    principal: Annotated[
        int | None,
        typer.Option(help="Of a mandate: number of the invented person for whom she acts"),
    ] = None,
    durable: Annotated[
        bool, typer.Option(help="A power of attorney that outlives the principal's capacity")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts")] = False,
) -> None:
    """Print a link to open in the wallet, its QR code, and the codes that go with it."""
    keys = read_access_keys(DataFolder(data).secrets)
    if f"issuer:{agency}" not in keys:
        raise NotFound(f"no access key for issuer:{agency} in {data}")
    made = make_offer(
        base,
        agency=agency,
        key=keys[f"issuer:{agency}"],
        credential_type=credential_type,
        person=person,
        more={
            "grants": GRANTS[grant],
            "tx_code": tx_code,
            "formats": [str(form) for form in formats or ()],
            "deferred": deferred,
            **({"durable": True} if durable else {}),
        },
        principal=principal,
    )
    if as_json:
        typer.echo(json.dumps(made))
    else:
        print_offer(made, base, Console(highlight=False))


def make_offer(
    base: str,
    *,
    agency: str,
    key: str,
    credential_type: str,
    person: int,
    more: JsonObject | None = None,
    principal: int | None = None,
) -> JsonObject:
    """Enrol invented person number `person` and offer her a credential.

    A mandate for a person is for number `principal`, the next one when it is None.

    Returns:
        The agency API's answer: `offer_uri`, `tx_code`, `credential_id` and more; with the birth
        date of the invented person, which the page of the agency asks for.

    Raises:
        NotPermitted: the agency refused, with its reason.
    """
    people = [entry for entry in invented_people() if entry.alive]
    found = people[person % len(people)]
    if principal is None and credential_type in FOR_A_PERSON:
        principal = person + 1
    with httpx2.Client(timeout=HTTP_SECONDS, trust_env=False) as http:

        def post(path: str, body: JsonObject) -> JsonObject:
            answer = http.post(
                f"{base}/issuers/{agency}{path}",
                headers={"Authorization": f"Bearer {key}"},
                json=body,
            )
            content: JsonObject = answer.json()
            if answer.is_error:
                raise NotPermitted(str(content.get("detail", answer.status_code)))
            return content

        def enrolled(somebody: InventedPerson) -> str:
            answer = post(
                "/enrolments",
                {
                    "country": somebody.country,
                    "number": somebody.number,
                    "family_name": somebody.person.family_name,
                    "given_name": somebody.person.given_name,
                    "birth_date": somebody.person.birth_date.isoformat(),
                    "evidence": [{"type": "document"}, {"type": "biometric-match"}],
                },
            )
            return str(answer["subject"])

        body: JsonObject = {
            "subject": enrolled(found),
            "credential_type": credential_type,
            "tx_code": True,
            **(more or {}),
        }
        if credential_type in EXAMPLE_CLAIMS:
            body["claims"] = EXAMPLE_CLAIMS[credential_type]
        if principal is not None:
            body["principal"] = enrolled(people[principal % len(people)])
        made = post("/offers", body)
        return {**made, "birth_date": found.person.birth_date.isoformat()}


def print_offer(made: JsonObject, base: str, console: Console) -> None:
    """The link for this browser, a code for a phone's wallet, and the transaction code."""
    uri = str(made["offer_uri"])
    console.print(f"  open             {base}/wallet/#link={quote(uri, safe='')}", soft_wrap=True)
    if made["tx_code"]:
        console.print(f"  then type        [bold]{made['tx_code']}[/bold]")
    if made["identification_code"]:
        console.print(f"  on the page      [bold]{made['identification_code']}[/bold]", end="")
        console.print(f"  born {made['birth_date']}")
    code = qrcode.QRCode(border=2, error_correction=qrcode.ERROR_CORRECT_L)
    code.add_data(uri)
    console.print("\n  or scan with the wallet:")
    code.print_ascii(out=console.file, invert=True)
