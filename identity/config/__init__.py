"""All settings of an installation: one TOML file, and environment variables over it.

`CAIRN_SERVER__PORT=9000` overrides `[server] port`. What each setting does is said in
`sections.py`; a setting that would hurt people refuses to start (`dangers.py`).
"""

from identity.config.dangers import (
    DangerousSetting,
    refuse_dangerous,
    refuse_weak_secret,
    refuse_weak_vault,
)
from identity.config.loading import (
    load_settings,
)
from identity.config.sections import (
    AgencySettings,
    AskedSettings,
    AttestationSettings,
    ConformanceSettings,
    DatabaseSettings,
    Environment,
    HolderSettings,
    InstanceSettings,
    IssuingSettings,
    KeySettings,
    LedgerSettings,
    OpeningSettings,
    PlaceSettings,
    PolicySettings,
    ProviderSettings,
    PurposeSettings,
    RegisterSettings,
    RetentionSettings,
    SchemaSettings,
    ServerSettings,
    VaultSettings,
    VerifierSettings,
    WalletSettings,
    WitnessSettings,
)
from identity.config.settings import (
    Settings,
)

__all__ = [
    "AgencySettings",
    "AskedSettings",
    "AttestationSettings",
    "ConformanceSettings",
    "DangerousSetting",
    "DatabaseSettings",
    "Environment",
    "HolderSettings",
    "InstanceSettings",
    "IssuingSettings",
    "KeySettings",
    "LedgerSettings",
    "OpeningSettings",
    "PlaceSettings",
    "PolicySettings",
    "ProviderSettings",
    "PurposeSettings",
    "RegisterSettings",
    "RetentionSettings",
    "SchemaSettings",
    "ServerSettings",
    "Settings",
    "VaultSettings",
    "VerifierSettings",
    "WalletSettings",
    "WitnessSettings",
    "load_settings",
    "refuse_dangerous",
    "refuse_weak_secret",
    "refuse_weak_vault",
]
