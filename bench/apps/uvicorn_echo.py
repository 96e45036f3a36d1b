"""The bare server for Python: uvicorn with the parser that our runtime has too. Argument: a port or unix:PATH."""

from __future__ import annotations

import sys

import uvicorn
from asgi_echo import app

where = sys.argv[1]
listening = (
    {"uds": where.removeprefix("unix:")} if where.startswith("unix:") else {"host": "127.0.0.1", "port": int(where)}
)
uvicorn.run(app, http="httptools", loop="asyncio", lifespan="off", access_log=False, log_level="warning", **listening)
