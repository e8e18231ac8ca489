"""The state of a session as a handler sees it: three levels, what the handler has read, and what it changed.

A handler works on a copy. Afterwards the copy is compared with the original, value by value: the differences
are what the session's owner is asked to write, with the versions of all that the handler has read.
"""

import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from bookshelf.cqrs.errors import Invalid, Refused

#: Bytes of one value and of a whole session (names and values, as JSON in UTF-8), and its number of keys.
VALUE_BYTES, SESSION_BYTES, SESSION_KEYS = 16 << 10, 64 << 10, 200
#: Characters of a key.
KEY_LENGTH = 200
#: How deep arrays and objects of a value may be nested.
DEPTH = 32
LEVELS = ("service", "group", "shared")
#: The name in `exclude` for all levels.
ALL_LEVELS = "*"
_WHOLE_NUMBERS = range(-(1 << 63), 1 << 63)
_encode = msgspec.json.Encoder(order="deterministic").encode
_FIRST_PRINTABLE, _DELETE, _LAST_CONTROL = 0x20, 0x7F, 0x9F


class StateTooLarge(Refused):
    """A value, or a session as a whole, is larger than a session may be."""

    KIND = "too-large"


class StoredValue(msgspec.Struct, frozen=True, array_like=True):
    """The value of a key as JSON, and its version: the number of the change that has set it."""

    version: int
    json: str


class SessionContent(msgspec.Struct, frozen=True, array_like=True):
    """What one aggregate keeps: values by full key, and the number of its last change.

    A full key is `service/NAME/KEY`, `group/NAME/KEY` or `shared/KEY`. `scopes` has the number of the last
    change below each beginning (`service/NAME/`), for handlers that have read all keys there.
    """

    n: int = 0
    values: dict[str, StoredValue] = msgspec.field(default_factory=dict)
    scopes: dict[str, int] = msgspec.field(default_factory=dict)


class Differences(msgspec.Struct, frozen=True):
    """What a handler has changed: values to set as JSON, keys to drop; and the versions that it has read.

    The version of a key that was not there is 0. `scopes`: the numbers of changes, where all keys were read.
    """

    set: dict[str, str]
    drop: tuple[str, ...]
    versions: dict[str, int]
    scopes: dict[str, int]

    def __bool__(self) -> bool:
        """Return True if anything is to be written."""
        return bool(self.set or self.drop)


@lru_cache(maxsize=1024)
def scope_of(full_key: str) -> str:
    """Return the beginning of a full key that its level has: `service/NAME/`, `group/NAME/` or `shared/`."""
    level, _, rest = full_key.partition("/")
    return "shared/" if level == "shared" else f"{level}/{rest.partition('/')[0]}/"


def outdated(content: SessionContent, versions: Mapping[str, int], scopes: Mapping[str, int]) -> str | None:
    """Return what was read in another version than the present one: a key or a scope; None if nothing was."""
    for key, version in versions.items():
        value = content.values.get(key)
        if version != (0 if value is None else value.version):
            return key
    return next((scope for scope, n in scopes.items() if content.scopes.get(scope, 0) != n), None)


def changed_content(
    content: SessionContent, setting: Mapping[str, str], dropping: Sequence[str]
) -> SessionContent:
    """Return the content after one more change, which sets some values (JSON) and drops some keys."""
    n, values, scopes = content.n + 1, {**content.values}, {**content.scopes}
    for key in dropping:
        values.pop(key, None)
        scopes[scope_of(key)] = n
    for key, text in setting.items():
        values[key] = StoredValue(n, text)
        scopes[scope_of(key)] = n
    return SessionContent(n, values, scopes)


def content_bytes(content: SessionContent) -> int:
    """Return the bytes of all full keys and values."""
    return sum(len(key.encode()) + len(value.json.encode()) for key, value in content.values.items())


