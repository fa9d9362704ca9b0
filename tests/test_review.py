"""Which recordings to listen to, and which clusters look split or joined."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_samples
from speaker_vectors import speakers

from audioclust.curation import review
from audioclust.curation.review import compare_with_agglomerative
from audioclust.evaluation.internal import silhouettes


def _plane(*degrees):
    angles = np.deg2rad(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_kinds_by_hand():
    """One cluster around 0 degrees and one around 100, a stray at 60 given to the first."""
    X = _plane(-10, 0, 8, 60, 95, 100, 110, 200)
    labels = np.array([0, 0, 0, 0, 1, 1, 1, -1])
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(8)], "cluster": "from elsewhere"})
    table = review(X, labels, index)
    picked = {(row.cluster, row.kind): row.path for row in table.itertuples()}
    assert picked[0, "medoid"] == "2.wav"  # the stray pulls the mean to 13 degrees
    assert picked[0, "border"] == picked[0, "outlier"] == picked[0, "low silhouette"] == "3.wav"
    assert picked[1, "medoid"] == "5.wav"
    assert picked[1, "border"] == "4.wav"
    assert picked[1, "outlier"] == "6.wav"
    assert (1, "low silhouette") not in picked
    assert picked[-1, "noise"] == "7.wav"
    assert table["cluster"].tolist() == [0, 0, 0, 0, 1, 1, 1, -1]
    stray = table[table["kind"] == "border"].iloc[0]
    assert stray["nearest"] == 1
    assert stray["similarity"] == pytest.approx(X[3] @ (X[:4].mean(axis=0) / np.linalg.norm(X[:4].mean(axis=0))))
    assert stray["silhouette"] == pytest.approx(silhouette_samples(X[:7], labels[:7], metric="cosine")[3])
    assert table["size"].tolist() == [4] * 4 + [3] * 3 + [1]


def test_typical_recordings_follow_the_medoid():
    X, truth = speakers([12] * 3, noise=0.7)
    table = review(X, truth, per_kind=4, kinds=("medoid", "typical", "outlier"))
    for cluster in range(3):
        rows = np.flatnonzero(truth == cluster)
        mean = X[rows].mean(axis=0)
        ranked = rows[np.argsort(-X[rows] @ mean)]
        own = table[table["cluster"] == cluster]
        assert own["kind"].tolist() == ["medoid"] + ["typical"] * 4 + ["outlier"] * 4
        assert own["row"].tolist() == [*ranked[:5], *ranked[::-1][:4]]


def test_euclidean_by_hand():
    """Loud and quiet recordings of one direction: the cosine sees no clusters, the distance two."""
    X = np.array([[1.0, 1], [1, 1.2], [1, 1.6], [9, 9], [9, 9.1], [4, 4]])
    table = review(X, [0, 0, 0, 1, 1, -1], metric="euclidean").set_index(["cluster", "kind"])
    assert table.loc[(0, "medoid"), "row"] == 1
    assert table.loc[(0, "outlier"), "row"] == 2
    assert table.loc[(0, "outlier"), "similarity"] == pytest.approx(-(1.6 - 3.8 / 3))
    assert table.loc[(0, "border"), "row"] == 2
    assert table.loc[(-1, "noise"), "nearest"] == 0
    assert table.loc[(0, "outlier"), "silhouette"] == pytest.approx(silhouette_samples(X[:5], [0, 0, 0, 1, 1])[2])
    given = review(X, [0, 0, 0, 1, 1, -1], metric="euclidean", silhouette=[-1, -0.5, 0, 0, 0, np.nan])
    assert given.loc[given["kind"] == "low silhouette", "row"].tolist() == [0]


def test_silhouettes_as_in_scikit_learn():
    X, truth = speakers([9, 1, 14, 5], noise=1.2)
    labels = np.where(np.arange(len(X)) % 7 == 0, -1, truth)
    ours = silhouettes(X, labels, metric="cosine")
    inside = labels != -1
    np.testing.assert_allclose(ours[inside], silhouette_samples(X[inside], labels[inside], metric="cosine"), atol=1e-12)
    assert np.isnan(ours[~inside]).all()
    assert np.isnan(silhouettes(X, np.zeros(len(X), dtype=int), metric="cosine")).all()


@pytest.mark.parametrize("labels", [[0, 0, 0], [-1, -1, -1], [0, 1, 2], [0, 0, -1], [5, 5, 7]])
def test_few_recordings(labels):
    table = review(_plane(0, 10, 50), labels, per_kind=2)
    assert len(table) >= len(set(labels))
    assert set(table["cluster"]) == set(labels)
    assert table["row"].between(0, 2).all()


def test_split_and_joined_clusters_are_flagged():
    X, truth = speakers([12] * 6, noise=0.5)
    assert (compare_with_agglomerative(X, truth)["flag"] == "").all()
    wrong = np.where(truth == 1, 0, truth)  # 0 and 1 joined
    wrong[(truth == 5) & (np.arange(len(X)) % 2 == 0)] = 9  # 5 split
    flags = compare_with_agglomerative(X, wrong).set_index("cluster")
    assert flags.loc[0, "flag"] == "joined?"
    assert flags.loc[0, "parts"] == 2
    assert flags.loc[5, "flag"] == flags.loc[9, "flag"] == "split?"
    assert flags.loc[5, "joined_with"] == (9,)
    assert (flags.loc[[2, 3, 4], "flag"] == "").all()
    assert len(compare_with_agglomerative(X, np.full(len(X), -1))) == 0
    assert compare_with_agglomerative(X, np.zeros(len(X), dtype=int))["flag"].tolist() == [""]


def test_malformed():
    X, truth = speakers([4] * 2)
    with pytest.raises(ValueError, match=r"labels has shape \(3,\)"):
        review(X, truth[:3])
    with pytest.raises(ValueError, match=r"index has the shape \(2, 1\), X has 8 rows"):
        review(X, truth, pd.DataFrame({"path": ["a", "b"]}))
    with pytest.raises(ValueError, match="per_kind=0"):
        review(X, truth, per_kind=0)
    with pytest.raises(ValueError, match="kinds='core': give one of medoid, typical"):
        review(X, truth, kinds=("core",))
    with pytest.raises(ValueError, match="metric='l1'"):
        review(X, truth, metric="l1")
    with pytest.raises(ValueError, match=r"silhouette has the shape \(3,\)"):
        review(X, truth, silhouette=[0, 0, 0])
    with pytest.raises(ValueError, match="zero"):
        review(np.zeros((8, 3)), truth)
    with pytest.raises(ValueError, match="least=0"):
        compare_with_agglomerative(X, truth, least=0)
