"""Page tokens and sync tokens: opaque, and bound to the parameters of the call that gave them."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sandbox.google.schema import Json


def sealed(secret: str, content: Json) -> str:
    """A token that holds `content`."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return urlsafe_b64encode(_mac(secret, body) + body).decode().rstrip("=")


def opened(secret: str, token: str) -> Json | None:
    """What a token holds; None for one that was not made here."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if not hmac.compare_digest(_mac(secret, raw[8:]), raw[:8]):
        return None
    content: Json = json.loads(raw[8:])
    return content


def fingerprint(parameters: Json) -> str:
    """What is equal for equal parameters."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def _mac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()[:8]
