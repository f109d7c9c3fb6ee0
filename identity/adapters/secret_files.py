"""Secrets in files that only the owner reads: the passphrase, and the access keys.

Access keys are kept as digests. In a demonstration the keys themselves lie beside them, so that
the printed links and the scripted story work again after a restart; production shows a key once.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from identity.adapters.access_keys import access_key_digest
from identity.adapters.key_files import refuse_readable, write_private_file
from identity.config import Environment, KeySettings, refuse_weak_secret
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import NotPermitted

_PASSPHRASE, _DIGESTS, _KEYS = "passphrase", "access-digests.json", "access-keys.json"


def read_passphrase(
    keys: KeySettings,
    *,
    environment: Environment,
    folder: Path,
    random: Callable[[int], bytes],
) -> str:
    """The passphrase of the key files: from the settings, a file, or made here for demonstrations.

    Raises:
        NotPermitted: none is set in production, or the file can be read by others.
        DangerousSetting: it is a default or guessable one.
    """
    if keys.passphrase is not None:
        return keys.passphrase.get_secret_value()
    if keys.passphrase_file is not None:
        return read_secret(keys.passphrase_file)
    if environment is Environment.PRODUCTION:
        raise NotPermitted("production needs a passphrase: set keys.passphrase_file")
    path = folder / _PASSPHRASE
    if not path.exists():
        write_private_file(path, base64url_encode(random(24)).encode() + b"\n")
    return read_secret(path)


def read_access_digests(folder: Path) -> Mapping[str, bytes]:
    """Digests of access keys by scope; empty when none was ever given out."""
    return {
        scope: base64url_decode(digest) for scope, digest in _read_object(folder / _DIGESTS).items()
    }


def read_access_keys(folder: Path) -> Mapping[str, str]:
    """The access keys themselves, by scope, where this installation keeps them."""
    return {scope: str(key) for scope, key in _read_object(folder / _KEYS).items()}


def issue_access_keys(
    scopes: Iterable[str], *, folder: Path, keep: bool, random: Callable[[int], bytes]
) -> Mapping[str, str]:
    """Make a new access key for each scope; an earlier key of the scope stops working.

    Args:
        scopes: `issuer:<slug>` or `verifier:<slug>`.
        folder: where digests (and kept keys) lie.
        keep: also keep the keys themselves; demonstrations only.
        random: source of random bytes.

    Returns:
        The new keys by scope. They are not shown again unless kept.
    """
    new = {scope: base64url_encode(random(32)) for scope in scopes}
    digests = dict(_read_object(folder / _DIGESTS))
    digests.update({s: base64url_encode(access_key_digest(key)) for s, key in new.items()})
    _replace(folder / _DIGESTS, digests)
    if keep:
        _replace(folder / _KEYS, {**_read_object(folder / _KEYS), **new})
    return new


def read_secret(path: Path) -> str:
    """A secret from a file of its owner's.

    Raises:
        KeyFileReadable: others may read it.
        DangerousSetting: it is a default or guessable one.
    """
    refuse_readable(path)
    secret = path.read_text("utf-8").strip()
    refuse_weak_secret(path.name, secret)
    return secret


def read_pin(path: Path) -> str:
    """A token's PIN from a file of its owner's; short, since the token locks itself.

    Raises:
        KeyFileReadable: others may read it.
    """
    refuse_readable(path)
    return path.read_text("utf-8").strip()


def _read_object(path: Path) -> Mapping[str, str]:
    if not path.exists():
        return {}
    refuse_readable(path)
    return parse_json_object(path.read_bytes())


def _replace(path: Path, values: Mapping[str, str]) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    write_private_file(fresh, canonical_json(dict(values)) + b"\n")
    os.replace(fresh, path)
