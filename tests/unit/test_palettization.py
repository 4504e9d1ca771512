"""k-means in one dimension against every possible clustering, against Apple's, and palettes there and back."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pocketlab.compression.palettization import (
    exact_kmeans,
    lloyd_kmeans,
    nearest,
    palettize,
    palettize_vectors,
)
from pocketlab.runtimes.mil._coremltools import import_coremltools


def error(values, centers):
    return float(((values - centers[nearest(values, centers)]) ** 2).sum())


def best_error_of_all(values, count):
    """The least error over every way to cut the sorted values into stretches."""
    ordered = np.sort(values)
    cuts = combinations(range(1, len(ordered)), min(count, len(ordered)) - 1)
    return min(sum(((part - part.mean()) ** 2).sum() for part in np.split(ordered, cut)) for cut in cuts)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 9), elements=st.floats(-100, 100, width=32)),
    st.integers(1, 5),
)
def test_exact_is_the_best_of_all_clusterings(values, count):
    found = error(values, exact_kmeans(values, count))
    best = best_error_of_all(values, count)
    # Costs are differences of sums of up to nine squares of up to 200: 4e5 times the unit of float64, with room for 100.
    assert found == pytest.approx(best, rel=1e-9, abs=4e5 * 2.2e-16 * 100)


@pytest.mark.parametrize(("size", "count"), [(300, 4), (2000, 16), (1500, 256)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_exact_is_as_good_as_coremltools_own(size, count, offset):
    import_coremltools()
    from coremltools._deps import kmeans1d

    values = np.random.default_rng(size).standard_t(3, size).astype(np.float16).astype(np.float64) + offset
    distinct, often = np.unique(values, return_counts=True)
    theirs = np.array(kmeans1d.cluster(distinct, count, weights=often).centroids)
    assert error(values, exact_kmeans(values, count)) <= error(values, theirs) * (1 + 1e-9)


def test_exact_counts_repeated_values_and_weights_alike():
    values = np.array([0.0, 1.0, 5.0, 5.0, 5.0, 9.0])
    np.testing.assert_allclose(exact_kmeans(values, 2), exact_kmeans([0, 1, 5, 9], 2, weights=np.array([1, 1, 3, 1])))
    np.testing.assert_array_equal(exact_kmeans(values, 9), [0, 1, 5, 9])


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(-10, 10, width=32)), st.integers(1, 16))
def test_lloyd_is_never_better_than_exact_and_never_worse_than_its_start(values, count):
    centers = lloyd_kmeans(values, count)
    assert (np.diff(centers) >= 0).all()
    slack = len(values) * 100 * 2.2e-16 * 100
    assert error(values, centers) >= error(values, exact_kmeans(values, count)) - slack
    start = np.quantile(np.sort(values), (np.arange(count) + 0.5) / count)
    assert error(values, centers) <= error(values, start) + slack


def test_nearest_takes_the_lower_of_two_equally_near():
    np.testing.assert_array_equal(nearest(np.array([-9, 0, 0.5, 0.6, 9]), np.array([0.0, 1.0])), [0, 0, 0, 1, 1])


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_palette_gives_each_weight_its_nearest_value(bits):
    w = np.random.default_rng(bits).normal(size=(8, 3, 3, 3)).astype(np.float32)
    stored = palettize(w, bits)
    assert (stored.palettes.shape, stored.indices.dtype, stored.bits) == ((1, 2**bits, 1), np.uint8, bits)
    assert stored.size_bits == w.size * bits + 2**bits * 16
    restored = stored.weights()
    distance = np.abs(w[..., None] - stored.palettes[0, :, 0])
    np.testing.assert_allclose(np.abs(restored - w), distance.min(-1), atol=1e-6)


def test_a_palette_for_each_group_of_channels_is_that_groups_own():
    rng = np.random.default_rng(0)
    w = np.concatenate([rng.normal(size=(4, 9)), 100 * rng.normal(size=(4, 9))]).astype(np.float32)
    stored = palettize(w, 2, group_channels=4)
    assert stored.palettes.shape == (2, 4, 1)
    for half in (slice(0, 4), slice(4, 8)):
        np.testing.assert_array_equal(stored.weights()[half], palettize(w[half], 2).weights())
    assert ((stored.weights() - w) ** 2).sum() < ((palettize(w, 2).weights() - w) ** 2).sum()


def test_vectors_of_channels_are_kept_together():
    w = np.zeros((4, 5), np.float32)
    w[0], w[1] = 1, 2  # with 2 bits, the pairs (1, 2) and (3, 4) are colors
    w[2], w[3] = 3, 4
    stored = palettize_vectors(w, 1, 2)
    assert stored.indices.shape == (2, 5)
    assert stored.size_bits == 10 * 1 + 2 * 2 * 16
    np.testing.assert_allclose(stored.weights(), w)


@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan, 1]), np.array([np.inf])])
def test_values_that_cannot_be_clustered_are_told(bad):
    for find in (exact_kmeans, lloyd_kmeans):
        with pytest.raises(ValueError, match="finite"):
            find(bad, 2)
    with pytest.raises(ValueError, match="finite"):
        palettize(bad.reshape(-1, 1), 2)


def test_impossible_arguments_are_told():
    w = np.ones((6, 2), np.float32)
    for call, message in (
        (lambda: exact_kmeans(w, 0), "at least one center"),
        (lambda: palettize(w, 0), "1 to 8 bits"),
        (lambda: palettize(w, 9), "1 to 8 bits"),
        (lambda: palettize(w, 2, group_channels=4), "do not divide the 6"),
        (lambda: palettize(w, 2, group_channels=0), "do not divide"),
        (lambda: palettize(w, 2, method="magic"), "'exact' or 'lloyd'"),
        (lambda: palettize_vectors(w, 2, 4), "do not divide"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    np.testing.assert_array_equal(palettize(w, 4).weights(), w)  # all equal is no fault
