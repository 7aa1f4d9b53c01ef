"""Client of APWA: `Client` blocks, `AsyncClient` awaits; both do the same."""

from apwa_client.aio.client import AsyncClient
from apwa_client.aio.job import AsyncJob
from apwa_client.blocking.client import Client
from apwa_client.blocking.job import Job
from apwa_client.errors import (
    ApiError,
    ApiUnreachable,
    ApwaError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NoResult,
    NotFound,
    RateLimited,
    ServerError,
    Stale,
    TooLarge,
    Unauthorized,
    WaitTimeout,
)
from apwa_client.events import Event
from apwa_client.inputs import Input
from apwa_client.retries import Retries

__all__ = [
    "ApiError",
    "ApiUnreachable",
    "ApwaError",
    "AsyncClient",
    "AsyncJob",
    "Client",
    "Conflict",
    "Event",
    "Forbidden",
    "Gone",
    "Input",
    "Invalid",
    "Job",
    "NoResult",
    "NotFound",
    "RateLimited",
    "Retries",
    "ServerError",
    "Stale",
    "TooLarge",
    "Unauthorized",
    "WaitTimeout",
]
