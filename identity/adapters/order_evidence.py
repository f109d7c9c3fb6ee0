"""The ledger's evidence about a disclosure order, from a registry client."""

from identity.core.opening.order import OrderEvidence
from registry.client import RegistryClient
from registry.core.disclosure import DisclosureCount, DisclosureOrder
from registry.core.records import DISCLOSURES_KEY, disclosure_order_key
from registry.core.refusals import Unavailable

_TRIES = 4  # a block between two reads puts them under two heads


class LedgerOrderEvidence:
    """Keeps the promises of `identity.opening.ports.OrderEvidenceReader`."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def order_evidence(self, number: int) -> OrderEvidence | None:
        """As `OrderEvidenceReader.order_evidence`."""
        for _ in range(_TRIES):
            order = self._client.proven(disclosure_order_key(number), fresh=True)
            if order.value is None:
                return None
            count = self._client.proven(DISCLOSURES_KEY, fresh=True)
            if count.value is None or count.head != order.head:
                continue
            return OrderEvidence(
                order=DisclosureOrder.parse(order.value),
                order_proof=order.proof,
                count=DisclosureCount.parse(count.value),
                count_proof=count.proof,
                head=order.head,
            )
        raise Unavailable("the ledger is too busy to prove order and count under one head")
