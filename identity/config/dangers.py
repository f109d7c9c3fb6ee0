"""Settings that would hurt people; with one of them nothing starts."""

from urllib.parse import urlsplit

from identity.config.sections import Environment, LedgerSettings
from identity.config.settings import Settings
from identity.core.retention import MIN_RECORD_DAYS
from registry.core.refusals import NotPermitted

_KNOWN_SECRETS = frozenset(
    {"changeme", "change-me", "secret", "password", "passphrase", "cairn", "admin", "default"}
)


class DangerousSetting(NotPermitted):
    """A setting that is not allowed in this environment; the service does not start."""


def refuse_dangerous(settings: Settings) -> None:
    """Refuse what would hurt people in this environment; nothing starts otherwise.

    Raises:
        DangerousSetting: with the name of the setting and what to do instead.
    """
    environment = settings.server.environment
    if environment is not Environment.CONFORMANCE:
        _refuse_what_is_for_conformance(settings)
    if environment is Environment.PRODUCTION:
        _refuse_in_production(settings)
    _refuse_weak_ledger(settings.ledger, environment)
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


def _refuse_what_is_for_conformance(settings: Settings) -> None:
    if settings.conformance is not None:
        raise DangerousSetting(
            "conformance.public_seed: keys that everybody knows sign only in conformance"
        )
    for agency in settings.agencies:
        if agency.open:
            raise DangerousSetting(f"agencies.{agency.slug}.open: only in conformance")
    for verifier in settings.verifiers:
        where, policy = f"verifiers.{verifier.slug}", verifier.policy
        if verifier.open:
            raise DangerousSetting(f"{where}.open: only in conformance")
        if policy.waived:
            raise DangerousSetting(f"{where}.policy.waived: checks are waived only in conformance")
        if policy.kind != "strict":
            raise DangerousSetting(f"{where}.policy.kind: {policy.kind} only in conformance")
        if policy.trusted_issuers:
            raise DangerousSetting(f"{where}.policy.trusted_issuers: only in conformance")


def _refuse_weak_ledger(ledger: LedgerSettings, environment: Environment) -> None:
    if ledger.engine == "consortium" and not (ledger.members and ledger.trust_anchor):
        raise DangerousSetting(
            "ledger.members, ledger.trust_anchor: a consortium is asked through several members "
            "and believed from a pinned anchor"
        )
    if ledger.local_network is not None and environment is not Environment.DEMONSTRATION:
        raise DangerousSetting(
            "ledger.local_network: one hand holds all members' keys; only in a demonstration"
        )


def _refuse_in_production(settings: Settings) -> None:
    server, base = settings.server, urlsplit(settings.server.public_base_url)
    if settings.issuing.guardian_min_wait_seconds < 86_400:
        raise DangerousSetting(
            "issuing.guardian_min_wait_seconds: a person needs a day to hear of a recovery"
        )
    if base.scheme != "https" and base.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise DangerousSetting("server.public_base_url: production is served over https")
    if "issuer" in server.services and settings.population_register.kind == "embedded":
        raise DangerousSetting(
            "population_register.kind: the embedded register holds invented people; "
            "name the population register"
        )
    if "issuer" in server.services and settings.vault.address is None:
        raise DangerousSetting("vault.address: production keeps the vault in a process of its own")
    if settings.keys.passphrase is None and settings.keys.passphrase_file is None:
        raise DangerousSetting("keys: production needs a passphrase of its own")
    for name in ("looks", "audit"):
        days = getattr(settings.retention, name)
        if days is not None and days < MIN_RECORD_DAYS:
            raise DangerousSetting(
                f"retention.{name}: production keeps these for {MIN_RECORD_DAYS} days"
            )


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
