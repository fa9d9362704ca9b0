"""Communities by Surprise, held to brute force and to values by hand; the ladder of levels and what it says."""

import itertools

import numpy as np
import pynndescent
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from speaker_vectors import accuracy, audiomnist, speakers

from audioclust.clustering import DegenerateClusteringWarning, Levels
from audioclust.clustering.communities import communities, surprise
from audioclust.clustering.ladder import agreement, ladder, levels_of, steps
from audioclust.clustering.neighbours import nearest, nearest_of_graph, union_graph


def partitions(n):
    """Every partition of n nodes, as labels."""
    for labels in itertools.product(range(n), repeat=n):
        if all(label <= max(labels[:i], default=-1) + 1 for i, label in enumerate(labels)):
            yield np.array(labels)


PARTITIONS = list(partitions(6))


def test_the_best_of_all_partitions():
    """On graphs of six nodes the optimiser finds what trying all 203 partitions finds; on one in twelve not quite."""
    reached = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        graph = np.triu(rng.random((6, 6)) * (rng.random((6, 6)) < 0.6), 1)
        graph = graph + graph.T
        best = max(surprise(graph, labels) for labels in PARTITIONS)
        ours = max(surprise(graph, communities(graph, random_state=start)) for start in range(20))
        reached.append(ours / best)
    assert np.isclose(reached, 1).sum() >= 11
    assert min(reached) > 0.9


def test_surprise_by_hand():
    """m KL(q || p), on a ring of cliques joined by single edges: the cliques are best, not pairs of them."""
    cliques, size = 30, 5
    n = cliques * size
    graph = np.kron(np.eye(cliques), np.ones((size, size))) - np.eye(n)
    for c in range(cliques):
        a, b = c * size, ((c + 1) % cliques) * size + 1
        graph[a, b] = graph[b, a] = 1
    truth = np.repeat(np.arange(cliques), size)
    m, inside = cliques * 11, cliques * 10
    q, p = inside / m, cliques * 10 / (n * (n - 1) / 2)
    expected = m * (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p)))
    assert surprise(graph, truth) == pytest.approx(expected)
    np.testing.assert_array_equal(communities(graph), truth)
    assert surprise(graph, truth) > surprise(graph, truth // 2)  # modularity prefers the pairs: its resolution limit
    assert surprise(graph, np.zeros(n, dtype=int)) == 0
    assert surprise(graph, np.arange(n)) == 0


def test_zacharys_karate_club():
    """Surprise finds finer communities than modularity in the graph that everybody knows, and its hubs stay apart."""
    edges = "0-1 0-2 0-3 0-4 0-5 0-6 0-7 0-8 0-10 0-11 0-12 0-13 0-17 0-19 0-21 0-31 1-2 1-3 1-7 1-13 1-17 1-19 1-21 1-30 2-3 2-7 2-8 2-9 2-13 2-27 2-28 2-32 3-7 3-12 3-13 4-6 4-10 5-6 5-10 5-16 6-16 8-30 8-32 8-33 9-33 13-33 14-32 14-33 15-32 15-33 18-32 18-33 19-33 20-32 20-33 22-32 22-33 23-25 23-27 23-29 23-32 23-33 24-25 24-27 24-31 25-31 26-29 26-33 27-33 28-31 28-33 29-32 29-33 30-32 30-33 31-32 31-33 32-33"  # noqa: E501  # fmt: skip
    graph = np.zeros((34, 34))
    for edge in edges.split():
        a, b = map(int, edge.split("-"))
        graph[a, b] = graph[b, a] = 1
    assert graph.sum() == 156
    labels = communities(graph)
    factions = np.isin(np.arange(34), [8, 9, *range(14, 17), 18, 20, *range(22, 34)]).astype(int)
    assert surprise(graph, labels) > surprise(graph, factions)
    assert labels.max() + 1 > 4  # the best partition by modularity has 4
    assert labels[0] != labels[33]


def test_communities_are_connected(rng):
    graph = (rng.random((80, 80)) < 0.05).astype(float)
    graph = np.maximum(graph, graph.T)
    labels = communities(graph)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        reached, frontier = {members[0]}, [members[0]]
        while frontier:
            node = frontier.pop()
            new = [other for other in members if graph[node, other] and other not in reached]
            reached.update(new)
            frontier += new
        assert len(reached) == len(members)


@pytest.mark.parametrize(("graph", "message"), [
    (np.ones((2, 3)), "square"),
    (-np.ones((3, 3)), "negative"),
    (np.triu(np.ones((4, 4))), "not symmetric"),
    (np.array([[0, np.nan], [np.nan, 0]]), "not finite"),
])  # fmt: skip
def test_what_is_no_graph(graph, message):
    with pytest.raises(ValueError, match=message):
        communities(graph)


def test_graphs_of_neighbours(rng):
    X = rng.standard_normal((60, 8))
    X /= np.linalg.norm(X, axis=1)[:, None]
    table = nearest(X, 7)
    similarity = X @ X.T - 2 * np.eye(60)
    for k in (1, 7, 40, 59):  # few are found by one look at each value, many by a partition
        np.testing.assert_array_equal(nearest(X, k), np.argsort(-similarity, axis=1)[:, :k])
    assert nearest(X, 0).shape == (60, 0)
    np.testing.assert_array_equal(nearest(np.ones((6, 2)), 2)[[0, 5]], [[1, 2], [0, 1]])  # of equal ones the first
    graph = union_graph(table, 3).toarray()
    assert (graph == graph.T).all()
    assert set(np.flatnonzero(graph[0])) >= set(table[0, :3])
    sparse = csr_array(np.where(similarity > 0, similarity, 0))
    few = nearest_of_graph(sparse, 5)
    positive = (similarity > 0).sum(axis=1)
    for row in range(60):
        np.testing.assert_array_equal(few[row, : positive[row]], np.argsort(-similarity[row])[: min(5, positive[row])])
        assert (few[row, positive[row] :] == -1).all()


def test_approximate_neighbours_of_very_many(monkeypatch):
    from audioclust.clustering import neighbours

    X, _ = speakers([6] * 1000, noise=1.2, d=192)
    exact = nearest(X, 5)
    monkeypatch.setattr(neighbours, "APPROXIMATE", 300)
    found = [nearest(X, 5, thorough=thorough) for thorough in (False, True)]
    quick, close = (np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, each, strict=True)]) for each in found)
    assert close > 0.97
    assert 1 - quick > 3 * (1 - close)  # rows of small groups are what the default search misses
    assert found[1].shape == exact.shape
    assert not (found[1] == np.arange(len(X))[:, None]).any()
    stats = pynndescent.utils.build_candidates_owner.stats
    assert stats.cache_path  # what was compiled is kept for later processes
    assert sum(stats.cache_hits.values()) + sum(stats.cache_misses.values()) > 0


