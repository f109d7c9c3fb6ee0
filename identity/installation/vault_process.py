"""The vault of an installation: in this process, in a process of its own, or asked for there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from fastapi import FastAPI

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.adapters.audit_sinks import FileAuditSink
from identity.adapters.passphrases import Passphrase
from identity.adapters.remote_vault import RemoteVault, vault_client
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.secret_files import (
    issue_access_keys,
    read_access_digests,
    read_access_keys,
    read_pin,
    read_secret,
)
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_look_store import SqlLookStore
from identity.adapters.vault_retention_store import SqlRetentionStore
from identity.adapters.vault_rotation_store import SqlRotationStore
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore
from identity.config import Environment, Settings, VaultSettings
from identity.core.access import AccessDenied
from identity.installation.databases import open_vault_database
from identity.installation.folder import DataFolder
from identity.installation.retention import vault_terms
from identity.installation.vault_audit import refuse_older_audit
from identity.vault.break_glass import BreakGlass
from identity.vault.needs import VaultKeyring
from identity.vault.reconcile import Reconciler
from identity.vault.records import AuditRecord
from identity.vault.retention import VaultRetention
from identity.vault.rotation import KeyRotation
from identity.vault.routes import SERVICE_SCOPE, build_router
from identity.vault.service import SealedVault
from identity.web import install_edge
from registry import problems
from registry.core.refusals import Malformed, NotPermitted

MAX_CALL_BYTES = 512 << 10  # the largest row in base64url, and room


@dataclass(frozen=True, slots=True)
class VaultParts:
    """A vault and everything that works on it."""

    vault: SealedVault
    rotation: KeyRotation
    reconciler: Reconciler
    looks: BreakGlass
    opened_since: Callable[[int], list[AuditRecord]]  # reads of rows, for people's own records
    audit: DatabaseAuditSink
    retention: VaultRetention
    closers: tuple[Callable[[], None], ...]

    def close(self) -> None:
        """Let go of stores and keys."""
        for close in reversed(self.closers):
            close()


def open_vault(
    settings: Settings,
    folder: DataFolder,
    *,
    passphrase: str | Passphrase,
    random: Callable[[int], bytes],
    now: Callable[[], int],
    check: bool = True,
) -> VaultParts:
    """The vault itself, with its keys, its row secrets and its two audit sinks.

    Args:
        settings: `vault` and `database`.
        folder: where its files lie.
        passphrase: of the key file, when keys are in a file.
        random: source of random bytes.
        now: unix seconds.
        check: refuse a restored backup; False only to look at one.

    Raises:
        VaultRolledBack: database and row secrets are not of one time.
        KeysUnavailable: the token does not open.
    """
    engine = open_vault_database(settings, folder)
    store = SqlVaultStore(engine)
    secrets = SqliteRowSecrets(settings.vault.row_secrets or folder.row_secrets)
    database_sink = DatabaseAuditSink(engine)
    closers: list[Callable[[], None]] = [engine.dispose, secrets.close]
    try:
        reconciler = Reconciler(store=store, secrets=secrets, now=now)
        if check:
            reconciler.refuse_rolled_back()
            refuse_older_audit(database_sink, folder.vault_audit)
        keys, close_keys = _open_keys(settings.vault, folder, passphrase, random)
        closers.append(close_keys)
    except BaseException:
        for close in reversed(closers):
            close()
        raise
    sink, trail = DatabaseAuditSink(engine), FileAuditSink(folder.vault_audit)
    vault = SealedVault(
        store=store,
        keys=keys,
        secrets=secrets,
        audit=(sink, trail),
        random=random,
        now=now,
    )
    return VaultParts(
        vault=vault,
        rotation=KeyRotation(vault=vault, keys=keys, store=SqlRotationStore(engine)),
        reconciler=reconciler,
        looks=BreakGlass(vault=vault, store=SqlLookStore(engine), random=random, now=now),
        opened_since=sink.opened_since,
        audit=database_sink,
        retention=VaultRetention(
            vault=vault,
            store=SqlRetentionStore(engine),
            trail=trail,
            terms=vault_terms(settings.retention),
            random=random,
        ),
        closers=tuple(closers),
    )


def build_vault_app(settings: Settings, folder: DataFolder, parts: VaultParts) -> FastAPI:
    """What the vault's process serves on its socket, and nothing else."""
    digests = read_access_digests(folder.secrets)
    router = build_router(
        vault=parts.vault,
        looks=parts.looks,
        access=DigestAccessKeys(digests),
        officer_of=Officers(settings.vault.officers, digests),
        opened_since=parts.opened_since,
    )
    app = FastAPI(
        title="Cairn vault",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=router.routes,
    )
    problems.install(app, max_body_bytes=MAX_CALL_BYTES)
    install_edge(app, requests_per_minute=0, https=False)
    return app


