"""What the manifest of a package sets applies to its services."""

from dataclasses import replace

import msgspec
from support.packages import MANIFEST
from support.stateful import SESSIONS, STATEFUL, stateful

from bookshelf.cluster.package_services import with_manifest
from bookshelf.cluster.packages import PackageManifest, read_manifest
from bookshelf.cqrs.session_route import SessionRoute, SessionSettings


def manifest(**given: object) -> PackageManifest:
    """Return a manifest of the group `counters`."""
    return msgspec.structs.replace(read_manifest(MANIFEST), **given)


def sessions_of(made: PackageManifest, declared: SessionSettings = SESSIONS) -> list[SessionSettings]:
    [service] = with_manifest([stateful(declared)], made)
    return [route.sessions for route in service.serves if isinstance(route, SessionRoute)]


def test_the_group_and_the_scope_of_the_manifest_are_those_of_every_route() -> None:
    found = sessions_of(manifest(scope="application"))
    assert {(one.group, one.scope) for one in found} == {("counters", "application")}
    assert len(found) == len(STATEFUL.serves)


def test_without_a_scope_that_of_the_code_stays() -> None:
    assert sessions_of(manifest(), replace(SESSIONS, scope="request"))[0].scope == "request"
    assert sessions_of(manifest(), replace(SESSIONS, reads="local"))[0].reads == "local"


def test_excluded_keys_of_the_manifest_are_added_to_those_of_the_code() -> None:
    found = sessions_of(manifest(exclude={"*": ("local_*", "LOCAL_*"), "shared": ("WORK_DIR",)}))
    assert found[0].exclude == {"*": ("local_*", "LOCAL_*"), "shared": ("WORK_DIR",)}
    assert sessions_of(manifest())[0].exclude == {"*": ("local_*",)}


def test_services_that_compete_for_a_primary_have_that_of_their_group() -> None:
    one, other = with_manifest([replace(STATEFUL, primary_of="x"), STATEFUL], manifest())
    assert (one.primary_of, other.primary_of) == ("counters", "")
