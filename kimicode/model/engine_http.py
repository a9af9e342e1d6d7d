"""One question to an engine on its Unix socket, with a deadline for the whole of it.

What this module does not do: start an engine, or know what an answer means.
"""

import asyncio
from pathlib import Path

import httpx


async def ask(socket: Path, path: str, seconds: float) -> object:
    """The JSON at `path`. Raises `httpx.ConnectError` where nobody listens, another `httpx.TransportError` where no answer comes in
    `seconds`, and `ValueError` where it is no JSON."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False)
    async with httpx.AsyncClient(transport=transport, timeout=seconds) as http:
        try:
            async with asyncio.timeout(seconds):
                answer: object = (await http.get(f"http://engine{path}")).json()
        except TimeoutError:
            raise httpx.ReadTimeout(f"no answer in {seconds:g} s") from None
        return answer
