"""Opens what depends on the secret of the accounts: what reads callers of requests, and a gateway's key."""

from collections.abc import Callable

from bookshelf.cli.start_secret import StartSecret
from bookshelf.config import Settings
from bookshelf.keyring.derived_key import derive_key
from bookshelf.runtime.api.identity import Callers, LocalReader, SignedCallers

#: What the key of the signatures of a client's domain is derived for (gateway/binding.py).
_BINDING = "bookshelf gateway binding"


def open_callers(settings: Settings, secret: StartSecret, *, creates: bool = False) -> Callers:
    """Return what reads callers. `creates`: a missing secret file is created. Raises `WrongSetting`."""
    if not settings.has_accounts:
        return LocalReader()
    return SignedCallers(secret.read(creates=creates), settings.accounts_local_reader)


def bind_key(settings: Settings, secret: StartSecret) -> Callable[[], bytes] | None:
    """Return what returns the key that signs the domains of clients; None if there is no secret file."""
    if not settings.has_accounts and not settings.accounts_secret_file:
        return None
    return lambda: derive_key(secret.read(), _BINDING)
