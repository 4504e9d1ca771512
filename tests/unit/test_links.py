"""No link inside the tree is dead: README and other Markdown, the text of sources and of notebooks."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
_LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=[\"']([^\"']+)"
)
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_CODE = re.compile(rf"{_FENCED.pattern}|`[^`\n]+`", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//|/")


def anchors(text: str) -> set[str]:
    """Return what `#…` may name in a Markdown text: each heading as GitHub and JupyterLab write it, and explicit ids."""
    headings = [re.sub(r"[`*_]", "", heading) for heading in _HEADING.findall(_FENCED.sub("", text))]
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    jupyter = {heading.replace(" ", "-") for heading in headings}
    return github | jupyter | set(re.findall(r"<[^>]*\b(?:id|name)=[\"']([^\"']+)", text))


def dead_links(text: str, folder: Path) -> list[str]:
    """Return each link of a Markdown text that leads nowhere inside the tree, `folder` being where the text lies."""
    dead = []
    for target in filter(None, (link for pair in _LINK.findall(_CODE.sub("", text)) for link in pair)):
        path, _, anchor = target.partition("#")
        if _OUTSIDE.match(path):
            continue
        if path and not (folder / unquote(path)).exists():
            dead.append(target)
        elif anchor and (not path or path.endswith(".md")):
            here = (folder / path).read_text() if path else text
            if unquote(anchor) not in anchors(here):
                dead.append(target)
    return dead


def texts() -> Iterator[tuple[str, str, Path]]:
    """Yield name, Markdown text and folder of everything in the tree that people read and may click in."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in sorted({ROOT / name for name in listed.stdout.splitlines()}):
        if path.suffix == ".md" and path.exists():
            yield str(path.relative_to(ROOT)), path.read_text(), path.parent
        elif path.parent.name in ("labs", "solutions") and path.suffix in (".py", ".ipynb") and path.exists():
            cells = jupytext.read(path).cells
            markdown = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
            yield str(path.relative_to(ROOT)), markdown, path.parent


def test_no_link_inside_the_tree_is_dead():
    dead = {name: found for name, text, folder in texts() if (found := dead_links(text, folder))}
    assert dead == {}


@pytest.mark.parametrize(
    "text",
    [
        "See [the lab](02_missing.ipynb).",
        "![a figure](images/gone.png)",
        "[below](#no-such-heading)\n\n# Another heading",
        '<img alt="a" src="gone.png">',
        "[notes](notes.md#no-such-heading)",
    ],
)
def test_a_dead_link_is_found(tmp_path, text):
    (tmp_path / "notes.md").write_text("# A heading\n")
    assert len(dead_links(text, tmp_path)) == 1


def test_a_living_link_is_left_alone(tmp_path):
    (tmp_path / "01 name.ipynb").write_text("{}")
    (tmp_path / "notes.md").write_text("# Two commands, `make lab`\n")
    text = """# Two words

    [a](01%20name.ipynb), [b](#two-words), [c](https://example.org/x), [d](notes.md#two-commands-make-lab),
    [e](mailto:a@example.org), `[not](a-link)`, [f](/lab/tree/x)
    """
    assert dead_links(text, tmp_path) == []
