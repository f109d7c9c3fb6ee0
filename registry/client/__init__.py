"""Reading the ledger without trusting the node that answers."""

from registry.client.client import BatchProof, ProvenBatch, RegistryClient, RelyingPartyProof
from registry.client.errors import NodeNotTrusted
from registry.client.transport import Answer, AsgiTransport, HttpTransport, Transport

__all__ = [
    "Answer",
    "AsgiTransport",
    "BatchProof",
    "HttpTransport",
    "NodeNotTrusted",
    "ProvenBatch",
    "RegistryClient",
    "RelyingPartyProof",
    "Transport",
]
