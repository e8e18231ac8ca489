"""Which service answers a request: what the gateway finds out, for clients of the services' own ports."""

from bookshelf.services import SERVICES

_LOADED = [service.loaded() for service in SERVICES if not service.root]
#: The services with an API that `bookshelf up` runs without accounts and domain, with all their routes.
LOCAL_APIS = [service for service in _LOADED if not service.needs_accounts and not service.needs_domain]


def service_of(method: str, target: str) -> str:
    """Return the name of the service with this route, else with this path, else of one that refuses it."""
    method = "GET" if method == "HEAD" else method
    steps = target.partition("?")[0].split("/")
    matching = [
        (
            route.method != method,
            (route.method == "GET") != (method == "GET"),
            route.path.count("{"),
            service.name,
        )
        for service in _LOADED
        for route in service.serves
        if _is_path_of(route.path, steps)
    ]
    return min(matching)[-1] if matching else "booklist" if method == "GET" else "newbook"


def _is_path_of(template: str, steps: list[str]) -> bool:
    parts = template.split("/")
    return len(parts) == len(steps) and all(
        part.startswith("{") or part == step for part, step in zip(parts, steps, strict=True)
    )
