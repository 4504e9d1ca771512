"""How small a file of quantized weights can get: entropy, Huffman's code, and where the weights of a sparse layer lie.

Source: Huffman 1952 (A Method for the Construction of Minimum-Redundancy Codes); Han et al. 2016 (Deep Compression,
sections 2 and 4); canonical form: Salomon, Data Compression, section 2.9.
"""

from __future__ import annotations

import heapq

import numpy as np


def entropy_bits(symbols: np.ndarray) -> float:
    """Return Shannon's entropy in bits per symbol: no code that gives each symbol a word of its own needs fewer on average.

    symbols: integers from 0 on, of any shape. Raises ValueError if there are none, or if they are no such integers.
    """
    counts = symbol_counts(symbols)
    share = counts[counts > 0] / counts.sum()
    return float(max(0.0, -(share * np.log2(share)).sum()))


def symbol_counts(symbols: np.ndarray) -> np.ndarray:
    """Return how often each symbol from 0 to the largest occurs. Raises ValueError as `entropy_bits` does."""
    flat = np.asarray(symbols).reshape(-1)
    if flat.size == 0 or not np.issubdtype(flat.dtype, np.integer) or flat.min() < 0:
        raise ValueError(f"Symbols are whole numbers from 0 on, at least one; got {flat.size} of type {flat.dtype}.")
    return np.bincount(flat)


def huffman_lengths(counts: np.ndarray) -> np.ndarray:
    """Return the length in bits of each symbol's word in Huffman's code; 0 for a symbol that never occurs.

    counts: (symbols,) how often each occurs. The two rarest are joined until one is left; each joining makes the words of all
    that it holds a bit longer. A symbol that is alone gets a word of one bit, since zero bits cannot be counted.
    Raises ValueError for negative counts, or if nothing occurs.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or (counts < 0).any() or counts.sum() == 0:
        raise ValueError(f"counts are how often each symbol occurs, and at least one has to; got {counts!r}.")
    lengths = np.zeros(len(counts), np.int64)
    heap = [(int(count), symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    heapq.heapify(heap)
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
    while len(heap) > 1:
        count_a, first, group_a = heapq.heappop(heap)
        count_b, _, group_b = heapq.heappop(heap)
        joined = group_a + group_b
        lengths[joined] += 1
        heapq.heappush(heap, (count_a + count_b, first, joined))
    return lengths


def huffman_words(lengths: np.ndarray) -> dict[int, str]:
    """Return each symbol's word, as text of 0 and 1, in canonical form: by length, then by symbol, counting upwards.

    So the lengths alone are enough to know the code, and a file need not hold the words.
    """
    words: dict[int, str] = {}
    code = length = 0
    for symbol in sorted(np.flatnonzero(lengths), key=lambda symbol: (lengths[symbol], symbol)):
        code <<= int(lengths[symbol]) - length
        length = int(lengths[symbol])
        words[int(symbol)] = format(code, f"0{length}b")
        code += 1
    return words


def huffman_encode(symbols: np.ndarray, lengths: np.ndarray) -> bytes:
    """Return the words of all symbols one after the other, the last byte filled with zeros.

    Raises ValueError for a symbol that has no word.
    """
    words = huffman_words(lengths)
    flat = np.asarray(symbols).reshape(-1).tolist()
    if missing := set(flat) - set(words):
        raise ValueError(f"The symbol {min(missing)} has no word in this code; it has words for {sorted(words)[:20]}.")
    bits = "".join([words[symbol] for symbol in flat])
    return np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tobytes()


def huffman_decode(data: bytes, lengths: np.ndarray, count: int) -> np.ndarray:
    """Return the first `count` symbols of what `huffman_encode` wrote. Raises ValueError if the data end before that."""
    symbol_of = {word: symbol for symbol, word in huffman_words(lengths).items()}
    found: list[int] = []
    word = ""
    for bit in np.unpackbits(np.frombuffer(data, np.uint8)).tolist():
        if len(found) == count:
            break
        word += "1" if bit else "0"
        if word in symbol_of:
            found.append(symbol_of[word])
            word = ""
    if len(found) < count:
        raise ValueError(f"The data hold {len(found)} symbols, and {count} are due.")
    return np.array(found, np.int64)


def huffman_bytes(symbols: np.ndarray) -> int:
    """Return the bytes that the symbols take in Huffman's code, its table (a byte for each possible symbol) included."""
    counts = symbol_counts(symbols)
    lengths = huffman_lengths(counts)
    return -(-int((counts * lengths).sum()) // 8) + len(counts)


def relative_positions(mask: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how a sparse layer says where its weights lie: (steps, real), one entry for each weight that is stored.

    mask: bool, True where a weight is kept, read row by row. steps: how far each stored weight lies behind the one before,
    less 1, in 0 to 2^bits − 1. real: False for a zero that is stored only because a gap was too long for `bits`.
    Raises ValueError unless 1 ≤ bits ≤ 16.
    Source: Han et al. 2016, section 2 and figure 2.
    """
    if not 1 <= bits <= 16:
        raise ValueError(f"A step has 1 to 16 bits, and {bits} is not in between.")
    longest = 2**bits
    positions = np.flatnonzero(np.asarray(mask, bool))
    gaps = np.diff(positions, prepend=-1)  # 1 for the next neighbor
    fillers = (gaps - 1) // longest
    ends = np.cumsum(fillers + 1) - 1
    steps = np.full(int((fillers + 1).sum()), longest - 1, np.int64)
    real = np.zeros(len(steps), bool)
    steps[ends] = gaps - fillers * longest - 1
    real[ends] = True
    return steps, real


def positions_from_steps(steps: np.ndarray) -> np.ndarray:
    """Return where the stored weights lie, fillers included: the inverse of `relative_positions`."""
    return np.cumsum(np.asarray(steps, np.int64) + 1) - 1
