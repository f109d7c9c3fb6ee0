"""The parts of a configuration; what each setting does is said in its docstring or comment here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from identity.core.retention import MERGED_DAYS, MIN_LEFTOVER_DAYS

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Texts = dict[
    Annotated[str, Field(pattern=r"^(en|zh)$")],  # the languages that the pages speak
    Annotated[str, Field(min_length=1, max_length=300)],
]
Service = Literal["registry", "issuer", "verifier", "wallet"]
CheckName = Literal[
    "proof",
    "issuer",
    "accreditation",
    "schema",
    "validity",
    "status",
    "anchor",
    "holder_binding",
    "audience",
    "policy",
]


class Environment(StrEnum):
    """What an installation is for; it decides which settings are dangerous."""

    PRODUCTION = "production"
    DEMONSTRATION = "demonstration"  # invented people, generated passphrase
    CONFORMANCE = "conformance"  # open instances for outside test suites


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where this process listens, and which services it serves."""

    environment: Environment = Environment.PRODUCTION
    public_base_url: str = "http://127.0.0.1:8000"  # every URL we publish begins with it
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    services: tuple[Service, ...] = ("registry", "issuer", "verifier", "wallet")
    # ISO 3166-1 alpha-2 of the issuing country; codes from XA to XZ belong to nobody
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "XX"
    data_dir: Path = Path("data")  # databases, key files, trust anchor
    log_file: Path | None = None  # JSON lines; not set: standard error
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 26)] = 2 << 20  # 413 beyond it
    requests_per_minute: Annotated[int, Field(ge=0)] = 1200  # per client address; 0 = no limit

    @field_validator("public_base_url")
    @classmethod
    def _plain_base(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("public_base_url is not an http or https URL")
        if value.endswith("/") or parts.fragment:
            raise ValueError("public_base_url has a trailing slash or a fragment")
        return value


class WitnessSettings(_Section):
    """A witness that this registry asks to co-sign its heads."""

    url: str  # its POST /add-checkpoint lies below
    key: Annotated[str, Field(max_length=400)]  # as `cairn witness --show-key` prints it

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("the url of a witness is not an http or https URL")
        return value.rstrip("/")


class LedgerSettings(_Section):
    """Which ledger, and how readers come to trust it."""

    engine: Literal["embedded", "consortium"] = "embedded"
    network: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = "demo"
    registry_url: str | None = None  # of a registry served elsewhere; not set: in this process
    members: tuple[str, ...] = ()  # base URLs of a consortium's registries; none is believed
    # A consortium on this machine with all its members' keys, to found by their votes
    local_network: Path | None = None
    trust_anchor: Path | None = None  # pinned file; not set: the one in data_dir
    # DIDs that one network address may create over HTTP, for which nobody is asked; 0 = no limit
    new_dids_per_hour: Annotated[int, Field(ge=0)] = 120
    witnesses: tuple[WitnessSettings, ...] = ()  # with any, readers believe co-signed heads only
    witness_threshold: Annotated[int, Field(ge=1)] | None = None  # not set: more than half of them


class DatabaseSettings(_Section):
    """SQLAlchemy URLs; not set: SQLite files in data_dir. The vault has its own database."""

    url: SecretStr | None = None
    vault_url: SecretStr | None = None


class KeySettings(_Section):
    """What opens the encrypted key files."""

    passphrase: SecretStr | None = None
    passphrase_file: Path | None = None  # mode 0600


class VaultSettings(_Section):
    """Where the vault is, and where its keys are; `cairn vault serve` is the process."""

    # unix:/path/of/the.sock or http://127.0.0.1:port of a vault in a process of its own; not set:
    # in this process, which production refuses
    address: str | None = None
    access_key_file: Path | None = None  # the key of `vault:service`, for who asks; mode 0600
    keys: Literal["file", "pkcs11"] = "file"  # a key file is for demonstrations only
    pkcs11_module: Path | None = None  # the library of the token
    pkcs11_token: str | None = None  # its label
    pkcs11_pin_file: Path | None = None  # the user PIN; mode 0600
    # secrets of rows; on another medium than the database and in none of its backups
    row_secrets: Path | None = None
    officers: tuple[Slug, ...] = ()  # who may, two together, look into a row or give one up


class RetentionSettings(_Section):
    """Days until what has no end of its own is destroyed; not set: kept until somebody decides."""

    scheduled: bool = True  # once a day, by `cairn up` and `cairn vault serve`; else by hand
    deceased: Annotated[int, Field(ge=1)] | None = None  # rows of dead people, from the report on
    cases: Annotated[int, Field(ge=31)] | None = None  # of the review queue; an appeal takes 30
    # sealed rows of flows that ended long ago; a deferred credential may wait for a fortnight
    leftovers: Annotated[int, Field(ge=MIN_LEFTOVER_DAYS)] = MIN_LEFTOVER_DAYS
    # what a merged registration held; while it is there, two officers can undo the merger
    merged: Annotated[int, Field(ge=MIN_LEFTOVER_DAYS)] = MERGED_DAYS
    looks: Annotated[int, Field(ge=1)] | None = None  # that officers asked for
    audit: Annotated[int, Field(ge=1)] | None = None  # records of looks, in both sinks


class RegisterSettings(_Section):
    """The population register that enrolments are checked against."""

    kind: Literal["embedded", "http"] = "embedded"  # embedded: invented people, never in production
    url: str | None = None
    public_key: str | None = None  # Multikey under which the register signs its answers


class ProviderSettings(_Section):
    """An identity provider (OpenID Connect) that vouches for people, beside the register."""

    issuer: str  # https; its metadata lies below /.well-known/openid-configuration
    client_id: str
    client_secret: SecretStr | None = None  # not set: a public client, by PKCE alone
    redirect_uri: str  # one for the installation: the provider does not learn the agency
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]  # of the numbers that it tells
    number_claim: str = "national_id"
    # what it saw, in the words of docs/real-names.md, for each `acr` that is accepted
    evidence: Annotated[dict[str, tuple[str, ...]], Field(min_length=1)]


