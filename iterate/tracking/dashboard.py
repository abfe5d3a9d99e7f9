"""MLflow's server whose pages open as training pages.

MLflow takes each browser to be there for chat programs until told that it is for training, opens
a chat assistant beside them, and says that it collects usage data, which it does not here (see
`iterate.tracking.logging`). A browser that has not said otherwise is told so; what a person chooses
later stays. It is an app in MLflow's sense (entry point group ``mlflow.app``), started with
``mlflow server --app-name iterate``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# MLflow's names and values in the browser's storage.
_CHOICES = {
    "mlflow.workflowType_v1": json.dumps("machine_learning"),
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": json.dumps(True),
    "mlflow.settings.telemetry.enabled_v1": json.dumps(False),
    "mlflow.telemetry.info.alert.dismissed_v1": json.dumps(True),
}
_SCRIPT = (
    "<script>try{for(const [name,value] of Object.entries("
    + json.dumps(_CHOICES)
    + "))if(localStorage.getItem(name)===null)localStorage.setItem(name,value)}catch{}</script>"
)
_PAGES = ("/", "/index.html")


class TrainingPages:
    """Passes everything on, and puts the choices at the head of the one page that MLflow has."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or scope["path"] not in _PAGES:
            await self._app(scope, receive, send)
            return
        # Whole and plain: not "unchanged since", not a part, not compressed.
        unwanted = (b"if-none-match", b"if-modified-since", b"range", b"accept-encoding")
        headers = [pair for pair in scope["headers"] if pair[0] not in unwanted]
        begun: list[Message] = []
        body = bytearray()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await send(_told(begun[0], page := _with_choices(bytes(body))))
                await send({"type": "http.response.body", "body": page})

        await self._app({**scope, "headers": headers}, receive, answer)


def _with_choices(page: bytes) -> bytes:
    return page.replace(b"<head>", b"<head>" + _SCRIPT.encode(), 1)


def _told(start: Message, page: bytes) -> Message:
    """The response's head for a page of another length, which no cache may keep as MLflow's."""
    kept = [
        (name, value)
        for name, value in start["headers"]
        if name.lower() not in (b"content-length", b"etag", b"last-modified")
    ]
    return {**start, "headers": [*kept, (b"content-length", str(len(page)).encode())]}


def __getattr__(name: str) -> Any:
    """``app``, made when the server asks for it: importing MLflow's takes seconds."""
    if name != "app":
        raise AttributeError(name)
    from mlflow.server.fastapi_app import app as mlflow_app

    made = globals()["app"] = TrainingPages(mlflow_app)
    return made
