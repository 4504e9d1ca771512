"""Netron inside the notebook: a model's graph in a frame, on a laptop, offline, and on Binder.

Netron's own server cannot be used here. Its page asks a web service where the reader is, asks for consent to telemetry,
and 180 days after its release shows nothing but "Please update". The handler below serves the installed package's files
with the three switched off by the page's own means: no release date (it then takes today), version 0.0.0 (a developer's
copy, which reports nothing), and a consent that is already there. A Content-Security-Policy keeps what is missed inside.

The browser reaches the handler through jupyter-server-proxy, under the notebook server's own address and login.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import secrets
import shutil
import threading
import urllib.parse
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from pocketlab.errors import ModelFileError

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".ico": "image/x-icon",
    ".png": "image/png",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# A page in another site's frame may be refused its cookies, so the answer is given by a property instead of a cookie.
_CONSENT_SCRIPT = b"""Object.defineProperty(document, "cookie", { get: () => "consent=1", set: () => {} });\n"""


@dataclass(frozen=True)
class NetronView:
    """Netron on one model; as the last value of a cell it shows the graph.

    `url` is the page on this machine, `proxied` the same page's path on the notebook server (None where no notebook
    server was found).
    """

    path: Path
    version: str
    url: str
    proxied: str | None
    height: int

    def _repr_html_(self) -> str:
        name = escape(self.path.name)
        if self.proxied is None:
            return f'<p>{escape(self._where())}: <a href="{self.url}" target="_blank">{self.url}</a></p>'
        return (
            f"<p>{name} in Netron {escape(self.version)}. If the frame stays empty, run this cell again.</p>"
            f'<iframe title="Netron: the graph of {name}" src="{escape(self.proxied)}" width="100%" '
            f'height="{self.height}" sandbox="allow-scripts allow-same-origin allow-downloads" '
            'style="border:1px solid rgba(128,128,128,0.5);border-radius:6px;background:#fff"></iframe>'
        )

    def __repr__(self) -> str:
        return f"{self._where()}: {self.url}"

    def _where(self) -> str:
        return f"While this kernel runs, a browser on this machine shows {self.path.name} in Netron at"


def show(path: str | os.PathLike[str], *, height: int = 480) -> NetronView:
    """Show the graph of a model file, or of an `.mlpackage` folder, in a frame `height` pixels high.

    The first call starts a handler that lives as long as the kernel; a model that is exported anew to the same path is
    shown anew.

    Raises ModelFileError where there is no such file, or the folder is not a Core ML package.
    """
    from importlib.metadata import version

    model = Path(path).resolve()
    if not model.exists():
        raise ModelFileError(f"There is no model at {path}. Export it first, or check the path.")
    if model.is_dir() and not (model / "Manifest.json").is_file():
        raise ModelFileError(f"{model.name} is a folder without a Manifest.json, so it is not a Core ML package.")
    server = _server()
    place = f"{server.server_port}/{server.token_for(model)}/"
    base = _notebook_base_url()
    return NetronView(
        path=model,
        version=version("netron"),
        url=f"http://127.0.0.1:{place}",
        proxied=None if base is None else f"{base}proxy/{place}",
        height=height,
    )


class NetronServer(http.server.ThreadingHTTPServer):
    """Serves Netron's files and the models handed to `token_for`, on 127.0.0.1 and a free port.

    Everything lies under a random token. That is why no Host header is checked: behind the proxy it is the notebook
    server's name, on Binder an unknown one, and another site's page or another user of the machine has no token.
    """

    daemon_threads = True

    def __init__(self) -> None:
        from importlib.resources import files

        super().__init__(("127.0.0.1", 0), _Handler)
        self.static = Path(str(files("netron")))
        self._tokens: dict[Path, str] = {}

    def token_for(self, model: Path) -> str:
        """The path under which `model` is served; the same for the same model."""
        return self._tokens.setdefault(model, secrets.token_urlsafe(16))

    def find(self, url_path: str) -> tuple[str, bytes | Path] | None:
        """What lies at a decoded URL path, as its media type and either the content or a file; None for nothing.

        Names are looked up among those that exist, never joined to a folder, so no name leads outside.
        """
        token, _, name = url_path.removeprefix("/").partition("/")
        model = next((m for m, t in self._tokens.items() if secrets.compare_digest(t.encode(), token.encode())), None)
        if model is None:
            return None
        if name == "":
            return _TYPES[".html"], index_page((self.static / "index.html").read_text("utf-8"), model)
        if name == "pocketlab.js":
            return _TYPES[".js"], _CONSENT_SCRIPT
        if name.startswith("data/"):
            file = _model_files(model).get(name.removeprefix("data/"))
            return None if file is None else ("application/octet-stream", file)
        file = {file.name: file for file in self.static.iterdir() if file.suffix in _TYPES}.get(name)
        return None if file is None else (_TYPES[file.suffix], file)


def index_page(html: str, model: Path) -> bytes:
    """Netron's page, made to open `model` at once, to need no network and to know no date.

    Links to other hosts go nowhere: inside a frame they would replace the graph.
    """
    first = urllib.parse.quote("Manifest.json" if model.is_dir() else model.name)
    html = re.sub(r'<meta name="date"[^>]*>\s*', "", html)
    meta = (
        '<meta name="version" content="0.0.0">\n<meta name="type" content="Python">\n'
        f'<meta name="file" content="/data/{first}">\n<meta name="name" content="{escape(model.name)}">'
    )
    html = re.sub(r'<meta name="version"[^>]*>', lambda _: meta, html)
    html = html.replace("<script ", '<script src="pocketlab.js"></script>\n<script ', 1)
    html = re.sub(r'href="https?://[^"]*"', 'href="#"', html)
    return html.encode("utf-8")


def _model_files(model: Path) -> dict[str, Path]:
    """The model's files by their path in the package; a single file by its name. Links are left out."""
    if not model.is_dir():
        return {model.name: model}
    inside = (file for file in model.rglob("*") if file.is_file() and not file.is_symlink())
    return {file.relative_to(model).as_posix(): file for file in inside}


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET and nothing else (the base class answers other methods with 501)."""

    server: NetronServer
    server_version = "Pocketlab"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        found = self.server.find(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
        if found is None:
            self.send_error(404)
            return
        media_type, content = found
        if isinstance(content, bytes):
            self._start(media_type, len(content))
            self.wfile.write(content)
            return
        with content.open("rb") as file:
            self._start(media_type, os.fstat(file.fileno()).st_size)
            shutil.copyfileobj(file, self.wfile)

    def _start(self, content_type: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: what the server prints would land in whatever cell is running."""


@cache
def _server() -> NetronServer:
    server = NetronServer()
    threading.Thread(target=server.serve_forever, name="netron", daemon=True).start()
    return server


def _notebook_base_url() -> str | None:
    """The path of the notebook server that started this kernel, with a slash at both ends; None if there is none."""
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub:
        return hub.rstrip("/") + "/"
    import psutil
    from jupyter_core.paths import jupyter_runtime_dir

    # What jupyter_server's own list_running_servers reads; importing that takes seconds.
    infos = [json.loads(file.read_text(encoding="utf-8")) for file in Path(jupyter_runtime_dir()).glob("jpserver-*.json")]
    servers = {info["pid"]: info["base_url"] for info in infos}
    parents = (parent.pid for parent in psutil.Process().parents())
    return next((servers[pid].rstrip("/") + "/" for pid in parents if pid in servers), None)
