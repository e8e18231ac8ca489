"""What can go wrong between a request and its answer."""


class Unreachable(Exception):
    """No connection came about: the request has certainly not been seen."""


class NoResponse(Exception):
    """The request was sent and the answer did not come: whether it was carried out is unknown."""
