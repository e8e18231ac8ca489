"""Makes the routes of a page service from its pages. Templates and files are loaded at the first request."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import SiteSettings, load
from bookshelf.cqrs.handler import Handle, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.site.erasure import Erasure
from bookshelf.site.frame_pages import DESIGN
from bookshelf.site.jobs import Jobs
from bookshelf.site.live import LiveStreams
from bookshelf.site.page import SiteParts

if TYPE_CHECKING:
    from bookshelf.site.page_endpoint import PageEndpoint


class Site:
    """A site: its parts, the routes of its service, and its stream of changes."""

    def __init__(self, parts: SiteParts) -> None:
        self.parts = parts
        self.live = LiveStreams(parts.changes, parts.live_names)
        self._jobs: dict[str, Jobs] = {}

    async def run_jobs(self, ports: HandlerPorts) -> None:
        """Run the jobs of an instance until cancelled."""
        async with self.jobs_of(ports):
            await asyncio.Event().wait()

    @asynccontextmanager
    async def jobs_of(self, ports: HandlerPorts) -> AsyncIterator[Jobs]:
        """Run the jobs of an instance until the block ends; its pages start new ones."""
        jobs = Jobs(self.parts.jobs, ports, self.live.publish)
        erasure = Erasure(ports, (jobs.erase, *(partial(erase, ports) for erase in self.parts.erases)))
        async with jobs.open(erasure.look):
            self._jobs[ports.folder] = jobs
            watching = asyncio.create_task(erasure.watch())
            try:
                yield jobs
            finally:
                del self._jobs[ports.folder]
                await cancel_and_wait(watching)

    @cached_property
    def endpoint(self) -> "PageEndpoint":
        """What answers the requests for pages."""
        # the template engine is loaded only where pages are served
        from bookshelf.site.page_endpoint import PageEndpoint  # noqa: PLC0415

        return PageEndpoint(self.parts)

    @property
    def routes(self) -> tuple[HandlerRoute, ...]:
        """The routes of the pages, of their files and of the stream of changes."""
        below = self.parts.root.rstrip("/")
        return (
            *(route for place in range(len(self.parts.pages)) for route in self._page_routes(place)),
            self._route(f"{below}/static/{{digest}}/{{file}}", "A file of the site", self._static),
            HandlerRoute(
                path=f"{below}/live", summary="The names of changes, as a stream", handler=self._live
            ),
            self._route(f"{below}/manifest.webmanifest", "The site as an application", self._manifest),
            self._route(f"{below}/design/{{page}}/{{state}}", "One state of one page", self._example),
        )

    def _route(self, path: str, summary: str, handler: Handle) -> HandlerRoute:
        return HandlerRoute(path=path, summary=summary, handler=handler, requires=None)

    def _page_routes(self, place: int) -> list[HandlerRoute]:
        page = self.parts.pages[place]
        handler = partial(self._gallery if page is DESIGN else self._page, place)
        methods = ["GET"] if page.post is None else ["GET", "POST"]
        return [
            HandlerRoute(
                method=method,
                path=page.path,
                summary=page.title or page.path,
                handler=handler,
                body_bytes=page.most,
                deadline_s=page.deadline_s if method == "POST" else None,
                requires=page.required(method),
            )
            for method in methods
        ]

    async def error_page(self, request: Request, problem: Problem) -> Response:
        """Return the page that a problem is answered with."""
        return await self.endpoint.problem_response(request, problem)

    async def _page(
        self, place: int, request: Request, context: RequestContext, ports: HandlerPorts
    ) -> Response:
        jobs = self._jobs.get(ports.folder)
        own = None if jobs is None else jobs.of(context.caller)
        return await self.endpoint.respond(self.parts.pages[place], request, context, ports, own)

    async def _gallery(
        self, place: int, request: Request, context: RequestContext, ports: HandlerPorts
    ) -> Response:
        self._check_design()
        return await self._page(place, request, context, ports)

    def _check_design(self) -> None:
        if load(SiteSettings, os.environ).site_design == "off":
            raise Problem("no-route", "the gallery is shown with the setting site_design=on")

    async def _static(self, request: Request, context: RequestContext, _ports: HandlerPorts) -> Response:
        found = self.endpoint.renderer.assets.respond(request, context.path["digest"], context.path["file"])
        if found is None:
            raise Problem("no-route", "there is no such file; reload the page to get the present ones")
        return found

    async def _live(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        name = dict(parse_qsl(request.target.partition("?")[2])).get("of", "")
        path = self.parts.follows(name)
        followed = None if path is None else (name, path)
        return await self.live.respond(request, ports.api(context.caller), context.caller.owner, followed)

    async def _manifest(self, _request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return self.endpoint.renderer.manifest()

    async def _example(self, request: Request, context: RequestContext, _ports: HandlerPorts) -> Response:
        self._check_design()
        return self.endpoint.example(request, context)
