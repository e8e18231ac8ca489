"""Reads all settings, once. Adapters have structs of their own; docs/settings.md describes each setting."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from bookshelf.cluster.settings import ClusterSettings
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.http.request_check import is_loopback
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.storage.postgres.settings import PostgresSettings

PREFIX = "BOOKSHELF_"
#: The name of the installed distribution (docs/decisions/0017-the-name-of-the-distribution.md).
DISTRIBUTION = "bookshelf-microservices"
T = TypeVar("T", bound=msgspec.Struct)

Port = Annotated[int, Meta(ge=0, le=65535)]
#: The subfolder of a data folder that has the folders of its instances.
INSTANCES = "run"
_INSTANCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
#: A text on one line, without controls.
_LINE = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$(?!\n)"
#: States in memory of a partition, however many partitions there are.
_LEAST_CACHED = 100


class WrongSetting(Exception):
    """A setting has an invalid value; the message names the setting and the allowed values."""


def missing_extra(
    needed_by: str, fault: ModuleNotFoundError, extra: str, *, distribution: str = DISTRIBUTION
) -> WrongSetting:
    """Return what to raise if an optional part is not installed: it names the command that installs it here.

    The command names the extra's packages and not our distribution, which no package index has. Without an
    installation's metadata it names the missing package alone.
    """
    mark = f'extra == "{extra}"'
    try:
        declared = requires(distribution) or ()
    except PackageNotFoundError:
        declared = ()
    needed = [text.partition(";")[0].strip() for text in declared if text.endswith(mark)]
    command = shlex.join([sys.executable, "-m", "pip", "install", *(needed or [str(fault.name)])])
    return WrongSetting(f"{needed_by} needs {fault.name}, which is not installed: {command}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with their defaults. In the environment: BOOKSHELF_ and the name in capitals."""

    data: str = ""
    host: str = "127.0.0.1"
    port: Port = 8000
    allowed_hosts: str = ""
    site_api: str = "http://127.0.0.1:8000"
    blobs: str = ""
    service_ports: Literal["fixed", "auto"] = "fixed"
    partitions: Annotated[int, Meta(ge=1, le=64)] = 1
    state_cache: Annotated[int, Meta(ge=_LEAST_CACHED, le=10_000_000)] = 20_000
    command_memory_h: Annotated[float, Meta(ge=1, le=8760)] = 24.0
    accounts: Literal["auto", "on", "off"] = "auto"
    accounts_secret_file: str = ""
    accounts_issuer: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,256}$(?!\n)")] = "bookshelf"
    accounts_token_s: Annotated[int, Meta(ge=60, le=3600)] = 600
    accounts_local_reader: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$(?!\n)")] = "a-reader"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"

    def cached(self, partitions: int) -> int:
        """Return how many aggregates a partition keeps in memory: its share, and never next to none."""
        return max(self.state_cache // partitions, _LEAST_CACHED)

    def private(self, *, accounts: bool = False) -> "Settings":
        """Return the settings of a shelf that one command opens for itself: any free ports, on loopback.

        The command reads and changes the things of the local reader; with `accounts`, those of a person.
        """
        own: Literal["on", "off"] = "on" if accounts else "off"
        return msgspec.structs.replace(self, host="127.0.0.1", port=0, service_ports="auto", accounts=own)

    @property
    def has_accounts(self) -> bool:
        """True if people sign in: as set, or else unless the port is on loopback only."""
        return self.accounts == "on" or (self.accounts == "auto" and not is_loopback(self.host))

    @property
    def secret_file(self) -> Path:
        """The file with the secret of the accounts: as set, or else in the data folder."""
        if self.accounts_secret_file:
            return Path(self.accounts_secret_file).expanduser()
        return self.folder / "accounts.secret"

    @property
    def folder(self) -> Path:
        """The data folder: as set, or XDG's place for data."""
        if self.data:
            return Path(self.data).expanduser()
        return _data_home() / "bookshelf"

    @property
    def has_bucket(self) -> bool:
        """True if blobs are not in a folder of this machine."""
        return "://" in self.blobs

    @property
    def blob_folder(self) -> Path:
        """The folder of blobs: as set, or a subfolder of the data folder; without meaning for a bucket."""
        return Path(self.blobs).expanduser() if self.blobs else self.folder / "blobs"

    def instance_folder(self, name: str) -> Path:
        """Return the folder of one instance of `bookshelf run`. Raises `WrongSetting` for an invalid name."""
        if not _INSTANCE_NAME.fullmatch(name):
            raise WrongSetting(
                f"{name[:100]!r} is no instance's name: up to 100 letters, digits, points, - and _"
            )
        return self.folder / INSTANCES / name


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sites of pages."""

    site_design: Literal["off", "on"] = "off"


class FileSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The uploads of the service files."""

    files_most: Annotated[int, Meta(ge=1, le=1 << 30)] = 20 << 20


class PhotoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Photos: bytes and pixels of an upload, worker processes (0: one less than cores), limits, caches.

    Rates are those of one person in a minute, as one instance counts them.
    """

    photos_bytes: Annotated[int, Meta(ge=1, le=1 << 30)] = 20 << 20
    photos_pixels: Annotated[int, Meta(ge=1, le=400_000_000)] = 100_000_000
    photos_workers: Annotated[int, Meta(ge=0, le=256)] = 0
    photos_uploads_minute: Annotated[int, Meta(ge=1, le=100_000)] = 30
    photos_cache_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 3600
    photos_zone: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,100}$(?!\n)")] = "UTC"
    photos_self_vote: Literal["yes", "no"] = "yes"
    photos_comment_length: Annotated[int, Meta(ge=1, le=10_000)] = 255
    photos_votes_a_minute: Annotated[int, Meta(ge=1)] = 300
    photos_comments_a_minute: Annotated[int, Meta(ge=1)] = 60


class ShopSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bookshop. `shop_currency` is that of its first product; after that it is not changed."""

    shop_name: Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)] = "Bookshelf"
    shop_address: Annotated[str, Meta(max_length=500, pattern=_LINE)] = ""
    shop_currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "EUR"
    shop_zone: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,100}$(?!\n)")] = "UTC"
    shop_invoice_years: Annotated[int, Meta(ge=1, le=100)] = 10


Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gateway, for `bookshelf up` and `bookshelf run gateway`. Empty texts and 0: not set, no limit."""

    # how it forwards
    gateway_rules: str = ""
    gateway_deadline_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    gateway_try_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    gateway_hedge_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    gateway_loopback: Literal["auto", "yes", "no"] = "auto"
    gateway_status: str = "loopback"
    gateway_notice_s: Annotated[float, Meta(ge=0, le=600)] = 0.5
    gateway_drain_s: Annotated[float, Meta(ge=0, le=600)] = 20.0
    gateway_processes: Annotated[int, Meta(ge=1, le=64)] = 1

    # what it admits, and how
    gateway_trusted: str = ""
    gateway_rate: str = ""
    gateway_rate_storage: str = "memory"
    gateway_requests: Annotated[int, Meta(ge=1)] = 1024
    gateway_queue: Count = 2048
    gateway_queue_s: Seconds = 2.0
    gateway_body: Annotated[int, Meta(ge=1)] = 64 << 20
    gateway_connections: Count = 10_000
    gateway_connections_each: Count = 0
    gateway_head_s: Seconds = 10.0
    gateway_body_s: Seconds = 10.0
    gateway_body_rate: Count = 500
    gateway_total_s: Annotated[float, Meta(ge=0)] = 3600.0
    gateway_unread_s: Seconds = 30.0
    gateway_idle_s: Seconds = 75.0
    gateway_tls_cert: str = ""
    gateway_tls_key: str = ""
    gateway_redirect_port: Port = 0
    gateway_hsts_s: Count = 0
    gateway_cors: str = ""
    gateway_compress: bool = True
    gateway_access_log: bool = True
    gateway_jwks: str = ""
    gateway_issuer: str = ""
    gateway_audience: str = ""
    gateway_token_typ: Literal["at+jwt", "any"] = "at+jwt"  # noqa: S105 (a type of tokens)


class InstanceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of one instance, and the address that others find it at. Empty texts: not set."""

    id: str = ""
    address: str = ""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `bookshelf run`: of the instance, and of its log, discovery and storage."""

    instance: InstanceSettings = InstanceSettings()
    kafka: KafkaSettings = KafkaSettings()
    consul: ConsulSettings = ConsulSettings()
    storage: PostgresSettings = PostgresSettings()


#: Every struct of settings.
STRUCTS: tuple[type[msgspec.Struct], ...] = (
    *(
        Settings,
        InstanceSettings,
        KafkaSettings,
        ConsulSettings,
        PostgresSettings,
        GatewaySettings,
        SiteSettings,
        FileSettings,
        PhotoSettings,
        ShopSettings,
        ClusterSettings,
    ),
)
#: Prefixes of the variables that deployments of brokers and agents already set, with the default port.
_USUAL = {"broker": ("KAFKA_BROKER", "9092"), "consul": ("CONSUL_AGENT", "8500")}
_NEAR = "127.0.0.1"
#: Settings whose value may be in a file, which BOOKSHELF_ and the name in capitals and _FILE names.
SECRETS = frozenset({"storage", "kafka_sasl_password", "consul_token", "gateway_rate_storage"})
_FILE = "_FILE"
#: Settings that a rollout can change while processes run (docs/cluster.md).
RELOADABLE = frozenset(
    {
        *("log_level", "gateway_deadline_s", "gateway_try_s", "gateway_hedge_s", "gateway_notice_s"),
        *("gateway_drain_s", "gateway_rate", "gateway_requests", "gateway_queue", "gateway_queue_s"),
        *("gateway_body", "gateway_total_s", "gateway_cors", "gateway_compress", "gateway_access_log"),
    }
)


def _data_home() -> Path:
    # the XDG Base Directory Specification has a relative path ignored
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "share"


def read(environment: Mapping[str, str], **given: Any) -> Settings:  # noqa: ANN401 (the command line's values)
    """Return the settings of a process: what is given wins over the environment, that over the defaults.

    Raises `WrongSetting`.
    """
    return load(Settings, environment, **given)


def read_network(environment: Mapping[str, str], **given: Any) -> Network:  # noqa: ANN401 (as above)
    """Return the settings of an instance; KAFKA_BROKER_ADDR and its like are used if ours are unset.

    Raises `WrongSetting`, `DiscoveryFault`.
    """
    usual = {
        PREFIX + name.upper(): address
        for name, (begins, port) in _USUAL.items()
        if (address := _usual(environment, begins, port))
    }
    environment = usual | dict(environment)
    return Network(
        instance=load(InstanceSettings, environment, **given),
        kafka=load(KafkaSettings, environment, **given),
        consul=load(ConsulSettings, environment, **given),
        storage=load(PostgresSettings, environment, **given),
    )


def _usual(environment: Mapping[str, str], begins: str, usual_port: str) -> str:
    """Return host:port from ..._ADDR and ..._PORT, of which either may be unset; empty if both are."""
    address, port = (environment.get(f"{begins}_{part}", "") for part in ("ADDR", "PORT"))
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):  # noqa: PLR2004 (the highest)
        raise WrongSetting(f"{begins}_PORT: {port!r} is no port; a number from 1 to 65535 is one")
    return with_port(address or _NEAR, port or usual_port) if address or port else ""


def with_port(address: str, port: str) -> str:
    """Return host:port, or the address as it is if it names a port already."""
    return address if ":" in address else f"{address}:{port}"


#: Names in the environment that begin like settings and are none: those of the project's tests, and what
#: Kubernetes and Docker write for a service that is called bookshelf.
_NO_SETTING = re.compile(
    r"BOOKSHELF_((TEST|CHAOS|DEPLOY)_\w+|VERSION|SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)


def _is_link(name: str, value: str) -> bool:
    """Return whether a value is what Kubernetes writes for a service called bookshelf: BOOKSHELF_PORT."""
    return name == "port" and value.startswith(("tcp://", "udp://"))


def fields_by_setting(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the field of each setting in a struct.

    `SETTINGS` of the struct has the names of settings by field; without it each field is a setting.
    """
    names: Mapping[str, str] = getattr(kind, "SETTINGS", {name: name for name in kind.__struct_fields__})
    return {setting: field for field, setting in names.items()}


