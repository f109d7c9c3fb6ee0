"""Destroys what is kept of a person; her bindings stay and name nobody."""

from collections.abc import Callable

from identity.realname.ports import BindingStore
from identity.vault.ports import IdentityVault, remains_of


class Erasure:
    """What institutions could open, what mergers left, and her row with its keys."""

    def __init__(
        self,
        *,
        bindings: BindingStore,
        vault: IdentityVault,
        forget_seals: Callable[[str], None] | None = None,
    ) -> None:
        """Join the parts; `forget_seals` destroys what institutions could open of a person."""
        self._bindings = bindings
        self._vault = vault
        self._forget_seals = forget_seals

    def forget(self, person: str) -> None:
        """Erase, her row last, so that a repetition finds what a failure left.

        Of whoever was merged into her there may be more than remains: a merger that was cut short
        left a row and seals, and an undoing that was, the remains of whom it brought back.

        Raises:
            Unavailable: vault or audit does not answer; call it again.
        """
        for ref in (*self._bindings.other_names(person), person):
            if self._forget_seals is not None:
                self._forget_seals(ref)
            if (kept := self._vault.find(remains_of(ref))) is not None:
                self._vault.forget(kept)
            self._vault.forget(ref)
