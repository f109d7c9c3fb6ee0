"""Settings: read from one file, overridden by the environment, refused when dangerous."""

from pathlib import Path
from typing import Any

import pytest

from identity.config import DangerousSetting, Settings, load_settings, refuse_weak_vault
from registry.core.refusals import Malformed

DEPLOY = Path(__file__).parents[2] / "deploy"

PRODUCTION = """
[server]
environment = "production"
public_base_url = "https://id.example"
[keys]
passphrase = "a long and winding passphrase"
[vault]
address = "unix:/run/cairn/vault.sock"
[population_register]
kind = "http"
url = "https://register.example"
public_key = "z6Mk"
[[agencies]]
slug = "registry"
name = { en = "Registry" }
types = ["resident-identity"]
[[verifiers]]
slug = "bar"
name = { en = "Bar" }
"""


def load(tmp_path: Path, text: str, **overrides: Any) -> Settings:
    path = tmp_path / "cairn.toml"
    path.write_text(text)
    return load_settings(path, **overrides)


def test_the_production_example_is_accepted(tmp_path: Path):
    settings = load(tmp_path, PRODUCTION)

    assert settings.schema_base == "https://id.example/schemas"


@pytest.mark.parametrize("name", sorted(path.name for path in DEPLOY.glob("*.toml")))
def test_every_deployed_example_loads(name: str):
    assert load_settings(DEPLOY / name).verifiers


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("https://id.example", "http://id.example", "public_base_url"),
        ('kind = "http"', 'kind = "embedded"', "population_register"),
        ("a long and winding passphrase", "changeme changeme changeme", "passphrase"),
        ('address = "unix:/run/cairn/vault.sock"', "", "vault.address"),
        ("a long and winding passphrase", "short", "passphrase"),
        ('passphrase = "a long and winding passphrase"', "", "keys"),
        (
            "[[verifiers]]",
            '[conformance]\npublic_seed = "NOT SECRET"\ninstances = '
            '[{ slug = "a", securing = "vc+jwt", key = "P-256" }]\n[[verifiers]]',
            "conformance.public_seed",
        ),
        (
            'name = { en = "Bar" }',
            'name = { en = "Bar" }\npolicy = { kind = "proof-only" }',
            "policy.kind",
        ),
        (
            'name = { en = "Bar" }',
            'name = { en = "Bar" }\npolicy = { kind = "conformance" }',
            "policy.kind",
        ),
        ('types = ["resident-identity"]', 'types = ["resident-identity"]\nopen = true', "open"),
        ('name = { en = "Bar" }', 'name = { en = "Bar" }\nopen = true', "open"),
        (
            'name = { en = "Bar" }',
            'name = { en = "Bar" }\npolicy = { waived = ["status"] }',
            "waived",
        ),
        (
            'name = { en = "Bar" }',
            'name = { en = "Bar" }\npolicy = { trusted_issuers = ["did:key:z6Mk"] }',
            "trusted_issuers",
        ),
        ('slug = "bar"', 'slug = "registry"', "slug"),
        (
            "[population_register]",
            "[issuing]\nguardian_min_wait_seconds = 86399\n[population_register]",
            "guardian_min_wait_seconds",
        ),
        ('public_key = "z6Mk"', "", "population_register"),
    ],
)
def test_a_dangerous_setting_refuses_to_start(tmp_path: Path, old: str, new: str, named: str):
    assert old in PRODUCTION

    with pytest.raises(DangerousSetting, match=named):
        load(tmp_path, PRODUCTION.replace(old, new))


@pytest.mark.parametrize(
    "text",
    [
        "[server]\nunknown = 1",
        "[server]\nport = 70000",
        "[server]\npublic_base_url = 'http://h/'",
        "[server]\npublic_base_url = 'ftp://h'",
        "not toml at all",
        "[[agencies]]\nslug = 'A b'\nname = { en = 'x' }\ntypes = ['t']",
    ],
)
def test_a_malformed_file_is_refused_by_name(tmp_path: Path, text: str):
    with pytest.raises(Malformed):
        load(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(Malformed, match="no configuration file"):
        load_settings(tmp_path / "nowhere.toml")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CAIRN_SERVER__PORT", "9001")

    assert load(tmp_path, PRODUCTION).server.port == 9001


def test_a_refusal_never_repeats_the_secret(tmp_path: Path):
    with pytest.raises(DangerousSetting) as refused:
        load(tmp_path, PRODUCTION.replace("a long and winding passphrase", "changeme1"))

    assert "changeme1" not in refused.value.detail


def test_the_vaults_own_process_wants_a_token_and_two_officers_in_production(tmp_path: Path):
    vault = 'address = "unix:/run/cairn/vault.sock"\n'
    for more, named in (
        ("", "vault.keys"),
        ('keys = "pkcs11"\n', "vault.officers"),
        ('keys = "pkcs11"\nofficers = ["ada", "ada"]\n', "vault.officers"),
    ):
        settings = load(tmp_path, PRODUCTION.replace(vault, vault + more))
        with pytest.raises(DangerousSetting, match=named):
            refuse_weak_vault(settings)
    fine = 'keys = "pkcs11"\nofficers = ["ada", "bob"]\n'
    refuse_weak_vault(load(tmp_path, PRODUCTION.replace(vault, vault + fine)))


@pytest.mark.parametrize("name", ["looks", "audit"])
def test_production_keeps_what_was_looked_at_for_a_month(tmp_path: Path, name: str):
    term = f"\n[retention]\n{name} = "
    with pytest.raises(DangerousSetting, match=f"retention.{name}"):
        load(tmp_path, f"{PRODUCTION}{term}29\n")
    load(tmp_path, f"{PRODUCTION}{term}30\n")
