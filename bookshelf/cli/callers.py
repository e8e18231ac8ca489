"""Opens what reads the callers of requests, after the settings `accounts` and `accounts_secret_file`."""

from bookshelf.config import Settings, WrongSetting
from bookshelf.runtime.api.identity import Callers, LocalReader, SignedCallers
from bookshelf.runtime.secret_file import BadSecretFile, read_or_create_secret, read_secret


def open_callers(settings: Settings, *, creates: bool = False) -> Callers:
    """Return what reads callers. `creates`: a missing secret file is created. Raises `WrongSetting`."""
    if not settings.has_accounts:
        return LocalReader()
    read = read_or_create_secret if creates else read_secret
    try:
        secret = read(settings.secret_file)
    except BadSecretFile as fault:
        why = "" if settings.accounts == "on" else f" because {settings.host} is not loopback"
        name = "accounts_secret_file (or BOOKSHELF_ACCOUNTS_SECRET_FILE)"
        msg = f"{name}: {fault}; accounts are on{why}, unless the setting accounts is off"
        raise WrongSetting(msg) from None
    return SignedCallers(secret, settings.accounts_local_reader)
