"""The `cairn` command and its parts; a part is imported when it is asked for."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from identity.cli.positions import MAY_BEGIN_WITH_A_DASH
from registry.core.refusals import Refusal

_PARTS: Final[dict[str, str]] = {  # command, module below this package and its name there
    "up": "up:up",
    "demo": "demo:demo",
    "verify": "verify:verify",
    "offer": "offer:offer",
    "identify": "agency_desk:identify",
    "waiting": "agency_desk:waiting",
    "decide": "agency_desk:decide",
    "request": "request:request",
    "retention": "retention:retention",
    "audit": "audit:audit_ledger",
    "export": "export:export_history",
    "check-export": "export:check_exported",
    "monitor": "monitor:monitor",
    "check-receipt": "receipt:check_receipt",
    "follow": "receipt:follow",
    "witness": "witness:witness",
    "access-key": "access:access_key",
    "vote": "governance:vote",
    "stop-issuing": "stop:stop_issuing",
    "stops": "stop:stops",
    "resume": "stop:resume",
    "resumer-key": "stop:resumer_key",
    "proposals": "governance:proposals",
    "vault": "vault:app",
    "did": "did:app",
    "conformance": "conformance:app",
    "consortium": "consortium:app",
    "issuer": "issuer:app",
    "member": "governance:app",
    "opening": "opening:app",
    "guardian": "guardian:app",
}
_TAKE_IDENTIFIERS = ("decide", "resume", "vote")


class _Parts(Mapping[str, Any]):
    """Every command by name; importing all of them takes longer than most of them run."""

    def __getitem__(self, name: str) -> Any:
        module, attribute = _PARTS[name].split(":")
        part = getattr(import_module(f"identity.cli.{module}"), attribute)
        if isinstance(part, typer.Typer):
            group = typer.main.get_group(part)
            group.name = name
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        settings = MAY_BEGIN_WITH_A_DASH if name in _TAKE_IDENTIFIERS else None
        alone.command(name, context_settings=settings)(part)
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(_PARTS)

    def __len__(self) -> int:
        return len(_PARTS)


class _Cairn(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Parts()  # type: ignore[assignment]


app = typer.Typer(
    name="cairn",
    cls=_Cairn,
    help="Digital identity and credential registry on a permissioned chain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _cairn() -> None:
    """Digital identity and credential registry on a permissioned chain."""


def main() -> NoReturn:
    """Run a command; a refusal is one clear line and exit code 2, never a traceback."""
    try:
        app()
    except Refusal as refusal:
        print(f"cairn: {type(refusal).__name__}: {refusal.detail}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
