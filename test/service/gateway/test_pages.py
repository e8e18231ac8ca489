"""The gateway's own pages: the docs, the document of all services, health."""

import re

import msgspec
import pytest
from support.upstream import FakeCluster, Service, json_of, openapi_document, whole

from bookshelf.http.message import Response, request

ASSETS = {
    "/apidocs/": "text/html; charset=utf-8",
    "/apidocs/index.html": "text/html; charset=utf-8",
    "/apidocs/initializer.js": "text/javascript; charset=utf-8",
    "/apidocs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "/apidocs/swagger-ui.css": "text/css; charset=utf-8",
    "/apidocs/favicon-32x32.png": "image/png",
}


async def get(cluster: FakeCluster, target: str, **headers: str) -> Response:
    return await cluster.gateway.handle(request("GET", target, b"", **headers))


@pytest.mark.parametrize(
    ("target", "status", "to"),
    [("/", 307, "/apidocs/"), ("/apidocs", 308, "/apidocs/"), ("/apidocs?x", 308, "/apidocs/")],
)
async def test_the_root_redirects_to_the_docs(
    cluster: FakeCluster, target: str, status: int, to: str
) -> None:
    answer = await get(cluster, target)
    assert (answer.status, answer.headers["Location"]) == (status, to)


@pytest.mark.parametrize("path", ASSETS)
async def test_each_file_of_the_docs_has_its_media_type(cluster: FakeCluster, path: str) -> None:
    answer = await get(cluster, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, ASSETS[path])
    assert answer.body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await get(cluster, path, If_None_Match=answer.headers["ETag"])).status == 304
    assert (await get(cluster, path, If_None_Match='"other"')).status == 200


@pytest.mark.parametrize("path", ASSETS)
async def test_the_docs_have_a_strict_content_security_policy(cluster: FakeCluster, path: str) -> None:
    policy = (await get(cluster, path)).headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert all("http" not in rule and "*" not in rule for rule in rules.values())


async def test_all_files_that_the_page_references_are_served(cluster: FakeCluster) -> None:
    page = (await whole(await get(cluster, "/apidocs/"))).decode()
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(named) >= 4
    for name in named:
        path = name.replace("../", "/") if name.startswith("../") else "/apidocs/" + name.removeprefix("./")
        assert (await get(cluster, path)).status == 200
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=", page)


async def test_the_script_calls_only_this_origin(cluster: FakeCluster) -> None:
    script = (await whole(await get(cluster, "/apidocs/initializer.js"))).decode()
    assert 'url: "/openapi.json"' in script
    assert "validatorUrl: null" in script
    assert "://" not in script


@pytest.mark.parametrize(
    "path", ["/apidocs/README", "/apidocs/../app.py", "/apidocs/%2e%2e/app.py", "/apidocs/x.js"]
)
async def test_other_files_of_the_folder_are_not_served(cluster: FakeCluster, path: str) -> None:
    await cluster.add(Service(openapi_document("s", ("t",), "GET /x")))
    await cluster.gateway.start()
    assert (await get(cluster, path)).status == 404


async def test_the_document_merges_all_services(cluster: FakeCluster) -> None:
    before = await get(cluster, "/openapi.json")
    await cluster.add(Service(openapi_document("a", ("a",), "GET /books")))
    await cluster.add(Service(openapi_document("b", ("b",), "POST /books", "GET /books/{id}")))
    await cluster.gateway.start()
    answer = await get(cluster, "/openapi.json")
    document = json_of(answer)
    assert answer.headers["Content-Type"] == "application/json"
    assert (document["openapi"], document["servers"]) == ("3.1.0", [{"url": "/bookshelf"}])
    assert {path: sorted(item) for path, item in document["paths"].items()} == {
        "/books": ["get", "post"],
        "/books/{id}": ["get"],
    }
    assert answer.headers["ETag"] != before.headers["ETag"]
    assert (await get(cluster, "/openapi.json", If_None_Match=answer.headers["ETag"])).status == 304


async def test_liveness_is_answered(cluster: FakeCluster) -> None:
    answer = await get(cluster, "/health/live")
    assert (answer.status, msgspec.json.decode(await whole(answer))) == (200, {"status": "pass"})


@pytest.mark.parametrize(
    "path", ["/", "/apidocs/", "/openapi.json", "/health/live", "/metrics", "/bookshelf/nothing"]
)
async def test_head_of_a_page_equals_get_without_its_body(cluster: FakeCluster, path: str) -> None:
    expected = await get(cluster, path)
    answer = await cluster.gateway.handle(request("HEAD", path))
    assert (answer.status, answer.body) == (expected.status, b"")
    if expected.body and path != "/metrics":
        assert int(answer.headers["Content-Length"]) == len(await whole(expected))


@pytest.mark.parametrize("path", ["/", "/apidocs/", "/openapi.json", "/health/ready", "/metrics"])
async def test_pages_accept_only_get_and_head(cluster: FakeCluster, path: str) -> None:
    answer = await cluster.gateway.handle(request("POST", path))
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
