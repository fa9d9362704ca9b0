"""Which score predicts a result: correlations against scipy, intervals that hold the truth, agreement by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import adjusted_rand_score

from audioclust.evaluation.prediction import agreement, clustering_scores, correlations, paired_difference


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


def test_a_difference_is_told_only_where_the_interval_leaves_out_zero():
    clear = paired_difference([0.3, 0.32, 0.31, 0.35], [0.2, 0.21, 0.24, 0.22])
    assert clear["told"] == 1
    assert clear["low"] > 0
    assert clear["difference"] == pytest.approx(0.1025)
    assert paired_difference([0.3, 0.1, 0.2, 0.3], [0.2, 0.3, 0.1, 0.25])["told"] == 0
    assert paired_difference([0.3, 0.4], [0.1, 0.1])["told"] == 0  # of two pairs nothing is told


def test_what_cannot_be_used_is_named(table):
    with pytest.raises(ValueError, match="'eér' is not in the table"):
        correlations(table, "eér")
    with pytest.raises(ValueError, match="draws=0"):
        correlations(table, "eer", draws=0)
    with pytest.raises(ValueError, match="number of partitions=1"):
        agreement([[0, 1]])
