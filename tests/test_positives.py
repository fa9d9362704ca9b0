"""Positives by random walks against a dense solve, and the merge of clusters against a plain loop over all pairs."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from audioclust.clustering import merging
from audioclust.clustering.merging import merge_clusters, part_clusters
from audioclust.clustering.positives import PRECISION, pagerank_positives, pagerank_scores, shared_neighbour_graph


@pytest.fixture
def cloud(rng):
    truth = np.repeat(np.arange(6), 15)
    return rng.normal(size=(6, 20))[truth] + 0.8 * rng.normal(size=(90, 20)), truth


def dense_scores(graph, restart):
    """All walks at once: restart (I - (1 - restart) P)^-1, over the degrees."""
    weights = graph.toarray()
    degrees = weights.sum(axis=1)
    walks = restart * np.linalg.inv(np.eye(len(weights)) - (1 - restart) * weights / degrees[:, None])
    return walks / degrees, degrees


def test_the_graph_counts_shared_neighbours(cloud):
    X, _ = cloud
    graph = shared_neighbour_graph(X, 4).toarray()
    Z = X / np.linalg.norm(X, axis=1, keepdims=True)
    Z = Z - Z.mean(axis=0)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    cosines = Z @ Z.T
    np.fill_diagonal(cosines, -2)
    near = [set(np.argsort(-row)[:4]) for row in cosines]
    for i in range(len(X)):
        for j in range(len(X)):
            linked = i != j and (j in near[i] or i in near[j])
            assert graph[i, j] == (len((near[i] | {i}) & (near[j] | {j})) if linked else 0)


@pytest.mark.parametrize("restart", [0.05, 0.1, 0.5])
def test_scores_agree_with_a_dense_solve(cloud, restart):
    graph = shared_neighbour_graph(cloud[0], 6)
    wanted, degrees = dense_scores(graph, restart)
    assert np.allclose(wanted, wanted.T)
    for row in (0, 40, 89):
        error = wanted[row] - pagerank_scores(graph, row, restart=restart)
        assert error.min() >= -1e-12
        assert error.max() <= PRECISION / degrees.mean()


def test_positives_are_the_rows_with_the_highest_scores(cloud):
    X, truth = cloud
    graph = shared_neighbour_graph(X, 6)
    wanted, degrees = dense_scores(graph, 0.1)
    np.fill_diagonal(wanted, -1)
    chosen = pagerank_positives(graph, 5)
    least = np.sort(wanted, axis=1)[:, -5]
    rows = np.arange(len(X))[:, None]
    assert (chosen != rows).all()
    assert all(len(set(row)) == 5 for row in chosen)
    assert (wanted[rows, chosen] >= least[:, None] - PRECISION / degrees.mean()).all()
    assert np.mean(truth[chosen] == truth[:, None]) > 0.95


def test_a_walk_that_reaches_few_rows_fills_with_its_own():
    pairs = csr_array(np.kron(np.eye(3), [[0.0, 1.0], [1.0, 0.0]]))
    assert pagerank_positives(pairs, 3)[:2].tolist() == [[1, 0, 0], [0, 1, 1]]


def test_positives_refuse_what_they_cannot_use(cloud):
    graph = shared_neighbour_graph(cloud[0], 3)
    for wrong in ({"n_positives": 0}, {"n_positives": 90}, {"restart": 1.0}, {"restart": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            pagerank_positives(graph, **wrong)
    with pytest.raises(ValueError, match="n_neighbors=0"):
        shared_neighbour_graph(cloud[0], 0)


def plain_merge(graph, labels, threshold):
    """Merge as documented, sums written out over the rows."""
    weights, groups = graph.toarray(), [list(np.flatnonzero(labels == c)) for c in np.unique(labels[labels >= 0])]
    while len(groups) > 1:
        rows = [i for g in groups for i in g]
        per_row = [sum(weights[i, j] for i in g for j in rows) / len(g) for g in groups]
        within = [sum(weights[i, j] for i in g for j in g) for g in groups]
        pairs = [len(g) * (len(g) - 1) for g in groups]
        median = np.median([w / m for w, m in zip(within, pairs, strict=True) if m])
        added = [median * min(1, links / np.median(per_row)) for links in per_row]
        inside = [(w + 2 * more) / (m + 2) for w, more, m in zip(within, added, pairs, strict=True)]
        best, pair = -1.0, None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                links = sum(weights[i, j] for i in groups[a] for j in groups[b]) / (len(groups[a]) * len(groups[b]))
                usual = np.sqrt(inside[a] * inside[b])
                share = links / usual if usual > 0 else 0.0
                if share > best:
                    best, pair = share, (a, b)
        if best < threshold:
            break
        groups[pair[0]] += groups.pop(pair[1])
    return {frozenset(map(int, group)) for group in groups}


@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.7])
def test_the_merge_agrees_with_a_plain_loop(cloud, rng, threshold):
    X, truth = cloud
    graph = shared_neighbour_graph(X, 8)
    labels = 2 * truth + rng.integers(0, 2, len(truth))
    labels[rng.choice(90, 5, replace=False)] = np.arange(40, 45)  # clusters of one row
    labels[3] = -1
    merged = merge_clusters(graph, labels, threshold=threshold)
    assert merged[3] == -1
    groups = {frozenset(np.flatnonzero(merged == c).tolist()) for c in range(merged.max() + 1)}
    assert groups == plain_merge(graph, labels, threshold)


def test_the_merge_joins_halves_and_leaves_people_apart(cloud, rng):
    X, truth = cloud
    merged = merge_clusters(shared_neighbour_graph(X, 8), 2 * truth + rng.integers(0, 2, len(truth)))
    assert len(set(zip(merged.tolist(), truth.tolist(), strict=True))) == 6 == len(set(merged.tolist()))


def test_a_row_with_few_links_joins_the_cluster_that_has_them():
    graph = np.kron(np.eye(2), np.ones((6, 6))) - np.eye(12)
    graph[0, 1:6] = graph[1:6, 0] = 0.1  # a tenth of the usual links, all into its own cluster
    merged = merge_clusters(csr_array(graph), [2, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], threshold=0.25)
    assert merged.tolist() == [0] * 6 + [1] * 6


def test_merging_one_cluster_or_only_noise_changes_nothing():
    graph = shared_neighbour_graph(np.eye(4), 2)
    assert merge_clusters(graph, [0, 0, 0, 0]).tolist() == [0, 0, 0, 0]
    assert merge_clusters(graph, [-1, -1, -1, -1]).tolist() == [-1, -1, -1, -1]
    with pytest.raises(ValueError, match="threshold=0"):
        merge_clusters(graph, [0, 0, 1, 1], threshold=0)
    with pytest.raises(ValueError, match="labels has shape"):
        merge_clusters(graph, [0, 1])


def blocks(sizes, between):
    """Return a graph of groups with links of weight 1 inside and a few of weight `between` from each to the next."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    graph = (label[:, None] == label).astype(float)
    for first in np.cumsum(sizes)[:-1]:
        graph[first - 1, first] = graph[first, first - 1] = between
    np.fill_diagonal(graph, 0)
    return csr_array(graph), label


