"""Applies a package's manifest to the services that the package declares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bookshelf.cluster.packages import PackageManifest
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import SessionRoute, SessionSettings


def with_manifest(services: Iterable[Service], manifest: PackageManifest) -> tuple[Service, ...]:
    """Return the services with the group, the scope and the excluded keys of their package's manifest.

    They share the level `group` of sessions, and those that compete for a primary have the one of this group.
    A scope in the manifest replaces that of the code; excluded keys are added to those of the code.
    """
    return tuple(_applied(service, manifest) for service in services)


def _applied(service: Service, manifest: PackageManifest) -> Service:
    routes = tuple(
        replace(route, sessions=_sessions(route.sessions, manifest))
        if isinstance(route, SessionRoute)
        else route
        for route in service.serves
    )
    return replace(service, serves=routes, primary_of=manifest.group if service.primary_of else "")


def _sessions(declared: SessionSettings, manifest: PackageManifest) -> SessionSettings:
    return replace(
        declared,
        group=manifest.group,
        scope=manifest.scope or declared.scope,
        exclude=_joined(declared.exclude, manifest.exclude),
    )


def _joined(*given: Mapping[Any, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return all patterns of each level, every one once."""
    levels = sorted({level for exclude in given for level in exclude})
    return {
        level: tuple(dict.fromkeys(pattern for exclude in given for pattern in exclude.get(level, ())))
        for level in levels
    }
