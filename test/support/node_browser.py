"""A browser without scripts at the pages of a node."""

import asyncio
import re
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlencode

from bookshelf.runtime.data_folder import InstanceNote

FORM = "application/x-www-form-urlencoded"


class Shown(NamedTuple):
    """An answer: its status, where it leads, the cookie that it sets, its text without tags."""

    status: int
    location: str
    cookie: str
    text: str


class NodeBrowser:
    """Asks the admin API of a node as a browser without scripts does."""

    def __init__(self, note: InstanceNote) -> None:
        self._note = note
        self.cookie = ""

    async def send(self, method: str, target: str, body: str = "", language: str = "en") -> Shown:
        """Return an answer, without the event loop's waiting for it."""
        return await asyncio.to_thread(self.ask, method, target, body, language)

    def ask(self, method: str, target: str, body: str = "", language: str = "en") -> Shown:
        """Return the answer to a request."""
        connection = HTTPConnection(self._note.control_host, self._note.control_port, timeout=30)
        headers = {"Accept-Language": language, "Cookie": self.cookie, "Content-Type": FORM}
        connection.request(method, target, body.encode(), headers)
        answer = connection.getresponse()
        text = " ".join(re.sub(r"<[^>]*>", " ", answer.read().decode()).split())
        connection.close()
        return Shown(
            answer.status, answer.headers.get("Location", ""), answer.headers.get("Set-Cookie", ""), text
        )

    def page(self) -> str:
        """Sign in with the token of the note; return the text of the page of the node."""
        answer = self.ask("POST", "/console/token", urlencode({"secret": self._note.token}))
        self.cookie = answer.cookie.partition(";")[0]
        return self.ask("GET", "/console").text

    async def sign_in(self, token: str) -> Shown:
        """Sign in with a token."""
        return await self._enter("/console/token", {"secret": token})

    async def sign_in_as(self, login: str, password: str) -> Shown:
        """Sign in by an account."""
        return await self._enter("/console/sign-in", {"login": login, "password": password})

    async def _enter(self, target: str, form: dict[str, str]) -> Shown:
        answer = await self.send("POST", target, urlencode(form))
        self.cookie = answer.cookie.partition(";")[0]
        return answer
