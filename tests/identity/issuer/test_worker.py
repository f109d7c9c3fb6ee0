"""What the issuer clears away, and what it must not."""

import pytest
from sqlalchemy import func, select

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import CopyRow, IssuanceRow, NonceRow, OfferRow, TokenRow
from registry.core.refusals import Unavailable
from tests.identity.issuer.workbench import Workbench

DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "awarded_on": "2024-07-01",
    "institution": "Riverland University",
}


def _count(bench: Workbench, table: type) -> int:
    with transaction(bench.engine) as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def test_pending_claims_are_forgotten_once_nobody_can_redeem_them(bench: Workbench) -> None:
    unused = bench.offer(credential_type="degree", claims=DEGREE)
    used = bench.offer(credential_type="degree", claims=DEGREE)
    token = bench.token(used)
    bench.receive(token, configuration="degree-sd-jwt")
    assert len(bench.vault.rows) == 2

    bench.clock.forward(seconds=899)
    bench.worker.run_once(bench.clock())
    assert len(bench.vault.rows) == 2  # the token is alive and may be used again

    bench.clock.forward(seconds=2)
    bench.worker.run_once(bench.clock())
    assert bench.vault.rows == {}
    assert [_count(bench, table) for table in (OfferRow, TokenRow, NonceRow)] == [0, 0, 0]
    assert unused["offer"] != used["offer"]


def test_the_record_of_issuance_and_its_status_entries_stay(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()), keys=3)

    bench.clock.forward(days=400)
    bench.worker.run_once(bench.clock())

    assert _count(bench, IssuanceRow) == 1
    assert _count(bench, CopyRow) == 3


def test_a_vault_that_fails_keeps_the_offer_until_it_works(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.offer(credential_type="degree", claims=DEGREE)
    bench.clock.forward(seconds=901)
    rows = dict(bench.vault.rows)

    def refuse(_self: object, _ref: str) -> None:
        raise Unavailable("the audit does not answer")

    monkeypatch.setattr(type(bench.vault), "forget", refuse)
    bench.worker.run_once(bench.clock())
    assert _count(bench, OfferRow) == 1
    assert bench.vault.rows == rows

    monkeypatch.undo()
    bench.worker.run_once(bench.clock())
    assert _count(bench, OfferRow) == 0
    assert bench.vault.rows == {}


def test_prepare_publishes_a_first_list_so_that_nobody_waits(bench: Workbench) -> None:
    bench.worker.prepare(bench.clock())
    bench.worker.prepare(bench.clock())

    assert len(bench.registry.submitted) == len(bench.parts.agencies)


def test_two_processes_that_seal_at_once_anchor_each_batch_once(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()), keys=2)
    other = Workbench(
        bench.folder, registry=bench.registry, clock=bench.clock, persons=bench.persons, seed=b"o"
    )
    before = bench.registry.height

    # The other process closes the batch and dies; both then see it half done.
    (batch,) = other.parts.batches.open_batches("registrar")
    assert other.parts.batches.close(batch)
    assert not bench.parts.batches.close(batch)
    reports = [process.sealer.seal_due(bench.clock()) for process in (bench, other)]

    assert [report.anchored for report in reports] == [(batch,), ()]
    assert bench.registry.height == before + 1


def test_no_copy_joins_a_batch_that_is_closed(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()))
    (first,) = bench.parts.batches.open_batches("registrar")
    bench.parts.batches.close(first)

    bench.receive(bench.token(bench.offer()))

    (second,) = bench.parts.batches.open_batches("registrar")
    assert second != first
    assert len(bench.parts.batches.digests(first)) == 1


def test_a_refused_batch_does_not_keep_the_others_waiting(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()))
    (first,) = bench.parts.batches.open_batches("registrar")
    bench.parts.batches.close(first)
    bench.parts.batches.store_transaction(first, b"not a transaction")
    bench.receive(bench.token(bench.offer()))

    report = bench.sealer.seal_due(bench.clock())

    assert list(report.refusals) == [first]
    assert len(report.anchored) == 1
