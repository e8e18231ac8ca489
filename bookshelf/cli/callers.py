"""Opens what reads the callers of requests, after the setting `accounts`."""

from bookshelf.cli.start_secret import StartSecret
from bookshelf.config import Settings
from bookshelf.runtime.api.identity import Callers, LocalReader, SignedCallers


def open_callers(settings: Settings, secret: StartSecret, *, creates: bool = False) -> Callers:
    """Return what reads callers. `creates`: a missing secret file is created. Raises `WrongSetting`."""
    if not settings.has_accounts:
        return LocalReader()
    return SignedCallers(secret.read(creates=creates), settings.accounts_local_reader)
