"""Errors of the HTTP client."""


class Unreachable(Exception):
    """The connection could not be opened, so the server has not received the request."""


class NoResponse(Exception):
    """The request was sent and no response came: it may or may not have been carried out."""