def test_agreement_is_the_adjusted_mutual_information(rng):
    for n in (2, 7, 40, 300):
        for _ in range(25):
            a, b = (rng.integers(0, rng.integers(1, n + 1), n) for _ in range(2))
            b = np.where(rng.random(n) < rng.random(), a, b)
            for one, other in ((a, b), (a, a), (a, np.arange(n)), (a, np.zeros(n, dtype=int))):
                assert agreement(one, other) == pytest.approx(adjusted_mutual_info_score(one, other), abs=1e-12)


def test_two_levels():
    """Eight voices of two kinds: the ladder shows both numbers."""
    rng = np.random.default_rng(0)
    kinds, voices = rng.standard_normal((2, 64)), rng.standard_normal((8, 64))
    who = np.repeat(np.arange(8), 40)
    X = 1.2 * kinds[who % 2] + voices[who] + 0.8 * rng.standard_normal((320, 64))
    fitted = Levels().fit(X)
    assert [level.n_clusters for level in fitted.levels_][:1] == [8]
    assert accuracy(who, fitted.labels_) == 1
    two = next(level for level in fitted.levels_ if level.n_clusters == 2)
    assert accuracy(who % 2, two.labels) == 1
    assert fitted.stable_
    assert fitted.levels_[fitted.recommended_].n_clusters == fitted.n_clusters_
    assert [level.n_clusters for level in fitted.levels_] == sorted((8, 2), reverse=True)


def test_two_far_kinds_do_not_hide_the_groups(rng):
    """Any long cloud has two stable halves; eight stable groups in it are no accident all the same."""
    voices, kinds = (
        np.repeat(rng.standard_normal((8, 64)), 20, axis=0),
        np.repeat(rng.standard_normal((2, 64)), 80, axis=0),
    )
    fitted = Levels().fit(voices + 2 * kinds + 0.7 * rng.standard_normal((160, 64)))
    assert fitted.n_clusters_ == 8
    assert fitted.stable_


