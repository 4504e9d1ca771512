from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pocketlab.compression.coding import (
    entropy_bits,
    huffman_bytes,
    huffman_decode,
    huffman_encode,
    huffman_lengths,
    huffman_words,
    positions_from_steps,
    relative_positions,
    symbol_counts,
)

SYMBOLS = hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 20))


def test_entropy_of_known_mixtures():
    assert entropy_bits(np.array([3, 3, 3])) == 0
    assert entropy_bits(np.arange(16)) == pytest.approx(4)
    assert entropy_bits(np.array([0, 0, 1, 2])) == pytest.approx(1.5)


def test_huffmans_own_example():
    """Huffman 1952, table I: thirteen messages in percent, on average 3.42 binary digits."""
    counts = np.array([20, 18, 10, 10, 10, 6, 6, 4, 4, 4, 4, 3, 1])
    assert (counts * huffman_lengths(counts)).sum() == 342


@given(SYMBOLS)
def test_average_length_is_within_a_bit_of_the_entropy(symbols):
    counts = symbol_counts(symbols)
    lengths = huffman_lengths(counts)
    average = (counts * lengths).sum() / counts.sum()
    assert entropy_bits(symbols) - 1e-12 <= average
    assert average < entropy_bits(symbols) + 1 or len(set(symbols.tolist())) == 1
    if (counts > 0).sum() > 1:
        assert (0.5 ** lengths[counts > 0]).sum() == 1  # Kraft's sum: no word could be shorter
    assert huffman_bytes(symbols) == len(huffman_encode(symbols, lengths)) + len(counts)


@given(SYMBOLS)
def test_what_is_encoded_is_decoded(symbols):
    lengths = huffman_lengths(symbol_counts(symbols))
    np.testing.assert_array_equal(huffman_decode(huffman_encode(symbols, lengths), lengths, len(symbols)), symbols)


@given(SYMBOLS)
def test_no_word_begins_another(symbols):
    words = sorted(huffman_words(huffman_lengths(symbol_counts(symbols))).values())
    assert not any(b.startswith(a) for a, b in pairwise(words))


@given(hnp.arrays(np.bool_, st.integers(1, 400)), st.integers(1, 6))
def test_positions_come_back_with_no_gap_too_long(mask, bits):
    steps, real = relative_positions(mask, bits)
    assert ((steps >= 0) & (steps < 2**bits)).all()
    np.testing.assert_array_equal(positions_from_steps(steps)[real], np.flatnonzero(mask))
    assert real.sum() == mask.sum()


def test_han_figure_2():
    """A gap of 11 with 3-bit steps (at most 8 on): a filler zero after 8, and 3 more."""
    mask = np.zeros(16, bool)
    mask[[1, 4, 15]] = True
    steps, real = relative_positions(mask, 3)
    assert (steps + 1).tolist() == [2, 3, 8, 3]
    assert real.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy_bits(np.array([], int)), "at least one"),
        (lambda: entropy_bits(np.array([0.5])), "whole numbers"),
        (lambda: entropy_bits(np.array([-1])), "from 0 on"),
        (lambda: huffman_lengths(np.array([0, 0])), "at least one has to"),
        (lambda: huffman_lengths(np.array([-1, 2])), "counts are"),
        (lambda: huffman_encode(np.array([5]), np.array([1, 1])), "symbol 5 has no word"),
        (lambda: huffman_decode(b"", np.array([1, 1]), 3), "hold 0 symbols, and 3"),
        (lambda: relative_positions(np.ones(3, bool), 0), "1 to 16 bits"),
    ],
)
def test_what_cannot_be_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