class PlaceSettings(_Section):
    """An origin from which status lists, batches and did:web documents may be fetched.

    It holds for whoever asks the resolver, so list nothing that only insiders may reach.
    """

    origin: str  # https://host[:port]
    networks: tuple[str, ...] = Field(min_length=1)  # of its addresses, as 192.0.2.0/24


class AttestationSettings(_Section):
    """Credentials that are issued only to keys whose storage a trusted wallet provider attests."""

    types: tuple[Slug, ...] = Field(min_length=1)
    trusted_keys: tuple[str, ...] = ()  # Multikeys of wallet providers
    trusted_roots: Path | None = None  # PEM: roots for wallet providers alone
    key_storage: tuple[str, ...] = ()  # accepted values, as iso_18045_high; empty: any
    user_authentication: tuple[str, ...] = ()


class WalletSettings(_Section):
    """Wallets that their provider attests (HAIP 1.0 §4.4.1); other wallets only if not required."""

    trusted_keys: tuple[str, ...] = ()  # Multikeys of wallet providers
    trusted_roots: Path | None = None  # PEM: roots for wallet providers alone
    required: bool = True


class IssuingSettings(_Section):
    """How credentials are brought to the ledger."""

    # Anchor batches gather for up to 5 minutes, so that many people share one: copies of a citizen
    # who is alone in hers can be matched by it. Not set: in production they do.
    gather: bool | None = None
    # Multikeys of people who may let issuing go on after `cairn stop-issuing`, two of them
    # together, as `cairn resumer-key` prints them. With fewer than two, a stop is for ever.
    resumers: Annotated[tuple[str, ...], Field(max_length=32)] = ()
    # Shortest wait between enough guardians' approvals and a recovery; below a day only in
    # demonstrations and tests. People choose theirs, up to 30 days.
    guardian_min_wait_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 86_400


