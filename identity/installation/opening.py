"""Joins accountable opening: custody from the settings, the gate's key, stores and routes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.opening_keys import create_opening_key, open_opening_key
from identity.adapters.opening_store import SqlOpeningStore
from identity.adapters.order_evidence import LedgerOrderEvidence
from identity.adapters.passphrases import Passphrase
from identity.config import OpeningSettings
from identity.core.opening.sealed_identity import KEY_BYTES, Custody, Holder, public_half
from identity.opening.routes import build_router
from identity.opening.service import IdentitySealer, OpeningDesk
from registry.client import RegistryClient
from registry.core.fields import octets
from registry.core.identifiers import read_did

GATE_KEYS = "opening-gate.keys"


@dataclass(frozen=True, slots=True)
class Opening:
    """What others need of it; without a sealer nobody is sealed, and nobody can be opened."""

    store: SqlOpeningStore
    sealer: IdentitySealer | None = None
    routers: tuple[APIRouter, ...] = ()


def build_opening(
    settings: OpeningSettings | None,
    *,
    engine: Engine,
    gate_file: Path,
    passphrase: str | Passphrase,
    registry: RegistryClient,
    random: Callable[[int], bytes],
    now: Callable[[], int],
) -> Opening:
    """Open the gate's key, made on the first start, and join the rest.

    Raises:
        Malformed: a holder is no DID, or has no key, or a threshold that does not fit.
        KeyFileNotOpened: the gate's key does not open.
    """
    store = SqlOpeningStore(engine)
    if settings is None:
        return Opening(store)
    if not gate_file.exists():
        create_opening_key(gate_file, passphrase=passphrase, random=random)
    gate = open_opening_key(gate_file, passphrase=passphrase)
    custody = custody_of(settings, network=registry.network, gate=public_half(gate))
    desk = OpeningDesk(
        store=store,
        evidence=LedgerOrderEvidence(registry),
        trust=lambda: registry.trust,
        gate=gate,
        now=now,
    )
    sealer = IdentitySealer(custody=custody, store=store, random=random, now=now)
    return Opening(store, sealer, (build_router(desk),))


def custody_of(settings: OpeningSettings, *, network: str, gate: bytes) -> Custody:
    """To whom identities are sealed, as the settings name them.

    Raises:
        Malformed: see `build_opening`.
    """
    return Custody(
        network=network,
        threshold=settings.threshold,
        holders=tuple(
            Holder(
                institution=read_did(item.institution, "opening.holders.institution"),
                key=octets(item.key, "opening.holders.key", size=KEY_BYTES),
            )
            for item in settings.holders
        ),
        gate=gate,
    )