def issue_vault_keys(
    settings: Settings, folder: DataFolder, *, random: Callable[[int], bytes]
) -> None:
    """Give out the access keys that a demonstration lacks. Production makes each by hand."""
    scopes = [SERVICE_SCOPE, *(f"officer:{name}" for name in settings.vault.officers)]
    missing = [scope for scope in scopes if scope not in read_access_digests(folder.secrets)]
    if missing and settings.server.environment is not Environment.PRODUCTION:
        issue_access_keys(missing, folder=folder.secrets, keep=True, random=random)


def reach_vault(settings: VaultSettings, folder: DataFolder) -> tuple[RemoteVault, httpx2.Client]:
    """The vault elsewhere, and the client to close.

    Raises:
        Malformed: no address.
        NotPermitted: no access key for the vault.
    """
    if settings.address is None:
        raise Malformed("vault.address is not set")
    if settings.access_key_file is not None:
        key = read_secret(settings.access_key_file)
    else:
        key = read_access_keys(folder.secrets).get(SERVICE_SCOPE, "")
    if not key:
        raise NotPermitted("vault.access_key_file: this process needs a key for the vault")
    client = vault_client(settings.address)
    return RemoteVault(client, access_key=key), client


class Officers:
    """Tells officers by the access keys that they present; no two may have the same."""

    def __init__(
        self, names: tuple[str, ...], digests: Mapping[str, bytes], *, under: str = "officer:"
    ) -> None:
        """Know the officers in `names` that have a key for the scope `under` and their name.

        Raises:
            NotPermitted: two officers have one key, so one person could be both.
        """
        self._officers = {name: digests[under + name] for name in names if under + name in digests}
        if len(set(self._officers.values())) != len(self._officers):
            raise NotPermitted("two officers have the same access key")

    def __call__(self, presented: str | None) -> str:
        """Name of the officer with this key.

        Raises:
            AccessDenied: nobody has it.
        """
        if presented:
            digest = access_key_digest(presented)
            keys = DigestAccessKeys(self._officers)
            for name, known in self._officers.items():
                if known == digest:  # both are digests of 256 random bits
                    keys.check(name, presented)
                    return name
        raise AccessDenied("an officer's access key is required")


def officer_at(officers: Mapping[str, Officers], agency: str, presented: str | None) -> str:
    """Name of the officer of `agency` with this key.

    Raises:
        AccessDenied: nobody there has it, or there is no such agency.
    """
    if agency not in officers:
        raise AccessDenied("an officer's access key is required")
    return officers[agency](presented)


def _open_keys(
    settings: VaultSettings,
    folder: DataFolder,
    passphrase: str | Passphrase,
    random: Callable[[int], bytes],
) -> tuple[VaultKeyring, Callable[[], None]]:
    if settings.keys == "file":
        path = folder.keys / "vault.keys"
        return FileVaultKeys.open_or_create(path, passphrase=passphrase, random=random), _nothing
    # Only here: an installation without a token needs no PKCS#11 library.
    from identity.adapters.vault_token import TokenVaultKeys

    module, label, pin_file = (
        settings.pkcs11_module,
        settings.pkcs11_token,
        settings.pkcs11_pin_file,
    )
    if module is None or label is None or pin_file is None:
        raise Malformed("vault: keys in a token need pkcs11_module, pkcs11_token, pkcs11_pin_file")
    keys = TokenVaultKeys(
        module=Path(module), token_label=label, pin=lambda: read_pin(pin_file), random=random
    )
    keys.create_keys()
    return keys, keys.close


def _nothing() -> None:
    return None
