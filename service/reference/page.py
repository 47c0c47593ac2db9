"""A page that shows the OpenAPI description to people: Swagger UI, every piece of it from this service.

The pieces are those that the package fastapi-offline carries. A browser loads nothing from anywhere else: the page has no
script of its own inside, and its Content-Security-Policy forbids whatever is not from here.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from schemas import problems
from service.problems import Refusal

router = APIRouter(include_in_schema=False)

_HEADERS: Final = {
    # React, which Swagger UI is made with, writes style attributes; scripts have no such exception.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tradeveil verifier</title>
<link rel="icon" type="image/png" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
});
"""
_CARRIED: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


@router.get("/docs")
async def page() -> Response:
    """The page itself."""
    return Response(_PAGE, headers=_HEADERS, media_type="text/html")


@router.get("/docs/{piece}")
def piece(piece: str) -> Response:
    """A script, style or picture of the page."""
    if piece == "start.js":
        return Response(_START, headers=_HEADERS, media_type="text/javascript")
    if piece not in _CARRIED:
        raise Refusal(problems.NOT_FOUND)
    return Response(_carried(piece), headers=_HEADERS, media_type=_CARRIED[piece])


@cache
def _carried(piece: str) -> bytes:
    return (files("fastapi_offline") / "static" / piece).read_bytes()
