"""Every table of ours, by database; importing this module declares them all."""

from sqlalchemy import MetaData

from identity.adapters import (
    certificate_store,
    guardian_store,
    issuer_stop_store,
    issuer_tables,
    opening_store,
    person_record_store,
    proofing_store,
    realname_store,
    rendezvous_store,
    review_store,
    trust_cache,
    vault_store,
    verifier_tables,
)
from identity.adapters.database import Base

__all__ = ["METADATA"]

# The modules are named here so that their tables are declared when METADATA is read.
_DECLARING = (
    certificate_store,
    guardian_store,
    issuer_stop_store,
    issuer_tables,
    opening_store,
    proofing_store,
    person_record_store,
    realname_store,
    rendezvous_store,
    review_store,
    trust_cache,
    verifier_tables,
)

METADATA: dict[str, MetaData] = {
    "identity": Base.metadata,
    "vault": vault_store.VaultBase.metadata,
}
