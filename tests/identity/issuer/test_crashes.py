"""A process may die around any call to a store or a neighbour; nothing answered is lost."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import BatchRow, CopyRow, StatusGroupRow
from identity.core import status_list
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.jose import verify_compact
from identity.core.offers import pre_authorized_code
from identity.core.oid4vci_errors import InvalidGrant
from identity.issuer.anchoring import Receipts
from identity.issuer.credential_endpoint import CredentialDesk, Delivered
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.offers import OfferDesk
from identity.issuer.records import BatchState, Status
from identity.issuer.status import StatusDesk
from identity.issuer.tokens import PresentedToken, TokenDesk
from registry.core.encoding import base64url_encode
from registry.core.receipt import parse_receipt, verify_receipt
from tests.identity.issuer.ledger_in_memory import digest_text
from tests.identity.issuer.workbench import ALICE, Crash, CrashPlan, Workbench, payload_of
from tests.registry.core.heads import NOW

DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "awarded_on": "2024-07-01",
    "institution": "Riverland University",
}
LEAST_POINTS = 110  # a story that shrinks would pass with nothing tested


@dataclass
class Story:
    """What outsiders hold: everything here was answered, so all of it must stay true."""

    offer: str | None = None
    reference: str | None = None
    token: str | None = None
    delivered: Delivered | None = None
    accepted: bool = False
    revoked: bool = False
    lost_tokens: int = 0
    delivered_sets: list[Delivered] = field(default_factory=list)

    def go_on(self, bench: Workbench) -> None:
        """Do what has no answer yet."""
        parts, now = bench.parts, bench.clock()
        tokens = TokenDesk(parts, DpopDesk(parts))
        credentials = CredentialDesk(parts, bench.publisher)
        if self.reference is None:
            made = OfferDesk(parts).make(
                "registrar",
                subject=ALICE,
                credential_type="degree",
                claims=DEGREE,
                formats=(),
                tx_code=False,
                lifetime_seconds=900,
                now=now,
            )
            self.offer, self.reference = made.offer, made.url.rsplit("/", 1)[1]
        if self.token is None:
            form = {
                "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
                "pre-authorized_code": pre_authorized_code(self.reference),
            }
            try:
                self.token = tokens.redeem("registrar", form, dpop=None, now=now)["access_token"]
            except InvalidGrant:
                # The token was made and its answer lost. The code stays used: a new offer it is.
                self.lost_tokens += 1
                self.reference = None
                self.go_on(bench)
                return
        presented = PresentedToken(scheme="bearer", token=self.token, dpop=None)
        token = tokens.recognise("registrar", presented, path="/credential", now=now)
        if self.delivered is None:
            nonce = tokens.nonce("registrar", now=now)
            proofs = [bench.proof(bench.key(), nonce=nonce) for _ in range(2)]
            self.delivered = credentials.issue(
                "registrar",
                token,
                {"credential_configuration_id": "degree-sd-jwt", "proofs": {"jwt": proofs}},
                now=now,
            )
        if not self.accepted:
            credentials.notify(
                token,
                {
                    "notification_id": self.delivered.notification_id,
                    "event": "credential_accepted",
                },
            )
            self.accepted = True
        bench.worker.run_once(now)
        if not self.revoked:
            assert self.offer is not None
            StatusDesk(parts, bench.publisher).change(
                "registrar", self.offer, Status.REVOKED, reason="test", now=now
            )
            self.revoked = True
        bench.worker.run_once(now)


def _check(bench: Workbench, story: Story) -> None:
    """After the dust has settled: all issued is anchored, every list is right."""
    assert story.delivered is not None
    for text in story.delivered.credentials:
        assert isinstance(text, str)
        payload = payload_of(text)
        digest = credential_digest(payload, anchor_claim(payload).salt)
        receipt = Receipts(bench.parts).receipt("registrar", base64url_encode(digest))
        verify_receipt(parse_receipt(receipt), digest=digest, anchor=bench.registry.anchor, now=NOW)
        assert _status(bench, payload) == Status.REVOKED
    with transaction(bench.engine) as db:
        copies = db.scalars(select(CopyRow)).all()
        batches = {row.batch: row for row in db.scalars(select(BatchRow))}
        groups = db.scalars(select(StatusGroupRow)).all()
    assert len({(copy.group_id, copy.position) for copy in copies}) == len(copies)
    assert all(batches[str(copy.batch)].state == BatchState.ANCHORED for copy in copies)
    # Copies whose answer was lost are revoked as superseded, the delivered ones by the agency.
    assert all(copy.status == Status.REVOKED for copy in copies)
    assert len(copies) in (2, 4)
    for group in groups:
        assert group.pending_version is None
        assert group.changes == group.published_changes


def _status(bench: Workbench, payload: dict) -> int:  # type: ignore[type-arg]
    reference = status_list.parse_token_reference(payload)
    assert reference is not None
    group = reference.uri.split("/")[-2]
    documents = bench.publisher.documents("registrar", group, now=bench.clock())
    claims = verify_compact(documents.token, key=bench.agency.jose.key, typ="statuslist+jwt").claims
    parsed = status_list.parse_status_token(
        claims, uri=reference.uri, now=int(bench.clock().timestamp())
    )
    published = bench.registry.status_digest(reference.uri)
    assert published is not None
    assert published[0] == digest_text(parsed.data)
    return status_list.read_token_status(parsed.data, reference.index, bits=parsed.bits)


def _points(folder: Path) -> int:
    plan = CrashPlan()
    bench = Workbench(folder, plan=plan)
    story = Story()
    story.go_on(bench)
    _check(bench, story)
    bench.engine.dispose()
    return plan.seen


@pytest.mark.slow
def test_a_crash_between_any_two_steps_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    points = _points(tmp_path / "calm")
    assert points >= LEAST_POINTS
    for point in range(1, points + 1):
        folder = tmp_path / str(point)
        folder.mkdir()
        plan = CrashPlan(at=point)
        bench = Workbench(folder, plan=plan)
        story = Story()
        try:
            story.go_on(bench)
        except Crash:
            pass
        else:
            if plan.seen >= point:
                pytest.fail(f"the crash at {point} ({plan.names[point - 1]}) was swallowed")
        again = bench.restarted()
        again.clock.forward(seconds=30)

        story.go_on(again)

        _check(again, story)
        again.engine.dispose()


@pytest.mark.parametrize("lost", ["never arrived", "answer lost"])
def test_a_ledger_outage_delays_anchors_and_lists_and_loses_none(
    bench: Workbench, lost: str
) -> None:
    answer = bench.receive(bench.token(bench.offer()), keys=2)
    bench.registry.down, bench.registry.mute = lost == "never arrived", lost == "answer lost"
    bench.worker.run_once(bench.clock())
    payload = payload_of(answer["credentials"][0]["credential"])
    digest = base64url_encode(credential_digest(payload, anchor_claim(payload).salt))
    assert bench.http.get(f"/issuers/registrar/receipts/{digest}").status_code == 404
    first = list(bench.registry.submitted)

    bench.registry.down = bench.registry.mute = False
    other = bench.restarted()
    other.worker.run_once(other.clock())

    assert other.http.get(f"/issuers/registrar/receipts/{digest}").status_code == 200
    if lost == "answer lost":
        assert other.registry.submitted[-1] == first[-1]  # the identical transaction, again
