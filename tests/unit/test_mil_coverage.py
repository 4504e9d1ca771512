from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from mil_harness import ct

from pocketlab.runtimes import mil
from pocketlab.runtimes.mil import operator_coverage
from pocketlab.runtimes.mil.compiler import CONTROL_FLOW
from pocketlab.runtimes.mil.registry import OPERATORS

HERE = Path(__file__)
SSAOpRegistry = ct.converters.mil.mil.ops.registry.SSAOpRegistry


def versions(name):
    """Return the classes that define an operator, one for each opset that has it."""
    if name == "coreml_update_state":
        return [SSAOpRegistry.dialect_ops[name]]
    return list(SSAOpRegistry.core_ops[name].values())


def defaults(definition):
    """Return the parameters for which coremltools fills in a value: those that its `default_inputs` names."""
    sources = [inspect.getsource(c.default_inputs) for c in definition.__mro__ if "default_inputs" in vars(c)]
    return set(re.findall(r"(\w+)=", "".join(sources)))


def test_every_operator_is_counted_once():
    rows = mil.coverage()
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    expected = {name for name in SSAOpRegistry.core_ops if name != "_const_symbolic"} | {"coreml_update_state"}
    assert set(names) == expected
    assert {row.name for row in rows if row.done} == {*OPERATORS, "const", *CONTROL_FLOW}
    assert mil.coverage() == rows  # the function, also after the module that has it was imported


def test_family_and_opset_are_those_of_the_first_definition():
    rows = {row.name: row for row in mil.coverage()}
    assert (rows["conv"].family, rows["conv"].opset) == ("conv", "iOS15")
    assert (rows["constexpr_cast"].family, rows["constexpr_cast"].opset) == ("constexpr_ops", "iOS16")
    assert (rows["slice_update"].family, rows["slice_update"].opset) == ("tensor_transformation", "iOS18")


def test_the_readme_has_the_table():
    text = operator_coverage.README.read_text(encoding="utf-8")
    assert operator_coverage.with_table(text) == text, "run `python -m pocketlab.runtimes.mil.operator_coverage`"


def test_the_table_names_every_operator_and_marks_what_is_missing(monkeypatch):
    monkeypatch.delitem(OPERATORS, "conv")
    table = operator_coverage.coverage_table()
    rows = mil.coverage()
    assert f"**{len(rows) - sum(not row.done for row in rows)} of {len(rows)} operators" in table
    assert all(f"`{row.name}`" in table for row in rows)
    assert "`conv` (**missing**)" in table
    assert "`slice_update` (iOS18)" in table


def test_a_text_without_the_markers_is_refused():
    with pytest.raises(ValueError, match="around the place of the table"):
        operator_coverage.with_table("# Coverage")


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_no_version_has_a_parameter_that_we_do_not_know(name):
    for definition in versions(name):
        unknown = set(definition.input_spec.input_types) - set(OPERATORS[name].parameters)
        assert not unknown, f"{definition.__module__}"


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_version_fills_what_we_cannot_do_without(name):
    signature = inspect.signature(OPERATORS[name].function)
    needed = {key for key, parameter in signature.parameters.items() if parameter.default is parameter.empty}
    for definition in versions(name):
        parameters = definition.input_spec.input_types
        given = {key for key, kind in parameters.items() if not kind.optional} | (defaults(definition) & set(parameters))
        assert needed <= given, f"{definition.__module__}"


def test_every_operator_is_in_a_test():
    texts = [path.read_text(encoding="utf-8") for path in HERE.parent.glob("test_mil_*.py") if path != HERE]
    words = set(re.findall(r"\w+", "\n".join(texts)))
    assert {name for name in OPERATORS if name not in words} == set()
