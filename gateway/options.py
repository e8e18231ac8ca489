"""The gateway's options, read from the settings and grouped by the part that they configure."""

from dataclasses import dataclass, field
from pathlib import Path

from bookshelf.config import GatewaySettings, WrongSetting
from bookshelf.http.request_check import is_loopback
from bookshelf.runtime.clock import Ids, SystemClock, SystemIds
from gateway.auth.verifier import Verifier
from gateway.pages.visibility import Visibility
from gateway.rules_file import Section
from gateway.upstream.address_policy import AddressPolicy
from gateway.upstream.call import CallTimeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """Timeouts, address policy, visibility of the status, rules file and identity of one gateway process.

    `rules`: the rules file; None for no rules. `verifier`: verifies tokens; None to accept none. `notice_s`
    and `drain_s`: seconds for which a gateway that leaves stays open, and waits for requests under way.
    `process`: the number of this process among the `processes` at one port. `ids` makes idempotency keys for
    commands without one; services in the same process share it, because they need no look-up for a key that
    it has just made.
    """

    timeouts: CallTimeouts = field(default_factory=CallTimeouts)
    address_policy: AddressPolicy = field(default_factory=AddressPolicy)
    status: Visibility = field(default_factory=Visibility)
    rules: Path | None = None
    notice_s: float = 0.0
    verifier: Verifier | None = None
    drain_s: float = 5.0
    limits: Section | None = None
    process: int = 1
    processes: int = 1
    ids: Ids = field(default_factory=lambda: SystemIds(SystemClock()))


def read_options(
    settings: GatewaySettings,
    *,
    anywhere: bool,
    host: str,
    verifier: Verifier | None = None,
    limits: Section | None = None,
) -> GatewayOptions:
    """Return the options of the settings.

    `anywhere`: instances may have any address, because this process registers them. `host`: the gateway's own
    host; if it is a loopback address, instances may have one too.

    Raises `WrongSetting`.
    """
    timeouts = CallTimeouts(
        answer_s=settings.gateway_deadline_s, try_s=settings.gateway_try_s, hedge_s=settings.gateway_hedge_s
    )
    wanted = settings.gateway_loopback
    loopback = is_loopback(host) if wanted == "auto" else wanted == "yes"
    return GatewayOptions(
        timeouts=timeouts,
        address_policy=AddressPolicy(anywhere=anywhere, loopback=loopback),
        status=_inside(settings.gateway_status),
        rules=Path(settings.gateway_rules).expanduser() if settings.gateway_rules else None,
        notice_s=settings.gateway_notice_s,
        verifier=verifier,
        limits=limits,
        drain_s=settings.gateway_drain_s,
    )


def _inside(who: str) -> Visibility:
    try:
        return Visibility(who)
    except ValueError as fault:
        raise WrongSetting(f"gateway_status: {fault}") from None
