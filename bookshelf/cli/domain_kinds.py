"""Puts together the kinds of items that this process applies: settings, the gateway's rules, policies."""

from collections.abc import Callable, Collection, Mapping, Sequence

from bookshelf.cluster.items import check_gateway, check_settings, read_rules, read_settings
from bookshelf.cluster.policy import check_policy, read_policy
from bookshelf.cqrs.item import ItemProblem, Kind
from bookshelf.cqrs.service import Service
from bookshelf.discovery.port import Discovery
from bookshelf.runtime.agent.gate import Admissions
from bookshelf.runtime.agent.item import Apply, ItemKind
from bookshelf.runtime.agent.levels import LogLevels
from bookshelf.runtime.agent.package_kind import NoPackageKind
from bookshelf.runtime.agent.policy import PolicyGate, PolicyKind
from bookshelf.runtime.agent.settings import RulesKind, SettingsKind
from bookshelf.services import SERVICES
from gateway.admission import GatewayGate
from gateway.app import Gateway
from gateway.options import check_rules
from gateway.reload import ReloadableGateway

#: Why `bookshelf up` loads no packages: the embedded log has one writing process (decision 0006).
ONE_PROCESS = "the embedded log has one process; service groups need Kafka and `bookshelf node`"


class RunningGateway:
    """The gateway of this process, and what applies settings to it."""

    def __init__(self, gateway: Gateway, reloadable: ReloadableGateway) -> None:
        self.gateway = gateway
        self._reloadable = reloadable
        self.take_settings = reloadable.take

    def gate(self, admissions: Admissions) -> GatewayGate:
        """Return what lets requests wait while the gateway is paused."""
        return GatewayGate(admissions, self._reloadable.limiter)

    def take_rules(self, text: str | None) -> Apply:
        """Return what puts the rules of a text into force, or the own ones for None. Raises `BadRules`."""
        forces = None if text is None else self.gateway.rules.take(read_rules(text))
        return lambda: self.gateway.rules.set_of_domain(forces)


def make_kinds(
    services: Sequence[Service],
    gates: Mapping[str, PolicyGate],
    gateway: RunningGateway | None = None,
    packages: ItemKind | None = None,
    others: Callable[[], Mapping[str, Collection[str] | None]] = dict,
) -> dict[Kind, ItemKind]:
    """Return the kinds of items of this process.

    `services`: those that it runs, as loaded; `gates`: what checks the requests to each; `packages`: what
    loads service groups, None for a process that has none; `others`: returns further services that a policy
    may name, with their routes if they are known here.
    """
    levels = LogLevels()
    own: dict[str, Collection[str] | None] = {service.name: None for service in SERVICES}
    own |= {one.name: [f"{route.method} {route.path}" for route in one.serves] for one in services}

    def check(service: str, text: str) -> tuple[ItemProblem, ...]:
        return check_policy(service, text, {**others(), **own})

    parts = [] if gateway is None else [gateway.take_settings]
    kinds: dict[Kind, ItemKind] = {
        "settings": SettingsKind(check_settings, read_settings, levels, parts),
        "gateway": RulesKind(lambda text: check_gateway(text, check_rules), _rules_of(gateway)),
        "policy": PolicyKind(check, read_policy, levels, gates),
        "package": packages or NoPackageKind(),
    }
    return kinds


def _rules_of(gateway: RunningGateway | None) -> Callable[[str | None], Apply]:
    """Return what takes rules; a process without a gateway checks them, and has nothing to apply."""
    if gateway is not None:
        return gateway.take_rules
    return lambda _text: lambda: lambda: None


def services_elsewhere(discovery: Discovery) -> Callable[[], Mapping[str, Collection[str] | None]]:
    """Return what returns the services that discovery has, such as those of groups on other nodes."""
    return lambda: dict.fromkeys(instance.service for instance in discovery.snapshot().instances)
