"""The application: routes, limits, problems and log around one verifier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

from service.expiry import keep_freeing
from service.limits import BodyLimit, RequestLimit
from service.logs import RequestLog
from service.openapi import describe
from service.problems import install_problems
from service.routes import router
from service.settings import Settings
from service.storage import open_storage
from service.verifier import Clock, open_verifier
from zkcore import PROTOCOL_VERSION
from zkcore.suite import Suite

_DESCRIPTION = """Verifies that the total financed on a document never exceeds its declared value, and sees no amount.

Every request body is JSON with base64url bytes (no padding) and no unknown fields. Everything that is not a success is a
problem document (RFC 9457) of a closed list of types, with advice in English and Chinese; nothing is written then."""


def create_app(settings: Settings, suite: Suite, clock: Clock) -> FastAPI:
    """The service over its database. Raises SettingsError without a log in it, ZkError for a log of another suite."""
    storage = open_storage(settings.database, suite.group, settings.workers)
    try:
        verifier = open_verifier(suite, storage, clock)
    except Exception:
        storage.close()
        raise
    app = _assemble(settings)
    app.state.verifier = verifier
    app.state.settings = settings
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI description, without a database behind it."""
    return describe(_assemble(Settings(database="", export_token="")))


def _assemble(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="Tradeveil verifier",
        version=f"{PROTOCOL_VERSION}",
        description=_DESCRIPTION,
        openapi_tags=[
            {"name": "documents", "description": "Attested papers with a committed limit"},
            {"name": "financings", "description": "Draws on documents, and what becomes of them"},
            {"name": "log", "description": "What the log is about, and its entries for auditors"},
        ],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestLog),
            Middleware(RequestLimit, maximum=settings.maximum_requests),
            Middleware(BodyLimit, maximum=settings.maximum_body),
        ],
    )
    install_problems(app)
    app.include_router(router)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """As many requests are worked on at a time as there are connections; reservations expire meanwhile."""
    to_thread.current_default_thread_limiter().total_tokens = app.state.settings.workers
    freeing = asyncio.create_task(keep_freeing(app.state.verifier, app.state.settings.expiry_seconds))
    yield
    freeing.cancel()
    with suppress(asyncio.CancelledError):
        await freeing
    app.state.verifier.storage.close()
