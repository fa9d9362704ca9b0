"""Which clustering to believe without labels, and one clustering made of many."""

import time

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from audioclust.clustering import DegenerateClusteringWarning, consensus
from audioclust.clustering.consensus import _linked, _shared, _Votes

RIGHT = np.repeat(np.arange(5), 40)


def voter(rng, wrong, truth=RIGHT):
    """The truth with a share of the recordings in clusters drawn at random."""
    moved = rng.random(len(truth)) < wrong
    return np.where(moved, rng.integers(truth.max() + 1, size=len(truth)), truth)


@pytest.fixture
def votes():
    rng = np.random.default_rng(0)
    wrong = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.0]
    return np.array([voter(rng, share) for share in wrong]), ["a", "b", "c"] * 3


def test_agreement_ranks_as_the_truth_does_and_the_consensus_beats_the_best(votes):
    partitions, groups = votes
    labels, _, agreement, k = consensus(partitions, groups, n_clusters=5)
    scores = [normalized_mutual_info_score(RIGHT, row) for row in partitions]
    assert np.corrcoef(np.argsort(np.argsort(agreement)), np.argsort(np.argsort(scores)))[0, 1] > 0.9
    assert normalized_mutual_info_score(RIGHT, labels) > max(scores)
    assert k == 5


def test_one_feature_that_errs_alike_many_times_does_not_outvote_the_others():
    rng = np.random.default_rng(1)
    nuisance = rng.integers(5, size=len(RIGHT))
    partitions = [voter(rng, 0.3) for _ in range(4)] + [voter(rng, 0.02, nuisance) for _ in range(12)]
    made = consensus(partitions, ["a", "b", "c", "d"] + ["loud"] * 12, n_clusters=5)
    assert min(made.agreement[:4]) > max(made.agreement[4:])
    assert adjusted_rand_score(RIGHT, made.labels) > 0.8
    blind = consensus(partitions, n_clusters=5)
    assert adjusted_rand_score(RIGHT, blind.labels) < 0.5, "without groups the copies win"


def test_degenerate_clusterings_do_not_win(votes):
    partitions, groups = votes
    n = len(RIGHT)
    giant, single, noise = np.r_[1, np.zeros(n - 1)], np.arange(n), np.full(n, -1)
    few = np.where(np.arange(n) % 10 == 0, RIGHT, -1)  # right, of a tenth of the recordings
    made = consensus([*partitions, giant, single, noise, few], [*groups, "x", "y", "z", "w"], n_clusters=5)
    assert max(made.agreement[-4:]) < np.median(made.agreement[:6])
    assert adjusted_rand_score(RIGHT, made.labels) > 0.8


def test_any_order_gives_the_same(votes):
    partitions, groups = votes
    partitions[1, ::7], partitions[4, ::5] = -1, -2
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(len(partitions)), rng.permutation(len(RIGHT))
    for k in (5, None):
        one = consensus(partitions, groups, k)
        other = consensus(partitions[rows][:, columns], [groups[row] for row in rows], k)
        assert adjusted_rand_score(one.labels[columns], other.labels) == 1
        np.testing.assert_allclose(one.agreement[rows], other.agreement, atol=1e-9)
        np.testing.assert_allclose(one.confidence[columns], other.confidence, atol=1e-9)


def test_the_number_of_groups_is_that_of_a_stable_level(votes):
    made = consensus(*votes)
    assert made.n_clusters == 5
    assert adjusted_rand_score(RIGHT, made.labels) > 0.9


def test_recordings_with_low_confidence_are_wrong_more_often():
    rng = np.random.default_rng(3)
    hard = rng.permutation(np.linspace(0.1, 0.95, len(RIGHT)))  # how often each recording is put anywhere
    drawn = [np.where(rng.random(len(RIGHT)) < hard, rng.integers(5, size=len(RIGHT)), RIGHT) for _ in range(9)]
    made = consensus(drawn, list("abc") * 3, n_clusters=5)
    group_of = {group: np.bincount(RIGHT[made.labels == group]).argmax() for group in range(5)}
    right = np.array([group_of[group] for group in made.labels]) == RIGHT
    order = np.argsort(made.confidence)
    assert right[order[:50]].mean() + 0.15 < right[order[-50:]].mean()
    assert made.confidence.min() >= 0
    assert made.confidence.max() <= 1


def test_what_a_feature_lacks_is_placed_by_the_others(votes):
    partitions, groups = votes
    partitions[:5, :10] = -2
    partitions[:, 10] = -1
    made = consensus(partitions, groups, n_clusters=5)
    assert made.labels[10] == -1
    assert made.confidence[10] == 0
    assert (np.delete(made.labels, 10) >= 0).all()


def test_one_clustering_is_given_back_as_it_is():
    made = consensus([[0, 0, 7, 7, 7, -1]])
    assert made.labels.tolist() == [1, 1, 0, 0, 0, -1]
    assert np.isnan(made.agreement).all()
    assert made.n_clusters == 2


def test_more_groups_than_can_be_told_apart_are_named():
    with pytest.warns(DegenerateClusteringWarning, match="tell 2 groups apart, 3 asked for"):
        assert consensus([[0, 0, 1, 1], [1, 1, 0, 0]], n_clusters=3).n_clusters == 2


