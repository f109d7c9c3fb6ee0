"""The registry as an application of its own; the single process includes the same routers."""

from collections.abc import Callable

from fastapi import FastAPI

from registry import problems
from registry.api.docs_page import install_docs
from registry.api.engine_rpc_routes import build_engine_rpc_router
from registry.api.ports import EngineRpc, LightBlocks, SubmissionLimit
from registry.api.resolution_routes import build_resolution_router
from registry.api.routes import build_router
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.ledger.port import Ledger
from registry.routers import join_routers
from registry.witness.cosigned import CosignedHeads


def create_app(
    ledger: Ledger,
    trust: AnyTrustAnchor | Callable[[], AnyTrustAnchor],
    *,
    cosigned: CosignedHeads | None = None,
    light_blocks: LightBlocks | None = None,
    engine_rpc: EngineRpc | None = None,
    new_dids: SubmissionLimit | None = None,
) -> FastAPI:
    """Registry, DID resolution and a page that describes both."""
    router = join_routers(
        build_engine_rpc_router(engine_rpc),
        build_router(
            ledger, trust, new_dids=new_dids, cosigned=cosigned, light_blocks=light_blocks
        ),
        build_resolution_router(ledger),
    )
    app = FastAPI(
        title="Cairn registry",
        description="Records of the consortium's ledger with their proofs. No personal data.",
        version="1",
        docs_url=None,
        redoc_url=None,
        routes=router.routes,
    )
    problems.install(app)
    install_docs(app)
    return app
