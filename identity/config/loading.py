"""Reading a configuration file."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import TomlConfigSettingsSource

from identity.config.dangers import refuse_dangerous
from identity.config.settings import Settings
from registry.core.refusals import Malformed


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
