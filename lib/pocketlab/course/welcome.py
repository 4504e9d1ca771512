"""The widgets of the first notebook: save my work, and restore it."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

from pocketlab.course.backup import restore_work, save_work
from pocketlab.course.cards import Card
from pocketlab.errors import PocketlabError

LARGEST_LINK_BYTES = 30_000_000  # a larger zip would make the notebook itself slow
LARGEST_UPLOAD_BYTES = 60_000_000  # and a little: the limit in binder/jupyter_server_config.py


class SaveButton:
    """A button that writes progress, notebooks and artifacts into one zip and gives a link to download it."""

    def __init__(self) -> None:
        import ipywidgets

        self.button = ipywidgets.Button(description="Save my work", icon="save", layout=ipywidgets.Layout(width="14em"))
        self.reply = ipywidgets.HTML()
        self.button.on_click(self._save)
        self.widget: Any = ipywidgets.VBox([self.button, self.reply])

    def _save(self, _: object) -> None:
        self.button.disabled = True
        self.reply.value = Card("note", "Save my work", "Working", ["Your work is being packed."]).html()
        try:
            path = save_work()
            told = [
                f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, lies beside the notebooks.",
                "It holds each notebook as it was last saved: press Ctrl+S in those that are open, then save your work again.",
            ]
            self.reply.value = Card("passed", "Save my work", "Saved", told).html() + download_link(path)
        except PocketlabError as error:
            self.reply.value = Card("not yet", "Save my work", "Not saved", [str(error)]).html()
        finally:
            self.button.disabled = False

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return _with_fallback(
            self.widget, "Here is a button, Save my work. Without it: `pocketlab save` in a terminal."
        )


class RestoreUpload:
    """An upload for a zip of `SaveButton`. What it brings is checked before anything changes; nothing here is lost."""

    def __init__(self) -> None:
        import ipywidgets

        self.upload = ipywidgets.FileUpload(
            accept=".zip", multiple=False, description="Restore from a zip", layout=ipywidgets.Layout(width="14em")
        )
        self.reply = ipywidgets.HTML()
        self.upload.observe(self._restore, "value")
        large = ipywidgets.HTML(
            f"<p>A zip of more than {LARGEST_UPLOAD_BYTES / 1e6:.0f} MB is too large for this button: drag it into the file "
            "browser, then run <code>pocketlab restore FILE</code> in a terminal, with its path for FILE.</p>"
        )
        self.widget: Any = ipywidgets.VBox([self.upload, large, self.reply])

    def _restore(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        try:
            report = restore_work(bytes(change["new"][0]["content"]))
            self.reply.value = Card("passed", "Restore", "Restored", str(report).split("\n")).html()
        except PocketlabError as error:
            self.reply.value = Card("not yet", "Restore", "Not restored", [str(error)]).html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return _with_fallback(self.widget, "Here is an upload. Without it: `pocketlab restore ZIP` in a terminal.")


def download_link(path: Path) -> str:
    """Return HTML that hands a file to the browser, also where the browser cannot reach the server's files."""
    if path.stat().st_size > LARGEST_LINK_BYTES:
        return f"<p>To take it along, right-click {escape(path.name)} in the file browser and choose Download.</p>"
    data = base64.b64encode(path.read_bytes()).decode()
    name = escape(path.name, quote=True)
    style = "color:#4393c3;text-decoration:underline"
    return f'<p><a style="{style}" download="{name}" href="data:application/zip;base64,{data}">Download {name}</a></p>'


def _with_fallback(widget: Any, text: str) -> dict[str, Any]:
    return {**widget._repr_mimebundle_(), "text/html": f"<p>{escape(text)}</p>", "text/plain": text}
