"""What an operator has chosen, in the words of the gateway's parts."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from bookshelf.config import Routing, WrongSetting
from bookshelf.runtime.clock import Ids, SystemClock, SystemIds
from gateway.identity.port import Verifier
from gateway.pages.inside import Inside
from gateway.rulefile import Section
from gateway.upstream.patience import Patience
from gateway.upstream.reach import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How long is waited, who may be asked, who sees the status, where the rules are (none: no rules).

    `verifier`: who knows whose a token is; None if no one does. `process`: which one of the `processes` at
    one port this is. `ids` makes the keys of commands that have none; services in the same process take the
    same one, because a key that it has just made needs no look-up there.
    """

    patience: Patience = field(default_factory=Patience)
    reach: Reach = field(default_factory=Reach)
    status: Inside = field(default_factory=Inside)
    rules: Path | None = None
    notice_s: float = 0.0
    verifier: Verifier | None = None
    drain_s: float = 5.0
    limits: Section | None = None
    process: int = 1
    processes: int = 1
    ids: Ids = field(default_factory=lambda: SystemIds(SystemClock()))


def chosen(
    routing: Routing,
    *,
    anywhere: bool,
    host: str,
    verifier: Verifier | None = None,
    limits: Section | None = None,
) -> Choices:
    """Return the choices of the settings. `anywhere`: whoever is registered is trusted: it is this process.

    `host`: where others find the gateway; if that is on loopback, instances may be there too.

    Raises `WrongSetting`.
    """
    patience = Patience(
        answer_s=routing.gateway_deadline_s, try_s=routing.gateway_try_s, hedge_s=routing.gateway_hedge_s
    )
    loopback = _is_loopback(host) if routing.gateway_loopback == "auto" else routing.gateway_loopback == "yes"
    return Choices(
        patience=patience,
        reach=Reach(anywhere=anywhere, loopback=loopback),
        status=_inside(routing.gateway_status),
        rules=Path(routing.gateway_rules).expanduser() if routing.gateway_rules else None,
        notice_s=routing.gateway_notice_s,
        verifier=verifier,
        limits=limits,
        drain_s=routing.gateway_drain_s,
    )


def _inside(who: str) -> Inside:
    try:
        return Inside(who)
    except ValueError as fault:
        raise WrongSetting(f"gateway_status: {fault}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
