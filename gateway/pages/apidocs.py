"""The live API docs: Swagger UI, from gateway/swagger/. None of it loads anything from elsewhere."""

from collections.abc import Mapping
from importlib.resources import files

from gateway.pages.static_page import REVALIDATED, Page

#: Swagger UI writes styles into its elements and has its icons in its style sheet, as data: addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_HTML = "text/html; charset=utf-8"
_SCRIPT = "text/javascript; charset=utf-8"

#: Vendored files change only with a release of ours; a day is soon enough.
_KEPT = "public, max-age=86400"

#: Every file that is served: its media type and how long it is kept.
_FILES = {
    "index.html": (_HTML, REVALIDATED),
    "initializer.js": (_SCRIPT, REVALIDATED),
    "swagger-ui-bundle.js": (_SCRIPT, _KEPT),
    "swagger-ui.css": ("text/css; charset=utf-8", _KEPT),
    "favicon-32x32.png": ("image/png", _KEPT),
}


def pages() -> Mapping[str, Page]:
    """Read the files; return them by the path that each is served at."""
    folder = files("gateway") / "swagger"
    found = {
        f"/apidocs/{name}": Page((folder / name).read_bytes(), media_type, cache, _HEADERS)
        for name, (media_type, cache) in _FILES.items()
    }
    return found | {"/apidocs/": found["/apidocs/index.html"]}
