"""The table of the Neural Engine: every row has a source, and operators are MIL's own."""

from __future__ import annotations

import pytest

from pocketlab.device import npu
from pocketlab.runtimes.mil._coremltools import import_coremltools


def test_a_small_convnet_is_taken_as_a_whole():
    rows = npu.neural_engine_estimate(["conv", "clip", "conv", "clip", "reduce_mean", "linear"])
    assert [row.operator for row in rows] == ["conv", "clip", "reduce_mean", "linear"]
    assert {row.verdict for row in rows} == {"yes"}


@pytest.mark.parametrize(
    ("operator", "verdict"), [("lstm", "no"), ("scatter_nd", "no"), ("gather", "conditions"), ("softmax", "yes")]
)
def test_verdicts(operator, verdict):
    (row,) = npu.neural_engine_estimate([operator])
    assert (row.operator, row.verdict) == (operator, verdict)


def test_what_nobody_wrote_of_is_unknown():
    (row,) = npu.neural_engine_estimate(["fold_space_and_time"])
    assert (row.verdict, row.source) == ("unknown", "none")


def test_nothing_gives_nothing():
    assert npu.neural_engine_estimate([]) == []


def test_every_row_says_why_and_cites_a_source():
    for row in (*npu._TABLE.values(), *npu.CONDITIONS):
        assert row.verdict in ("yes", "conditions", "no")
        assert row.why.endswith(".")
        assert all(citation in npu.SOURCES.values() for citation in row.source.split("; "))


def test_the_names_are_mil_operators():
    import_coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    assert set(npu._TABLE) <= set(SSAOpRegistry.core_ops)
