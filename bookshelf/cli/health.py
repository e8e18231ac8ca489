"""`bookshelf health`: checks the health of services on this machine, for containers without curl."""

import sys
from http.client import HTTPConnection, HTTPException

import click

#: Seconds that an answer may take.
_ANSWER_S = 2.0
_OK = 200


@click.command()
@click.argument("services", nargs=-1)
@click.option("--port", type=int, help="Another port than the service's own.")
@click.option("--live", is_flag=True, help="Ask whether it runs, not whether it is ready.")
def health(services: tuple[str, ...], port: int | None, live: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Ask SERVICES on this machine if they are well, else all that answer; the exit code is 0 or 1."""
    asked = {"port": port} if port is not None else _ports(services)
    path = "/health/live" if live else "/health/ready"
    statuses = {name: _status(one, path) for name, one in asked.items()}
    if not services and port is None:
        statuses = {name: status for name, status in statuses.items() if status is not None}
    lines = [f"{name}: {status or 'no answer'}" for name, status in statuses.items()]
    click.echo("\n".join(lines) or "nothing of the shelf answers on this machine")
    sys.exit(0 if set(statuses.values()) == {_OK} else 1)


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
