"""The whole configuration, read from one TOML file and the environment over it."""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from identity.config.sections import (
    AgencySettings,
    ConformanceSettings,
    DatabaseSettings,
    Environment,
    IssuingSettings,
    KeySettings,
    LedgerSettings,
    OpeningSettings,
    PlaceSettings,
    ProviderSettings,
    RegisterSettings,
    RetentionSettings,
    SchemaSettings,
    ServerSettings,
    VaultSettings,
    VerifierSettings,
)


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
