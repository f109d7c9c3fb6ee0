"""What is asked of every suite that lets a holder show a part: which parts, and which changes."""

from collections.abc import Callable
from typing import Any

PARTS = (
    [],
    ["/credentialSubject/sailNumber"],
    ["/credentialSubject/sails/1"],
    ["/credentialSubject/sails/0/year", "/credentialSubject/sails/2/size"],
    ["/credentialSubject/sails"],
    ["/credentialSubject"],
    ["/credentialSubject/notes/0/a~1b", "/credentialSubject/notes/0/c~0d"],
    ["/type"],
    [""],
)
_WITH_THE_NUMBER = (["/credentialSubject/sailNumber"], ["/credentialSubject"], [""])

# Of a part that shows `/credentialSubject/sailNumber`; each has to be noticed.
CHANGES: tuple[Callable[[Any], object], ...] = (
    lambda d: d.update(issuer="https://vc.example/issuers/5679"),
    lambda d: d["credentialSubject"].update(sailNumber="Earth102"),
    lambda d: d["credentialSubject"].update(added="x"),
    lambda d: d["credentialSubject"].pop("sailNumber"),
    lambda d: d["type"].append("AnotherCredential"),
    lambda d: d["proof"].update(created="2026-05-02T00:00:00Z"),
    lambda d: d["proof"].update(nonce="added"),
    lambda d: d.pop("issuer"),
)


def check_part(derived: Any, pointers: list[str], document: Any) -> None:
    """The mandatory issuer is there, and the sail number only where it was asked for."""
    assert derived["issuer"] == document["issuer"]
    assert ("sailNumber" in str(derived)) == (pointers in _WITH_THE_NUMBER)
