"""Regular expressions over bytes, the automaton that reads them, and the tokens that may come next in each of its states.

An expression is a function: it adds itself to an automaton, from a state on, and returns the state in which it ends. Small ones
are joined into large ones, a JSON schema among them. The automaton is nondeterministic at first (Thompson 1968); then each set
of states that it can be in at once becomes one state of a table, and reading a byte is one look-up (Rabin and Scott 1959). A
token is a string of bytes, so a table and a tree of all tokens give the tokens that may come next.
Source for the last step: Willard and Louf 2023 (Efficient Guided Generation for Large Language Models, section 3).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

MOST_STATES = 30_000
DEAD, START = 0, 1  # states of a table: no way leads out of the first
UNREACHABLE = np.iinfo(np.int32).max


class Nondeterministic:
    """States with moves on ranges of bytes and skips on none. Raises ValueError when there are too many of them."""

    def __init__(self) -> None:
        self.moves: list[list[tuple[int, int, int]]] = []  # by state: from a byte, to a byte, both included; the next state
        self.skips: list[list[int]] = []

    def state(self) -> int:
        """Add a state."""
        _check_size(len(self.moves))
        self.moves.append([])
        self.skips.append([])
        return len(self.moves) - 1

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states that are reached from some without reading a byte, those included."""
        reached, waiting = set(states), list(states)
        while waiting:
            for state in self.skips[waiting.pop()]:
                if state not in reached:
                    reached.add(state)
                    waiting.append(state)
        return frozenset(reached)


Expression = Callable[[Nondeterministic, int], int]


def byte_in(*ranges: tuple[int, int]) -> Expression:
    """One byte out of ranges, both ends included."""

    def add(automaton: Nondeterministic, start: int) -> int:
        end = automaton.state()
        automaton.moves[start] += [(low, high, end) for low, high in ranges]
        return end

    return add


def literal(text: bytes) -> Expression:
    """These bytes."""
    return sequence(*(byte_in((byte, byte)) for byte in text))


def sequence(*parts: Expression) -> Expression:
    """One after the other."""

    def add(automaton: Nondeterministic, start: int) -> int:
        for part in parts:
            start = part(automaton, start)
        return start

    return add


def either(*parts: Expression) -> Expression:
    """One of them."""

    def add(automaton: Nondeterministic, start: int) -> int:
        end = automaton.state()
        for part in parts:
            automaton.skips[part(automaton, start)].append(end)
        return end

    return add


def repeat(part: Expression, least: int, most: int | None) -> Expression:
    """From `least` to `most` times, or as often as one likes if that is None."""

    def add(automaton: Nondeterministic, start: int) -> int:
        for _ in range(least):
            start = part(automaton, start)
        end = automaton.state()
        automaton.skips[start].append(end)
        if most is None:
            automaton.skips[part(automaton, end)].append(end)
            return end
        for _ in range(most - least):
            start = part(automaton, start)
            automaton.skips[start].append(end)
        return end

    return add


class Table:
    """A deterministic automaton. next: (states, 256), the state after a byte. accepting: bool (states,), whether a text may end.

    State 0 is dead, state 1 the start. Raises ValueError where the states are too many.
    """

    def __init__(self, expression: Expression) -> None:
        source = Nondeterministic()
        first = source.state()
        last = expression(source, first)
        sets = [frozenset[int](), source.closure([first])]
        numbers = {states: number for number, states in enumerate(sets)}
        rows = [np.zeros(256, dtype=np.int32)]
        while len(rows) < len(sets):
            row = np.zeros(256, dtype=np.int32)
            for low, high, targets in _pieces(source, sets[len(rows)]):
                states = source.closure(targets)
                if states not in numbers:
                    numbers[states] = len(sets)
                    sets.append(states)
                row[low:high] = numbers[states]
            rows.append(row)
            _check_size(len(rows))
        self.next = np.stack(rows)
        self.accepting = np.array([last in states for states in sets])


def _check_size(states: int) -> None:
    if states >= MOST_STATES:
        raise ValueError(
            f"This form needs an automaton of more than {MOST_STATES} states: lower the bounds of its lengths and counts, or "
            "leave them out, since what has no upper bound needs few."
        )


def _pieces(automaton: Nondeterministic, states: frozenset[int]) -> list[tuple[int, int, frozenset[int]]]:
    """Cut the bytes where a move begins or ends: from, up to, and the states that all bytes of the piece lead to."""
    moves = [move for state in states for move in automaton.moves[state]]
    cuts = sorted({low for low, _, _ in moves} | {high + 1 for _, high, _ in moves})
    pieces = []
    for low, high in itertools.pairwise(cuts):
        if targets := frozenset(target for first, last, target in moves if first <= low <= last):
            pieces.append((low, high, targets))
    return pieces


class TokenTree:
    """All tokens of a vocabulary, by their bytes from the first to the last, those with the same beginning together.

    token_bytes: of each token by id; a token without bytes is never allowed.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        beginnings = {piece[:length] for piece in token_bytes for length in range(len(piece) + 1)}
        ordered = sorted(beginnings, key=len)  # all nodes of a level together, the root first
        numbers = {beginning: number for number, beginning in enumerate(ordered)}
        lengths = np.array([len(beginning) for beginning in ordered])
        parents = np.array([numbers[beginning[:-1]] for beginning in ordered])
        last = np.array([beginning[-1] if beginning else 0 for beginning in ordered])
        self._size = len(ordered)
        levels = [np.flatnonzero(lengths == length) for length in range(1, int(lengths.max()) + 1)]
        self._levels = [(nodes, parents[nodes], last[nodes]) for nodes in levels]
        self._node_of_token = np.array([numbers[piece] for piece in token_bytes])
        self._empty = np.flatnonzero([not piece for piece in token_bytes])

    def ends(self, table: Table, states: np.ndarray) -> np.ndarray:
        """Return the state after each token, (states, tokens), from each of some states (states,)."""
        reached = np.empty((self._size, len(states)), dtype=np.int32)
        reached[0] = states
        for nodes, parents, byte in self._levels:
            reached[nodes] = table.next[reached[parents], byte[:, None]]
        after = reached[self._node_of_token]
        after[self._empty] = DEAD
        return after.T

    def distances(self, table: Table) -> np.ndarray:
        """Return the fewest tokens to an accepting state, int32 (states,), from each state; UNREACHABLE where there is no way."""
        count = len(table.next)
        sources, targets = [], []
        for begin in range(0, count, 256):
            block = np.arange(begin, min(begin + 256, count))
            after = self.ends(table, block)
            seen = np.zeros((len(block), count), dtype=bool)
            seen[np.arange(len(block))[:, None], after] = True
            seen[:, DEAD] = False
            source, target = seen.nonzero()
            sources.append(source + begin)
            targets.append(target)
        # One more state behind all accepting ones; ways are searched backward from it.
        accepting = np.flatnonzero(table.accepting)
        ends = np.concatenate([*targets, np.full(len(accepting), count)])
        begins = np.concatenate([*sources, accepting])
        graph = csr_array((np.ones(len(ends), dtype=np.int8), (ends, begins)), shape=(count + 1, count + 1))
        steps = dijkstra(graph, unweighted=True, indices=count)[:count] - 1
        return np.where(np.isfinite(steps), steps, UNREACHABLE).astype(np.int32)
