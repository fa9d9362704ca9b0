"""Which score predicts a result: correlations against scipy, intervals that hold the truth, agreement by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr, ttest_rel
from sklearn.metrics import adjusted_rand_score

from audioclust.evaluation.prediction import (
    agreement,
    clustering_scores,
    correlations,
    flip_labels,
    mean_interval,
    paired_difference,
)


@pytest.fixture
def table(rng):
    acc = rng.random(40)
    eer = 0.4 - 0.3 * acc + 0.05 * rng.normal(size=40)
    kind = np.where(np.arange(40) % 2, "deep", "classical")
    return pd.DataFrame({"acc": acc, "luck": rng.random(40), "same": 1.0, "kind": kind, "eer": eer})


def test_correlations_agree_with_scipy_and_lie_in_their_intervals(table):
    found = correlations(table, "eer", groups="kind", draws=300).set_index(["group", "score"])
    for group, part in (("all", table), *table.groupby("kind")):
        row = found.loc[(group, "acc")]
        assert row["pearson"] == pytest.approx(pearsonr(part["acc"], part["eer"]).statistic)
        assert row["spearman"] == pytest.approx(spearmanr(part["acc"], part["eer"]).statistic)
        assert row["pearson_low"] < row["pearson"] < row["pearson_high"] < 0
    assert found.loc[("all", "luck"), "pearson_low"] < 0 < found.loc[("all", "luck"), "pearson_high"]
    assert np.isnan(found.loc[("all", "same"), "pearson"])
    assert "eer" not in found.index.get_level_values("score")


def test_agreement_is_the_mean_rand_index_with_the_others(rng):
    partitions = rng.integers(0, 3, (4, 30))
    for one, value in enumerate(agreement(partitions)):
        others = [adjusted_rand_score(partitions[one], partitions[o]) for o in range(4) if o != one]
        assert value == pytest.approx(np.mean(others))
    scores = clustering_scores(list(partitions), partitions[0], None)
    assert scores["acc"].iloc[0] == 1
    assert scores["agreement"].tolist() == agreement(partitions).tolist()


def test_sets_that_differ_in_how_hard_they_are_do_not_hide_a_correlation(table):
    hard = np.arange(40) % 4 > 1
    apart = table.assign(eer=table["eer"] + 5 * hard, set=np.where(hard, "b", "a"))
    plain, within = (correlations(apart, "eer", within=name, draws=50).set_index("score") for name in (None, "set"))
    assert abs(plain.loc["acc", "pearson"]) < 0.5
    centred = table[["acc", "eer"]] - table[["acc", "eer"]].groupby(hard).transform("mean")
    assert within.loc["acc", "pearson"] == pytest.approx(pearsonr(centred["acc"], centred["eer"]).statistic)
    assert within.loc["acc", "pearson"] < -0.7


def test_flipped_labels_are_other_labels_and_as_many_as_asked():
    labels = np.repeat([3, 5, 9], 40)
    flipped = flip_labels(labels, 0.4, seed=1)
    assert (flipped != labels).sum() == 48
    assert set(flipped) == {3, 5, 9}
    assert np.array_equal(flipped, flip_labels(labels, 0.4, seed=1))
    assert not np.array_equal(flipped, flip_labels(labels, 0.4, seed=2))
    with pytest.raises(ValueError, match="all the same"):
        flip_labels([1, 1], 0.5)
    with pytest.raises(ValueError, match=r"share=1\.5"):
        flip_labels(labels, 1.5)


def test_a_difference_is_told_only_where_the_interval_leaves_out_zero():
    one, other = [0.3, 0.32, 0.31, 0.35], [0.2, 0.21, 0.24, 0.22]
    clear = paired_difference(one, other)
    wanted = ttest_rel(one, other).confidence_interval(0.95)
    assert (clear["low"], clear["high"]) == pytest.approx((wanted.low, wanted.high))
    assert clear["told"] == 1
    assert clear["difference"] == pytest.approx(0.1025)
    assert paired_difference([0.3, 0.1, 0.2, 0.3], [0.2, 0.3, 0.1, 0.25])["told"] == 0
    assert paired_difference([0.3, 0.4], [0.1, 0.2])["told"] == 0  # of two pairs nothing is told
    assert mean_interval([0.25, np.nan])[0] == 0.25
    assert np.isnan(mean_interval([0.25])[1])


def test_what_cannot_be_used_is_named(table):
    with pytest.raises(ValueError, match="'eér' is not in the table"):
        correlations(table, "eér")
    with pytest.raises(ValueError, match="draws=0"):
        correlations(table, "eer", draws=0)
    with pytest.raises(ValueError, match="number of partitions=1"):
        agreement([[0, 1]])
