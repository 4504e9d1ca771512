"""Compiled loops: exact, also there as plain Python, and compiled anew when any source has changed."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np

from pocketlab.data.compiled import compiled, folder_for


@compiled
def running_sum(values: np.ndarray) -> np.ndarray:
    sums = np.empty_like(values)
    total = 0.0
    for index in range(len(values)):
        total += values[index]
        sums[index] = total
    return sums


def test_a_compiled_loop_gives_the_bits_of_its_python_form():
    values = np.random.default_rng(0).standard_normal(1000)
    assert running_sum(values).tobytes() == running_sum.py_func(values).tobytes() == np.cumsum(values).tobytes()


def test_the_setting_of_others_is_left_alone(monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "theirs")
    compiled(lambda x: x)
    assert numba.config.CACHE_DIR == "theirs"


def test_any_change_of_a_source_leads_to_another_folder_and_deletes_the_old_one(tmp_path: Path):
    for room in ("data", "signals"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text("LIMIT = 1\n")
    first = folder_for(tmp_path)
    first.mkdir(parents=True)
    assert folder_for(tmp_path) == first
    (tmp_path / "signals" / "one.py").write_text("LIMIT = 2\n")
    second = folder_for(tmp_path)
    assert second != first
    assert not first.exists()
    (tmp_path / "data" / "two.py").write_text("")
    assert folder_for(tmp_path) not in (first, second)