def test_confidence_falls_where_groups_meet(rng):
    X, truth = speakers([20] * 10, d=96, noise=1.9)
    fitted = Levels().fit(X)
    table = np.array([np.bincount(truth[fitted.labels_ == label]).argmax() for label in range(fitted.n_clusters_)])
    right = table[fitted.labels_] == truth
    assert ((fitted.confidence_ >= 0) & (fitted.confidence_ <= 1)).all()
    assert Levels().fit(speakers([20] * 10, d=96, noise=0.3)[0]).confidence_.min() == 1
    assert 0.5 < right.mean() < 1
    assert fitted.confidence_[right].mean() > fitted.confidence_[~right].mean()


@pytest.mark.parametrize(("n", "d"), [(40, 3), (200, 3), (40, 192), (300, 192), (12, 20)])
def test_noise_has_no_stable_grouping(n, d):
    X = np.random.default_rng(n).standard_normal((n, d))
    with pytest.warns(DegenerateClusteringWarning, match="no stable grouping"):
        assert not Levels().fit(X).stable_


@pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")
@pytest.mark.parametrize("n", range(2, 13))
def test_few_recordings(n):
    for X in (np.random.default_rng(n).standard_normal((n, 5)), np.ones((n, 3)), np.zeros((n, 3))):
        fitted = Levels().fit(X)
        assert len(fitted.labels_) == len(fitted.confidence_) == n
        assert not fitted.stable_


def test_order_and_copies(rng):
    X, _ = speakers([10] * 12, d=64, noise=1.2)
    fitted = Levels().fit(X)
    order = rng.permutation(len(X))
    again = Levels().fit(X[order])
    np.testing.assert_allclose(again.confidence_, fitted.confidence_[order])
    for a, b in zip(fitted.levels_, again.levels_, strict=True):
        assert adjusted_rand_score(a.labels[order], b.labels) == 1
    twice = Levels().fit(np.vstack([X, X]))
    np.testing.assert_array_equal(twice.labels_, np.concatenate([fitted.labels_, fitted.labels_]))
    np.testing.assert_array_equal(Levels().fit(X).labels_, fitted.labels_)


def test_a_similarity_instead_of_vectors(rng):
    X, truth = speakers([12] * 6, d=64, noise=0.8)
    similarity = np.maximum(X @ X.T, 0)
    fitted = Levels(metric="precomputed").fit(csr_array(similarity))
    assert accuracy(truth, fitted.labels_) == 1
    np.testing.assert_array_equal(Levels(metric="precomputed").fit(similarity).labels_, fitted.labels_)
    order = rng.permutation(len(X))
    shuffled = Levels(metric="precomputed").fit(similarity[np.ix_(order, order)])
    assert adjusted_rand_score(shuffled.labels_, fitted.labels_[order]) == 1
    with pytest.raises(ValueError, match="metric='manhattan'"):
        Levels(metric="manhattan").fit(X)
    with pytest.raises(ValueError, match="square"):
        Levels(metric="precomputed").fit(X)


def test_large_rungs_are_made_of_a_sample(monkeypatch):
    from audioclust.clustering import ladder as module

    X, truth = speakers([60] * 8, d=64, noise=0.7)
    whole = levels_of(ladder(nearest(X, steps(480)[-1]), X))
    monkeypatch.setattr(module, "SAMPLED", 4000)
    sampled = ladder(nearest(X, 20), X)
    assert sampled[-1].neighbours == steps(480)[-1]
    assert accuracy(truth, levels_of(sampled)[0].labels) == accuracy(truth, whole[0].labels) == 1
    assert len(ladder(nearest(X, 20))) < len(sampled)


def test_real_voices_in_noise(shared):
    X, truth = audiomnist(shared)
    draw = np.random.default_rng(11)
    rows = np.concatenate([draw.choice(np.flatnonzero(truth == who), 10, replace=False) for who in range(60)])
    fitted = Levels().fit(X[rows] + 1.2 / np.sqrt(192) * draw.standard_normal((600, 192)))
    assert fitted.n_clusters_ == 60
    assert accuracy(truth[rows], fitted.labels_) > 0.99
