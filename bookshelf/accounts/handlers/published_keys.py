"""The public keys of access tokens, for gateways and other services."""

from bookshelf.accounts.handlers.parts import answer
from bookshelf.accounts.handlers.tokens import SigningKeyring
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response


async def publish_keys(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with the public keys (RFC 7517)."""
    published = await SigningKeyring(ports.keyring).public(context.at)
    return answer(200, published, {"Cache-Control": "max-age=300"})
