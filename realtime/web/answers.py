"""How the page's programs are answered and what they may send: small JSON, checked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from weights.printable import json_text

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 8192
BODY_S = 5.0  # who takes longer to say it is not waited for


def answer(content: object, status: int = 200) -> Response:
    """Return JSON."""
    return Response(json_text(content), status, media_type="application/json")


def fault(status: int, sentence: str) -> Response:
    """Return why there is no answer."""
    return answer({"error": sentence}, status)


async def asked(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request sent.

    Raises:
        HTTPException: It is none, too large, or did not come in time. Its type is asked for, for a
            browser lets no other site's page send that type unasked.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    body = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"send {MAX_BODY_BYTES} bytes at most")
    except TimeoutError:
        raise HTTPException(408, "that took too long") from None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400, "send a JSON object")
    return content
