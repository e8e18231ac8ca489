"""The loop that the programs with Protean share: it places orders for some seconds and prints the figures."""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from protean import Domain


def synchronous(name: str) -> Domain:
    """Return a domain that handles events and commands at once."""
    domain = Domain(name=name)
    domain.config["event_processing"] = domain.config["command_processing"] = "sync"
    return domain


def measure(
    seconds: float,
    place: Callable[[int], None],
    failure: Callable[[int], str],
    facts: Mapping[str, object],
) -> None:
    """Place orders, in the context of a domain; print the figures as JSON, or exit with what has failed.

    `place` gets the number of an order, `failure` how many were placed; the latter returns nothing if all of
    them came to their end.
    """
    logging.disable(logging.WARNING)
    taken_s: list[float] = []
    began = time.perf_counter()
    while (asked := time.perf_counter()) < began + seconds or not taken_s:
        place(len(taken_s))
        taken_s.append(time.perf_counter() - asked)
    per_s = len(taken_s) / (time.perf_counter() - began)
    if failed := failure(len(taken_s)):
        sys.exit(failed)
    known = {**facts, "version": version("protean"), "orders": len(taken_s)}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"per_s": per_s, "taken_s": taken_s, "peak_mib": peak_mib, "facts": known}
    sys.stdout.write(json.dumps(report) + "\n")
