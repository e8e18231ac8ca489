"""`bookshelf health`: checks the health of services on this machine, for containers without curl."""

import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

import click

#: Seconds that an answer may take.
_ANSWER_S = 2.0


@click.command()
@click.argument("services", nargs=-1)
@click.option("--port", type=int, help="Another port than the service's own.")
@click.option("--live", is_flag=True, help="Ask whether it runs, not whether it is ready.")
def health(services: tuple[str, ...], port: int | None, live: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Ask SERVICES on this machine if they are well, else all that answer; the exit code is 0 or 1."""
    asked = {"port": port} if port is not None else _ports(services)
    path = "/health/live" if live else "/health/ready"
    statuses = {name: _status(one, path) for name, one in asked.items()}
    named = bool(services) or port is not None
    click.echo("\n".join(_lines(statuses, named)) or "nothing of the shelf answers on this machine")
    sys.exit(0 if _well(statuses, named) else 1)


def _ports(services: tuple[str, ...]) -> dict[str, int]:
    """Return the default ports of the named services, or of all."""
    # Not at the top: a container asks every few seconds, by its port, and all contexts take long to load.
    from bookshelf.services import SERVICES  # noqa: PLC0415

    known = {**{service.name: service.port for service in SERVICES}, "gateway": 8000}
    if unknown := [name for name in services if name not in known]:
        msg = f"{unknown[0]!r} is none of {', '.join(known)}"
        raise click.BadParameter(msg, param_hint="SERVICES")
    return {name: known[name] for name in services or known}


def _status(port: int, path: str) -> int | None:
    """Return the status of the answer; None if nothing listens, 0 if no answer comes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, HTTPException):
        return 0  # something listens and does not answer: that counts as unhealthy
    finally:
        connection.close()


def _well(statuses: dict[str, int | None], named: bool) -> bool:  # noqa: FBT001 (as above)
    answers = [status for status in statuses.values() if named or status is not None]
    return bool(answers) and all(status == 200 for status in answers)  # noqa: PLR2004 (the status of OK)


def _lines(statuses: dict[str, int | None], named: bool) -> Iterator[str]:  # noqa: FBT001 (as above)
    for name, status in statuses.items():
        if named or status is not None:
            yield f"{name}: {status or 'no answer'}"