def check_limits(content: SessionContent, changed: Mapping[str, str]) -> None:
    """Check the changed values and the whole. Raises `StateTooLarge`, `Invalid`."""
    for key, text in changed.items():
        check_key(key)
        _check_size(key, text.encode())
    if len(content.values) > SESSION_KEYS:
        msg = f"a session has {SESSION_KEYS} keys at the most; drop some"
        raise StateTooLarge(msg)
    if content_bytes(content) > SESSION_BYTES:
        msg = f"a session has {SESSION_BYTES} bytes at the most; drop some values"
        raise StateTooLarge(msg)


def _check_size(key: str, encoded: bytes) -> None:
    if len(encoded) > VALUE_BYTES:
        msg = f"{key}: {len(encoded)} bytes; a value in a session has {VALUE_BYTES} at the most"
        raise StateTooLarge(msg)


def check_key(key: str) -> None:
    """Check a key, or a full one. Raises `Invalid`."""
    if not 0 < len(key) <= 2 * KEY_LENGTH + len("service//"):
        msg = f"a key in a session is a text of 1 to {KEY_LENGTH} characters"
        raise Invalid(msg)
    if any(code < _FIRST_PRINTABLE or _DELETE <= code <= _LAST_CONTROL for code in map(ord, key)):
        msg = "a key in a session has no control characters"
        raise Invalid(msg)
    _check_text(key, "a key in a session")


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = f"{what} is no Unicode text: it has half of a surrogate pair"
        raise Invalid(msg) from None


def encode_value(key: str, value: Any) -> str:  # noqa: ANN401 (whatever a handler has set)
    """Return a value as JSON, equal for equal values only. Raises `Invalid`, `StateTooLarge`."""
    _check_json(key, value, DEPTH)
    encoded = _encode(value)
    _check_size(key, encoded)
    return encoded.decode()


def _check_json(key: str, value: Any, depth: int) -> None:  # noqa: ANN401 (as above)
    if not depth:
        msg = f"{key}: a value in a session is nested {DEPTH} deep at the most"
        raise Invalid(msg)
    match value:
        case None | bool():
            return
        case int() if value in _WHOLE_NUMBERS:
            return
        case float() if math.isfinite(value):
            return
        case str():
            _check_text(value, key)
        case list():
            for item in value:
                _check_json(key, item, depth - 1)
        case dict() if all(isinstance(name, str) for name in value):
            for name, item in value.items():
                _check_text(name, key)
                _check_json(key, item, depth - 1)
        case _:
            msg = f"{key}: a value in a session is JSON; {type(value).__name__} {value!r:.60} is not"
            raise Invalid(msg)


class Exclusions:
    """The keys that stay in the process: patterns by level, exact, `prefix*` or `*suffix`.

    Those of `*` are for all levels. Raises ValueError for an unknown level and for any other pattern.
    """

    def __init__(self, patterns: Mapping[str, Sequence[str]] | None = None) -> None:
        patterns = patterns or {}
        if unknown := sorted(patterns.keys() - {ALL_LEVELS, *LEVELS}):
            msg = f"exclude: {unknown[0]!r} is no level; levels are {', '.join(LEVELS)}, and * for all"
            raise ValueError(msg)
        for level, listed in patterns.items():
            if isinstance(listed, str):
                msg = f"exclude: {level} has a list of patterns, not a text"
                raise ValueError(msg)  # noqa: TRY004 (a value of the declaration)
            for pattern in listed:
                _check_pattern(level, pattern)
        everywhere = patterns.get(ALL_LEVELS, ())
        self._patterns = {level: (*everywhere, *patterns.get(level, ())) for level in LEVELS}

    def excludes(self, level: str, key: str) -> bool:
        """Return True if a key of a level stays in the process."""
        return any(_matches(pattern, key) for pattern in self._patterns[level])


