"""What a composition is made of: settings, folder, keys, and what was opened."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import APIRouter, FastAPI

from identity.adapters.bounded_fetch import AllowedPlace
from identity.adapters.passphrases import Passphrase
from identity.adapters.schema_files import (
    load_catalogue,
    load_context_store,
)
from identity.adapters.secret_files import read_passphrase
from identity.adapters.status_fetcher import LocalRead
from identity.adapters.worker import Worker
from identity.config import Settings
from identity.core.credential_types import Catalogue
from identity.core.jsonld import ContextStore
from identity.installation import conformance
from identity.installation.conformance import Instance
from identity.installation.folder import DataFolder
from identity.installation.key_ring import KeyRing
from registry.client.trust_store import FileTrustStore
from registry.core.any_trust_anchor import AnyTrustAnchor


@dataclass(slots=True)
class Composition:
    """A running installation: an application, its background work, and what to close."""

    settings: Settings
    folder: DataFolder
    trust: AnyTrustAnchor
    app: FastAPI
    workers: list[Worker] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)
    instances: tuple[Instance, ...] = ()  # for outside test suites; only in conformance

    def start(self) -> None:
        """Begin the background work."""
        for worker in self.workers:
            worker.start()

    def close(self) -> None:
        """End the background work, then close stores; every closer runs."""
        for worker in self.workers:
            worker.stop()
        for close in reversed(self.closers):
            with suppress(Exception):
                close()


@dataclass(slots=True)
class Site:
    """What is opened on the way to a composition, and how to close it."""

    settings: Settings
    folder: DataFolder
    random: Callable[[int], bytes]
    clock: Callable[[], datetime]
    passphrase: Passphrase
    ring: KeyRing
    instances: tuple[Instance, ...]
    catalogue: Catalogue
    contexts: ContextStore
    routers: list[APIRouter] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)
    trust_store: FileTrustStore | None = None  # only a consortium is followed
    read_own: LocalRead = field(default=lambda _url, _accept: None)

    @classmethod
    def prepare(
        cls,
        settings: Settings,
        *,
        random: Callable[[int], bytes],
        clock: Callable[[], datetime],
    ) -> "Site":
        """The folder and its keys, the schemas and their contexts; nothing to close yet."""
        folder = DataFolder(settings.server.data_dir)
        folder.make()
        passphrase = Passphrase(
            read_passphrase(
                settings.keys,
                environment=settings.server.environment,
                folder=folder.secrets,
                random=random,
            )
        )
        catalogue = load_catalogue(settings.schema_base)
        return cls(
            settings=settings,
            folder=folder,
            random=random,
            clock=clock,
            passphrase=passphrase,
            ring=KeyRing(folder, passphrase, random),
            instances=conformance.open_instances(settings),
            catalogue=catalogue,
            contexts=load_context_store(catalogue),
        )

    def serves(self, service: str) -> bool:
        """Whether this process runs the service."""
        return service in self.settings.server.services

    def every(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Do something in the background, again and again."""
        self.workers.append(Worker(name, work, interval_seconds=seconds))

    def seconds(self) -> int:
        """Unix seconds."""
        return int(self.clock().timestamp())

    def places(self) -> list[AllowedPlace]:
        """Where this installation may fetch from."""
        return [
            AllowedPlace(origin=place.origin, networks=place.networks)
            for place in self.settings.places
        ]

    def close(self) -> None:
        """Close what was opened, the last first; every closer runs."""
        for close in reversed(self.closers):
            with suppress(Exception):
                close()
