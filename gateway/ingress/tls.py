"""The TLS certificate, reloaded when its files change; open connections keep the former one."""

import asyncio
import ssl
from pathlib import Path

import structlog

#: Seconds between two checks of the files.
_LOOK_S = 5.0

_logger = structlog.get_logger(__name__)


class BadCertificate(ValueError):
    """Certificate and key cannot be used; the message gives the reason."""


class Certificate:
    """A server's certificate chain and key (PEM), loaded into a TLS context."""

    def __init__(self, chain: Path, key: Path, look_s: float = _LOOK_S) -> None:
        self._chain = chain
        self._key = key
        self._look_s = look_s
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.renewed = 0
        self._state = self._stamp()
        self._load()

    async def watch(self) -> None:
        """Reload the files when they change, until cancelled. If that fails, the former certificate stays."""
        while True:
            await asyncio.sleep(self._look_s)  # sleep: between two checks of the files
            self.look()

    def look(self) -> None:
        """Reload the files if they have changed."""
        state = self._stamp()
        if state == self._state:
            return
        self._state = state
        try:
            self._tried()
            self._load()
        except BadCertificate as fault:
            _logger.warning("certificate-not-loaded", why=str(fault))
        else:
            self.renewed += 1
            _logger.info("certificate-renewed", file=self._chain.name)

    def _tried(self) -> None:
        """Load the files into a spare context first: a mismatched pair would break the context in use."""
        _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._chain, self._key)

    def _load(self) -> None:
        _loaded(self.context, self._chain, self._key)

    def _stamp(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (self._chain, self._key))


def _loaded(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    try:
        context.load_cert_chain(chain, key)
    except (OSError, ssl.SSLError) as fault:
        raise BadCertificate(f"{chain.name} and {key.name}: {fault.strerror or fault}") from fault
