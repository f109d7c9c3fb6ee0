"""`cairn member`, `cairn vote`, `cairn proposals`: how members decide together."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.issuer import signer_of_author, signer_of_root
from identity.cli.remote_registry import (
    DEFAULT_BASE,
    Base,
    PassphraseFile,
    open_key_file,
    remote_registry,
)
from identity.core.signing import NamedSigner
from identity.installation.folder import DataFolder
from registry.client import RegistryClient
from registry.core.did import read_key
from registry.core.encoding import canonical_json
from registry.core.governance_changes import CHANGES, Change
from registry.core.keys import KeyType
from registry.core.proposals import NO, YES, CastVote, Proposal, Propose
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted
from registry.core.transactions import Action

MIN_SHORT_ID = 6
LEDGER_KEY = {"ledger": KeyType.ED25519}  # of an agency's key file, or of a member's

app = typer.Typer(help="Members of the consortium: list, propose.", no_args_is_help=True)


class NoSuchProposal(NotFound):
    """No open proposal has an id that begins so."""


class AmbiguousProposal(Conflict):
    """Several open proposals have ids that begin so."""


Config = Annotated[Path | None, typer.Option(help="TOML file with all settings")]
Data = Annotated[Path, typer.Option(help="Data folder that holds the member's governance key")]
MemberDid = Annotated[
    str | None, typer.Option("--author", help="DID of the member that signs; not set: the root")
]
MemberKeys = Annotated[
    Path | None, typer.Option("--keys", help="Key file of that member, with its ledger key")
]
Trust = Annotated[Path | None, typer.Option(help="Pinned trust anchor, over the data folder's")]
Reason = Annotated[str, typer.Option(help="A code such as treaty-of-accession; public for ever")]


@app.command("list")
def members(data: Data = Path("data"), base: Base = DEFAULT_BASE, trust: Trust = None) -> None:
    """Print the active members, each proven."""
    with remote_registry(base, trust or DataFolder(data).trust_anchor) as registry:
        for member in registry.governance.members():
            key = "" if member.validator_key is None else f"  {member.validator_key.multikey}"
            typer.echo(f"{member.did}  {member.name}  since height {member.since_height}{key}")


@app.command("propose-admit")
def propose_admit(
    did: Annotated[str, typer.Argument(help="DID of the institution; it must exist")],
    name: Annotated[str, typer.Argument(help="Its name, as the ledger shows it")],
    validator_key: Annotated[
        str | None, typer.Option(help="Multikey (Ed25519) with which its node signs blocks")
    ] = None,
    reason: Reason = "admission",
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask the members to admit an institution; it is this member's yes as well."""
    key = None if validator_key is None else read_key(validator_key).multikey
    details = {"member": did, "name": name, "validator_key": key}
    change = CHANGES["admit-member"].parse(details)
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.propose(change, reason)


