"""How LiteRT splits a model between the CPU and a delegate (GPU, NPU): pure functions, nothing is run.

A model is a list of operators in execution order, and `supported[i]` says whether the delegate takes operator i. Edges
(from, to) say whose output an operator reads; without them the model is a chain, each operator reading the one before.
Source of every rule: LiteRT, tflite/graph_info.cc (PartitionGraphIntoIndependentNodeSubsets) and
tflite/delegates/utils.cc (GraphPartitionHelper).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[int, int]


def count_partitions(supported: Sequence[bool]) -> int:
    """Return how many delegate kernels a chain of operators ends up with: one for each run of supported neighbors."""
    return sum(now and not before for before, now in zip([False, *supported], supported, strict=False))


@dataclass(frozen=True)
class Subset:
    """Operators that run together on one side, by index: on the CPU, or as one kernel of the delegate."""

    delegated: bool
    operators: tuple[int, ...]


def partition(supported: Sequence[bool], edges: Iterable[Edge] | None = None) -> list[Subset]:
    """Return the subsets in the order in which they run, as LiteRT forms them.

    A subset starts with the first operator that is ready, all that it reads being computed, and takes in every further
    operator of the same side that is ready or becomes so, even past operators of the other side: a branch that the
    delegate does not take does not end a subset that does not depend on it.
    Raises ValueError if an edge does not lead forward in execution order, or leads out of the list.
    """
    inputs = _inputs(len(supported), edges)
    done: set[int] = set()
    subsets = []
    while len(done) < len(supported):
        chosen: list[int] = []
        side = None
        for node, ready_on in enumerate(inputs):  # edges lead forward: one pass finds all that becomes ready
            if node in done or not ready_on <= done:
                continue
            if side is None:
                side = bool(supported[node])
            if bool(supported[node]) == side:
                done.add(node)
                chosen.append(node)
        subsets.append(Subset(bool(side), tuple(chosen)))
    return subsets


@dataclass(frozen=True)
class Limits:
    """What a delegate does with many or small partitions: 0 partitions means as many as there are."""

    max_delegated_partitions: int
    min_nodes_per_partition: int
    source: str


DEFAULT_LIMITS = {
    "GPU": Limits(1, 0, "tflite/delegates/gpu/delegate_options.cc"),
    "NNAPI": Limits(3, 0, "tflite/delegates/nnapi/nnapi_delegate.h"),
    "Core ML": Limits(0, 2, "tflite/delegates/coreml/coreml_delegate.h"),
}
"""The defaults of LiteRT's delegates: with the GPU delegate's, every partition but the largest stays on the CPU."""


def keep_largest(
    supported: Sequence[bool],
    edges: Iterable[Edge] | None = None,
    *,
    max_delegated_partitions: int = 0,
    min_nodes_per_partition: int = 0,
) -> list[bool]:
    """Return which operators the delegate really gets once small partitions are given back to the CPU.

    The partitions are taken from the largest down, of equal ones the earlier first, until there are
    `max_delegated_partitions` (0: no limit) or one has fewer than `min_nodes_per_partition` operators.
    Source: GraphPartitionHelper::GetFirstNLargestPartitions, whose order among equals is not defined.
    """
    parts = sorted((s for s in partition(supported, edges) if s.delegated), key=lambda s: -len(s.operators))
    parts = parts[: max_delegated_partitions or len(parts)]
    kept = {node for part in parts if len(part.operators) >= min_nodes_per_partition for node in part.operators}
    return [node in kept for node in range(len(supported))]


def boundary_copies(supported: Sequence[bool], edges: Iterable[Edge] | None = None) -> int:
    """Return how many tensors are copied between CPU memory and the delegate in one run of the model.

    Each delegate kernel copies in every tensor that it reads from elsewhere, and out every tensor that is read elsewhere;
    the model's own input and output are in CPU memory. An operator has one output; one that reads no other reads the
    model's input, and one that nobody reads makes an output. In a chain these are two copies for each partition.
    """
    inputs = _inputs(len(supported), edges)
    readers: list[set[int]] = [set() for _ in inputs]
    for node, sources in enumerate(inputs):
        for source in sources:
            readers[source].add(node)
    copies = 0
    for part in partition(supported, edges):
        if part.delegated:
            inside = set(part.operators)
            copied_in = set().union(*(inputs[node] for node in inside)) - inside
            reads_model_input = any(not inputs[node] for node in inside)
            copied_out = [node for node in inside if not readers[node] or readers[node] - inside]
            copies += len(copied_in) + reads_model_input + len(copied_out)
    return copies


@dataclass(frozen=True)
class CostEstimate:
    """An estimate of one run in milliseconds: a sum of parts, not a measurement."""

    cpu_ms: float
    delegate_ms: float
    copy_ms: float
    partitions: int
    copies: int

    @property
    def total_ms(self) -> float:
        """The three parts added, as if nothing overlapped."""
        return self.cpu_ms + self.delegate_ms + self.copy_ms


def estimate_cost(
    operators: Sequence[str],
    supported: Sequence[bool],
    *,
    cpu_ms: Mapping[str, float],
    delegate_ms: Mapping[str, float],
    copy_ms: float,
    edges: Iterable[Edge] | None = None,
) -> CostEstimate:
    """Estimate one run: each operator's time on its side, and `copy_ms` for every tensor that crosses.

    cpu_ms, delegate_ms: milliseconds of one operator, by its name. It leaves out what a real run has: transfers that
    overlap with work, operators fused, the delegate's start. Use it to compare splits, not to predict a latency.
    Raises ValueError if the lists differ in length or an operator has no time on the side where it runs.
    """
    if len(operators) != len(supported):
        raise ValueError(f"There are {len(operators)} operators, but `supported` has {len(supported)} entries.")
    spent = {True: 0.0, False: 0.0}
    for name, delegated in zip(operators, supported, strict=True):
        times = delegate_ms if delegated else cpu_ms
        if name not in times:
            raise ValueError(f"{name} has no time on the {'delegate' if delegated else 'CPU'}; add it to the table.")
        spent[bool(delegated)] += times[name]
    edges = None if edges is None else list(edges)
    copies = boundary_copies(supported, edges)
    return CostEstimate(
        cpu_ms=spent[False],
        delegate_ms=spent[True],
        copy_ms=copies * copy_ms,
        partitions=sum(part.delegated for part in partition(supported, edges)),
        copies=copies,
    )


def _inputs(count: int, edges: Iterable[Edge] | None) -> list[set[int]]:
    """Return, for each operator, the operators whose outputs it reads."""
    inputs: list[set[int]] = [set() for _ in range(count)]
    for source, reader in ((i, i + 1) for i in range(count - 1)) if edges is None else edges:
        if not 0 <= source < reader < count:
            raise ValueError(f"Edge {(source, reader)} does not lead forward within {count} operators.")
        inputs[reader].add(source)
    return inputs
