"""All settings of an installation: one TOML file, and environment variables over it.

`CAIRN_SERVER__PORT=9000` overrides `[server] port`. A setting that would hurt people refuses to
start (`refuse_dangerous`); what each setting does is said in its docstring or comment here.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from identity.core.retention import MERGED_DAYS, MIN_LEFTOVER_DAYS, MIN_RECORD_DAYS
from registry.core.refusals import Malformed, NotPermitted

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

_KNOWN_SECRETS = frozenset(
    {"changeme", "change-me", "secret", "password", "passphrase", "cairn", "admin", "default"}
)


class DangerousSetting(NotPermitted):
    """A setting that is not allowed in this environment; the service does not start."""


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


class Settings(BaseSettings):
    """Everything; see `deploy/*.toml` for worked examples."""

    model_config = SettingsConfigDict(
        env_prefix="CAIRN_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    server: ServerSettings = ServerSettings()
    ledger: LedgerSettings = LedgerSettings()
    database: DatabaseSettings = DatabaseSettings()
    keys: KeySettings = KeySettings()
    vault: VaultSettings = VaultSettings()
    retention: RetentionSettings = RetentionSettings()
    population_register: RegisterSettings = RegisterSettings()
    identity_provider: ProviderSettings | None = None  # not set: nobody proofs by login
    places: tuple[PlaceSettings, ...] = ()  # nothing else is ever fetched from outside
    issuing: IssuingSettings = IssuingSettings()
    agencies: tuple[AgencySettings, ...] = ()
    verifiers: tuple[VerifierSettings, ...] = ()
    foreign_schemas: SchemaSettings = SchemaSettings()
    conformance: ConformanceSettings | None = None  # only in conformance
    opening: OpeningSettings | None = None  # not set: nobody is sealed, nobody can be opened

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables win over the file."""
        return env_settings, init_settings

    @property
    def gathers(self) -> bool:
        """Whether anchor batches gather people before they are sealed."""
        if self.issuing.gather is None:
            return self.server.environment is Environment.PRODUCTION
        return self.issuing.gather

    @property
    def schema_base(self) -> str:
        """Where credential types are published."""
        return f"{self.server.public_base_url}/schemas"


def load_settings(path: Path | None, **overrides: Any) -> Settings:
    """Read the TOML file at `path` (or only defaults), then the environment, and judge them.

    Raises:
        Malformed: the file is missing or no TOML, or a setting is unknown or has a wrong value.
        DangerousSetting: as `refuse_dangerous`.
    """
    values: dict[str, Any] = {}
    if path is not None:
        if not path.is_file():
            raise Malformed(f"there is no configuration file {path}")
        try:
            values = TomlConfigSettingsSource(Settings, toml_file=path)()
        except ValueError as error:
            raise Malformed(f"{path} is not TOML: {error}") from error
    for name, value in overrides.items():
        values[name] = {**values.get(name, {}), **value}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise Malformed(f"configuration: {where}") from error
    refuse_dangerous(settings)
    return settings


def refuse_dangerous(settings: Settings) -> None:
    """Refuse what would hurt people in this environment; nothing starts otherwise.

    Raises:
        DangerousSetting: with the name of the setting and what to do instead.
    """
    environment = settings.server.environment
    base = urlsplit(settings.server.public_base_url)
    if environment is not Environment.CONFORMANCE:
        if settings.conformance is not None:
            raise DangerousSetting(
                "conformance.public_seed: keys that everybody knows sign only in conformance"
            )
        for agency in settings.agencies:
            if agency.open:
                raise DangerousSetting(f"agencies.{agency.slug}.open: only in conformance")
        for verifier in settings.verifiers:
            if verifier.open:
                raise DangerousSetting(f"verifiers.{verifier.slug}.open: only in conformance")
            if verifier.policy.waived:
                raise DangerousSetting(
                    f"verifiers.{verifier.slug}.policy.waived: checks are waived only in "
                    "conformance"
                )
            if verifier.policy.kind != "strict":
                raise DangerousSetting(
                    f"verifiers.{verifier.slug}.policy.kind: {verifier.policy.kind} only in "
                    "conformance"
                )
            if verifier.policy.trusted_issuers:
                raise DangerousSetting(
                    f"verifiers.{verifier.slug}.policy.trusted_issuers: only in conformance"
                )
    if settings.ledger.engine == "consortium" and not (
        settings.ledger.members and settings.ledger.trust_anchor
    ):
        raise DangerousSetting(
            "ledger.members, ledger.trust_anchor: a consortium is asked through several members "
            "and believed from a pinned anchor"
        )
    if settings.ledger.local_network is not None and environment is not Environment.DEMONSTRATION:
        raise DangerousSetting(
            "ledger.local_network: one hand holds all members' keys; only in a demonstration"
        )
    if environment is Environment.PRODUCTION and (
        settings.issuing.guardian_min_wait_seconds < 86_400
    ):
        raise DangerousSetting(
            "issuing.guardian_min_wait_seconds: a person needs a day to hear of a recovery"
        )
    if environment is Environment.PRODUCTION:
        if base.scheme != "https" and base.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise DangerousSetting("server.public_base_url: production is served over https")
        if "issuer" in settings.server.services and settings.population_register.kind == "embedded":
            raise DangerousSetting(
                "population_register.kind: the embedded register holds invented people; "
                "name the population register"
            )
        if "issuer" in settings.server.services and settings.vault.address is None:
            raise DangerousSetting(
                "vault.address: production keeps the vault in a process of its own"
            )
        if settings.keys.passphrase is None and settings.keys.passphrase_file is None:
            raise DangerousSetting("keys: production needs a passphrase of its own")
        for name in ("looks", "audit"):
            days = getattr(settings.retention, name)
            if days is not None and days < MIN_RECORD_DAYS:
                raise DangerousSetting(
                    f"retention.{name}: production keeps these for {MIN_RECORD_DAYS} days"
                )
    if settings.population_register.kind == "http" and not (
        settings.population_register.url and settings.population_register.public_key
    ):
        raise DangerousSetting("population_register: http needs its url and its public key")
    if settings.keys.passphrase is not None:
        refuse_weak_secret("keys.passphrase", settings.keys.passphrase.get_secret_value())
    slugs = [agency.slug for agency in settings.agencies]
    slugs += [verifier.slug for verifier in settings.verifiers]
    if settings.conformance is not None:
        slugs += [instance.slug for instance in settings.conformance.instances]
    if len(set(slugs)) != len(slugs):
        raise DangerousSetting("two institutions have the same slug")


def refuse_weak_vault(settings: Settings) -> None:
    """What the vault's own process refuses in production.

    Raises:
        DangerousSetting: keys in a file, or fewer than two officers.
    """
    if settings.server.environment is not Environment.PRODUCTION:
        return
    if settings.vault.keys != "pkcs11":
        raise DangerousSetting("vault.keys: production keeps the index key in a token (pkcs11)")
    if len(set(settings.vault.officers)) < 2:
        raise DangerousSetting("vault.officers: production names two officers or more")


def refuse_weak_secret(name: str, secret: str) -> None:
    """Refuse a secret that is short, or begins with a word everybody tries first.

    Raises:
        DangerousSetting: without the secret in its text.
    """
    if len(secret) < 16:
        raise DangerousSetting(f"{name}: fewer than 16 characters")
    if any(secret.lower().startswith(word) for word in _KNOWN_SECRETS) or len(set(secret)) < 6:
        raise DangerousSetting(f"{name}: a default or guessable secret")
