"""The two ways to hand the apps to Marathon: the loop of docs/deployment.md, and vagrant/post."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.manifests import marathon
from support.process import ROOT

from bookshelf import services

pytestmark = pytest.mark.needs("curl")
SERVICES = [
    "newbook",
    "readbook",
    "lastread",
    "listbooks",
    "readings",
    "lists",
    "stats",
    "site",
    "users",
    "accountsite",
    "products",
    "customers",
    "shopsite",
    "managersite",
    "files",
    "gallery",
    "uploads",
    "votes",
    "comments",
    "timelines",
    "profiles",
]
#: Without those that need a keyring, for which there is no database among the apps.
APPS = ["kafka", "consul", *SERVICES, "api-gateway"]


class Marathon(ThreadingHTTPServer):
    """Takes apps, and notes them."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str, object]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Marathon

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.command, self.path, self.headers["Content-Type"], body))
        self.send_response(201)
        self.end_headers()

    do_PUT = do_POST  # noqa: N815 (the standard library's name)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def master() -> Iterator[Marathon]:
    with Marathon() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_only_services_that_need_a_keyring_are_left_out() -> None:
    keyed = {service.name for service in services.DEPLOYED if service.needs_keyring}
    assert {app.rpartition("/")[2] for app in (marathon()[name]["id"] for name in SERVICES)} == {
        service.name for service in services.DEPLOYED
    } - keyed


def test_the_documented_loop_posts_every_app_in_order(master: Marathon) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    loop = "for app in " + page.partition("\nfor app in ")[2].partition("\ndone\n")[0] + "\ndone\n"
    shell = ["sh", "-euc", loop.replace("http://localhost:8090", master.url)]
    subprocess.run(shell, cwd=ROOT, check=True, capture_output=True, timeout=60)
    expected = [("POST", "/v2/apps", "application/json", marathon()[name]) for name in APPS]
    assert master.taken == expected


def test_vagrant_s_script_puts_every_app_at_its_id(master: Marathon) -> None:
    post = [str(ROOT / "vagrant" / "post"), master.url]
    subprocess.run(post, check=True, capture_output=True, timeout=60)
    apps = [marathon()[name] for name in APPS]
    assert master.taken == [("PUT", f"/v2/apps{app['id']}", "application/json", app) for app in apps]
