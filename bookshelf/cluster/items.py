"""The kinds of items of a domain, and the checks of those that are one file."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bookshelf.cluster.toml_text import BadToml, field_problems, loads, nearest, plain_fault, problem_at
from bookshelf.config import RELOADABLE, SECRETS, STRUCTS, fields_by_setting
from bookshelf.cqrs.item import ItemChange, ItemProblem, digest_of

SETTINGS_FILE = "config.toml"
GATEWAY_FILE = "gateway.toml"


def _kinds() -> Mapping[str, Any]:
    """Return the type of every setting by its name."""
    return {
        setting: field.type
        for struct in STRUCTS
        for setting, name in fields_by_setting(struct).items()
        for field in msgspec.structs.fields(struct)
        if field.name == name
    }


_KINDS = _kinds()
_RELOADABLE_KINDS = {name: kind for name, kind in _KINDS.items() if name in RELOADABLE}


def check_settings(text: str) -> tuple[ItemProblem, ...]:
    """Return what is wrong with the settings of a domain: each must be reloadable, and fit its type."""
    try:
        given = loads(text, SETTINGS_FILE)
    except BadToml as fault:
        return (fault.problem,)
    found = [_refused(name, text) for name in given.keys() - _RELOADABLE_KINDS.keys()]
    known = {name: value for name, value in given.items() if name in _RELOADABLE_KINDS}
    found += field_problems(known, _RELOADABLE_KINDS, text, SETTINGS_FILE)
    return tuple(sorted(found, key=lambda problem: (problem.line, problem.field)))


def _refused(name: str, text: str) -> ItemProblem:
    """Return the problem of a setting that no rollout can change."""
    if name in SECRETS:
        return problem_at(text, SETTINGS_FILE, (name,), "is a secret; it is set on each node")
    if name in _KINDS:
        what = "is read once, at the start of a node, and cannot be changed by a rollout"
        return problem_at(text, SETTINGS_FILE, (name,), what)
    return problem_at(text, SETTINGS_FILE, (name,), "is no setting", nearest(name, _RELOADABLE_KINDS))


def read_settings(text: str) -> dict[str, Any]:
    """Return the values of settings that have been checked, by name."""
    return {
        name: msgspec.convert(value, _RELOADABLE_KINDS[name])
        for name, value in loads(text, SETTINGS_FILE).items()
    }


#: Checks the content of a gateway's rules file, as the gateway itself does; raises `ValueError`'s like.
ReadRules = Callable[[Mapping[str, Any]], object]


def check_gateway(text: str, read: ReadRules) -> tuple[ItemProblem, ...]:
    """Return what is wrong with the rules of the gateway; `read` is the gateway's own reader of them."""
    try:
        given = loads(text, GATEWAY_FILE)
    except BadToml as fault:
        return (fault.problem,)
    try:
        read(given)
    except Exception as fault:  # noqa: BLE001 (whatever the reader refuses them with)
        return (_rules_problem(str(fault), given, text),)
    return ()


_AT = re.compile(r" - at `\$((?:\.\w+|\[\d+\])*)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_NO_TABLE = re.compile(r"there is no table '(\w+)'")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")


def _rules_problem(message: str, given: Mapping[str, Any], text: str) -> ItemProblem:
    """Return the problem that a reader of rules has named, like `TABLE: what - at $.forbid[0].path`."""
    table, _, what = message.partition(": ")
    path: tuple[str, ...] = ()
    if table in given:
        path, message = (table,), what
    elif (absent := _NO_TABLE.match(message)) is not None and absent[1] in given:
        table = absent[1]
        path = (table,)
    if (at := _AT.search(message)) is not None:
        path += tuple(name or number for name, number in _STEP.findall(at[1]))
    elif path and isinstance(given[table], list):
        path += ("0",)
    if (unknown := _UNKNOWN.search(message)) is not None:
        return problem_at(text, GATEWAY_FILE, (*path, unknown[1]), "does not exist")
    return problem_at(text, GATEWAY_FILE, path, plain_fault(message)[:500])


def read_rules(text: str) -> dict[str, Any]:
    """Return the decoded content of rules that have been checked."""
    return loads(text, GATEWAY_FILE)


def check_digest(change: ItemChange, file: str) -> tuple[ItemProblem, ...]:
    """Return the problem of a change whose content has another digest than it states."""
    if change.action == "remove" or digest_of(change.content.encode()) == change.digest:
        return ()
    return (ItemProblem(file, "has another digest than the change states"),)
