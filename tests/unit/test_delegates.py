"""How LiteRT splits a model: small graphs worked out by hand, and properties that hold for every graph."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pocketlab.runtimes._litert import _delegate_unannounced
from pocketlab.runtimes.delegates import (
    DEFAULT_LIMITS,
    Subset,
    boundary_copies,
    count_partitions,
    estimate_cost,
    keep_largest,
    partition,
)

YES, NO = True, False
CHAINS = st.lists(st.booleans(), max_size=30)


@st.composite
def graphs(draw):
    supported = draw(st.lists(st.booleans(), min_size=1, max_size=12))
    pairs = [(a, b) for b in range(len(supported)) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=20, unique=True)) if pairs else []
    return supported, edges


@pytest.mark.parametrize(
    ("supported", "partitions"),
    [
        ([], 0),
        ([NO], 0),
        ([YES], 1),
        ([YES, YES, YES], 1),
        ([NO, YES, NO], 1),
        ([YES, NO, YES], 2),
        ([YES, NO, NO, YES, YES, NO, YES], 3),
    ],
)
def test_a_chain_has_one_partition_for_each_run(supported, partitions):
    assert count_partitions(supported) == partitions


@given(CHAINS)
def test_counting_agrees_with_partitioning(supported):
    assert count_partitions(supported) == sum(s.delegated for s in partition(supported))


@given(CHAINS)
def test_a_chain_copies_in_and_out_once_for_each_partition(supported):
    assert boundary_copies(supported) == 2 * count_partitions(supported)


def test_a_branch_on_the_cpu_does_not_end_a_subset_that_does_not_need_it():
    """0 feeds 1 and 2; the delegate takes all but 1, whose result only 3 needs. As a list there would be three runs."""
    supported = [YES, NO, YES, YES]
    edges = [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert partition(supported, edges) == [Subset(YES, (0, 2)), Subset(NO, (1,)), Subset(YES, (3,))]
    # In: the model's input to 0, the results of 1 and of 2 to 3. Out: 0 for 1, 2 for 3, and the model's output.
    assert boundary_copies(supported, edges) == 6


def test_independent_branches_join_though_they_are_apart_in_the_list():
    supported = [YES, NO, YES]
    edges = [(0, 1)]
    assert partition(supported, edges) == [Subset(YES, (0, 2)), Subset(NO, (1,))]
    assert partition(supported) == [Subset(YES, (0,)), Subset(NO, (1,)), Subset(YES, (2,))]


def test_a_tensor_read_twice_elsewhere_is_copied_out_once_and_in_once():
    supported = [YES, NO, NO]
    assert boundary_copies(supported, [(0, 1), (0, 2)]) == 2
    supported = [NO, YES, YES]
    assert boundary_copies(supported, [(0, 1), (0, 2)]) == 1 + 2


@given(graphs())
def test_every_operator_runs_once_on_its_side_and_after_what_it_reads(graph):
    supported, edges = graph
    subsets = partition(supported, edges)
    position = {node: i for i, subset in enumerate(subsets) for node in subset.operators}
    assert sorted(node for subset in subsets for node in subset.operators) == list(range(len(supported)))
    assert all(supported[node] == subset.delegated for subset in subsets for node in subset.operators)
    assert all(position[a] <= position[b] for a, b in edges)


@given(graphs())
def test_sides_alternate(graph):
    """Greedy: all that is ready on a side is taken, so what is ready next is on the other side."""
    sides = [subset.delegated for subset in partition(*graph)]
    assert all(a != b for a, b in pairwise(sides))


@given(graphs())
def test_a_graph_never_has_more_partitions_than_its_list_has_runs(graph):
    supported, edges = graph
    assert sum(s.delegated for s in partition(supported, edges)) <= count_partitions(supported)


def write_tflite(path: Path, supported: list[bool], reads: list[tuple[int, int]]) -> None:
    """Write a model of two-input operators: ADD, which XNNPACK takes, and FLOOR_MOD, which it does not.

    `reads[i]` has the two tensors that operator i reads: 0 is the model's input, j + 1 what operator j returns.
    """
    tensors = []
    for i in range(len(supported) + 1):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = f"t{i}", [4], schema.TensorType.FLOAT32, 0
        tensors.append(tensor)
    operators = []
    for i, (takes, inputs) in enumerate(zip(supported, reads, strict=True)):
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = int(not takes), list(inputs), [i + 1]
        operator.builtinOptions = schema.AddOptionsT() if takes else schema.FloorModOptionsT()
        operator.builtinOptionsType = (
            schema.BuiltinOptions.AddOptions if takes else schema.BuiltinOptions.FloorModOptions
        )
        operators.append(operator)
    codes = []
    for builtin in (schema.BuiltinOperator.ADD, schema.BuiltinOperator.FLOOR_MOD):
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, builtin, 1
        codes.append(code)
    read = {tensor for inputs in reads for tensor in inputs}
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs = tensors, operators, [0]
    graph.outputs = [i for i in range(1, len(tensors)) if i not in read]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, codes, [graph], [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


@st.composite
def two_input_models(draw):
    """Operators that read either the model's input or other operators, as the functions under test take them."""
    supported = draw(st.lists(st.booleans(), min_size=1, max_size=10))
    earlier = [st.just((0, 0)) if i == 0 else st.tuples(*[st.integers(1, i)] * 2) for i in range(len(supported))]
    return supported, [draw(st.one_of(st.just((0, 0)), inputs)) for inputs in earlier]