class AgencySettings(_Section):
    """One issuing agency."""

    slug: Slug
    name: Texts
    types: tuple[Slug, ...] = Field(min_length=1)
    # PEM, the leaf first, the root left out; not set: a leaf under the installation's own root
    certificate_chain: Path | None = None
    # required: tokens are bound to DPoP keys, and proofs carry our nonce; some wallets cannot
    dpop: Literal["offered", "required"] = "offered"
    # how citizens identify themselves: by a code of the agency, or at [identity_provider]
    identification: Literal["code", "provider"] = "code"
    logo: Annotated[str, Field(pattern=r"^(https://|data:image/)", max_length=65536)] | None = None
    attestation: AttestationSettings | None = None
    wallets: WalletSettings | None = None  # not set: any wallet, unasked who it is
    open: bool = False  # no access key asked; conformance only
    officers: tuple[Slug, ...] = ()  # who proof people, two together, each with a key of her own


class AskedSettings(_Section):
    """What a purpose asks of one credential type."""

    type: Slug
    claims: tuple[tuple[str, ...], ...] = Field(min_length=1)


class PurposeSettings(_Section):
    """A reason to ask, registered on the ledger."""

    code: Slug
    description: Texts
    credentials: tuple[AskedSettings, ...] = Field(min_length=1)
    require: dict[str, bool | int | str] = {}  # claims whose value decides
    pseudonym: bool = False  # may ask to know the same wallet again


class PolicySettings(_Section):
    """What a verifier insists on. Every check is required unless it is waived by name."""

    waived: tuple[CheckName, ...] = ()  # conformance only
    trusted_issuers: tuple[str, ...] = ()  # did:key issuers to accept; conformance only
    # conformance: any did:key or issuer, bound to its key. proof-only: not even bound, for
    # published vectors, never for a decision about a person. Both only in conformance.
    kind: Literal["strict", "conformance", "proof-only"] = "strict"


class InstanceSettings(_Section):
    """One issuer instance for outside test suites: one kind of proof, one fixed did:key."""

    slug: Slug
    securing: Literal[
        "eddsa-rdfc-2022",
        "eddsa-jcs-2022",
        "ecdsa-rdfc-2019",
        "ecdsa-jcs-2019",
        "ecdsa-sd-2023",
        "bbs-2023",
        "vc+jwt",
        "vc+sd-jwt",
        "vc+cose",
    ]
    key: Literal["Ed25519", "P-256", "P-384", "P-521", "BLS12-381"]
    status: bool = False  # adds a BitstringStatusListEntry by itself


class ConformanceSettings(_Section):
    """What outside test suites are pointed at; see docs/conformance.md."""

    # NOT SECRET: everybody can compute the instances' keys from it, which is what it is for.
    public_seed: Annotated[str, Field(min_length=1, max_length=200)]
    instances: tuple[InstanceSettings, ...] = Field(min_length=1)


class SchemaSettings(_Section):
    """Schemas of others: JSON Schemas, and JsonSchemaCredentials, which whoever lists them trusts.

    A `credentialSchema` that is neither ours nor among them is not judged, and never fetched.
    """

    files: tuple[Path, ...] = ()


class HolderSettings(_Section):
    """An institution that holds a share of every sealed identity."""

    institution: str  # its DID on the ledger
    key: str  # as `cairn opening seal-keys` prints it


class OpeningSettings(_Section):
    """To whom identities are sealed at registration, and how many of them open one together.

    A change holds for who is registered, or renamed, after it.
    """

    threshold: Annotated[int, Field(ge=2, le=15)]
    holders: tuple[HolderSettings, ...] = Field(min_length=2, max_length=15)


class VerifierSettings(_Section):
    """One relying party."""

    slug: Slug
    name: Texts
    purposes: tuple[PurposeSettings, ...] = ()
    certificate_chain: Path | None = None  # as an agency's
    open: bool = False  # no access key asked; conformance only
    haip: bool = False  # asks by the High Assurance profile (HAIP 1.0), and takes no less
    policy: PolicySettings = PolicySettings()