def _check_pattern(level: str, pattern: str) -> None:
    stars = pattern.count("*")
    one_end = pattern.startswith("*") != pattern.endswith("*")
    if not pattern or stars > 1 or pattern == "*" or (stars == 1 and not one_end):
        msg = f"exclude: {level}: {pattern!r} is no pattern; write a whole key, prefix* or *suffix"
        raise ValueError(msg)


def _matches(pattern: str, key: str) -> bool:
    if pattern.endswith("*"):
        return key.startswith(pattern[:-1])
    return key.endswith(pattern[1:]) if pattern.startswith("*") else key == pattern


_ABSENT = object()


class SessionLevel(MutableMapping[str, Any]):
    """One level of a session, as a mapping of keys to values of JSON. A handler may change it in any way.

    `scope` is the beginning of its full keys. Values under excluded keys are objects of any kind, which stay
    in `process`. Raises `Invalid` for an impossible key.
    """

    def __init__(
        self,
        level: str,
        scope: str,
        content: SessionContent,
        exclusions: Exclusions,
        process: dict[str, Any],
    ) -> None:
        self._level = level
        self._scope = scope
        self._content = content
        self._exclusions = exclusions
        self._process = process
        self._local: dict[str, Any] = {}
        self._read: set[str] = set()
        self._read_all = False

    def _full(self, key: str) -> str:
        check_key(key)
        if len(key) > KEY_LENGTH:
            msg = f"a key in a session is a text of 1 to {KEY_LENGTH} characters"
            raise Invalid(msg)
        return self._scope + key

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 (the value of the key)
        """Return the value of a key. Raises KeyError."""
        full = self._full(key)
        if self._exclusions.excludes(self._level, key):
            return self._process[full]
        if key not in self._local:
            self._read.add(full)
            stored = self._content.values.get(full)
            self._local[key] = _ABSENT if stored is None else msgspec.json.decode(stored.json)
        if self._local[key] is _ABSENT:
            raise KeyError(key)
        return self._local[key]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 (as above)
        """Set the value of a key."""
        full = self._full(key)
        if self._exclusions.excludes(self._level, key):
            self._process[full] = value
        else:
            self._local[key] = value

    def __delitem__(self, key: str) -> None:
        """Drop a key. Raises KeyError."""
        _ = self[key]
        if self._exclusions.excludes(self._level, key):
            del self._process[self._full(key)]
        else:
            self._local[key] = _ABSENT

    def _keys(self) -> list[str]:
        self._read_all = True
        start = len(self._scope)
        stored = [key[start:] for key in self._content.values if key.startswith(self._scope)]
        stored += [key[start:] for key in self._process if key.startswith(self._scope)]
        keys = dict.fromkeys([*stored, *self._local])
        return [key for key in keys if self._local.get(key) is not _ABSENT]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._keys())

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._keys())

    def differences(self) -> Differences:
        """Return what was changed and read. Raises `Invalid`, `StateTooLarge`."""
        setting: dict[str, str] = {}
        dropping: list[str] = []
        for key, value in self._local.items():
            full = self._scope + key
            stored = self._content.values.get(full)
            if value is _ABSENT:
                dropping += [full] if stored is not None else []
                continue
            encoded = encode_value(key, value)
            if stored is None or stored.json != encoded:
                setting[full] = encoded
        values = self._content.values
        versions = {key: values[key].version if key in values else 0 for key in sorted(self._read)}
        scopes = {self._scope: self._content.scopes.get(self._scope, 0)} if self._read_all else {}
        return Differences(setting, tuple(dropping), versions, scopes)


def joined(*differences: Differences) -> Differences:
    """Return the differences of several levels of one aggregate as one."""
    setting: dict[str, str] = {}
    versions: dict[str, int] = {}
    scopes: dict[str, int] = {}
    for one in differences:
        setting |= one.set
        versions |= one.versions
        scopes |= one.scopes
    return Differences(setting, tuple(key for one in differences for key in one.drop), versions, scopes)
