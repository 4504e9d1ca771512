"""The README says of each lab what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from pocketlab.course.catalogue import LABS

ROOT = Path(__file__).parents[2]


def test_the_table_of_labs_is_that_of_the_catalogue() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for lab in LABS:
        ready = lab.is_ready(ROOT)
        title = f"[{lab.title}](labs/{lab.slug}.ipynb)" if ready else lab.title
        assert f"| {lab.number} | {title} | {lab.ends_with} | {'ready' if ready else 'to come'} |" in lines
