"""What a real broker is made of, fetched once by Maven and kept outside the checkout.

In the cache: the broker's jars, an archive of its loaded classes (a start takes a third of the time with it),
and a key with its certificate for TLS.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "4.2.2"
#: Where Kafka's own scripts look for how its JVM is to work, and what that is for one that runs for long.
OPTIONS, LASTING = "KAFKA_JVM_PERFORMANCE_OPTS", "-XX:+UseSerialGC"
_POM = f"""<project><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""
STORE_PASSWORD = "a-test-broker"  # noqa: S105 (of a key that only tests trust)
#: Seconds that a fetch may take.
_FETCH_S = 300
REMEDY = "it needs Java 17 and Maven: sudo apt-get install -y default-jre-headless maven"


def cache() -> Path:
    """The folder that is kept between runs."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = given if given.is_absolute() else Path.home() / ".cache"
    return home / "bookshelf" / "kafka" / VERSION


@functools.cache
def available() -> bool:
    """Whether a broker can be started here; fetches it if it can be, and tries that once."""
    if shutil.which("java") is None:
        return False
    try:
        jars()
    except (OSError, subprocess.SubprocessError) as fault:
        sys.stderr.write(f"Kafka cannot be fetched: {fault}\n")
        return False
    return True


def jars() -> str:
    """Return the broker's class path; always in the same order, as the archive wants it."""
    libs = cache() / "libs"
    if not libs.is_dir():
        with _alone():
            if not libs.is_dir():
                _fetch(libs)
    return ":".join(str(jar) for jar in sorted(libs.glob("*.jar")))


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other runs of the tests out of the cache meanwhile."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(libs: Path) -> None:
    work = cache() / "fetching"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "pom.xml").write_text(_POM)
    copy = [
        "mvn",
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=libs",
    ]
    subprocess.run(copy, cwd=work, check=True, stdin=subprocess.DEVNULL, timeout=_FETCH_S)
    (work / "libs").rename(libs)
    shutil.rmtree(work)


def java(*args: str) -> list[str]:
    """Return the command line of a small JVM that uses the archive if there is one.

    It starts fast and never becomes fast, unless the environment has Kafka's own `OPTIONS`.
    """
    archive = cache() / "classes.jsa"
    shared = [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [
        "java",
        "-Xmx256m",
        *os.environ.get(OPTIONS, f"{LASTING} -XX:TieredStopAtLevel=1").split(),
        *(shared if archive.exists() else []),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        jars(),
        *args,
    ]


def archiving(args: list[str], target: Path) -> list[str]:
    """Return a broker's command line that leaves an archive of its classes behind when it ends."""
    return [args[0], f"-XX:ArchiveClassesAtExit={target}", *args[1:]]


@contextmanager
def missing_archive() -> Iterator[Path | None]:
    """Yield where to put the archive, if it is to be made: then it is kept once the block has ended."""
    archive = cache() / "classes.jsa"
    if archive.exists():
        yield None
        return
    jars()
    certificate()  # both are there before the lock is held, which neither can take twice
    with _alone():
        made = cache() / "classes.new"
        yield None if archive.exists() else made
        if made.exists():
            made.rename(archive)


def certificate() -> tuple[Path, Path]:
    """Return a key store for the broker, and the certificate that a client trusts it by."""
    store, trusted = cache() / "broker.p12", cache() / "broker.pem"
    if not trusted.exists():
        with _alone():
            if not trusted.exists():
                _certify(store, trusted)
    return store, trusted


def _certify(store: Path, trusted: Path) -> None:
    new = trusted.with_suffix(".new")
    store.unlink(missing_ok=True)
    chosen = [
        "-alias",
        "broker",
        "-storetype",
        "PKCS12",
        "-keystore",
        str(store),
        "-storepass",
        STORE_PASSWORD,
    ]
    named = ["-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost"]
    authority = ["-ext", "bc:critical=ca:true", "-ext", "ku:critical=keyCertSign,digitalSignature"]
    _keytool("-genkeypair", "-keyalg", "EC", "-validity", "36500", *named, *authority, *chosen)
    _keytool("-exportcert", "-rfc", "-file", str(new), *chosen)
    new.rename(trusted)


def _keytool(*args: str) -> None:
    subprocess.run(
        ["keytool", *args], check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FETCH_S
    )
