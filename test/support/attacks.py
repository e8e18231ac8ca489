"""Malicious requests: each as bytes, with the required result.

REFUSED: no service sees anything. ONE: the service sees one request and no second. Sources: the corpora of
RFC 9112 (section 11.2), PortSwigger's and Watchfire's papers on smuggling, and bugs of well-known proxies.
"""

from typing import NamedTuple

REFUSED, ONE = "refused", "one"
_PATH = b"/bookshelf/books"
_HOST = b"Host: books.localhost\r\n"
#: What a proxy that is fooled would take for a second request.
_HIDDEN = b"GET /bookshelf/smuggled HTTP/1.1\r\nHost: books.localhost\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_END = b"0\r\n\r\n"


class Attack(NamedTuple):
    """One request, or what looks like it."""

    name: str
    content: bytes
    wanted: str = REFUSED


def _post(headers: bytes, body: bytes = b"", line: bytes = b"") -> bytes:
    return (line or b"POST " + _PATH + b" HTTP/1.1\r\n") + _HOST + headers + b"\r\n" + body


def _get(line: bytes, headers: bytes = _HOST) -> bytes:
    return line + b"\r\n" + headers + b"\r\n"


LENGTHS = (
    Attack("length and chunked", _post(b"Content-Length: 4\r\n" + _CHUNKED, _END + _HIDDEN)),
    Attack("chunked and length", _post(_CHUNKED + b"Content-Length: 4\r\n", _END + _HIDDEN)),
    Attack("two lengths", _post(b"Content-Length: 0\r\nContent-Length: 60\r\n", _HIDDEN)),
    Attack("two equal lengths", _post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"x")),
    Attack("a list of lengths", _post(b"Content-Length: 1, 1\r\n", b"x")),
    Attack("a length with a sign", _post(b"Content-Length: +1\r\n", b"x")),
    Attack("a negative length", _post(b"Content-Length: -1\r\n", b"x")),
    Attack("a length in hexadecimals", _post(b"Content-Length: 0x1\r\n", b"x")),
    Attack("a length with a space inside", _post(b"Content-Length: 1 0\r\n", b"x" * 10)),
    Attack("an endless length", _post(b"Content-Length: " + b"9" * 30 + b"\r\n", b"x")),
    Attack("an empty length", _post(b"Content-Length: \r\n", b"x")),
    Attack("a length of another name", _post(b"Content_Length: 5\r\nContent-Length: 1\r\n", b"x"), ONE),
)
CODINGS = (
    Attack("another coding", _post(b"Transfer-Encoding: xchunked\r\n", _END + _HIDDEN)),
    Attack("a coding after chunked", _post(b"Transfer-Encoding: chunked, identity\r\n", _END + _HIDDEN)),
    Attack("chunked twice", _post(_CHUNKED * 2, _END + _HIDDEN)),
    Attack("two codings", _post(_CHUNKED + b"Transfer-Encoding: identity\r\n", _END + _HIDDEN)),
    Attack("a coding behind a tab", _post(b"Transfer-Encoding:\x0bchunked\r\n", _END + _HIDDEN)),
    Attack("a coding in quotes", _post(b'Transfer-Encoding: "chunked"\r\n', _END + _HIDDEN)),
    Attack("a space before the colon", _post(b"Transfer-Encoding : chunked\r\n", _END + _HIDDEN)),
    Attack("a folded coding", _post(b"Transfer-Encoding:\r\n chunked\r\n", _END + _HIDDEN)),
    Attack("a coding of HTTP/1.0", _post(_CHUNKED, _END, b"POST " + _PATH + b" HTTP/1.0\r\n")),
    Attack("an empty coding", _post(b"Transfer-Encoding: \r\nContent-Length: 1\r\n", b"x")),
)
CHUNKS = (
    Attack("a chunk's extension", _post(_CHUNKED, b"1;a=b\r\nx\r\n" + _END), ONE),
    Attack("a size with a prefix", _post(_CHUNKED, b"0x1\r\nx\r\n" + _END)),
    Attack("a negative size", _post(_CHUNKED, b"-1\r\nx\r\n" + _END)),
    Attack("a size that overflows", _post(_CHUNKED, b"1" + b"0" * 20 + b"\r\nx\r\n" + _END)),
    Attack("a chunk that ends in a bare LF", _post(_CHUNKED, b"1\nx\n0\n\n" + _HIDDEN)),
    Attack("a chunk longer than its size", _post(_CHUNKED, b"1\r\nxyz\r\n" + _END)),
    Attack("an extension with a bare LF", _post(_CHUNKED, b"1;a\nx\r\nx\r\n" + _END)),
    Attack("no size", _post(_CHUNKED, b"\r\nx\r\n" + _END)),
    Attack("a size after a space", _post(_CHUNKED, b" 1\r\nx\r\n" + _END)),
    Attack("a trailer that is a length", _post(_CHUNKED, b"1\r\nx\r\n0\r\nContent-Length: 60\r\n\r\n")),
)
LINES = (
    Attack("bare line feeds", b"GET " + _PATH + b" HTTP/1.1\nHost: books.localhost\n\n"),
    Attack("a bare LF in the head", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X: a\nY: b\r\n")),
    Attack("a bare CR in the head", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X: a\rY: b\r\n")),
    Attack("a folded header", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X: a\r\n b\r\n")),
    Attack("a folded first header", b"GET " + _PATH + b" HTTP/1.1\r\n X: a\r\n" + _HOST + b"\r\n"),
    Attack("a NUL in a value", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X: a\0b\r\n")),
    Attack("a NUL in a name", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X\0: a\r\n")),
    Attack("a space in a name", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"X Y: a\r\n")),
    Attack("a header without a colon", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"nonsense\r\n")),
    Attack("a header without a name", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b": a\r\n")),
    Attack("HTTP/0.9", b"GET " + _PATH + b"\r\n"),
    Attack("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Attack("a version that is none", _get(b"GET " + _PATH + b" HTTP/1.9")),
    Attack("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50),
    Attack("two spaces in the line", _get(b"GET  " + _PATH + b"  HTTP/1.1"), ONE),
    Attack("a tab in the line", _get(b"GET\t" + _PATH + b"\tHTTP/1.1")),
    Attack("a space before the line", _get(b" GET " + _PATH + b" HTTP/1.1")),
)
TARGETS = (
    Attack("no host", _get(b"GET " + _PATH + b" HTTP/1.1", b"X: y\r\n")),
    Attack("two hosts", _get(b"GET " + _PATH + b" HTTP/1.1", _HOST + b"Host: other.example\r\n")),
    Attack("a host with a path", _get(b"GET " + _PATH + b" HTTP/1.1", b"Host: books.localhost/x\r\n")),
    Attack("a host with a space", _get(b"GET " + _PATH + b" HTTP/1.1", b"Host: books example\r\n")),
    Attack("a host with an at", _get(b"GET " + _PATH + b" HTTP/1.1", b"Host: books@evil.example\r\n")),
    Attack("another host in the target", _get(b"GET http://evil.example/bookshelf/books HTTP/1.1")),
    Attack("a tunnel to elsewhere", _get(b"CONNECT evil.example:80 HTTP/1.1")),
    Attack("TRACE", _get(b"TRACE " + _PATH + b" HTTP/1.1")),
    Attack("a method that is none", _get(b"G(T " + _PATH + b" HTTP/1.1")),
    Attack("a fragment", _get(b"GET " + _PATH + b"#x HTTP/1.1")),
    Attack("a raw NUL", _get(b"GET " + _PATH + b"/\0 HTTP/1.1")),
    Attack("raw bytes", _get(b"GET " + _PATH + b"/\xc0\xae\xc0\xae HTTP/1.1")),
    Attack("out of the prefix", _get(b"GET /bookshelf/../books HTTP/1.1")),
    Attack("out of the prefix, encoded", _get(b"GET /bookshelf/%2e%2e/books HTTP/1.1")),
    Attack("two slashes", _get(b"GET /bookshelf//books HTTP/1.1")),
    Attack("a backslash", _get(b"GET /bookshelf\\books HTTP/1.1")),
    Attack("a parameter in the prefix", _get(b"GET /bookshelf;x/books HTTP/1.1")),
    Attack("an encoded prefix", _get(b"GET /%62ookshelf/books HTTP/1.1")),
)
ATTACKS = (*LENGTHS, *CODINGS, *CHUNKS, *LINES, *TARGETS)
