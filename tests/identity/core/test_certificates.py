"""Certificates of an installation. The oracle is `openssl verify`."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from identity.adapters.certificate_store import SqlCertificates
from identity.adapters.database import create_database
from identity.adapters.key_files import key_from_seed
from identity.adapters.migrate import migrate
from identity.core.certificates import (
    LEAF_LIFETIME,
    RENEW_BEFORE,
    CertificateMalformed,
    ChainNotUsable,
    FixedChain,
    Subject,
    check_chain,
    make_leaf,
    make_root,
    needs_renewal,
    read_certificate,
    read_pem_chain,
    to_pem,
    with_x5c,
)
from identity.installation.certificates import CertificateDesk, Root
from identity.issuer.parts import DEFAULT_VALIDITY
from registry.core.keys import KeyType
from tests.identity.issuer.workbench import Randomness

NOW = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
RANDOM = Randomness()
URL = "https://id.example/issuers/registrar"


def key(name: str) -> Any:
    return key_from_seed(KeyType.P256, sha256(name.encode()).digest())


SUBJECT = Subject(name="Registrar", country="CN", url=URL, key=key("agency").key)
ROOT = make_root(key("root"), name="Root", country="CN", now=NOW, random=RANDOM)


def leaf(subject: Subject = SUBJECT, now: datetime = NOW, **changes: Any) -> bytes:
    return make_leaf(subject, root=ROOT, private=key("root"), now=now, random=RANDOM, **changes)


def test_the_leaf_names_country_host_and_url_and_both_have_key_identifiers() -> None:
    made, root = read_certificate(leaf()), read_certificate(ROOT)

    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    own = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    of_root = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert names.get_values_for_type(x509.DNSName) == ["id.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [URL]
    assert [item.value for item in made.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)] == [
        "CN"
    ]
    assert above.key_identifier == of_root.digest != own.digest
    assert made.issuer == root.subject != made.subject


def test_openssl_accepts_the_leaf_under_the_root_and_not_under_another(tmp_path: Path) -> None:
    other = make_root(key("other"), name="Root", country="CN", now=NOW, random=RANDOM)
    for name, der in (("leaf", leaf()), ("root", ROOT), ("other", other)):
        (tmp_path / f"{name}.pem").write_bytes(to_pem(der))

    def verify(anchor: str) -> int:
        command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp()))]
        command += ["-CAfile", str(tmp_path / f"{anchor}.pem"), str(tmp_path / "leaf.pem")]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert verify("root") == 0
    assert verify("other") != 0


def test_a_leaf_outlives_every_credential_signed_before_its_renewal() -> None:
    made = leaf()
    last_day = NOW + LEAF_LIFETIME - RENEW_BEFORE

    assert DEFAULT_VALIDITY + timedelta(days=2) < RENEW_BEFORE
    assert not needs_renewal(made, SUBJECT, root=ROOT, now=last_day)
    assert needs_renewal(made, SUBJECT, root=ROOT, now=last_day + timedelta(seconds=1))


@pytest.mark.parametrize("change", [{"key": key("new").key}, {"url": "https://else.example/i"}])
def test_a_new_key_or_address_needs_a_new_leaf(change: dict[str, Any]) -> None:
    assert needs_renewal(leaf(), replace(SUBJECT, **change), root=ROOT, now=NOW)


def test_a_root_that_was_made_anew_needs_new_leaves() -> None:
    other = make_root(key("other"), name="Root", country="CN", now=NOW, random=RANDOM)

    assert needs_renewal(leaf(), SUBJECT, root=other, now=NOW)


def test_x5c_is_base64_of_der_and_left_out_where_there_is_no_chain() -> None:
    made = leaf()

    header = with_x5c({"typ": "x"}, FixedChain((made,)))

    (text,) = header["x5c"]
    assert read_pem_chain(
        b"-----BEGIN CERTIFICATE-----\n" + text.encode() + b"\n-----END CERTIFICATE-----\n"
    ) == (made,)
    assert with_x5c({"typ": "x"}, FixedChain()) == {"typ": "x"}


def test_a_chain_from_elsewhere_is_accepted_when_it_fits() -> None:
    check_chain([leaf()], SUBJECT, now=NOW)
    only_host = leaf(replace(SUBJECT, url="https://id.example/other"))
    assert check_chain([only_host], SUBJECT, now=NOW) is None


@pytest.mark.parametrize(
    ("chain", "subject", "now", "reason"),
    [
        ([], SUBJECT, NOW, "one to 5"),
        ([leaf(), ROOT], SUBJECT, NOW, "holds a root"),
        ([leaf(), leaf()], SUBJECT, NOW, "not issued by the next"),
        ([leaf()], replace(SUBJECT, key=key("else").key), NOW, "another key"),
        ([leaf()], replace(SUBJECT, url="https://else.example"), NOW, "neither the URL"),
        ([leaf()], SUBJECT, NOW + LEAF_LIFETIME + timedelta(days=1), "not valid now"),
        ([leaf()], SUBJECT, NOW - timedelta(days=1), "not valid now"),
    ],
)
def test_a_chain_that_does_not_fit_is_refused_with_the_reason(
    chain: list[bytes], subject: Subject, now: datetime, reason: str
) -> None:
    with pytest.raises(ChainNotUsable, match=reason):
        check_chain(chain, subject, now=now)


@pytest.mark.parametrize("junk", [b"", b"\x30\x03\x02\x01\x01", b"-----BEGIN CERTIFICATE-----"])
def test_bytes_that_are_no_certificate_are_refused(junk: bytes) -> None:
    with pytest.raises(CertificateMalformed):
        check_chain([junk], SUBJECT, now=NOW)
    with pytest.raises(CertificateMalformed):
        read_pem_chain(junk)


def test_instances_on_one_database_show_one_leaf_and_renew_it_once(database_url: str) -> None:
    engine = create_database(database_url)
    migrate(engine, "identity")
    store = SqlCertificates(engine)
    desks = [
        CertificateDesk(Root(ROOT, key("root")), store, random=Randomness(seed))
        for seed in (b"a", b"b")
    ]
    keyless = CertificateDesk(Root(ROOT, None), store, random=RANDOM)
    chain = keyless.chain("issuer:registrar")

    keyless.renew_due({"issuer:registrar": SUBJECT}, now=NOW)
    assert chain.current() == ()

    for desk in desks:
        desk.renew_due({"issuer:registrar": SUBJECT}, now=NOW)
    (first,) = chain.current()
    later = NOW + LEAF_LIFETIME - RENEW_BEFORE + timedelta(days=1)
    for desk in desks:
        desk.renew_due({"issuer:registrar": SUBJECT}, now=later)
    (second,) = chain.current()

    assert desks[1].chain("issuer:registrar").current() == (second,)
    assert first != second
    assert read_certificate(second).not_valid_after_utc == later + LEAF_LIFETIME
    engine.dispose()
