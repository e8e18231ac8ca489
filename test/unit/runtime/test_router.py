import pytest

from bookshelf.http.problem import Problem
from bookshelf.http.router import Router


@pytest.fixture
def router() -> Router[str]:
    made: Router[str] = Router()
    made.add("GET", "/books", "list")
    made.add("POST", "/books", "add")
    made.add("GET", "/books/{id}", "one")
    made.add("DELETE", "/books/{id}", "remove")
    made.add("GET", "/books/last/read", "last")
    made.add("GET", "/books/{id}/history", "history")
    made.add("GET", "/books/{id}/{page}/lines", "lines")
    made.add("GET", "/books/best/{year}/list", "best")
    return made


@pytest.mark.parametrize(
    ("method", "path", "target", "parameters"),
    [
        ("GET", "/books", "list", {}),
        ("POST", "/books", "add", {}),
        ("GET", "/books/1", "one", {"id": "1"}),
        ("HEAD", "/books/1", "one", {"id": "1"}),
        ("DELETE", "/books/1", "remove", {"id": "1"}),
        ("GET", "/books/last", "one", {"id": "last"}),
        ("GET", "/books/last/read", "last", {}),
        ("GET", "/books/last/history", "history", {"id": "last"}),
        ("GET", "/books/1/2/lines", "lines", {"id": "1", "page": "2"}),
        ("GET", "/books/last/read/lines", "lines", {"id": "last", "page": "read"}),
        ("GET", "/books/best/2024/list", "best", {"year": "2024"}),
        ("GET", "/books/best/2024/lines", "lines", {"id": "best", "page": "2024"}),
        ("GET", "/books/a%2Fb", "one", {"id": "a/b"}),
        ("GET", "/books/%D0%B9", "one", {"id": "й"}),
        ("GET", "/books/%zz", "one", {"id": "%zz"}),
        ("GET", "/books/..", "one", {"id": ".."}),
    ],
)
def test_a_path_is_routed_to_its_target(
    router: Router[str], method: str, path: str, target: str, parameters: dict[str, str]
) -> None:
    found, _, named = router.find(method, path)
    assert (found, named) == (target, parameters)


@pytest.mark.parametrize(
    "path", ["", "/", "books", "/book", "/books/", "/books//", "/books/1/2", "//books", "/" * 4000]
)
def test_an_unknown_path_has_no_route(router: Router[str], path: str) -> None:
    with pytest.raises(Problem) as problem:
        router.find("GET", path)
    assert problem.value.kind == "no-route"


def test_an_unknown_method_gets_the_methods_of_the_path(router: Router[str]) -> None:
    with pytest.raises(Problem, match="this path takes DELETE, GET, HEAD") as problem:
        router.find("PUT", "/books/1")
    assert (problem.value.kind, problem.value.headers) == ("method", {"Allow": "DELETE, GET, HEAD"})


@pytest.mark.parametrize("path", ["/books/%ff", "/books/%C3%28"])
def test_a_path_that_is_not_utf8_is_malformed(router: Router[str], path: str) -> None:
    with pytest.raises(Problem) as problem:
        router.find("GET", path)
    assert problem.value.kind == "malformed"