def setting_names() -> frozenset[str]:
    """Return the name of every setting in the environment."""
    return frozenset(PREFIX + name.upper() for kind in STRUCTS for name in fields_by_setting(kind))


def _check_names(environment: Mapping[str, str]) -> None:
    """Raise `WrongSetting` for a name that is no setting: a misspelt one would be ignored without a word."""
    known = setting_names() | {PREFIX + name.upper() + _FILE for name in SECRETS}
    for name in sorted(environment.keys() - known):
        if name.startswith(PREFIX) and not _NO_SETTING.fullmatch(name):
            # without the prefix, which every name shares
            near = get_close_matches(name[len(PREFIX) :], [one[len(PREFIX) :] for one in known], 1)
            meant = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists all of them"
            raise WrongSetting(f"{name[:100]} is no setting; {meant}")


def _read_secrets(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secret settings whose files are named. Raises `WrongSetting`."""
    found = {}
    for name in SECRETS.intersection(names):
        variable = PREFIX + name.upper()
        if file := environment.get(variable + _FILE):
            if environment.get(variable):
                raise WrongSetting(f"{variable} and {variable}{_FILE} are both set; set only one of them")
            found[name] = _read_secret(variable + _FILE, file)
    return found


def _read_secret(variable: str, file: str) -> str:
    """Return the content of a file without one newline at its end."""
    try:
        content = Path(file).read_bytes().decode().removesuffix("\n")
    except OSError as fault:
        raise WrongSetting(f"{variable}: cannot read {file}: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise WrongSetting(f"{variable}: cannot read {file}: it is not text in UTF-8") from None
    if not content:
        raise WrongSetting(f"{variable}: cannot read {file}: it is empty")
    return content


def load(kind: type[T], environment: Mapping[str, str], **given: Any) -> T:  # noqa: ANN401 (as above)
    """Return a struct of settings, read from the environment and the command line. Raises `WrongSetting`."""
    _check_names(environment)
    fields = fields_by_setting(kind)
    found: dict[str, Any] = {
        name: value
        for name in fields
        if (value := environment.get(PREFIX + name.upper())) is not None and not _is_link(name, value)
    }
    found.update(_read_secrets(tuple(fields), environment))
    found.update({name: given[name] for name in fields if given.get(name) is not None})
    try:
        return msgspec.convert({fields[name]: value for name, value in found.items()}, kind, strict=False)
    except msgspec.ValidationError as fault:
        what, _, where = str(fault).partition(" - at `$.")
        (name,) = (name for name, field in fields.items() if field == where.rstrip("`"))
        msg = f"{name} (or {PREFIX}{name.upper()}): {what.replace('Expected', 'must be').replace('`', '')}"
        raise WrongSetting(msg) from None