@app.command("propose-remove")
def propose_remove(
    did: Annotated[str, typer.Argument(help="DID of the member")],
    reason: Reason = "removal",
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask the members to remove one of them; it is this member's yes as well."""
    change = CHANGES["remove-member"].parse({"member": did})
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.propose(change, reason)


@app.command("propose-rule")
def propose_rule(
    rule: Annotated[
        str, typer.Argument(help="quorum, voting-seconds, open-proposals or disclosure-signers")
    ],
    value: Annotated[str, typer.Argument(help="A number; for quorum a share such as 2/3")],
    reason: Reason = "rule-change",
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask the members to change a rule; it is this member's yes as well."""
    change = CHANGES["change-rule"].parse({"rule": rule, "value": read_rule_value(value)})
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.propose(change, reason)


@app.command("propose-key")
def propose_key(
    did: Annotated[str, typer.Argument(help="DID of the member")],
    validator_key: Annotated[
        str, typer.Argument(help="Multikey (Ed25519) that is to sign blocks; or `none`")
    ],
    reason: Reason = "key-rotation",
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask the members to let a member sign blocks with another key, or not at all."""
    key = None if validator_key == "none" else read_key(validator_key).multikey
    change = CHANGES["set-validator-key"].parse({"member": did, "validator_key": key})
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.propose(change, reason)


@app.command("propose-upgrade")
def propose_upgrade(
    at_height: Annotated[int, typer.Argument(help="First height that needs the version")],
    version: Annotated[str, typer.Argument(help="Version of this software, such as 1.2.0")],
    reason: Reason = "upgrade",
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask the members to run a later version from a height on; older nodes stop there."""
    change = CHANGES["schedule-upgrade"].parse({"at_height": at_height, "version": version})
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.propose(change, reason)


def vote(
    proposal: Annotated[str, typer.Argument(help="Id of the proposal, or how it begins")],
    choice: Annotated[str, typer.Argument(help="yes or no", metavar="yes|no")],
    config: Config = None,
    data: Data = Path("data"),
    author: MemberDid = None,
    keys: MemberKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Vote on an open proposal; the vote can be changed until it is decided."""
    if choice not in (YES, NO):
        raise Malformed("a vote is yes or no")
    with _member(config, data, author, keys, base, trust, passphrase_file) as member:
        member.vote(proposal, choice)


def proposals(
    everything: Annotated[
        bool, typer.Option("--all", help="Also decided and expired ones")
    ] = False,
    data: Data = Path("data"),
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
) -> None:
    """Print the open proposals, each proven, with what they would change."""
    with remote_registry(base, trust or DataFolder(data).trust_anchor) as registry:
        time = registry.head().time
        governance = registry.governance
        listed = governance.proposals() if everything else governance.open_proposals(time=time)
        for proposal in listed:
            for line in told(proposal, time=time):
                typer.echo(line)


def read_rule_value(text: str) -> object:
    """The value of a rule as people write it: `2/3` is a quorum, other values are numbers.

    Raises:
        Malformed: neither.
    """
    parts = text.split("/")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Malformed("the value of a rule is a number, or a share such as 2/3")
    numbers = [int(part[:18]) for part in parts]
    return numbers[0] if len(parts) == 1 else {"numerator": numbers[0], "denominator": numbers[1]}


def told(proposal: Proposal, *, time: int) -> Iterator[str]:
    """A proposal in lines: its id whole, so that it can be voted on from what is read."""
    until = datetime.fromtimestamp(proposal.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    tally = proposal.tally
    yield f"{proposal.number}. {proposal.id}  {proposal.state_at(time)}"
    yield f"   {proposal.change.NAME} {canonical_json(proposal.change.to_body()).decode()}"
    yield f"   {tally.yes} yes, {tally.no} no of {tally.members}; until {until}; {proposal.reason}"


class _Desk:
    """A member that proposes and votes."""

    def __init__(self, registry: RegistryClient, signer: NamedSigner) -> None:
        self._registry = registry
        self._signer = signer

    def propose(self, change: Change, reason: str) -> None:
        """Propose, and print what became of it."""
        body = {"change": change.NAME, "details": change.to_body(), "reason": reason}
        self._tell(self._submit(Propose.parse(body)))

    def vote(self, beginning: str, choice: str) -> None:
        """Vote, and print what became of the proposal."""
        found = self._find(beginning)
        self._submit(CastVote(proposal=found, vote=choice))
        self._tell(found)

    def _submit(self, action: Action) -> str:
        author = self._signer.verification_method.partition("#")[0]
        return self._registry.submit_transaction(author, self._signer, action).tx_id

    def _find(self, beginning: str) -> str:
        if len(beginning) == 64:
            return beginning
        if len(beginning) < MIN_SHORT_ID:
            raise Malformed(f"give at least {MIN_SHORT_ID} digits of the proposal's id")
        time = self._registry.head().time
        open_now = self._registry.governance.open_proposals(time=time)
        found = [item.id for item in open_now if item.id.startswith(beginning)]
        if not found:
            raise NoSuchProposal("no open proposal has an id that begins so")
        if len(found) > 1:
            raise AmbiguousProposal("several open proposals have ids that begin so")
        return found[0]

    def _tell(self, identifier: str) -> None:
        time = self._registry.head().time
        proposal = self._registry.governance.proposal(identifier)
        for line in told(proposal, time=time) if proposal else ():
            typer.echo(line)


@contextmanager
def _member(
    config: Path | None,
    data: Path,
    author: str | None,
    keys: Path | None,
    base: str,
    trust: Path | None,
    passphrase_file: Path | None,
) -> Iterator[_Desk]:
    if (author is None) != (keys is None):
        raise NotPermitted("--author and --keys go together")
    folder = DataFolder(data)
    with remote_registry(base, trust or folder.trust_anchor) as registry:
        if author is not None and keys is not None:
            private = open_key_file(keys, passphrase_file, LEDGER_KEY)["ledger"]
            signer = signer_of_author(registry, author, private)
        else:
            signer = signer_of_root(config, folder)
        yield _Desk(registry, signer)