@given(two_input_models())
@settings(max_examples=60, deadline=None)
@example(([YES, NO, YES, YES], [(0, 0), (1, 1), (1, 1), (2, 3)]))
def test_litert_itself_makes_the_same_partitions_and_copies(tmp_path_factory, model):
    """The real interpreter with XNNPACK lists one DELEGATE for each partition, with the tensors that cross into it."""
    supported, reads = model
    path = tmp_path_factory.getbasetemp() / "two_inputs.tflite"
    write_tflite(path, supported, reads)
    with _delegate_unannounced():
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
    listed = [node for node in interpreter._get_ops_details() if node["op_name"] == "DELEGATE"]
    crossing = [
        ({int(t) for t in node["inputs"]}, {int(t) for t in node["outputs"]}) for node in listed
    ]
    edges = [(tensor - 1, i) for i, inputs in enumerate(reads) for tensor in inputs if tensor]
    ours = [part.operators for part in partition(supported, edges) if part.delegated]
    assert len(ours) == len(crossing)
    for operators, (_, outputs) in zip(ours, crossing, strict=True):
        assert outputs <= {node + 1 for node in operators}
    assert boundary_copies(supported, edges) == sum(len(i) + len(o) for i, o in crossing)


@pytest.mark.parametrize("edge", [(1, 0), (0, 0), (0, 3), (-1, 1)])
def test_an_edge_has_to_lead_forward_in_the_list(edge):
    with pytest.raises(ValueError, match="forward"):
        partition([YES, YES, NO], [edge])


class TestKeepLargest:
    CHAIN = (YES, NO, YES, YES, YES, NO, YES, YES, NO, YES)  # runs of 1, 3, 2 and 1

    def kept(self, **limits):
        return [i for i, keep in enumerate(keep_largest(self.CHAIN, **limits)) if keep]

    def test_without_limits_everything_stays(self):
        assert keep_largest(self.CHAIN) == list(self.CHAIN)

    def test_at_most_so_many_partitions_the_largest_first(self):
        assert self.kept(max_delegated_partitions=1) == [2, 3, 4]
        assert self.kept(max_delegated_partitions=2) == [2, 3, 4, 6, 7]

    def test_of_equal_ones_the_earlier(self):
        assert self.kept(max_delegated_partitions=3) == [0, 2, 3, 4, 6, 7]

    def test_small_ones_go_back_to_the_cpu(self):
        assert self.kept(min_nodes_per_partition=2) == [2, 3, 4, 6, 7]
        assert self.kept(min_nodes_per_partition=4) == []

    def test_the_defaults_of_litert(self):
        def partitions(delegate):
            limits = DEFAULT_LIMITS[delegate]
            return count_partitions(
                keep_largest(
                    self.CHAIN,
                    max_delegated_partitions=limits.max_delegated_partitions,
                    min_nodes_per_partition=limits.min_nodes_per_partition,
                )
            )

        assert {name: partitions(name) for name in DEFAULT_LIMITS} == {"GPU": 1, "NNAPI": 3, "Core ML": 2}


OPERATORS = ("CONV_2D", "RELU6", "CONV_2D")
CPU = {"CONV_2D": 4.0, "RELU6": 1.0}
DELEGATE = {"CONV_2D": 0.5, "RELU6": 0.25}


class TestEstimate:
    def estimate(self, supported, copy_ms=2.0):
        return estimate_cost(OPERATORS, supported, cpu_ms=CPU, delegate_ms=DELEGATE, copy_ms=copy_ms)

    def test_sums_each_side_and_the_copies(self):
        split = self.estimate([YES, NO, YES])
        assert (split.cpu_ms, split.delegate_ms, split.copy_ms) == (1.0, 1.0, 8.0)
        assert (split.partitions, split.copies, split.total_ms) == (2, 4, 10.0)

    def test_with_dear_copies_the_cpu_alone_is_faster_than_a_split(self):
        assert self.estimate([NO] * 3).total_ms < self.estimate([YES, NO, YES]).total_ms
        assert self.estimate([YES] * 3).total_ms < self.estimate([NO] * 3).total_ms

    def test_says_which_time_is_missing(self):
        with pytest.raises(ValueError, match="RELU6 has no time on the delegate"):
            estimate_cost(OPERATORS, [YES] * 3, cpu_ms=CPU, delegate_ms={"CONV_2D": 1.0}, copy_ms=0)

    def test_lists_have_to_be_of_one_length(self):
        with pytest.raises(ValueError, match="3 operators"):
            self.estimate([YES])
