"""The secret of the accounts, as a start reads it: once, for the callers and for the keyring."""

from bookshelf.config import Settings, WrongSetting
from bookshelf.runtime.secret_file import BadSecretFile, read_or_create_secret, read_secret


class StartSecret:
    """The content of the file of `accounts_secret_file`, read when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret: bytes | None = None

    def read(self, *, creates: bool = False) -> bytes:
        """Return the secret. `creates`: a missing file is created. Raises `WrongSetting`."""
        if self._secret is None:
            read = read_or_create_secret if creates else read_secret
            try:
                self._secret = read(self._settings.secret_file)
            except BadSecretFile as fault:
                name = "accounts_secret_file (or BOOKSHELF_ACCOUNTS_SECRET_FILE)"
                raise WrongSetting(f"{name}: {fault}; {self._need}") from None
        return self._secret

    @property
    def _need(self) -> str:
        settings = self._settings
        if not settings.has_accounts:
            return "the keyring cannot be read without it"
        why = "" if settings.accounts == "on" else f" because {settings.host} is not loopback"
        return f"accounts are on{why}, unless the setting accounts is off"
