"""Races for one registration: many callers at one moment, on a real database, again and again.

`python -m tests.identity.realname.race 1000` runs the whole number on SQLite and on PostgreSQL, as
`make soak` does; the test beside it runs a share.
"""

import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier

from sqlalchemy import Engine, func, select

from identity.adapters.database import Base, transaction
from identity.adapters.embedded_register import EmbeddedRegister, InventedPerson
from identity.adapters.realname_store import RealNameBinding, SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.row_secrets import RowSecret, SqliteRowSecrets
from identity.adapters.stdnum_schemes import standard_schemes
from identity.adapters.vault_store import SqlVaultStore, VaultIndex, VaultRow
from identity.core.chinese_id import check_character
from identity.realname.ports import RegisteredPerson
from identity.realname.proofing import RegisterSource
from identity.realname.review import ReviewDesk
from identity.realname.service import Enrolment, RealNames
from identity.vault.service import SealedVault
from registry.core.refusals import Unavailable
from tests.databases import database_with
from tests.identity.vault.parts import NOW, MemorySink, MemoryVaultKeys, vault_engine_at
from tests.postgres import cluster

RIVALS = 50
PATIENCE = 20  # repetitions of a call that was answered 503
AGENCIES = ("civil-registry", "university")
SCHEMES = standard_schemes()


def somebody(number: int) -> InventedPerson:
    """The person of one race; another number and another name each time."""
    born = date(1970, 1, 1) + timedelta(days=number)
    digits = f"110000{born:%Y%m%d}{number % 1000:03}"
    return InventedPerson(
        country="CN",
        number=digits + check_character(digits),
        alive=True,
        person=RegisteredPerson(
            family_name="Wei",
            given_name="".join(chr(ord("a") + int(digit)) for digit in f"{number:06}"),
            birth_date=born,
            sex=None,
            nationality=None,
            address=None,
        ),
    )


@dataclass
class Track:
    """Two instances of the services on one pair of databases."""

    engines: list[Engine]
    services: list[RealNames]
    secrets: SqliteRowSecrets
    busy: int = 0  # calls that were answered 503 and repeated, as callers do

    def race(self, who: InventedPerson) -> None:
        """All rivals at one moment; there is one registration, whoever won, and nothing is left."""
        barrier = Barrier(RIVALS)

        def rival(number: int) -> tuple[str, str]:
            agency = AGENCIES[number % len(AGENCIES)]
            stated = Enrolment(
                agency=agency,
                country=who.country,
                number=who.number,
                family_name=who.person.family_name,
                given_name=who.person.given_name,
                birth_date=who.person.birth_date,
                evidence=("document", "biometric-match"),
            )
            service = self.services[number // len(AGENCIES) % len(self.services)]
            barrier.wait()
            for _ in range(PATIENCE):
                try:
                    bound = service.enrol(evidence=stated, actor=f"issuer:{agency}")
                except Unavailable:  # a database that was busy for ten seconds: nothing was decided
                    self.busy += 1
                    continue
                return bound.subject, bound.person
            raise Unavailable("the database stayed busy")

        with ThreadPoolExecutor(RIVALS) as pool:
            bound = list(pool.map(rival, range(RIVALS)))
        assert len({person for _, person in bound}) == 1, "two registrations of one person"
        assert len({subject for subject, _ in bound}) == len(AGENCIES), "two subjects at one agency"

    def counts(self) -> tuple[int, int, int]:
        """Rows, indices and bindings."""
        found = []
        for engine, table in ((0, VaultRow), (0, VaultIndex), (1, RealNameBinding)):
            with transaction(self.engines[engine]) as session:
                found.append(session.scalar(select(func.count()).select_from(table)) or 0)
        return found[0], found[1], found[2]

    def secret_rows(self) -> int:
        """Row secrets; losers leave none."""
        with transaction(self.secrets._engine) as session:
            return session.scalar(select(func.count()).select_from(RowSecret)) or 0


@contextmanager
def track(folder: Path, vault_url: str, identity_url: str, people: int) -> Iterator[Track]:
    """Databases and services for races of the first `people` persons."""
    register = EmbeddedRegister(tuple(somebody(number) for number in range(people)))
    keys = MemoryVaultKeys()
    engines, services = [], []
    row_secrets = SqliteRowSecrets(folder / "secrets.db")
    for _ in range(2):
        vault_engine = vault_engine_at(vault_url)
        engine = database_with(Base.metadata, identity_url)
        engines += [vault_engine, engine]
        services.append(
            RealNames(
                schemes=SCHEMES,
                sources={"register": RegisterSource(register)},
                vault=SealedVault(
                    store=SqlVaultStore(vault_engine),
                    keys=keys,
                    secrets=row_secrets,
                    audit=[MemorySink(), MemorySink()],
                    random=secrets.token_bytes,
                    now=lambda: NOW,
                ),
                bindings=SqlBindingStore(engine),
                review=ReviewDesk(
                    SqlCaseStore(engine), random=secrets.token_bytes, now=lambda: NOW
                ),
                random=secrets.token_bytes,
                now=lambda: NOW,
            )
        )
    try:
        yield Track(engines, services, row_secrets)
    finally:
        for engine in engines:
            engine.dispose()
        row_secrets.close()


def run(folder: Path, vault_url: str, identity_url: str, races: int) -> int:
    """Run races, each for another person, and count what is there; how often a 503 came."""
    with track(folder, vault_url, identity_url, races) as running:
        for number in range(races):
            running.race(somebody(number))
            if (number + 1) % 100 == 0:
                assert running.counts() == (number + 1, number + 1, (number + 1) * len(AGENCIES))
                print(f"  {number + 1} races", flush=True)
        assert running.counts() == (races, races, races * len(AGENCIES))
        if not running.busy:  # a write that was cut off leaves a secret for the sweep
            assert running.secret_rows() == races
        return running.busy


def main() -> None:
    """The whole number on both databases."""
    races = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    kinds = sys.argv[2:] or ["sqlite", "postgresql"]
    with tempfile.TemporaryDirectory(prefix="cairn-races-") as name, cluster() as server:
        folder = Path(name)
        for kind in kinds:
            place = folder / kind
            place.mkdir()
            urls = (
                (f"sqlite:///{place / 'vault.db'}", f"sqlite:///{place / 'identity.db'}")
                if kind == "sqlite"
                else (server.new_database(), server.new_database())
            )
            began = time.monotonic()
            busy = run(place, *urls, races)
            print(
                f"{kind}: {races} races of {RIVALS}: one registration each, {busy} calls repeated, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
