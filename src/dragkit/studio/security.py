"""Who may use a studio server: this machine alone, or those who know a name and a password."""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

AUTH = "DRAGKIT_STUDIO_AUTH"  # the environment variable with name:password
MAX_BODY = 160 * 2**20  # bytes: a picture of 50 megapixels, the most that is read, as a raw file
# Scripts, styles, pictures and requests of this server alone; no other page may show it in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def users(file: Path | None) -> dict[str, str]:
    """Passwords by name, of a file with a line name:password each, and of $DRAGKIT_STUDIO_AUTH.

    Raises:
        ValueError: a line without colon, a name or a password that is empty, a file that is not there.
    """
    if file is not None and not file.is_file():
        raise ValueError(f"there is no file {file}; give one with a line name:password each")
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    lines += [os.environ[AUTH]] if os.environ.get(AUTH) else []
    known = {}
    for line in filter(str.strip, lines):
        name, _, password = line.strip().partition(":")
        if not name or not password:
            raise ValueError(f"a line of {file or AUTH} is not name:password; write both")
        known[name] = password
    if file is not None and not known:
        raise ValueError(f"{file} names nobody; write a line name:password for each person")
    return known


def refuse_open(host: str, known: dict[str, str], no_auth: bool) -> None:
    """Refuse an address that others reach where nobody has to say who he is: ValueError."""
    if not is_loopback(host) and not known and not no_auth:
        raise ValueError(
            f"{host} can be reached by others and there is no password; give --auth-file, ${AUTH} or --no-auth"
        )


@dataclass(frozen=True)
class Gate:
    """Stands before every route: refuses strangers, other sites' pages and too large bodies, and adds headers.

    hosts: names by which a server without passwords may be called, None = any; else a page elsewhere could point a
    name of its own at this machine (DNS rebinding).
    """

    app: ASGIApp
    users: dict[str, str]
    hosts: frozenset[str] | None
    most: int = MAX_BODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refusal(headers)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        await self.app(scope, _bounded(receive, self.most), _with_headers(send))

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        if self.users and not self._known(headers.get("authorization", "")):
            realm = {"www-authenticate": 'Basic realm="dragkit studio", charset="UTF-8"'}
            return JSONResponse({"detail": "say who you are: name and password"}, 401, realm)
        if self.hosts is not None and _name(headers.get("host", "")) not in self.hosts:
            return JSONResponse({"detail": "this server does not go by that name; use its own address"}, 421)
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return JSONResponse({"detail": "a page of another site may not use this server"}, 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.most:
            return JSONResponse({"detail": f"more than {self.most >> 20} MB were sent; scale the picture down"}, 413)
        return None

    def _known(self, given: str) -> bool:
        kind, _, text = given.partition(" ")
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            return False
        wanted = self.users.get(name, "")
        same = secrets.compare_digest(password.encode(), wanted.encode())
        return kind.lower() == "basic" and bool(wanted) and same


class TooLarge(Exception):
    """More bytes came than were announced, or than are taken."""


def _bounded(receive: Receive, most: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise TooLarge(f"more than {most >> 20} MB were sent; scale the picture down")
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", [])}
            message = {**message, "headers": [*message.get("headers", []), *(h for h in extra if h[0] not in own)]}
        await send(message)

    return sending


def _name(host: str) -> str:
    """A Host header without its port."""
    return host.rsplit(":", 1)[0] if not host.endswith("]") and ":" in host else host


LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
