"""Clients that call one URL without pause, over kept connections and over new ones."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType
from typing import Self

import httpx

KEPT, FRESH = 3, 1


class Load:
    """Runs while it is entered. ``done``: calls ended; ``revisions``: answers by the revision that gave them."""

    def __init__(self, url: str, body: bytes, auth: httpx.Auth) -> None:
        self.done = 0
        self.failures: list[str] = []
        self.revisions: Counter[str] = Counter()
        self._url = url
        self._body = body
        self._auth = auth
        self._stop = threading.Event()
        self._lock = threading.Lock()
        kinds = [True] * KEPT + [False] * FRESH
        self._threads = [threading.Thread(target=self._run, args=(kept,), daemon=True) for kept in kinds]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        headers = {"content-type": "application/json"}
        with httpx.Client(timeout=30, limits=limits, headers=headers, auth=self._auth, trust_env=False) as client:
            while not self._stop.is_set():
                self._call(client)

    def _call(self, client: httpx.Client) -> None:
        try:
            answer = client.post(self._url, content=self._body)
            failure = None if answer.status_code == 200 else f"{answer.status_code} {answer.text[:300]}"
            revision = answer.headers.get("ffx-revision", "none")
        except httpx.HTTPError as error:
            failure, revision = f"{type(error).__name__}: {error}", "none"
        with self._lock:
            self.done += 1
            if failure is None:
                self.revisions[revision] += 1
            else:
                self.failures.append(failure)
