"""The service uploads with its routes, for the settings of photos."""

from dataclasses import replace

from bookshelf.config import PhotoSettings
from bookshelf.cqrs.service import Service
from bookshelf.photos.handlers.image import image_route
from bookshelf.photos.handlers.sweeping import sweep_daily
from bookshelf.photos.handlers.upload import upload_route
from bookshelf.photos.routes import COMMAND_ROUTES


def with_uploads(service: Service, settings: PhotoSettings) -> Service:
    """Return the service as a process runs it."""
    routes = (upload_route(settings), image_route(settings), *COMMAND_ROUTES)
    return replace(service, load=None, serves=routes, tasks=(sweep_daily,))
