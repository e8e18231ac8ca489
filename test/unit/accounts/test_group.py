"""Groups give scopes; those that are built in are always there."""

import pytest
from support.spec import given

from bookshelf.accounts.events import GroupDefined, GroupRemoved
from bookshelf.accounts.group import (
    BUILT_IN,
    GROUP,
    SCOPES,
    AccountGroup,
    DefineGroup,
    RemoveGroup,
    scopes_of,
)
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound

DEFINED = GroupDefined(description="They lend", scopes=("read", "shop:buy"))


def define(**fields: object) -> DefineGroup:
    given_fields = {"group": "lenders", "description": "They lend", "scopes": ("shop:buy", "read"), **fields}
    return DefineGroup(**given_fields)  # type: ignore[arg-type]


def test_a_group_is_defined_changed_and_removed() -> None:
    given(GROUP).when(define()).then(DEFINED)
    given(GROUP, DEFINED).when(define()).then()
    given(GROUP, DEFINED).when(define(scopes=())).then(GroupDefined(description="They lend", scopes=()))
    given(GROUP, DEFINED).when(RemoveGroup(group="lenders")).then(GroupRemoved())
    given(GROUP, DEFINED, GroupRemoved()).when(RemoveGroup(group="lenders")).refused(NotFound)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"group": "Lenders"}, "group"),
        ({"group": ""}, "group"),
        ({"description": "x" * 501}, "description"),
        ({"scopes": ("internal",)}, "scopes"),
    ],
)
def test_what_a_group_cannot_be_is_refused_at_its_field(fields: dict[str, object], field: str) -> None:
    given(GROUP).when(define(**fields)).refused(Invalid, field=field)


def test_built_in_groups_cannot_be_removed_and_admin_has_every_scope() -> None:
    for name in BUILT_IN:
        given(GROUP).when(RemoveGroup(group=name)).refused(Conflict)
    given(GROUP).when(define(group="admin")).refused(Conflict)
    assert scopes_of("admin", AccountGroup()) == SCOPES
    given(GROUP).when(define(group="reader")).then(DEFINED)


def test_a_group_that_is_not_defined_gives_no_scopes() -> None:
    assert scopes_of("lenders", AccountGroup()) == ()
    assert scopes_of("lenders", GROUP.fold([DEFINED])) == ("read", "shop:buy")
    assert scopes_of("manager", AccountGroup()) == ("shop:buy", "shop:manage", "files:write", "accounts:read")
    assert scopes_of("reader", GROUP.fold([GroupDefined(description="", scopes=("read",))])) == ("read",)
