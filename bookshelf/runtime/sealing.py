"""Seals the personal texts of requests, and opens those of answers and of the events of some views.

Everything between has the sealed texts: commands, events, snapshots, rows and cached answers.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog

from bookshelf.cqrs.message import SEALED, Event, SealedText, sealed_fields
from bookshelf.keyring.port import KeyDestroyed, KeyringFault, KeyStore, SealBroken

if TYPE_CHECKING:
    from bookshelf.keyring.cipher import Cipher, SealedParts

#: What an answer has in place of a text whose key was destroyed.
FORGOTTEN = "forgotten"
#: Seconds between two looks at the keyring, for keys that another process has destroyed.
LOOK_S = 10.0
#: Keys in memory.
_KEYS = 10_000
#: A member of a JSON object that is a sealed text, as this project's encoder writes it; or any sealed text.
_MEMBER = re.compile(rb'"([^"\\]*)":("\\u0002(?:[^"\\]|\\.)*")')
_SEALED_JSON = re.compile(rb'"\\u0002(?:[^"\\]|\\.)*"')
_MARK = b'"\\u0002'
_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str).decode
S = TypeVar("S", bound=msgspec.Struct)
E = TypeVar("E", bound=Event)
_logger = structlog.get_logger(__name__)


class Opener:
    """Opens sealed texts with the keys of one moment; a key that is None was destroyed."""

    def __init__(self, ciphers: "Mapping[str, Cipher | None]") -> None:
        self._ciphers = ciphers

    def open(self, text: str, sealed_as: str) -> str | None:
        """Return the plain text of one that was sealed as a field; None if its key was destroyed.

        Raises `SealBroken`, `KeyringFault`.
        """
        parts = _split(text)
        if parts.field != sealed_as:
            msg = f"a text sealed as {parts.field} stands where {sealed_as} belongs"
            raise SealBroken(msg)
        return self.open_parts(parts)

    def open_parts(self, parts: "SealedParts") -> str | None:
        """Return the plain text of a sealed one; None if its key was destroyed. Raises the same as `open`."""
        if parts.key_id not in self._ciphers:
            msg = f"the key {parts.key_id} of a sealed text is not loaded; `bookshelf dlq retry` loads it"
            raise KeyringFault(msg)
        cipher = self._ciphers[parts.key_id]
        return None if cipher is None else cipher.open(parts)

    def opened(self, event: E) -> E:
        """Return the event with the plain text of each of its sealed texts. Raises the same as `open`."""
        texts = {
            name: self._carrier(text, sealed_as)
            for name, sealed_as in sealed_fields(type(event)).items()
            if isinstance(text := getattr(event, name), str) and text.startswith(SEALED)
        }
        return msgspec.structs.replace(event, **texts) if texts else event

    def _carrier(self, text: str, sealed_as: str) -> SealedText:
        carrier = SealedText(text)
        carrier.opened = self.open(text, sealed_as) or ""
        return carrier


class Seals:
    """Seals and opens texts with the keys of a keyring; without one nothing is sealed, or can be opened.

    Keys stay in memory until `refresh` finds that they were destroyed.
    """

    def __init__(self, keyring: KeyStore | None = None) -> None:
        self.keyring = keyring
        self._ciphers: dict[str, Cipher | None] = {}
        self._secrets: dict[str, bytes] = {}
        self._destroyed: frozenset[str] = frozenset()
        self._moved = asyncio.Event()

    def required(self) -> KeyStore:
        """Return the keyring. Raises `KeyringFault` if there is none."""
        if self.keyring is None:
            raise KeyringFault("this needs a keyring: set accounts_secret_file, and storage to a database")
        return self.keyring

    async def seal(self, value: S, person: str | None) -> S:
        """Return a struct whose sealed fields are sealed with a person's key; None has none.

        Raises `KeyringFault`, `KeyDestroyed`.
        """
        fields = sealed_fields(type(value))
        if person is None or self.keyring is None or not fields:
            return value
        texts = {name: text for name in fields if isinstance(text := getattr(value, name), str)}
        if not texts:
            return value
        cipher = await self.cipher(person)
        return msgspec.structs.replace(
            value, **{name: cipher.seal(fields[name], text) for name, text in texts.items()}
        )

    async def hash_of(self, content: type[msgspec.Struct], person: str | None) -> Callable[[str], str]:
        """Return what makes the hash of a content from a plain one: its HMAC if it can have sealed fields.

        Raises `KeyringFault`, `KeyDestroyed`.
        """
        if person is None or self.keyring is None or not sealed_fields(content):
            return _same
        return (await self.cipher(person)).keyed

    async def cipher(self, person: str) -> "Cipher":
        """Return the cipher of a person, with a new key if there is none. Raises the same as `seal`."""
        from bookshelf.keyring.cipher import Cipher  # noqa: PLC0415 (loads `cryptography`)

        if (known := self._ciphers.get(person)) is not None:
            return known
        cipher = Cipher(person, await self.required().make(person))
        self._keep(person, cipher)
        return cipher

    async def secret(self, key_id: str) -> bytes:
        """Return a secret, with a new one if there is none; it is read once. Raises the same as `seal`."""
        if (known := self._secrets.get(key_id)) is not None:
            return known
        secret = await self.required().make(key_id)
        if key_id not in self._destroyed:
            self._secrets[key_id] = secret
        return secret

    async def opener(self, contents: Iterable[bytes]) -> Opener:
        """Return what opens the sealed texts in these contents, which are JSON. Raises `KeyringFault`."""
        texts = {text for content in contents if is_sealed(content) for text in _SEALED_JSON.findall(content)}
        return await self.opener_of({_split(_text(text)).key_id for text in texts})

    async def opener_of(self, key_ids: Iterable[str]) -> Opener:
        """Return what opens texts that were sealed with these keys. Raises `KeyringFault`."""
        return Opener({key_id: await self._find(key_id) for key_id in key_ids})

    async def open(self, text: str, sealed_as: str) -> str | None:
        """Return the plain text of one that is plain, or sealed as a field; None if its key was destroyed.

        Raises `SealBroken`, `KeyringFault`.
        """
        if not text.startswith(SEALED):
            return text
        return (await self.opener_of([_split(text).key_id])).open(text, sealed_as)

    async def _find(self, key_id: str) -> "Cipher | None":
        from bookshelf.keyring.cipher import Cipher  # noqa: PLC0415 (loads `cryptography`)

        if key_id in self._ciphers:
            return self._ciphers[key_id]
        try:
            key = await self.required().find(key_id)
        except KeyDestroyed:
            self._keep(key_id, None)
            return None
        if key is None:
            msg = f"the keyring has no key {key_id}; restore it from the backup that the log is from"
            raise KeyringFault(msg)
        # it may have been destroyed, and that found out, while the keyring answered
        cipher = None if key_id in self._destroyed else Cipher(key_id, key)
        self._keep(key_id, cipher)
        return cipher

    def _keep(self, key_id: str, cipher: "Cipher | None") -> None:
        if len(self._ciphers) >= _KEYS:
            self._ciphers.clear()
        self._ciphers[key_id] = cipher

    @property
    def erasure(self) -> str:
        """A mark of all keys that are known to be destroyed; empty while there are none."""
        names = "\n".join(sorted(self._destroyed)).encode()
        return blake2b(names, digest_size=8).hexdigest() if names else ""

    async def refresh(self) -> str:
        """Drop the keys that are destroyed by now, and return the mark of them all. Raises `KeyringFault`."""
        if self.keyring is not None:
            destroyed = await self.keyring.destroyed()
            for key_id in destroyed & self._ciphers.keys():
                self._ciphers[key_id] = None
            for key_id in destroyed & self._secrets.keys():
                del self._secrets[key_id]
            if destroyed != self._destroyed:
                self._destroyed = destroyed
                moved, self._moved = self._moved, asyncio.Event()
                moved.set()
        return self.erasure

    async def erased(self, erasure: str) -> None:
        """Wait until the keys that are known to be destroyed are others than those of a mark."""
        while self.erasure == erasure:
            await self._moved.wait()

    async def forget(self, *persons: str) -> None:
        """Destroy the keys of persons, durably and at once here; other processes follow within `LOOK_S`.

        Their sealed texts are then `FORGOTTEN`, and views that have texts opened are rebuilt without them.
        Raises `KeyringFault`.
        """
        await self.required().destroy(*persons)
        await self.refresh()

    async def watch(self, look_s: float = LOOK_S) -> None:
        """Follow the keys that other processes destroy, until cancelled."""
        while True:
            await asyncio.sleep(look_s)
            try:
                await self.refresh()
            except KeyringFault as fault:
                _logger.warning("keyring-unreachable", why=str(fault), again_in_s=look_s)


@dataclass(frozen=True, slots=True)
class ApiSeals:
    """What the API of a service seals and opens with.

    `fields`: what a member of an object may be sealed as, if that is not its own name. `shared`: the fields
    that are sealed with a key that is no person's.
    """

    seals: Seals = field(default_factory=Seals)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    async def open(self, content: bytes, person: str | None = None) -> bytes:
        """Return JSON with the plain texts of its sealed ones, all but shared ones of `person`, if given.

        Raises `SealBroken`, `KeyringFault`.
        """
        if not is_sealed(content):
            return content
        opener = await self.seals.opener([content])

        def put_opened(match: re.Match[bytes]) -> bytes:
            member, parts = match[1].decode(), _split(_text(match[2]))
            if parts.field != member and parts.field not in self.fields.get(member, ()):
                msg = f"a text sealed as {parts.field} stands where {member} belongs"
                raise SealBroken(msg)
            if person not in {None, parts.key_id} and parts.field not in self.shared:
                msg = f"a text of {parts.key_id} stands where one of {person} belongs"
                raise SealBroken(msg)
            plain = opener.open_parts(parts)
            return b'"%s":%s' % (match[1], _encode(FORGOTTEN if plain is None else plain))

        replaced = _MEMBER.sub(put_opened, content)
        if _MARK in replaced:
            raise SealBroken("a sealed text stands outside of an object")
        return replaced


def is_sealed(content: bytes) -> bool:
    """Return True if JSON has a sealed text."""
    return _MARK in content


@cache
def members_of(*kinds: type[msgspec.Struct]) -> Mapping[str, frozenset[str]]:
    """Return what each member of these types may be sealed as, by its name in JSON."""
    found: dict[str, set[str]] = {}
    for kind in kinds:
        names = {attribute.name: attribute.encode_name for attribute in msgspec.structs.fields(kind)}
        for name, sealed_as in sealed_fields(kind).items():
            found.setdefault(names[name], set()).add(sealed_as)
    return {name: frozenset(fields) for name, fields in found.items()}


def _split(text: str) -> "SealedParts":
    from bookshelf.keyring.cipher import split_sealed  # noqa: PLC0415 (loads `cryptography`)

    return split_sealed(text)


def _same(content_hash: str) -> str:
    return content_hash
