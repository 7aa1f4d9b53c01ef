"""Bodies of answers into files."""

import os
from typing import IO, TYPE_CHECKING, Any

from apwa_client.files import whole_file

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


async def save(
    client: "AsyncClient", path: str | os.PathLike[str], operation_id: str, **parameters: Any
) -> int:
    """Write the body of an answer to a file and return its bytes.

    The file appears under its name only when it is whole.
    """
    with whole_file(path) as file:
        return await write(client, file, operation_id, **parameters)


async def write(
    client: "AsyncClient", target: IO[bytes], operation_id: str, **parameters: Any
) -> int:
    """Write the body of an answer to an open file as it comes, and return its bytes."""
    written = 0
    async with client.stream(operation_id, **parameters) as response:
        async for block in response.aiter_bytes():
            target.write(block)
            written += len(block)
    return written
