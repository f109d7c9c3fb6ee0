"""Reading the ledger without trusting the node that answers."""

from registry.client.answers import BatchProof, ProvenBatch, RelyingPartyProof
from registry.client.client import RegistryClient
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
