"""Who may call what: the seam between routes and the keys that institutions hold."""

from typing import Protocol

from registry.core.refusals import NotPermitted


class AccessDenied(NotPermitted):
    """The access key is missing, unknown, or not for this institution."""


class AccessKeys(Protocol):
    """Answers whether a presented access key opens a scope.

    Scopes are `issuer:<slug>` and `verifier:<slug>`.
    """

    def check(self, scope: str, presented: str | None) -> None:
        """Return when `presented` opens `scope`.

        Raises:
            AccessDenied: it does not.
        """
        ...
