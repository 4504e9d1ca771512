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
    spread_centers,
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
    np.testing.assert_allclose(exact_kmeans([0, 1, 5, 7, 9], 2, weights=np.array([1, 1, 3, 0, 1])), [0.5, 6])


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(-10, 10, width=32)), st.integers(1, 16))
def test_lloyd_is_never_better_than_exact_and_never_worse_than_its_start(values, count):
    centers = lloyd_kmeans(values, count)
    assert (np.diff(centers) >= 0).all()
    slack = len(values) * 100 * 2.2e-16 * 100
    assert error(values, centers) >= error(values, exact_kmeans(values, count)) - slack
    distinct, often = np.unique(values, return_counts=True)
    if len(distinct) > count:
        assert error(values, centers) <= error(values, spread_centers(distinct, often, count)) + slack


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_lloyd_comes_close_to_exact_on_heavy_tails_too(dtype):
    values = np.random.default_rng(0).standard_t(4, 20_000).astype(dtype).astype(np.float64)
    # From equal shares of the values, hardly a center would begin in the tails: 3.8 times the least error.
    assert error(values, lloyd_kmeans(values, 64)) < 1.15 * error(values, exact_kmeans(values.astype(np.float16), 64))


def test_centers_spread_as_the_cube_root_of_the_density():
    # Eight times as many values per unit below 1 as above it: twice as many centers per unit.
    values = np.concatenate([np.linspace(0, 1, 8000, endpoint=False), np.linspace(1, 2, 1000)])
    centers = spread_centers(*np.unique(values, return_counts=True), 30)
    assert (centers < 1).sum() == 20
    repeated = spread_centers(np.arange(100.0), np.repeat([8, 1], 50), 30)  # the same, by counts
    assert (repeated < 50).sum() == 20


def test_values_closer_than_rounding_can_tell_still_get_centers():
    found = exact_kmeans(np.array([0.0, 1e-200, 2e-200, 1.0]), 3)  # the squares of two distances are 0 in float64
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, [0, 0, 1], atol=1e-199)


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
