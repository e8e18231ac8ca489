"""Writes all manifests and port tables from bookshelf/services.py and packaging/manifests/: `make manifests`.

A template is a file with the path of what it becomes. `@name@` stands for a value; the lines from `@each` to
`@end` are repeated for every service. A line that begins with `@view ` is only for services with a view, one
with `@page ` for services with pages, one with `@profiled ` for those with a profile; one with `@kept ` for
services that keep files and so run once, one with `@scaled ` for all others. One with `@keyed ` is for those
with a keyring, which is in the database of the rows, so that `@view ` is for them too. Services of the
profile `photos` have their rows in MariaDB, and `@galera ` in place of `@view `. A template whose own name
has a value of a service in it (`@name@.yaml`) becomes one file for each service. Some files are written by
hand except for one line or table, which is changed in place: `_LINES` and `_TABLES`. Services that need a
domain are in docker-compose's files and in tables only.
"""

import argparse
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from bookshelf import __version__
from bookshelf.config import Settings
from bookshelf.cqrs.service import Service
from bookshelf.services import SERVICES

ROOT = Path(__file__).resolve().parents[1]
_TEMPLATES = Path("packaging") / "manifests"
_VALUE = re.compile(r"@([a-z]+)@")
_BLOCK = re.compile(r"^@each\n(.*?)^@end\n", re.MULTILINE | re.DOTALL)
_KIND = re.compile(r"^@(view|galera|page|profiled|kept|scaled|keyed) (.*\n)", re.MULTILINE)
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_RESOURCES = re.compile(r"^  - (\S+\.yaml)$", re.MULTILINE)

#: Apps of marathon/ with a documented name that is not the service's.
_APPS = {"lastreadbooks": "lastread", "booklist": "listbooks"}
_APP_LOOP = (r"^for app in kafka consul .*api-gateway; do$", "for app in kafka consul @apps@ api-gateway; do")
#: Manifests of clusters of machines begin so.
_OF_MACHINES = ("kube/", "marathon/", "swarm/")
#: One line of a file: what it is found by, and what it becomes.
_LINES = {
    "Dockerfile": (r"^EXPOSE .*$", "EXPOSE @gateway@ @exposed@"),
    "docs/deployment.md": _APP_LOOP,
    "vagrant/post": _APP_LOOP,
}


def render(services: Iterable[Service], root: Path) -> dict[str, str]:
    """Return the text of each file, by its path below `root`, where the templates are read.

    Raises SystemExit if a service's name fits no manifest, or a file lacks the place to change.
    """
    listed = tuple(services)
    deployed = tuple(service for service in listed if not service.needs_domain)
    for service in listed:
        if not _LABEL.fullmatch(service.name):
            raise SystemExit(f"the name {service.name!r} does not fit into a host name: use a-z, 0-9 and -")
    written: dict[str, str] = {}
    for template in sorted((root / _TEMPLATES).rglob("*.*")):
        path = template.relative_to(root / _TEMPLATES).as_posix()
        chosen = deployed if path.startswith(_OF_MACHINES) else listed
        written |= _fill_template(path, template.read_text(encoding="utf-8"), chosen)
    written["kube.yaml"] = _join_resources(written, root)
    for path in sorted({*_LINES, *_TABLES}):
        text = (root / path).read_text(encoding="utf-8")
        if path in _LINES:
            pattern, line = _LINES[path]
            text = _replace_once(path, text, pattern, _fill(line, _values_of_all(listed)))
        if path in _TABLES:
            pattern, make = _TABLES[path]
            text = _replace_once(path, text, pattern, make(_rows(listed)))
        written[path] = text
    return written


def _fill_template(path: str, text: str, services: tuple[Service, ...]) -> Iterator[tuple[str, str]]:
    if _VALUE.search(path):
        for service in services:
            yield _fill(path, _values(service)), _fill_for(text, service)
        return
    repeated = _BLOCK.sub(lambda block: "".join(_fill_for(block[1], service) for service in services), text)
    yield path, _fill(repeated, _values_of_all(services))


def _fill_for(text: str, service: Service) -> str:
    """Return the text for one service, without the lines for services of other kinds."""
    is_of = {"view": _is_on_postgres(service), "galera": _is_on_galera(service), "page": service.root}
    is_of |= {"profiled": service.profile, "keyed": service.needs_keyring}
    kinds = {kind for kind, is_one in is_of.items() if is_one}
    kinds.add("kept" if service.keeps_files else "scaled")
    kept = _KIND.sub(lambda line: line[2] if line[1] in kinds else "", text)
    return _fill(kept, _values(service))


def _is_on_postgres(service: Service) -> bool:
    """Return True for a service that uses PostgreSQL: for its views, or for the keyring."""
    return bool(service.views or service.needs_keyring) and not _is_on_galera(service)


