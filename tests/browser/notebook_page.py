"""A notebook in a real JupyterLab, driven as a person would: menus, keys, clicks."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

SCREENSHOTS = Path(__file__).parent / "screenshots"
_RAN = re.compile(r"\[\d+\]")
# A traceback has the look of an error stream, which a warning has too; only a traceback is colored.
_TRACEBACK = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]:has(.ansi-red-fg)'
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

# What JupyterLab itself writes to the console when all is well; each with its reason.
_KNOWN = (
    # A settings file that nobody has written yet, a workspace that nobody has saved yet.
    re.compile(r"Failed to load resource.*404.*/(api/contents|lab/api/(settings|workspaces))"),
)


class Journal:
    """What a page said and asked for: console errors, exceptions, what it loaded, and requests meant for another host."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self._host = host
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.loaded: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", self._request)
        context.on("requestfinished", lambda request: self.loaded.append(request.url))
        context.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(known.search(text) for known in _KNOWN):
            self.errors.append(text)

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != self._host:
            self.strangers.append(request.url)

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":   # a page that was left before it had loaded all
            self.errors.append(f"{request.url} failed: {request.failure}")

    def check(self) -> None:
        """Fail on an error in the console, and on any request to another host."""
        assert not self.strangers, self.strangers
        assert not self.errors, self.errors


class NotebookPage:
    """One notebook, open in JupyterLab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str, token: str, path: str) -> NotebookPage:
        """Open a notebook by its path under the course's folder, and wait for its kernel."""
        self.page.goto(f"{url}/lab/tree/{path}?reset&token={token}")
        expect(self.page.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible(timeout=60_000)
        self._wait_for_kernel(60_000)
        return self

    def menu(self, *labels: str) -> None:
        """Choose a command of the menu bar by its labels, as in `menu("Run", "Run All Cells")`."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{labels[0]}$")).click()
        for label in labels[1:]:
            item = self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(label)}$"))
            item.locator("visible=true").last.click()

    def run_all(self, timeout_s: float = 120) -> None:
        """Run all cells, and wait until the last one has run or one has failed."""
        self.menu("Run", "Run All Cells")
        last = self.page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt").filter(has_text=_RAN)
        expect(last.or_(self.page.locator(_TRACEBACK)).first).to_be_attached(timeout=timeout_s * 1000)
        self._wait_for_kernel(timeout_s * 1000)

    def _wait_for_kernel(self, timeout_ms: float) -> None:
        # The toolbar's indicator says idle before there is a kernel; the status bar says which kernel is idle.
        expect(self.page.get_by_role("button", name=re.compile(r"^Python 3.*\| Idle$"))).to_be_visible(timeout=timeout_ms)

    def cell(self, text: str) -> Locator:
        """The code cell whose source contains a text."""
        return self.page.locator(".jp-CodeCell").filter(has=self.page.locator(".jp-InputArea", has_text=text)).first

    def write(self, cell: Locator, source: str) -> None:
        """Replace a cell's source by typing over it."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)
        expect(cell.locator(".cm-content")).to_contain_text(source.splitlines()[-1])

    def run(self, cell: Locator, timeout_s: float = 60) -> None:
        """Run one cell by its keyboard shortcut, and wait until it has run."""
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).not_to_have_text(before)
        expect(prompt).to_have_text(_RAN, timeout=timeout_s * 1000)

    def answer(self, exercise_id: str, source: str) -> Locator:
        """Write a function, named `answer`, into an exercise's cell with its check, run it, and return the card."""
        check = f'lab.check("{exercise_id}"'
        cell = self.cell(check)
        name = re.search(rf"(\w+) = {re.escape(check)}", cell.locator(".cm-content").inner_text())
        assert name, f"the cell of exercise {exercise_id} has no check that can be read"
        self.write(cell, f"{source}\n\n{name[1]} = {check}, answer)")
        self.run(cell)
        card: Locator = cell.locator(".pocketlab-card")
        expect(card).to_have_count(1)
        return card

    def tracebacks(self) -> list[str]:
        """The errors that cells ended with."""
        return self.page.locator(_TRACEBACK).all_inner_texts()

    def set_theme(self, theme: str) -> None:
        """Choose JupyterLab's light or dark theme in its menu."""
        self.menu("Settings", "Theme", THEMES[theme])
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "light").lower())

    def photograph(self, name: str, part: Locator, *themes: str) -> None:
        """Keep a screenshot of the window, scrolled to a part of it, in each theme."""
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in themes or THEMES:
            self.set_theme(theme)
            part.scroll_into_view_if_needed()
            self.page.wait_for_timeout(300)   # JupyterLab fades its themes in
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{theme}.png")

    def press_and_time(self, handle: Locator, key: str, figure: Locator) -> float:
        """Press a key on a control; return the milliseconds until the figure in the page is another one."""
        figure.evaluate(
            """(image) => {
                const start = () => { window.pressed = performance.now(); };
                window.addEventListener("keydown", start, { capture: true, once: true });
                window.redrawn = null;
                const widget = image.closest(".jupyter-widgets");
                new MutationObserver((_, observer) => {
                    if (widget.querySelector("img").src !== image.src) {
                        window.redrawn = performance.now() - window.pressed;
                        observer.disconnect();
                    }
                }).observe(widget, { childList: true, subtree: true, attributes: true });
            }"""
        )
        handle.press(key)
        self.page.wait_for_function("window.redrawn !== null", timeout=10_000)
        milliseconds: float = self.page.evaluate("window.redrawn")
        return milliseconds
