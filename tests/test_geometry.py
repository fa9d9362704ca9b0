"""Directions, group means and the order of rows, by hand and against plain loops."""

import numpy as np
import pytest

from audioclust.geometry import (
    binary_exponent,
    canonical_order,
    first_copies,
    group_directions,
    group_sums,
    leave_one_out_cosines,
    unit_rows,
)
from audioclust.validation import DegenerateClusteringWarning


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_unit_rows_at_every_scale(scale, rng):
    X = rng.uniform(0.1, 1, size=(6, 4)) * rng.choice([-1, 1], (6, 4))
    np.testing.assert_allclose(unit_rows(X * scale), X / np.linalg.norm(X, axis=1)[:, None], rtol=1e-12)


def test_zero_rows_have_no_direction():
    X = np.zeros((9, 2))
    X[3] = [3, 4]
    with pytest.raises(ValueError, match=r"8 of 9 vectors are zero and have no direction: rows 0, 1, 2, 4, 5, \.\.\."):
        unit_rows(X)
    with pytest.warns(DegenerateClusteringWarning, match="8 of 9 vectors are zero"):
        warned = unit_rows(X, zero="warn")
    np.testing.assert_array_equal(warned, unit_rows(X, zero="keep"))
    assert warned[3].tolist() == [0.6, 0.8]
    assert not np.delete(warned, 3, axis=0).any()
    with pytest.raises(ValueError, match="zero='drop': give one of raise, warn, keep"):
        unit_rows(X, zero="drop")


@pytest.mark.parametrize("exponent", [-900, -3, 0, 5, 900])
def test_binary_exponent(exponent, rng):
    X = rng.standard_normal((5, 3))
    scaled = np.ldexp(np.ldexp(X, exponent), -binary_exponent(np.ldexp(X, exponent)))
    np.testing.assert_array_equal(scaled, np.ldexp(X, -binary_exponent(X)))
    assert 0.5 <= np.abs(scaled).max() < 1
    assert binary_exponent(np.zeros((2, 2))) == 0


def test_order_and_equal_rows(rng):
    X = rng.integers(0, 3, size=(60, 3)).astype(float)
    order = canonical_order(X)
    assert X[order].tolist() == sorted(X.tolist())
    shuffled = X[rng.permutation(60)]
    np.testing.assert_array_equal(shuffled[canonical_order(shuffled)], X[order])
    copies = first_copies(X[order])
    np.testing.assert_array_equal(X[order][np.unique(copies)], np.unique(X, axis=0))
    np.testing.assert_array_equal(X[order][copies], X[order])


def test_groups_against_loops(rng):
    X = unit_rows(rng.standard_normal((40, 5)))
    place = np.append(rng.integers(0, 4, 39), 5)  # group 4 is empty, group 5 has one member
    sums = group_sums(X, place, 6)
    directions = group_directions(sums)
    cosines = leave_one_out_cosines(X, place, sums)
    for group in range(4):
        mean = X[place == group].mean(axis=0)
        np.testing.assert_allclose(directions[group], mean / np.linalg.norm(mean))
    assert not directions[4].any()
    for row in range(39):
        others = X[(place == place[row]) & (np.arange(40) != row)].sum(axis=0)
        assert cosines[row] == pytest.approx(X[row] @ others / np.linalg.norm(others))
    assert np.isnan(cosines[39])
