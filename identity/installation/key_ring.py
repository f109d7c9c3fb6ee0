"""Opens the key files of an installation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from identity.adapters.key_files import KeyFile
from identity.adapters.passphrases import Passphrase
from identity.installation.folder import DataFolder
from registry.core.keys import KeyType


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Opens key files; new ones are made on the first start."""

    folder: DataFolder
    passphrase: Passphrase
    random: Callable[[int], bytes]
    _opened: dict[str, KeyFile] = field(default_factory=dict)

    def holds(self, name: str) -> bool:
        """Whether there is a key file called `name`."""
        return (self.folder.keys / f"{name}.keys").exists()

    def open(self, name: str, wanted: Mapping[str, KeyType]) -> KeyFile:
        """The key file called `name`; errors as `KeyFile.open_or_create`."""
        if name not in self._opened:
            self._opened[name] = KeyFile.open_or_create(
                self.folder.keys / f"{name}.keys",
                passphrase=self.passphrase,
                wanted=wanted,
                random=self.random,
            )
        return self._opened[name]
