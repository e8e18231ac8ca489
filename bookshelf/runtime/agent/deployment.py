"""The items of a node: what is in force, and what is loaded for the next revision."""

from collections.abc import Collection, Iterable, Mapping

from bookshelf.cqrs.item import ItemChange, Kind, digest_of
from bookshelf.runtime.agent.item import ItemKind, ItemRefused, LoadedItem

Key = tuple[Kind, str]


class Deployment:
    """Loads, deploys and undoes changes in order, through the kinds of items that this node has."""

    def __init__(self, kinds: Mapping[Kind, ItemKind]) -> None:
        self._kinds = kinds
        self._loaded: list[tuple[ItemChange, LoadedItem | None]] = []
        #: The items in force.
        self.applied: dict[Key, ItemChange] = {}
        #: Items that may be in force as they should not: what was before could not be restored.
        self._unknown: set[Key] = set()

    def concerns(self, changes: Iterable[ItemChange]) -> Collection[str] | None:
        """Return the services here whose requests these changes concern; None for all."""
        services = set[str]()
        for change in changes:
            kind = self._kinds.get(change.kind)
            concerned = () if kind is None else kind.concerns(change)
            if concerned is None:
                return None
            services.update(concerned)
        return services

    async def load(self, changes: tuple[ItemChange, ...], *, decided: bool = False) -> dict[Key, str]:
        """Load what is not loaded yet of these changes; return the digests. Raises `ItemRefused`.

        `decided`: the domain has them, and this node has to be as the others are.
        """
        if [change for change, _ in self._loaded] != list(changes[: len(self._loaded)]):
            await self.undo()
        for change in changes[len(self._loaded) :]:
            self._loaded.append((change, await self._load(change, decided=decided)))
        return self._digests()

    async def deploy(self, changes: tuple[ItemChange, ...], *, decided: bool = False) -> dict[Key, str]:
        """Put all changes into force, or none; return the digests. Raises `ItemRefused`."""
        await self.load(changes, decided=decided)
        try:
            for _, item in self._loaded:
                if item is not None:
                    await item.deploy()
        except Exception as fault:
            await self.undo()
            raise ItemRefused(f"it cannot be deployed: {fault}") from fault
        return self._digests()

    async def undo(self) -> None:
        """Restore what was before all that is loaded, deployed or not. Raises what an item raises."""
        while self._loaded:
            change, item = self._loaded.pop()
            if item is None:
                continue
            unknown = self._unknown | {(change.kind, change.name)}
            known, self._unknown = self._unknown, unknown
            await item.undo()
            self._unknown = known

    async def settle(self) -> None:
        """Keep what was deployed."""
        loaded, self._loaded = self._loaded, []
        for change, item in loaded:
            self.applied.pop((change.kind, change.name), None)
            if change.action == "put":
                self.applied[change.kind, change.name] = change
            if item is not None:
                await item.settle()

    async def synchronise(self, contents: Iterable[ItemChange]) -> None:
        """Put these items into force, and no others. Raises `ItemRefused`."""
        await self.undo()
        wanted = {(item.kind, item.name): item for item in contents}
        there = self.applied.keys() | self._unknown
        changes = [ItemChange(kind, name, "remove") for kind, name in there - wanted.keys()]
        changes += [
            item for key, item in wanted.items() if self.applied.get(key) != item or key in self._unknown
        ]
        await self.deploy(tuple(changes), decided=True)
        await self.settle()
        self._unknown = set()

    async def close(self) -> None:
        """Discard what is loaded."""
        await self.undo()

    async def _load(self, change: ItemChange, *, decided: bool) -> LoadedItem | None:
        if change.action == "put" and change.kind != "package":
            digest = digest_of(change.content.encode())
            if digest != change.digest:
                raise ItemRefused(f"{change.kind}/{change.name} has the digest {digest} here")
        kind = self._kinds.get(change.kind)
        if kind is None:
            return None
        # the services and routes that a policy names are those of now, and when a domain starts none run yet
        if change.kind == "policy" and not decided and (problems := kind.check(change)):
            raise ItemRefused(f"the policy of {change.name} is not valid", problems)
        return await kind.load(change)

    def _digests(self) -> dict[Key, str]:
        return {(change.kind, change.name): change.digest for change, _ in self._loaded}
