"""The certificate authority of an installation: its root, and the leaves of its institutions.

The root's key lies in a key file of its own and signs nothing but leaves. A process without that
file shows the leaves that another one stored. Production may bring chains of its own instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from identity.adapters.certificate_store import SqlCertificates, StoredChain
from identity.config import Settings
from identity.core.certificates import (
    CertificateChain,
    FixedChain,
    Subject,
    check_chain,
    make_leaf,
    make_root,
    needs_renewal,
    read_pem_chain,
    to_pem,
)
from identity.core.parties import Agency, RelyingParty
from identity.core.signing import PrivateKey
from identity.installation.key_ring import KeyRing
from registry.core.keys import KeyType, PublicKey
from registry.core.refusals import NotFound

CERTIFICATE_KEYS = {"root": KeyType.P256}
KEY_FILE = "certificates"


@dataclass(frozen=True, slots=True)
class Root:
    """The root certificate, DER, and its key where this process may use it."""

    certificate: bytes
    private: PrivateKey | None


def open_root(
    ring: KeyRing, *, network: str, country: str, may_make: bool, now: datetime
) -> Root | None:
    """The installation's root; made on the first start of a process that may found.

    Returns:
        None when there is none, and this process may not make one.
    """
    path = ring.folder.root_certificate
    held = ring.holds(KEY_FILE)
    if path.exists():
        (certificate,) = read_pem_chain(path.read_bytes())
        return Root(certificate, ring.open(KEY_FILE, CERTIFICATE_KEYS)["root"] if held else None)
    if not may_make:
        return None
    private = ring.open(KEY_FILE, CERTIFICATE_KEYS)["root"]
    certificate = make_root(
        private, name=f"Cairn {network} root", country=country, now=now, random=ring.random
    )
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(to_pem(certificate))
    fresh.replace(path)
    return Root(certificate, private)


def read_roots(path: Path) -> tuple[bytes, ...]:
    """DER of the roots in a PEM file; none when there is no such file."""
    return read_pem_chain(path.read_bytes()) if path.is_file() else ()


class CertificateDesk:
    """Hands institutions their chains and renews what nears its end."""

    def __init__(
        self, root: Root | None, store: SqlCertificates, *, random: Callable[[int], bytes]
    ) -> None:
        self._root, self._store, self._random = root, store, random

    def renew_due(self, subjects: Mapping[str, Subject], *, now: datetime) -> None:
        """Make the leaves that are missing, or that `needs_renewal` names; safe to repeat."""
        if self._root is None or self._root.private is None:
            return
        root = self._root.certificate
        for scope, subject in subjects.items():
            known = self._store.read(scope)
            if known is None or needs_renewal(known, subject, root=root, now=now):
                leaf = make_leaf(
                    subject, root=root, private=self._root.private, now=now, random=self._random
                )
                self._store.replace(scope, known=known, leaf=leaf)

    def chain(self, scope: str) -> CertificateChain:
        """Where the chain of `scope` is read, each time anew."""
        return StoredChain(self._store, scope)


class Certified:
    """Gives the institutions of an installation their chains, and keeps the leaves fresh."""

    def __init__(
        self, desk: CertificateDesk, settings: Settings, *, clock: Callable[[], datetime]
    ) -> None:
        self._desk, self._settings, self._clock = desk, settings, clock
        self._subjects: dict[str, Subject] = {}

    def agency(self, agency: Agency) -> Agency:
        """The agency with its chain; as `own_chain` where it brings one."""
        chosen = {item.slug: item.certificate_chain for item in self._settings.agencies}
        subject = self._subject(agency.name, agency.issuer_url, agency.jose.key)
        scope = f"issuer:{agency.slug}"
        if agency.earlier_jose:
            # A leaf for each key: an instance that was not started anew still signs with the one
            # before, and the two would take turns in replacing one leaf.
            scope += f"#{agency.jose.verification_method.partition('#')[2]}"
        chain = self._chain(scope, subject, chosen.get(agency.slug))
        return replace(agency, certificates=chain)

    def party(self, party: RelyingParty) -> RelyingParty:
        """The relying party with its chain; as `own_chain` where it brings one."""
        chosen = {item.slug: item.certificate_chain for item in self._settings.verifiers}
        subject = self._subject(party.name, party.verifier_url, party.request.key)
        chain = self._chain(f"verifier:{party.slug}", subject, chosen.get(party.slug))
        return replace(party, certificates=chain)

    def renew_due(self) -> None:
        """One round of renewal."""
        self._desk.renew_due(self._subjects, now=self._clock())

    def _chain(self, scope: str, subject: Subject, own: Path | None) -> CertificateChain:
        if own is not None:
            return own_chain(own, subject, now=self._clock())
        self._subjects[scope] = subject
        self._desk.renew_due({scope: subject}, now=self._clock())
        return self._desk.chain(scope)

    def _subject(self, name: Mapping[str, str], url: str, key: PublicKey) -> Subject:
        text = name.get("en") or next(iter(name.values()))
        return Subject(name=text, country=self._settings.server.country, url=url, key=key)


def own_chain(path: Path, subject: Subject, *, now: datetime) -> FixedChain:
    """A chain that an institution brings, checked.

    Raises:
        NotFound: there is no such file.
        CertificateMalformed, ChainNotUsable: as `check_chain`.
    """
    if not path.is_file():
        raise NotFound(f"certificate_chain: there is no file {path.name}")
    chain: Sequence[bytes] = read_pem_chain(path.read_bytes())
    check_chain(chain, subject, now=now)
    return FixedChain(tuple(chain))