@pytest.mark.parametrize("dense", [1000, 5])
def test_what_hardly_a_link_holds_together_is_parted(rng, monkeypatch, dense):
    monkeypatch.setattr(merging, "DENSE", dense)
    graph, label = blocks([8, 9, 10], 0.5)
    order = rng.permutation(27)
    parts = part_clusters(graph[order][:, order], np.zeros(27, dtype=int))
    assert len(set(zip(parts.tolist(), label[order].tolist(), strict=True))) == 3 == len(set(parts.tolist()))
    assert merge_clusters(graph[order][:, order], parts).tolist() == parts.tolist()


def test_parting_leaves_people_whole_small_groups_and_noise():
    graph, _ = blocks([10, 2], 0.0)
    assert set(part_clusters(graph, np.zeros(12, dtype=int))) == {0}  # a part has at least three rows
    graph, label = blocks([8, 8], 0.0)
    labels = np.where(np.arange(16) == 3, -1, label)
    assert part_clusters(graph, labels).tolist() == labels.tolist()
    full = csr_array(np.ones((12, 12)) - np.eye(12))
    assert set(part_clusters(full, np.zeros(12, dtype=int))) == {0}
    assert part_clusters(full, np.full(12, -1)).tolist() == [-1] * 12
    with pytest.raises(ValueError, match="threshold=0"):
        part_clusters(full, np.zeros(12, dtype=int), threshold=0)
