"""Service packages for tests: the files of a small one, and archives that are none."""

import io
import stat
import zipfile
from collections.abc import Mapping

from bookshelf.cluster.packages import build_archive

MANIFEST = """\
name = "counters"
version = "1.0.0"
group = "counters"
api = 1
entry = "counters.services:SERVICES"
"""
#: A stateless service with one route that answers with a text of its own.
SERVICES = '''\
"""Answers GET /counters/greeting."""

from collections.abc import Mapping

from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response


async def greet(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with the version of the package."""
    return Response(200, {"Content-Type": "text/plain"}, b"%(answer)s")


SERVICES = (
    Service(
        name="counters",
        summary="Greets",
        tags=("counters", "greeting"),
        port=8140,
        runs=(),
        serves=(HandlerRoute(path="/counters/greeting", summary="Greet", handler=greet, requires=None),),
    ),
)
'''


def files(version: str = "1.0.0", answer: str = "one", services: str = SERVICES) -> dict[str, bytes]:
    """Return the files of a package."""
    return {
        "package.toml": MANIFEST.replace("1.0.0", version).encode(),
        "counters/__init__.py": b'"""Counts."""\n',
        "counters/services.py": services.replace("%(answer)s", answer).encode(),
    }


def package(version: str = "1.0.0", answer: str = "one", services: str = SERVICES) -> bytes:
    """Return an archive."""
    return build_archive(files(version, answer, services))


def zipped(members: Mapping[str, bytes], *, mode: int = stat.S_IFREG | 0o644, method: int = 8) -> bytes:
    """Return a zip of any members, in the order given."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (mode if name == "odd" or name.endswith("odd.py") else 0o100644) << 16
            member.compress_type = method
            archive.writestr(member, content)
    return made.getvalue()
