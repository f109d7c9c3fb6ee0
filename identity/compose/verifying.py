"""The verifier's side: relying parties, their policies, and their documents."""

from sqlalchemy import Engine

from identity.adapters.schema_files import (
    load_foreign_schemas,
)
from identity.compose.site import Site
from identity.config import VerifierSettings
from identity.core.access import AccessKeys
from identity.core.verification.policy import (
    Policy,
    Rule,
    Trust,
    conformance_policy,
    proof_only_policy,
    strict_policy,
    weakened_policy,
)
from identity.core.verification.verdict import Check
from identity.installation import parties
from identity.installation.certificates import Certified, read_roots
from identity.installation.verifying import build_verifier
from identity.publishing.did_routes import build_router as build_did_router
from registry.client import RegistryClient
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.did_web import web_did

PURGE_SECONDS = 10.0  # how often expired requests are deleted


def add_verifier(
    site: Site,
    engine: Engine,
    registry: RegistryClient,
    trust: AnyTrustAnchor,
    access: AccessKeys,
    certified: Certified,
) -> None:
    """Add the verifiers of every relying party."""
    asking = tuple(
        certified.party(party) for party in parties.open_relying_parties(site.ring, site.settings)
    )
    verifier = build_verifier(
        parties=asking,
        policies={party.slug: policy_of(party) for party in site.settings.verifiers},
        places=site.places(),
        local=site.read_own,
        public_base_url=site.settings.server.public_base_url,
        certificate_roots=read_roots(site.folder.root_certificate),
        catalogue=site.catalogue,
        schemas=load_foreign_schemas(site.settings.foreign_schemas.files),
        contexts=site.contexts,
        trust=trust,
        engine=engine,
        registry=registry,
        access=access,
        random=site.random,
        clock=site.clock,
    )
    documents = build_did_router(
        dids={
            party.slug: (party.did, name)
            for party in asking
            if (name := web_did(party.verifier_url)) is not None
        },
        resolve=registry.resolve,
        kind="verifiers",
    )
    site.routers += [verifier.router, documents]
    site.every(PURGE_SECONDS, "verifier", verifier.purge)


def policy_of(verifier: VerifierSettings) -> Policy:
    """The policy of a relying party: strict, unless a conformance configuration says otherwise."""
    if verifier.policy.kind == "conformance":
        return conformance_policy(verifier.slug)
    if verifier.policy.kind == "proof-only":
        return proof_only_policy(verifier.slug)
    waived = {Check(name): Rule.WAIVED for name in verifier.policy.waived}
    trusted = frozenset(verifier.policy.trusted_issuers)
    if not waived:
        return strict_policy(verifier.slug, trusted_keys=trusted)
    return weakened_policy(
        verifier.slug,
        weaker=waived,
        trusted_issuers=Trust.ANY_ACCREDITED,
        trusted_keys=trusted,
        dangerous_because="waived by a conformance configuration",
    )
