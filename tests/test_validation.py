"""What is refused, and that the message names the parameter, the value and what is allowed."""

import math

import numpy as np
import pytest

from audioclust import validation


@pytest.mark.parametrize("value", [1, 7, np.int32(3)])
def test_whole_numbers(value):
    assert validation.is_whole(value)
    validation.check_number("rounds", value, 1, 7, whole=True)


@pytest.mark.parametrize("value", [0, 8, 1.0, True, "3", None, math.nan, np.float64(2)])
def test_no_whole_numbers(value):
    with pytest.raises(ValueError, match=r"rounds=.*: give a whole number from 1 to 7"):
        validation.check_number("rounds", value, 1, 7, whole=True)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.1, "1", None, True, 1j, [1]])
def test_no_numbers(value):
    with pytest.raises(ValueError, match=r"width=.*: give a number of at least 0"):
        validation.check_number("width", value, 0)


def test_shares():
    validation.check_share("share", 1)
    validation.check_share("share", 0, zero=True)
    validation.check_share("share", np.float32(0.5), high=0.5)
    for value, settings, message in [
        (0, {}, "share=0: give a share above 0, up to 1"),
        (1, {"one": False}, "share=1: give a share above 0, below 1"),
        (-0.1, {"zero": True}, r"share=-0\.1: give a share from 0, up to 1"),
        (0.6, {"high": 0.5}, r"share=0\.6: give a share above 0, up to 0\.5"),
        (math.nan, {}, "share=nan"),
        ("half", {}, "share='half'"),
    ]:
        with pytest.raises(ValueError, match=message):
            validation.check_share("share", value, **settings)


def test_choices():
    validation.check_choice("metric", "cosine", ("cosine", "euclidean"))
    validation.check_choice("metric", None, ("cosine", None))
    for value in ("Cosine", 1, None, ["cosine"], np.array(["cosine", "euclidean"])):
        with pytest.raises(ValueError, match=r"metric=.*: give one of cosine, euclidean"):
            validation.check_choice("metric", value, ("cosine", "euclidean"))


def test_numbers_of_clusters():
    validation.check_n_clusters(np.int64(4), 4)
    for value in (0, 5, 2.0, True, "2"):
        with pytest.raises(ValueError, match=r"n_clusters=.*: give a whole number from 1 to n_samples=4"):
            validation.check_n_clusters(value, 4)


def test_labels():
    for labels in ([0, -1, 2], np.array([0.0, -1.0, 2.0]), np.array([0, -1, 2], dtype=object)):
        checked = validation.check_labels(labels, 3)
        assert checked.dtype == np.intp
        assert checked.tolist() == [0, -1, 2]
    for labels, message in [
        ([0, 1], r"labels has shape \(2,\), X has 3 rows"),
        ([[0, 1, 2]], r"labels has shape \(1, 3\), X has 3 rows"),
        ([0, 1, 1.5], r"labels has .*1\.5.*give whole numbers from 0, and -1 for noise"),
        ([0, 1, -2], "labels has .*-2.*: give whole numbers"),
        ([0, 1, math.nan], "labels has .*nan.*: give whole numbers"),
        ([0, 1, None], "labels has .*: give whole numbers"),
        (["0", "1", "2"], "labels has .*'0'.*: give whole numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            validation.check_labels(labels, 3)
    with pytest.raises(ValueError, match="index has 4 rows"):
        validation.check_labels([0, 1], 4, rows="index")


def test_seeds():
    assert validation.check_seed(3).randint(1000) == np.random.RandomState(3).randint(1000)
    generator = np.random.RandomState(0)
    assert validation.check_seed(generator) is generator
    assert isinstance(validation.check_seed(None), np.random.RandomState)
    for value in ("x", -1, 2**32, 1.5, True, [1, 2], np.random.default_rng(0)):
        with pytest.raises(ValueError, match=r"random_state=.*: give a whole number from 0 to 4294967295"):
            validation.check_seed(value)
