"""The address of a MariaDB server, or of the nodes of a Galera cluster, in the setting `storage`."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bookshelf.storage.port import StorageFault

_SCHEMES = ("mariadb", "mysql")
_USUAL_PORT = 3306
_DATABASE = "bookshelf"
#: Names of databases begin with this one, followed by a number; MariaDB has no names above 64 characters.
_NAME = re.compile(r"[A-Za-z0-9_]{1,40}\Z")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?\Z")


class MariaDbAddress(NamedTuple):
    """User and password, the nodes (host and port), and the database of the catalogue.

    The database of a table set has the name of the catalogue's, an underscore and a number.
    """

    user: str
    password: str
    hosts: tuple[tuple[str, int], ...]
    database: str

    def schemas(self, number: int | None = None) -> Mapping[str | None, str]:
        """Return the databases by the schemas that statements name: the catalogue's, and a set's own."""
        catalogue: dict[str | None, str] = {CATALOGUE_SCHEMA: self.database}
        return catalogue if number is None else {**catalogue, None: self.schema(number)}

    def schema(self, number: int) -> str:
        """Return the name of a set's database."""
        return f"{self.database}_{number}"


#: The schema of the catalogue's tables, as statements name it.
CATALOGUE_SCHEMA = "catalogue"


def is_mariadb(url: str) -> bool:
    """Return True if the setting `storage` is the address of a MariaDB."""
    return url.partition("://")[0] in _SCHEMES


def read_address(url: str) -> MariaDbAddress:
    """Return what is in an address like mariadb://user:password@host1,host2:3307/name. Raises `StorageFault`.

    The database is `bookshelf` if none is named. Special characters of user and password are percent-encoded.
    """
    try:
        parts = urlsplit(url)
        who, _, where = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        hosts = tuple(_host(host) for host in where.split(","))
        database = parts.path.strip("/") or _DATABASE
        right = bool(parts.scheme in _SCHEMES and user and _NAME.match(database))
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment:
        # not quoted: it has the password
        msg = "the setting `storage` is no address like mariadb://user:password@host1,host2:3306/bookshelf"
        raise StorageFault(msg)
    return MariaDbAddress(unquote(user), unquote(password), hosts, database)


def _host(text: str) -> tuple[str, int]:
    found = _HOST.match(text)
    if found is None:
        raise ValueError
    port = int(found[2] or _USUAL_PORT)
    if not 0 < port < 1 << 16:
        raise ValueError
    return found[1].strip("[]"), port
