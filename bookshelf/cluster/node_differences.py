"""What differs between the nodes of a domain, from what each of them shows of itself in discovery."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Literal

import msgspec

#: How many hexadecimal digits of a digest are compared.
_DIGITS = 12
_GATEWAY = "gateway_"


class PresentNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is in discovery.

    `revision` and `digest` are those of the items in force. `settings`: the digest of each of its own
    settings that should be equal and has not its default. `is_gateway`: it runs a gateway.
    """

    node: str
    version: str
    revision: int
    digest: str
    settings: Mapping[str, str] = {}
    is_gateway: bool = False


class NodeDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How some nodes differ from the others: `here` is theirs, `there` is that of most.

    `kind`: `version`, `revision`, or `items`, other ones at the same revision; `settings`: `names` have other
    values, which are not shown; `single`: the services `names` have no second instance.
    """

    kind: Literal["version", "revision", "items", "settings", "single"]
    nodes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    here: str = ""
    there: str = ""


def difference_text(one: NodeDifference) -> str:
    """Return a difference as a line of English text."""
    nodes, names = ", ".join(one.nodes), ", ".join(one.names)
    match one.kind:
        case "single":
            return f"no second instance of {names}"
        case "settings":
            return f"{nodes}: other values of its own for {names}"
        case "items":
            return f"{nodes}: other items in force than on the others at this revision"
        case kind:
            return f"{nodes}: {kind} {one.here}, the others have {one.there}"


def digest_of_texts(texts: Sequence[str]) -> str:
    """Return a short digest of some texts, in any order."""
    return sha256("\n".join(sorted(texts)).encode()).hexdigest()[:_DIGITS]


def node_differences(
    nodes: Sequence[PresentNode], instances: Mapping[str, int]
) -> tuple[NodeDifference, ...]:
    """Return what differs. `instances`: how many ready ones each service has."""
    return (
        *_of(nodes, "version", lambda node: node.version),
        *_of(nodes, "revision", lambda node: str(node.revision)),
        *_of_items(nodes),
        *_of_settings(nodes),
        *_singles(nodes, instances),
    )


def _of(
    nodes: Sequence[PresentNode],
    kind: Literal["version", "revision", "items"],
    value: Callable[[PresentNode], str],
) -> Iterator[NodeDifference]:
    there, others = _unlike(nodes, value)
    for here, names in others.items():
        yield NodeDifference(kind=kind, nodes=tuple(names), here=here, there=there)


def _unlike(
    nodes: Sequence[PresentNode], value: Callable[[PresentNode], str]
) -> tuple[str, dict[str, list[str]]]:
    """Return the value that most nodes have, and the names of the others by their values."""
    counts = Counter(value(node) for node in nodes)
    # of two that are as frequent, the greater one: the newer version or revision
    usual = max(counts, key=lambda one: (counts[one], one), default="")
    others = defaultdict[str, list[str]](list)
    for node in nodes:
        if value(node) != usual:
            others[value(node)].append(node.node)
    return usual, {here: sorted(others[here]) for here in sorted(others)}


def _of_items(nodes: Sequence[PresentNode]) -> Iterator[NodeDifference]:
    for revision in sorted({node.revision for node in nodes}):
        yield from _of([n for n in nodes if n.revision == revision], "items", lambda node: node.digest)


def _of_settings(nodes: Sequence[PresentNode]) -> Iterator[NodeDifference]:
    names_of = defaultdict[tuple[str, ...], list[str]](list)
    for name in sorted({name for node in nodes for name in node.settings}):
        concerned = [node for node in nodes if node.is_gateway or not name.startswith(_GATEWAY)]
        _, others = _unlike(concerned, lambda node, name=name: node.settings.get(name, ""))  # type: ignore[misc]
        unlike = tuple(sorted(node for names in others.values() for node in names))
        if unlike:
            names_of[unlike].append(name)
    for those, names in sorted(names_of.items()):
        yield NodeDifference(kind="settings", nodes=those, names=tuple(names))


def _singles(nodes: Sequence[PresentNode], instances: Mapping[str, int]) -> Iterator[NodeDifference]:
    alone = tuple(sorted(name for name, number in instances.items() if number == 1))
    if len(nodes) > 1 and alone:
        yield NodeDifference(kind="single", names=alone)
