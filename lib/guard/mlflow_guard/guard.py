"""The guard: an ASGI app around MLflow's."""

from __future__ import annotations

from app_layers.asgi import App, Message, Receive, Scope, Send, header_values

from .bodies import BoundedBody, Memory, checked
from .metrics import is_scrape, show
from .passwords import passwords_only
from .paths import below, is_assistant, is_query, of_job, plain, streamed_upload
from .places import Check, check_for
from .refusal import Refusal, answer, denied, tell
from .settings import Settings
from .spans import is_spans, spans_check

# requests with a body of the largest size that may be in memory at one time
LARGE_BODIES = 2
# a query of this size keeps MLflow busy for 5 s, and one of 31 MiB for ten minutes, with 8 GB
MAX_QUERY = 256 * 1024


class Guard:
    """Refuses what must not reach the app, and hands everything else on as it is."""

    def __init__(self, app: App, settings: Settings, prefix: str = "") -> None:
        self._app = app
        self._settings = settings
        self._prefix = prefix.rstrip("/")
        self._plain_prefix = plain(prefix)
        self._memory = Memory(LARGE_BODIES * settings.max_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_scrape(scope, self._settings.metrics_token_file):
            await show(send)
            return
        scope = of_job(scope, self._prefix)
        path = self._plain(scope)
        if self._settings.passwords_only:
            scope = passwords_only(scope, path)
        upload = streamed_upload(scope, self._prefix)
        limit, query_limit = self._settings.max_body, MAX_QUERY if is_query(path) else None
        body = BoundedBody(scope, receive, limit, self._memory, not is_spans(path), query_limit)
        started = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal started
            # the app answers a body that breaks off with an error of its own
            if body.refusal is None or started:
                started = True
                await send(message)

        try:
            self._check_path(path)
            if upload is not None:
                await self._app(upload, receive, send)
                return
            body.check_length(header_values(scope, b"content-length"))
            check = self._check_for(scope, path)
            handed_on = body.receive if check is None else await checked(body.receive, check)
            await self._app(scope, handed_on, send_unless_refused)
        except Refusal as refusal:
            body.refusal = refusal
        except Exception:
            if body.refusal is None or started:
                raise
        finally:
            body.release()
        if body.refusal is not None:
            tell(body.refusal, scope)
            if not started:
                await answer(body.refusal, scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check_path(self._plain(scope))
        except Refusal as refusal:
            tell(refusal, scope)
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    def _plain(self, scope: Scope) -> str:
        return below(self._plain_prefix, plain(scope["path"]))

    def _check_for(self, scope: Scope, path: str) -> Check | None:
        if is_spans(path):
            return spans_check(scope, self._settings.own_places)
        return check_for(scope, path) if self._settings.own_places else None

    def _check_path(self, path: str) -> None:
        if not self._settings.assistant and is_assistant(path):
            raise denied(
                "assistant",
                "MLflow's assistant is switched off on this server, where it could run programs and read keys (guard.assistant)",
            )
