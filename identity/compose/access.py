"""Who may call what: access keys by scope, and instances for test suites that ask for none."""

from identity.adapters.access_keys import DigestAccessKeys, UnsafeOpenAccess
from identity.adapters.secret_files import issue_access_keys, read_access_digests
from identity.compose.site import Site
from identity.config import Environment
from identity.core.access import AccessKeys


def open_access(site: Site) -> AccessKeys:
    """The keys of everybody who may call; what is missing is made, but not in production."""
    settings = site.settings
    scopes = [f"issuer:{agency.slug}" for agency in settings.agencies]
    scopes += [f"verifier:{verifier.slug}" for verifier in settings.verifiers]
    scopes += [f"officer:{name}" for name in settings.vault.officers]
    scopes += [
        f"officer:{agency.slug}/{name}" for agency in settings.agencies for name in agency.officers
    ]
    secrets = site.folder.secrets
    missing = [scope for scope in scopes if scope not in read_access_digests(secrets)]
    if missing and settings.server.environment is not Environment.PRODUCTION:
        issue_access_keys(missing, folder=secrets, keep=True, random=site.random)
    open_scopes = {f"issuer:{agency.slug}" for agency in settings.agencies if agency.open}
    open_scopes |= {f"verifier:{party.slug}" for party in settings.verifiers if party.open}
    open_scopes |= {f"issuer:{instance.settings.slug}" for instance in site.instances}
    closed = DigestAccessKeys(read_access_digests(secrets))
    return _PartlyOpen(closed, frozenset(open_scopes)) if open_scopes else closed


class _PartlyOpen:
    """Access keys for most scopes, and conformance instances that ask for none."""

    def __init__(self, closed: AccessKeys, open_scopes: frozenset[str]) -> None:
        self._closed = closed
        self._open = UnsafeOpenAccess()
        self._open_scopes = open_scopes

    def check(self, scope: str, presented: str | None) -> None:
        """As `AccessKeys.check`."""
        keys = self._open if scope in self._open_scopes else self._closed
        keys.check(scope, presented)
