"""Groups of accounts: which scopes their members have. Five are built in, and always there."""

import re
from collections.abc import Mapping
from typing import ClassVar

from bookshelf.accounts.events import EVENTS, GROUP_EVENTS, TOPIC, GroupDefined, GroupRemoved
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event, State

#: Every scope of every context.
SCOPES = (
    "read",
    "write",
    "shop:buy",
    "shop:manage",
    "files:write",
    "photos:moderate",
    "accounts:read",
    "accounts:admin",
    "cluster:read",
    "cluster:propose",
    "cluster:commit",
)
ADMIN = "admin"
#: The groups that are always there, with their scopes.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "reader": ("read", "write"),
    "customer": ("shop:buy",),
    "manager": ("shop:buy", "shop:manage", "files:write", "accounts:read"),
    "moderator": ("photos:moderate",),
    ADMIN: SCOPES,
}
#: The groups of a new account.
FIRST_GROUPS = ("reader", "customer")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_DESCRIPTION_MAX = 500


class DefineGroup(Command, frozen=True):
    """Give the members of a group these scopes. `group` is its name."""

    TYPE: ClassVar[str] = "accounts.define-group.v1"
    group: str
    description: str
    scopes: tuple[str, ...]


class RemoveGroup(Command, frozen=True):
    """Take the scopes of a group from its members. `group` is its name."""

    TYPE: ClassVar[str] = "accounts.remove-group.v1"
    group: str


class AccountGroup(State, frozen=True):
    """What a group gives its members; None if it is not defined."""

    description: str = ""
    scopes: tuple[str, ...] | None = None


def group_key(name: str) -> str:
    """Return the key of a group's events."""
    return f"g-{name}"


def scopes_of(name: str, group: AccountGroup) -> tuple[str, ...]:
    """Return the scopes of a group, in the order of `SCOPES`; a group that is not defined has none."""
    given = BUILT_IN.get(name, ()) if group.scopes is None else group.scopes
    return tuple(scope for scope in SCOPES if scope in given)


def decide(state: AccountGroup, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `Invalid`, `NotFound`."""
    match command:
        case DefineGroup():
            _check(command)
            scopes = tuple(scope for scope in SCOPES if scope in command.scopes)
            if (state.description, state.scopes) == (command.description, scopes):
                return []
            return [GroupDefined(description=command.description, scopes=scopes)]
        case RemoveGroup(group=group) if group in BUILT_IN:
            raise Conflict(f"the group {group} is always there")
        case RemoveGroup() if state.scopes is None:
            raise NotFound("there is no such group")
        case RemoveGroup():
            return [GroupRemoved()]
    return []


def _check(command: DefineGroup) -> None:
    if command.group == ADMIN:
        raise Conflict(f"the group {ADMIN} always has every scope")
    if _NAME.fullmatch(command.group) is None:
        raise Invalid("has 1 to 64 small letters, digits and hyphens", field="group")
    if len(command.description) > _DESCRIPTION_MAX:
        raise Invalid(f"has up to {_DESCRIPTION_MAX} characters", field="description")
    unknown = sorted(set(command.scopes) - set(SCOPES))
    if unknown:
        raise Invalid(f"is of {', '.join(SCOPES)}; {unknown[0]} is none of them", field="scopes")


def evolve(state: AccountGroup, event: Event) -> AccountGroup:
    """Return the group after an event."""
    match event:
        case GroupDefined(description=description, scopes=scopes):
            return AccountGroup(description=description, scopes=scopes)
        case GroupRemoved():
            return AccountGroup()
    return state


GROUP = Aggregate(
    name="group",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=AccountGroup(),
    decide=decide,
    evolve=evolve,
    takes=(DefineGroup, RemoveGroup),
    folds=GROUP_EVENTS,
)
