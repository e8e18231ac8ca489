"""The static files of a site: read once, joined, compressed, and served under the digest of their content.

All style sheets become one file and all scripts another, so that a first visit needs few requests.
"""

import gzip
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response

STYLES = "site.css"
SCRIPTS = "site.js"
_MEDIA_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
    "png": "image/png",
    "webp": "image/webp",
}
#: Kinds of files that are compressed already.
_PACKED = frozenset({"woff2", "png", "webp"})
_FOREVER = "public, max-age=31536000, immutable"
_URL = re.compile(r'url\("?([a-z0-9.-]+)"?\)')
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
#: Spaces of our own scripts that separate no words; the texts in them lose nothing by that.
_SPACED = re.compile(
    r" (=>|={1,3}|!==|&&|\|\||\?|:|<|>|[-+*/]|\+=) |([,:{])[ \n]|[,;]?[ \n]?(?=\})|(;)[ \n]|\n(?=\.)"
    r"| (?=\{)|\((\w+)\)(?= =>)|(?<=\bif) (?=\()|(?<=\bfor) (?=\()|(?<=\)) (?=[a-z(])"
)
#: The same of style sheets; spaces before a colon and around operators are parts of selectors and sums.
_SPACED_STYLE = re.compile(r"([,;:{])[ \n]+|;?[ \n]*(?=\})| (?=\{)")
#: The order of scripts in the joined file: the library first.
_FIRST_SCRIPT = "htmx.min.js"


class Asset(NamedTuple):
    """One static file: its digest, its media type, and its bytes as they are and compressed."""

    digest: str
    media_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """The static files of some packages by name; all names are different."""

    def __init__(self, packages: Iterable[str], root: str = "/") -> None:
        self._prefix = root.rstrip("/")
        found = [file for package in packages for file in _static_files(files(package) / "static")]
        single = {file.name: file for file in found if _kind(file.name) not in {"css", "js"}}
        self._files = {name: _asset(name, file.read_bytes()) for name, file in single.items()}
        self._files[STYLES] = _asset(STYLES, self._joined_styles(found))
        self._files[SCRIPTS] = _asset(SCRIPTS, _joined_scripts(found))

    def _joined_styles(self, found: Iterable[Traversable]) -> bytes:
        texts = [file.read_text(encoding="utf-8") for file in found if _kind(file.name) == "css"]
        text = _SPACED_STYLE.sub(r"\1", _dense(_COMMENT.sub("", "\n".join(texts))))
        return _URL.sub(lambda match: f"url({self._relative(match[1])})", text).encode()

    def _relative(self, name: str) -> str:
        return f"../{self._files[name].digest}/{name}"

    def address(self, name: str) -> str:
        """Return the address of a file, which changes with its content."""
        return f"{self._prefix}/static/{self._files[name].digest}/{name}"

    def size(self, name: str) -> int:
        """Return the number of bytes that a browser receives for a file."""
        asset = self._files[name]
        return len(asset.content if asset.compressed is None else asset.compressed)

    def content(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return self._files[name].content

    def respond(self, request: Request, digest: str, name: str) -> Response | None:
        """Return the response with a file; None if there is none with this digest and name."""
        asset = self._files.get(name)
        if asset is None or asset.digest != digest:
            return None
        headers = CIMultiDict(
            {
                "Content-Type": asset.media_type,
                "Cache-Control": _FOREVER,
                "X-Content-Type-Options": "nosniff",
                "Vary": "Accept-Encoding",
            }
        )
        if asset.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(200, headers, asset.compressed)
        return Response(200, headers, asset.content)


def _static_files(folder: Traversable) -> list[Traversable]:
    """Return all files of a folder and its folders, in the order of their names; licences are left out."""
    found: list[Traversable] = []
    if folder.is_dir():
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                found += _static_files(entry)
            elif _kind(entry.name) in _MEDIA_TYPES:
                found.append(entry)
    return found


def _joined_scripts(found: Iterable[Traversable]) -> bytes:
    scripts = [file for file in found if _kind(file.name) == "js"]
    scripts.sort(key=lambda file: file.name != _FIRST_SCRIPT)
    texts = {file.name: _dense(file.read_text(encoding="utf-8")) for file in scripts}
    joined = (
        text if name == _FIRST_SCRIPT else _SPACED.sub(r"\1\2\3\4", text) for name, text in texts.items()
    )
    return "\n".join(joined).encode()


def _dense(text: str) -> str:
    """Return a script or a style sheet without indentation, and without lines that are comments."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _asset(name: str, content: bytes) -> Asset:
    digest = blake2b(content, digest_size=6).hexdigest()
    packed = _kind(name) in _PACKED
    return Asset(
        digest, _MEDIA_TYPES[_kind(name)], content, None if packed else gzip.compress(content, 9, mtime=0)
    )


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
