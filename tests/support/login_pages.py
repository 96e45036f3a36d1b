"""A browser without a screen for the pages of the embedded login: a cookie jar, and forms that are filled in and sent."""

from __future__ import annotations

from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.buttons: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")
        if tag == "button" and "value" in given:
            self.buttons.append(given["value"])

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


class Visit:
    """``fields``: of the form that is shown; ``text``: what people read. Redirects are not followed: ``location``."""

    def __init__(self, url: str, **headers: str) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.client = httpx.Client(
            trust_env=False, timeout=60, headers={name: value for name, value in headers.items()}
        )
        self.answer = httpx.Response(200)
        self._at = url
        self._shown = _Form()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def fields(self) -> dict[str, str]:
        return self._shown.fields

    @property
    def buttons(self) -> list[str]:
        return self._shown.buttons

    @property
    def texts(self) -> list[str]:
        return self._shown.texts

    @property
    def text(self) -> str:
        return " ".join(self._shown.texts)

    @property
    def location(self) -> str:
        return self.answer.headers.get("location", "")

    def open(self, url: str) -> Self:
        self._at = urljoin(self._at, url)
        return self._took(self.client.get(self._at))

    def send(self, **said: str) -> Self:
        """The form that is shown, with what is said in it; ``do`` is the first button unless told."""
        form = {**self.fields, **({"do": self.buttons[0]} if self.buttons else {}), **said}
        return self._took(self.client.post(self._at, data=form, headers={"origin": self._origin}))

    def _took(self, answer: httpx.Response) -> Self:
        self.answer, self._shown = answer, _Form()
        self._shown.feed(answer.text)
        return self
