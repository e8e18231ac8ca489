"""The signing keys of access tokens: published for gateways and other services, and rotated."""

import msgspec

from bookshelf.accounts.handlers.tokens import SigningKeyring
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.decoding import Decoder


class KeyRotation(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """When a new key signs: once it is known everywhere, or `now`, which ends all older tokens."""

    now: bool = False


_ROTATION = Decoder(KeyRotation)


async def publish_keys(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with the public keys (RFC 7517)."""
    published = await SigningKeyring(ports.keyring).public(context.at)
    return json_answer(200, published, {"Cache-Control": "max-age=300"})


async def rotate_keys(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Make a new signing key. Answer 200 with its id."""
    body: KeyRotation = await read_body(request, _ROTATION)
    kid = await SigningKeyring(ports.keyring).rotate(context.at, at_once=body.now)
    return json_answer(200, {"kid": kid})
