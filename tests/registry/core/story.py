"""One signed transaction of every action, in an order in which the rules take all of them."""

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.anchors import AnchorBatch
from registry.core.compromise import DeclareCompromise
from registry.core.did import DidDetails, Service, key_commitment
from registry.core.did_actions import CreateDid, DeactivateDid, UpdateDid
from registry.core.disclosure import RecordDisclosure
from registry.core.governance_changes import (
    AdmitMember,
    Change,
    ChangeRule,
    RemoveMember,
    ScheduleUpgrade,
    SetValidatorKey,
)
from registry.core.hashing import sha256
from registry.core.network_rules import Quorum
from registry.core.proposals import CastVote, Propose
from registry.core.relying_party import AskedClaims, RegisteredPurpose, RegisterRelyingParty
from registry.core.schemas import PublishSchema
from registry.core.status import PublishStatus
from registry.core.transactions import Action, Payload, derive_did, parse_transaction
from tests.registry.core.actors import (
    NETWORK,
    P256Pair,
    Pair,
    TestLedger,
    identifier,
    method,
    nonce,
    pair,
    recovery,
    sign,
)

ISSUER = DidDetails(
    verification_methods=(
        method("ledger-1", pair("issuer")),
        method("di-1", pair("issuer di"), "assertionMethod"),
        method("jose-1", P256Pair(5), "assertionMethod"),
    ),
    also_known_as=("https://university.example/issuers/university",),
    services=(
        Service(fragment="site", type="LinkedDomains", endpoint="https://university.example/"),
    ),
    next_key_commitments=(key_commitment(pair("issuer 2").key),),
    recovery=(recovery("recovery-1", pair("issuer safe")),),
)
ISSUER_KEYS: dict[str, Pair] = {
    "ledger-1": pair("issuer"),
    "di-1": pair("issuer di"),
    "jose-1": P256Pair(5),
    "recovery-1": pair("issuer safe"),
}
ROTATED = DidDetails(
    verification_methods=(
        method("ledger-2", pair("issuer 2")),
        *ISSUER.verification_methods[1:],
    ),
    also_known_as=ISSUER.also_known_as,
    recovery=ISSUER.recovery,
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/schemas/degree/1/schema.json",
    "title": "Degree 学位",
    "type": "object",
    "properties": {
        "degree_name": {"type": "string", "maxLength": 200},
        "grade": {"type": "number", "minimum": 0.5, "maximum": 1e21},
    },
    "required": ["degree_name"],
}


def story() -> list[bytes]:
    """The transactions; the ledger they are for is a fresh `TestLedger`."""
    root = TestLedger().root
    told: list[bytes] = []

    def create(name: str, details: DidDetails, keys: dict[str, Pair]) -> str:
        payload = Payload(
            network=NETWORK, author="", nonce=nonce(name), action=CreateDid(details=details)
        )
        told.append(sign(payload, {f"#{fragment}": held for fragment, held in keys.items()}))
        return derive_did(payload)

    def ask(author: str, action: Action, **keys: Pair) -> None:
        payload = Payload(
            network=NETWORK, author=author, nonce=nonce(f"story {len(told)}"), action=action
        )
        told.append(
            sign(payload, {f"{author}#{f.replace('_', '-')}": held for f, held in keys.items()})
        )

    def as_root(action: Action) -> None:
        ask(root, action, governance_1=pair("root"))

    def one(name: str) -> DidDetails:
        return DidDetails(verification_methods=(method("ledger-1", pair(name)),))

    issuer = create("issuer", ISSUER, ISSUER_KEYS)
    authority = create("authority", one("authority"), {"ledger-1": pair("authority")})
    bar = create("bar", one("bar"), {"ledger-1": pair("bar")})
    for name, subject, role, until in (
        ("authority", authority, "authority", 1000),
        ("registrar", authority, "registrar", None),
    ):
        as_root(
            Accredit(
                accreditation=identifier(name),
                subject=subject,
                role=role,
                types=("degree", "residence"),
                until_height=until,
            )
        )
    ask(
        authority,
        Accredit(
            accreditation=identifier("issuer"),
            subject=issuer,
            role="issuer",
            types=("degree",),
            until_height=500,
        ),
        ledger_1=pair("authority"),
    )
    ask(
        issuer,
        PublishSchema(name="degree", version="1", schema=SCHEMA),
        ledger_1=pair("issuer"),
    )
    for name in ("one", "two"):
        ask(
            issuer,
            AnchorBatch(batch=identifier(name), root=nonce(name) * 2, count=7, types=("degree",)),
            ledger_1=pair("issuer"),
        )
    for version in (1, 2):
        ask(
            issuer,
            PublishStatus(
                group="1",
                version=version,
                lists={
                    f"https://university.example/issuers/university/status/1/{form}": nonce(
                        f"{form} {version}"
                    )
                    * 2
                    for form in ("token", "revocation", "suspension")
                },
            ),
            ledger_1=pair("issuer"),
        )
    ask(
        authority,
        RegisterRelyingParty(
            party=bar,
            name="The Bar 酒吧",
            purposes=(
                RegisteredPurpose(
                    purpose="age-check",
                    description={"en": "To check your age", "zh": "核实您的年龄"},
                    credentials=(AskedClaims(type="degree", claims=(("grade",), ("a", None, 0))),),
                ),
            ),
        ),
        ledger_1=pair("authority"),
    )
    for action in (SuspendAccreditation, ReinstateAccreditation, EndAccreditation):
        ask(
            authority,
            action(accreditation=identifier("issuer"), reason="audit"),
            ledger_1=pair("authority"),
        )
    ask(
        issuer,
        UpdateDid(version=1, details=ROTATED),
        ledger_1=pair("issuer"),
        ledger_2=pair("issuer 2"),
    )
    ask(issuer, DeactivateDid(version=2), ledger_2=pair("issuer 2"))
    as_root(
        Accredit(
            accreditation=identifier("opener"),
            subject=bar,
            role="opener",
            types=("degree",),
            until_height=None,
        )
    )
    as_root(
        DeclareCompromise(
            subject=issuer, fragment="ledger-1", from_height=8, reason="server-broken-into"
        )
    )
    order = Payload(
        network=NETWORK,
        author=root,
        nonce=nonce("order"),
        action=RecordDisclosure(
            number=1,
            reference=identifier("order"),
            legal_basis="court-order",
            institutions=(root, bar),
            commitment=sha256(b"whose"),
            notice_days=30,
        ),
    )
    told.append(sign(order, {f"{root}#governance-1": pair("root"), f"{bar}#ledger-1": pair("bar")}))

    def propose(change: Change) -> str:
        as_root(Propose(change=change, reason="treaty"))
        return parse_transaction(told[-1]).id

    def vote(proposal: str, choice: str) -> None:
        ask(authority, CastVote(proposal=proposal, vote=choice), ledger_1=pair("authority"))

    propose(AdmitMember(member=authority, name="Authority", validator_key=pair("validator").key))
    vote(propose(ScheduleUpgrade(at_height=1000, version="2.0.1")), "yes")
    vote(propose(SetValidatorKey(member=root, validator_key=pair("validator 2").key)), "yes")
    vote(propose(ChangeRule(rule="voting-seconds", value=3600)), "no")
    vote(propose(ChangeRule(rule="quorum", value=Quorum(numerator=1, denominator=2))), "yes")
    by_vote = Accredit(
        accreditation=identifier("by vote"),
        subject=bar,
        role="registrar",
        types=("degree",),
        until_height=None,
    )
    vote(propose(by_vote), "yes")
    propose(RemoveMember(member=authority))
    return told