@pytest.mark.parametrize(
    ("partitions", "groups", "n_clusters", "message"),
    [
        ([], None, None, "partitions has shape"),
        ([0, 1], None, None, "partitions has shape"),
        ([[0, 1], [0]], None, None, "partitions: give one row"),
        ([["a", "b"]], None, None, "partitions: give one row"),
        ([[0, 1], [0, -3]], None, None, r"partitions\[1\] holds -3"),
        ([[0, 0.5]], None, None, r"partitions\[0\] holds 0.5"),
        ([[0, np.nan]], None, None, r"partitions\[0\] holds nan"),
        ([[-1, -2]], None, None, "no recording is in any cluster"),
        ([[0, 1]], ["a", "b"], None, "groups has 2 values, partitions has 1 rows"),
        ([[0, 1]], None, 0, "n_clusters=0"),
        ([[0, 1]], None, 3, "n_clusters=3"),
        ([[0, 1]], None, 1.5, "n_clusters=1.5"),
    ],
)
def test_bad_input_is_named(partitions, groups, n_clusters, message):
    with pytest.raises(ValueError, match=message):
        consensus(partitions, groups, n_clusters)


def test_shared_information_is_that_of_sklearn_where_clusters_are_large():
    from sklearn.metrics import adjusted_mutual_info_score

    rng = np.random.default_rng(4)
    truth = np.repeat(np.arange(4), 300)
    for wrong in (0.2, 0.6, 1.0):
        other = voter(rng, wrong, truth)
        assert _shared(truth, other) == pytest.approx(adjusted_mutual_info_score(truth, other), abs=0.003)


@pytest.mark.parametrize("method", ["ward", "average"])
def test_linkage_of_cells_is_scipys_of_their_recordings(method):
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    rng = np.random.default_rng(5)
    X = rng.standard_normal((12, 5)) * 0.2
    sizes = rng.integers(1, 6, 12)
    similarity = 1 - ((X[:, None] - X[None]) ** 2).sum(axis=2) / 2
    every = np.repeat(np.arange(12), sizes)
    of_pairs = pdist(X[every], "euclidean" if method == "ward" else "sqeuclidean")
    for k in (2, 3, 5):
        expected = fcluster(linkage(of_pairs, method), k, "maxclust")
        assert adjusted_rand_score(_linked(similarity, sizes.astype(float), k, method)[every], expected) == 1


def test_the_linkage_that_shares_more_with_the_clusterings_is_taken():
    rng = np.random.default_rng(8)
    truth = np.repeat(np.arange(5), [60, 60, 20, 6, 4])
    taken = set()
    for wrong in (0.3, 0.5, 0.6, 0.7):
        partitions = np.array([voter(rng, wrong, truth) for _ in range(9)])
        made = consensus(partitions, n_clusters=5)
        votes = _Votes(partitions, made.agreement / made.agreement.sum())
        each = [votes.settled(labels) for labels in votes.groups(5)]
        same = [adjusted_rand_score(made.labels, labels) == 1 for labels in each]
        shared = [votes.shared(labels) for labels in each]
        assert same[int(np.argmax(shared))]
        taken.add(tuple(same))
    assert taken >= {(True, False), (False, True)}, "Ward's here, average linkage there"


def test_many_recordings_need_no_matrix_of_all_pairs():
    rng = np.random.default_rng(6)
    truth = rng.integers(8, size=12_000)
    partitions = [voter(rng, 0.3, truth) for _ in range(12)]
    started = time.perf_counter()
    made = consensus(partitions, list("abcd") * 3, n_clusters=8)
    assert time.perf_counter() - started < 30
    assert adjusted_rand_score(truth, made.labels) > 0.9


def test_runs_of_a_project_vote_together(tmp_path):
    import pandas as pd

    from audioclust.project import Project
    from audioclust.report import tables
    from audioclust.runs.agreement import with_agreement

    rng = np.random.default_rng(7)
    paths = np.array([f"{number}.wav" for number in range(len(RIGHT))])
    rows = []
    for feature, wrong in (("mel", 0.6), ("mfcc", 0.1), ("chroma", 1.0)):
        there = np.arange(len(RIGHT)) > (10 if feature == "mel" else -1)  # mel lacks some recordings
        parts = []
        for seed in (0, 1):
            labels = voter(rng, wrong)
            what = {"feature": feature, "vectors": "mean", "algorithm": "kmeans", "label": "label", "seed": seed}
            parts.append(pd.DataFrame({"path": paths, "truth": RIGHT.astype(str), "cluster": labels, **what})[there])
            nmi = normalized_mutual_info_score(RIGHT, labels)
            run = {"dataset": "d", "run": feature, "params": {"n_init": 5}, "k": 5, "error": None, "warnings": []}
            rows.append(what | run | {"nmi": nmi, "n_clusters": 5.0, "coverage": 1.0})
        (tmp_path / "results" / "d" / feature).mkdir(parents=True)
        pd.concat(parts).to_parquet(tmp_path / "results" / "d" / feature / "labels.parquet")
    rows.append(rows[0] | {"run": "gone", "vectors": "mean_std"})  # its labels are not there
    table = with_agreement(pd.DataFrame(rows), Project(tmp_path))
    agreement = table.groupby("feature")["agreement"].agg(["min", "max"])
    assert agreement["min"].equals(agreement["max"]), "seeds are one voter"
    assert agreement["max"].idxmax() == "mfcc"
    assert np.isnan(table.loc[table["run"] == "gone", "agreement"]).all()
    made = table.iloc[-1]
    assert (made["algorithm"], made["k"], made["params"]) == ("consensus", 5, {"clusterings": 3})
    lead = tables.comparison(table)["comparison"][0]
    assert lead.title == "Chosen without labels: d · label"
    assert lead.values["row"].tolist() == ["chosen without labels", "consensus of all", "best, labels in view"]
    assert lead.values["feature"].fillna("all").tolist() == ["mfcc", "all", "mfcc"]
    assert "chosen without labels +0.0" in lead.notes[0]
    (bare,) = tables.comparison(table.assign(nmi=np.nan, label=None))["comparison"]
    assert bare.values["algorithm"].tolist()[:2] == ["consensus", "kmeans"]
    assert bare.values["feature"].tolist()[1] == "mfcc"
