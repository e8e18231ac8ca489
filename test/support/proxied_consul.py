"""An agent behind a proxy, which runs in a thread so that a test can block."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.consul import HOST, Agent
from support.consul_proxy import ConsulProxy, Rewrite, Wrong, consul_proxy
from support.kafka_proxy import BackgroundLoop


class ProxiedConsul:
    """The proxy between a whole fleet and its agent."""

    def __init__(self, proxy: ConsulProxy) -> None:
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
def proxied_consul(agent: Agent, background_loop: BackgroundLoop) -> Iterator[ProxiedConsul]:
    """Open a port before an agent's, as long as the block lasts."""
    opening = consul_proxy(agent.ports.http)
    proxy = background_loop.run(opening.__aenter__())
    try:
        yield ProxiedConsul(proxy)
    finally:
        background_loop.run(opening.__aexit__(None, None, None))
