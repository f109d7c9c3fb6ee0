"""What lies where in the data folder."""

from dataclasses import dataclass
from pathlib import Path

from registry.core.encoding import JsonObject, canonical_json, parse_json_object


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one folder; secrets and key files are private, `public/` may be published."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Passphrase and access keys."""
        return self.root / "secrets"

    @property
    def keys(self) -> Path:
        """Encrypted key files, one for each institution."""
        return self.root / "keys"

    @property
    def ledger(self) -> Path:
        """The ledger of the embedded engine."""
        return self.root / "ledger" / "ledger.db"

    @property
    def head_store(self) -> Path:
        """The newest signed head; kept out of the ledger's backups."""
        return self.root / "heads" / "newest"

    @property
    def cosigned_heads(self) -> Path:
        """Heads that have their quorum of witnesses."""
        return self.root / "heads" / "cosigned.db"

    @property
    def followed_anchor(self) -> Path:
        """How far a consortium's validators were followed."""
        return self.root / "heads" / "followed.db"

    @property
    def fork_evidence(self) -> Path:
        """Two signed headers of one height, should they ever be seen."""
        return self.root / "heads" / "evidence"

    @property
    def identity_database(self) -> Path:
        """Issuing and verifying."""
        return self.root / "identity" / "identity.db"

    @property
    def vault(self) -> Path:
        """The vault: its database, its second audit sink."""
        return self.root / "vault"

    @property
    def vault_database(self) -> Path:
        """Sealed rows."""
        return self.vault / "vault.db"

    @property
    def row_secrets(self) -> Path:
        """Secrets of the vault's rows; kept out of every backup of the vault's database."""
        return self.root / "row-secrets" / "secrets.db"

    @property
    def vault_audit(self) -> Path:
        """The vault's second audit sink, a hash chain."""
        return self.vault / "audit.jsonl"

    @property
    def genesis(self) -> Path:
        """The genesis of the network."""
        return self.root / "public" / "genesis.json"

    @property
    def trust_anchor(self) -> Path:
        """What readers pin."""
        return self.root / "public" / "trust-anchor.json"

    @property
    def root_certificate(self) -> Path:
        """The root of the installation's certificates, PEM."""
        return self.root / "public" / "cairn-root.pem"

    @property
    def parties(self) -> Path:
        """DIDs of the institutions, by scope."""
        return self.root / "public" / "parties.json"

    @property
    def story_told(self) -> Path:
        """Marks that `make run` told its story here."""
        return self.root / "story-told"

    def make(self) -> None:
        """Make the folders, readable by their owner only."""
        for folder in (
            self.root,
            self.secrets,
            self.keys,
            self.ledger.parent,
            self.head_store.parent,
            self.identity_database.parent,
            self.vault,
            self.row_secrets.parent,
            self.genesis.parent,
        ):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def read_document(path: Path) -> JsonObject | None:
    """A JSON object from a file of ours, or None when it is not there yet."""
    return parse_json_object(path.read_bytes()) if path.exists() else None


def write_document(path: Path, document: JsonObject) -> None:
    """Replace a public file whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(canonical_json(document) + b"\n")
    fresh.replace(path)


def founded_dids(document: JsonObject | None) -> dict[str, str]:
    """DIDs by scope from `parties.json`; empty before the founding."""
    return {scope: str(did) for scope, did in (document or {}).items()}