def _is_on_galera(service: Service) -> bool:
    """Return True for a service that has the rows of its views in MariaDB, which is scaled with it."""
    return bool(service.views) and service.profile == "photos"


def _kind(service: Service) -> str:
    """Return the name of the part of docker-compose.yml that a service is made from."""
    if service.needs_domain:
        return "domain-view" if service.views else "domain"
    if _is_on_galera(service):
        return "galera"
    return "keyed" if service.needs_keyring else "view" if service.views else "service"


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _VALUE.sub(lambda found: values[found[1]], text)


def _values(service: Service) -> dict[str, str]:
    return {
        "name": service.name,
        "tags": ",".join(service.tags),
        "port": str(service.port),
        "profile": service.profile,
        "app": _APPS.get(service.name, service.name),
        "kind": _kind(service),
        "labels": "bookshelf/role: service"
        + (', bookshelf/view: "true"' if _is_on_postgres(service) else "")
        + (', bookshelf/galera: "true"' if _is_on_galera(service) else "")
        + (', bookshelf/page: "true"' if service.root else ""),
        "version": __version__,
    }


def _values_of_all(services: tuple[Service, ...]) -> dict[str, str]:
    names = [service.name for service in services]
    ports = sorted(service.port for service in services)
    near = [service for service in services if service.is_published]
    return {
        "names": ",".join(names),
        # there is no database for a keyring among the apps, and without one these end at their start
        "apps": " ".join(
            _APPS.get(one.name, one.name)
            for one in services
            if not one.needs_keyring and not one.needs_domain
        ),
        "forwards": ", ".join(f"{service.name}={service.name}" for service in near),
        "forwarded": " ".join(f"{service.name}={service.name}" for service in near),
        "ports": ", ".join(f"{{port: {port}}}" for port in ports),
        "published": ", ".join(f'"127.0.0.1:{port}:{port}"' for port in sorted(one.port for one in near)),
        "exposed": " ".join(map(str, ports)),
        "gateway": str(Settings().port),
        "version": __version__,
    }


def _join_resources(written: Mapping[str, str], root: Path) -> str:
    """Return kube/base as one file, in the order of its kustomization."""
    parts = ["# Made of kube/ by `make manifests`. kubectl create -f kube.yaml\n"]
    for name in _RESOURCES.findall(written["kube/base/kustomization.yaml"]):
        path = f"kube/base/{name}"
        parts.append("---\n" + (written.get(path) or (root / path).read_text(encoding="utf-8")))
    return "".join(parts)


def _replace_once(path: str, text: str, pattern: str, by: str) -> str:
    changed, places = re.subn(pattern, lambda _found: by, text, flags=re.MULTILINE)
    if places != 1:
        raise SystemExit(f"{path} has {places} places, not 1, for: {by}")
    return changed


_Rows = list[tuple[str, str, str, str]]


def _rows(services: tuple[Service, ...]) -> _Rows:
    rows = [(one.name, ", ".join(one.tags), str(one.port), one.summary) for one in services]
    return [*rows, ("gateway", "", str(Settings().port), "The only public port, and the API docs")]


def _rst_table(rows: _Rows) -> str:
    """Return a simple table of reStructuredText."""
    head = ("service", "tags", "port", "what it does")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def _markdown_table(rows: _Rows) -> str:
    head = "| service | tags | port | what it does |\n|---|---|---|---|\n"
    cells = [[f"`{name}`", tags, port, summary.replace("|", "\\|")] for name, tags, port, summary in rows]
    lines = [f"| {' | '.join(row)} |\n" for row in cells]
    return head + "".join(lines)


#: One table of a file: what it is found by, and what makes it anew.
_TABLES: dict[str, tuple[str, Callable[[_Rows], str]]] = {
    "README.rst": (r"^=[= ]+\nservice  +tags .*\n=[= ]+\n(?:\w.*\n)+=[= ]+\n", _rst_table),
    "docs/deployment.md": (r"^\| service \| tags \| port \|.*\n(?:\|.*\n)+", _markdown_table),
}


def main() -> None:
    """Write every file whose text is not as it should be, and name it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--into", type=Path, default=ROOT, help="another folder to write to")
    write_files(render(SERVICES, ROOT), parser.parse_args().into)


def write_files(files: Mapping[str, str], into: Path) -> None:
    """Write each file below a folder whose text differs, with its mode in the project; print its path."""
    for path, text in files.items():
        target = into / path
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if (ROOT / path).is_file():
            shutil.copymode(ROOT / path, target)
        print(path)  # noqa: T201 (what a program of the command line has to show)


if __name__ == "__main__":
    main()
