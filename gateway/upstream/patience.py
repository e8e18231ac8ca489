"""How long the gateway waits for instances."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds.

    `answer_s`: for an answer to begin, all tries together, if the route does not say otherwise. `try_s`: for
    one try, as long as another can follow. `piece_s`: for each piece of an answer's body.
    `again_s`: before a request that a service could not take just now is sent again, once for each;
    `in_all_s`: after which it is not: as long as a partition may take to move, and no longer than a query
    waits for its view, which is waited for once. `hedge_s`: after which a query is put to a second
    instance as well; 0 for never.
    """

    answer_s: float = 30.0
    try_s: float = 10.0
    piece_s: float = 30.0
    again_s: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    in_all_s: float = 2.0
    hedge_s: float = 0.0
