"""An agent behind a proxy, which runs in a thread so that a test can block."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.consul import HOST, Agent
from support.consul_between import Between, Rewrite, Wrong, between
from support.wire import Backstage


class RegistryWire:
    """The way of a whole fleet to its agent. Who is not there is not answered for."""

    def __init__(self, proxy: Between) -> None:
        self._proxy = proxy
        self.address = f"{HOST}:{proxy.port}"

    def goes_wrong(self, wrong: Wrong) -> None:
        """Have this answered to everything from now on."""
        self._proxy.wrong = wrong

    def rewrites(self, rewrite: Rewrite | None) -> None:
        """Have the lists of instances changed on their way; None: no more."""
        self._proxy.rewrite = rewrite

    def heal(self) -> None:
        """Pass everything on again."""
        self._proxy.wrong = None


@contextmanager
def registry_behind(agent: Agent, backstage: Backstage) -> Iterator[RegistryWire]:
    """Open a port before an agent's, as long as the block lasts."""
    opening = between(agent.ports.http)
    proxy = backstage.run(opening.__aenter__())
    try:
        yield RegistryWire(proxy)
    finally:
        backstage.run(opening.__aexit__(None, None, None))
