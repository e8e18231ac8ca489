"""A real nginx before a service, where the machine has one: to be no less strict than it is."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.until import until
from support.upstream import HOST

from bookshelf.http.server import free_port

_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; error_log stderr emerg; pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  client_header_timeout 1s; client_body_timeout 1s; lingering_close off;
  upstream service {{ server {host}:{service}; keepalive 64; }}
  server {{
    listen {host}:{port};
    location /bookshelf/ {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""

_FILES = """
daemon off; master_process off; worker_processes 1; error_log stderr emerg; pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen {host}:{port}; location /shelf/ {{ alias {root}/; }} }}
}}
"""

REMEDY = "sudo apt-get install -y nginx"


def installed() -> str | None:
    """Return the program; None if there is none."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(folder: Path, service: int) -> Iterator[int]:
    """Run one before a service's port; return its own."""
    port = free_port()
    with _running(folder, _CONFIGURATION.format(folder=folder, host=HOST, service=service, port=port), port):
        yield port


@contextmanager
def nginx_files(folder: Path, root: Path) -> Iterator[int]:
    """Run one that has the files of a folder below /shelf/; return its port."""
    port = free_port()
    with _running(folder, _FILES.format(folder=folder, host=HOST, root=root, port=port), port):
        yield port


@contextmanager
def _running(folder: Path, configuration: str, port: int) -> Iterator[None]:
    program = installed()
    assert program is not None
    file = folder / "nginx.conf"
    file.write_text(configuration)
    with subprocess.Popen([program, "-p", str(folder), "-c", str(file)]) as process:
        try:
            until(lambda: _listens(port), "nginx listens")
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
