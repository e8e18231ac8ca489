"""Third-party programs, if installed: the proxies nginx and HAProxy, Consul, the load generator wrk."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from bench.measurement import BenchFault
from bookshelf.http.server import free_port

_NGINX = """
daemon off; worker_processes 1; error_log stderr emerg; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  limit_req_zone $binary_remote_addr zone=rate:10m rate=1000000r/s;
  limit_conn_zone $binary_remote_addr zone=connections:10m;
  upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location /bookshelf/ {{
      limit_req zone=rate burst=1000; limit_conn connections 10000;
      proxy_pass http://service/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Forwarded-For $remote_addr;
      add_header X-Content-Type-Options nosniff; gzip on; gzip_types application/json;
    }}
  }}
}}
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 2000
defaults
  mode http
  option http-server-close
  option http-keep-alive
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
frontend gateway
  bind 127.0.0.1:{port}
  http-request replace-path /bookshelf(/.*) \\1
  option forwardfor
  default_backend service
backend service
  http-reuse always
  server one 127.0.0.1:{upstream}
"""
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_SPREAD = re.compile(r"^\s+(50|99)%\s+([0-9.]+)(us|ms|s)\s*$", re.MULTILINE)
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_FAILURE = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


def found(name: str) -> str | None:
    """Return the path of a program; None if missing.

    Debian has those of servers outside the PATH; `make parts` puts Consul into the cache.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    fetched = cache / "bookshelf" / "consul" / "root" / "usr" / "bin"
    return shutil.which(name) or shutil.which(name, path=f"/usr/sbin:/usr/local/sbin:{fetched}")


def consul(program: str, http: int, *options: str) -> list[str]:
    """Return the command of a development agent of Consul, in memory, which answers at the port `http`."""
    ports = [f"-{name}-port={free_port()}" for name in ("server", "serf-lan", "serf-wan", "grpc")]
    return [
        *(program, "agent", "-dev", "-bind=127.0.0.1", f"-http-port={http}", "-dns-port=-1"),
        *(*ports, *options),
    ]


def nginx(folder: Path, port: int, upstream: int) -> list[str] | None:
    """Return the command of nginx with one worker; None if it is not installed."""
    program, file = found("nginx"), folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, port=port, upstream=upstream))
    return None if program is None else [program, "-p", str(folder), "-c", str(file)]


def haproxy(folder: Path, port: int, upstream: int) -> list[str] | None:
    """Return the command of HAProxy with one thread; None if it is not installed."""
    program, file = found("haproxy"), folder / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, upstream=upstream))
    return None if program is None else [program, "-db", "-q", "-f", str(file)]


async def wrk(url: str, connections: int, seconds: float) -> dict[str, float]:
    """Load a URL with wrk; return rate and latencies. Raises `BenchFault` for any failed request."""
    program = found("wrk")
    if program is None:
        raise BenchFault("wrk is not installed: apt-get install wrk")
    command = (program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--latency", url)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
    output = (await process.communicate())[0].decode()
    return read(output)


def read(output: str) -> dict[str, float]:
    """Return the figures in the output of wrk. Raises `BenchFault` if any request failed."""
    rate, failure = _RATE.search(output), _FAILURE.search(output)
    if rate is None or failure is not None:
        raise BenchFault(f"wrk reports: {failure[0] if failure else output[-300:]}")
    spread = {f"p{percent}_ms": float(value) * _MS[unit] for percent, value, unit in _SPREAD.findall(output)}
    return {"per_s": float(rate[1]), **spread}
