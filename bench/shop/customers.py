"""The requests of customers: with tokens of an issuer of the bench's own, or of the one local reader."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from bench.shop.goods import POOR, PRICE
from bench.wire import get, post
from bookshelf.shop.values import BUY

#: How many customers there are besides `POOR`: `a-0`, `a-1` and so on.
CUSTOMERS = 1000
_ISSUER, _AUDIENCE, _KID = "https://issuer.example", "bench", "bench"
_LASTS_S = 24 * 3600


class Customers:
    """Makes requests; `tokens` by customer, none for the local reader. `prefix`: of the paths."""

    def __init__(self, tokens: Mapping[str, str], prefix: str = "") -> None:
        self._tokens = tokens
        self._prefix = prefix

    def order(self, customer: str, product: str, key: str, **headers: str) -> bytes:
        """Return a POST that orders a unit on credit."""
        price = {"amount": PRICE.amount, "currency": PRICE.currency}
        line = {"product": product, "quantity": 1, "price": price}
        body = {"lines": [line], "pay": "credit"}
        target = f"{self._prefix}/shop/orders"
        return post(target, body, Idempotency_Key=key, **headers, **self._named(customer))

    def get(self, customer: str, target: str, **headers: str) -> bytes:
        """Return a GET."""
        return get(f"{self._prefix}{target}", **headers, **self._named(customer))

    def _named(self, customer: str) -> dict[str, str]:
        token = self._tokens.get(customer)
        return {} if token is None else {"Authorization": f"Bearer {token}"}


def issued(folder: Path) -> tuple[Customers, dict[str, str]]:
    """Return customers with tokens, and the settings by which a gateway knows the issuer."""
    from joserfc import jwt  # noqa: PLC0415 (an optional extra)
    from joserfc.jwk import OKPKey  # noqa: PLC0415 (an optional extra)

    key = OKPKey.generate_key("Ed25519", {"kid": _KID})
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "iat": now, "exp": now + _LASTS_S, "scope": " ".join(BUY)}
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": _KID}
    names = [*(f"a-{number}" for number in range(CUSTOMERS)), POOR]
    tokens = {name: jwt.encode(header, {**claims, "sub": name}, key, ["Ed25519"]) for name in names}
    settings = {"ACCOUNTS": "on", "GATEWAY_JWKS": str(keys)}
    settings |= {"GATEWAY_ISSUER": _ISSUER, "GATEWAY_AUDIENCE": _AUDIENCE}
    return Customers(tokens, "/bookshelf"), settings
