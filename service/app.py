"""The application: routes, limits, problems and log around one verifier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

from service.authenticity.answering import Authenticity
from service.authenticity.keys import KeyRing
from service.authenticity.routes import router as authenticity_router
from service.batches.routes import router as batches_router
from service.batches.worker import BatchWorker
from service.committing import LANES, CommitDesk
from service.expiry import keep_freeing
from service.institutions.routes import router as institutions
from service.limits import BodyLimit, RequestLimit
from service.logs import RequestLog
from service.openapi import describe
from service.problems import install_problems
from service.reference import page
from service.reference import routes as reference
from service.routes import router
from service.settings import Settings
from service.storage import open_storage
from service.verifier import Clock, open_verifier
from zkcore import PROTOCOL_VERSION
from zkcore.suite import Suite

_ARRIVALS_AND_BATCHES = 2
"""Threads that need a connection beside those of requests and the lanes of commits."""
_DESCRIPTION = """Verifies that the total financed on a document never exceeds its declared value, and sees no amount.

Every request body is JSON with base64url bytes (no padding) and no unknown fields. Everything that is not a success is a
problem document (RFC 9457) of a closed list of types (`/v1/problems`), in English or, by `Accept-Language`, in Chinese; nothing
is written then."""


def create_app(settings: Settings, suite: Suite, clock: Clock) -> FastAPI:
    """The service over its database. Raises SettingsError without a log in it, ZkError for a log of another suite."""
    storage = open_storage(settings.database, suite.group, settings.threads + LANES + _ARRIVALS_AND_BATCHES)
    try:
        verifier = open_verifier(suite, storage, clock, settings.service_key, settings.rules)
        ring = KeyRing(settings.evaluation_keys)
    except Exception:
        storage.close()
        raise
    app = _assemble(settings)
    app.state.verifier = verifier
    app.state.authenticity = Authenticity(storage, ring, verifier.institutions, clock)
    app.state.settings = settings
    app.state.desk = CommitDesk(verifier)
    app.state.batches = BatchWorker(verifier)
    app.state.draining = False
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI description, without a database behind it."""
    return describe(_assemble(Settings(database="", export_token="", service_key=b"")))


def _assemble(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="Tradeveil verifier",
        version=f"{PROTOCOL_VERSION}",
        description=_DESCRIPTION,
        openapi_tags=[
            {"name": "documents", "description": "Attested papers with a committed limit"},
            {"name": "financings", "description": "Draws on documents, and what becomes of them"},
            {"name": "batches", "description": "Many financings in one request"},
            {"name": "authenticity", "description": "Whether a paper is authentic, without the service learning which"},
            {"name": "institutions", "description": "Keys of who calls, and alerts to the regulator"},
            {"name": "log", "description": "What the log is about, and its entries for auditors"},
            {"name": "operations", "description": "For whoever watches over the service"},
            {"name": "reference", "description": "What the service says of itself"},
        ],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestLog),
            Middleware(RequestLimit, maximum=settings.maximum_requests),
            Middleware(BodyLimit, maximum=settings.maximum_body, larger={"/v1/batches": settings.maximum_batch}),
        ],
    )
    install_problems(app)
    app.include_router(router)
    app.include_router(batches_router)
    app.include_router(reference.router)
    app.include_router(page.router)
    app.include_router(authenticity_router)
    app.include_router(institutions)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Whatever needs a thread finds a connection; reservations expire meanwhile."""
    to_thread.current_default_thread_limiter().total_tokens = app.state.settings.threads
    ended = asyncio.Event()
    freeing = asyncio.create_task(keep_freeing(app.state.verifier, app.state.settings.expiry_seconds, ended))
    app.state.batches.start()
    yield
    await to_thread.run_sync(app.state.batches.stop)
    # Not cancelled: its thread would go on with a database that is closed.
    ended.set()
    await freeing
    app.state.desk.close()
    app.state.verifier.institutions.close()
    app.state.verifier.storage.close()
