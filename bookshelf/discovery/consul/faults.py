"""What can go wrong with an agent, in two kinds: it said nothing, or it said no."""

from bookshelf.discovery.port import DiscoveryFault


class NoAnswer(DiscoveryFault):
    """The agent is away, hung, or speaks something else: what was asked of it may or may not be done."""


class Complaint(DiscoveryFault):
    """The agent answered, and not with what was asked for."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def passes(fault: DiscoveryFault) -> bool:
    """Whether time may mend it: no agent or no leader yet, and not a token that is refused."""
    return isinstance(fault, NoAnswer) or (isinstance(fault, Complaint) and fault.status >= 500)  # noqa: PLR2004 (HTTP's own)
