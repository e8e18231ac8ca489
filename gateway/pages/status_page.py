"""Renders the status as one HTML page without scripts or external files; all values are escaped."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files

from gateway.pages.status import InstanceStatus, ServiceStatus, Status

#: Seconds after which the browser reloads the page.
_AGAIN_S = 5
_KINDS = {"closed": "good", "half-open": "warn", "open": "bad"}
_STYLE = (files("gateway") / "pages" / "status.css").read_text(encoding="utf-8")
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
#: Allows this style status_page, and nothing else.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def status_page(status: Status) -> bytes:
    """Return the page as HTML."""
    body = "".join([_header(status), *_notes(status), _services(status), _routes(status), _refused(status)])
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gateway</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{_AGAIN_S}"><style>{_STYLE}</style></head>'
    )
    return f"{head}<body>{body}</body></html>".encode()


def _header(status: Status) -> str:
    ready = sum(len(service.instances) for service in status.services)
    well = _tag("all is known", "good") if status.missing is None else _tag("waiting", "warn")
    return (
        f"<header><h1>Gateway</h1>{well}<p>{len(status.routes)} routes, {len(status.services)} services, "
        f"{ready} instances</p><p>Bookshelf {escape(status.version)}, process {status.process} &middot; "
        '<a href="/apidocs/">API docs</a> &middot; <a href="/metrics">metrics</a></p></header><main>'
    )


def _notes(status: Status) -> Iterable[str]:
    for note in (status.missing, status.rules and f"The rules in force are older ones: {status.rules}"):
        if note:
            yield f'<p class="card note">{escape(note)}</p>'


def _services(status: Status) -> str:
    cards = "".join(map(_service, status.services)) or '<p class="none">No service is known yet.</p>'
    return f"<h2>Services</h2>{cards}"


def _service(service: ServiceStatus) -> str:
    panic = _tag("panic: all are ejected", "bad") if service.panic else ""
    none = "" if service.instances else _tag("no instance is ready", "bad")
    counts = f"{service.retries} retries, {service.retries_refused} refused, {service.ejections} ejections"
    rows = [_instance(instance) for instance in service.instances]
    titles = ("instance", "address", "breaker", "ejection", "#busy with", "#mean ms", "version")
    return (
        f'<section class="card"><div class="head"><h3>{escape(service.name)}</h3>{panic}{none}'
        f"<span>{counts}</span></div>{_table(titles, rows) if rows else ''}</section>"
    )


def _instance(instance: InstanceStatus) -> Sequence[str]:
    ejection = _tag("in use", "good") if instance.ejection == "closed" else _tag("ejected", "bad")
    probe = _tag("probe is due", "warn")
    return (
        f"<code>{escape(instance.id)}</code>",
        f"<code>{escape(instance.address)}</code>",
        _tag(instance.breaker, _KINDS.get(instance.breaker, "warn")),
        probe if instance.ejection == "half-open" else ejection,
        str(instance.outstanding),
        f"{instance.mean_ms:.2f}",
        escape(instance.version),
    )


def _routes(status: Status) -> str:
    rows = [
        (
            f"<code>{escape(route.method)}</code>",
            f"<code>{escape(route.path)}</code>",
            escape(route.service),
            escape(route.answered_by),
        )
        for route in status.routes
    ]
    titles = ("method", "path", "declared by", "answered by")
    return f'<h2>Routes</h2><section class="card">{_table(titles, rows)}</section>'


def _refused(status: Status) -> str:
    rows = [
        (
            escape(route.service),
            f"<code>{escape(route.method)} {escape(route.path)}</code>",
            escape(route.why),
        )
        for route in status.refused_routes
    ]
    rows += [
        (f"<code>{escape(name)}</code>", "instance", escape(why))
        for name, why in status.refused_instances.items()
    ]
    if not rows:
        return "</main>"
    table = _table(("who", "what", "why"), rows)
    return f'<h2>Refused</h2><section class="card">{table}</section></main>'


def _tag(text: str, kind: str) -> str:
    return f'<span class="tag {kind}">{escape(text)}</span>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a title that begins with # marks a column of numbers."""
    kinds = [' class="n"' if title.startswith("#") else "" for title in titles]
    head = "".join(
        f"<th{kind}>{title.removeprefix('#')}</th>" for kind, title in zip(kinds, titles, strict=True)
    )
    lines = ("".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
