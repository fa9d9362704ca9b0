"""Many clusterings of the same recordings: which to believe, and one clustering made of all, without labels.

``partitions`` [shape=(m, n)] holds one clustering per row: clusters from 0, -1 noise, -2 not covered (a recording that
a feature lacks). ``groups`` [shape=(m,)] says which feature each clustering was made from.

Agreement. Features see different sides of a recording. What clusterings of several features repeat is more likely to be
there than what one feature shows. The mutual information (corrected for chance, 0 to 1) of two clusterings of
*different* features is modelled as the product of two numbers, one per clustering: how far each follows the grouping
that all share [1]_ [2]_. That number is its agreement. Clusterings of one feature err alike, so they are not compared.

Consensus. The similarity of two recordings is the weighted share of clusterings that put them into one cluster, their
co-association [3]_. A clustering weighs as much as its agreement, divided by the number of clusterings of its feature:
a feature that was clustered more often has no more to say. Ward's and average linkage make groups of this similarity.
Of many recordings, those that the heaviest clusterings all put together are taken as one, so that no matrix of all
pairs is needed. Then each recording goes to the group that its clusters stand for, until none moves. Of the two results
the one that shares more with the clusterings, weighted, is the consensus [4]_.

References
----------
.. [1] Spearman, C. (1904). "General Intelligence," Objectively Determined and Measured. American Journal of Psychology
   15, 201-292.
.. [2] Parisi, F., Strino, F., Nadler, B., Kluger, Y. (2014). Ranking and combining multiple predictors without labeled
   data. PNAS 111, 1253-1258.
.. [3] Fred, A. L. N., Jain, A. K. (2005). Combining multiple clusterings using evidence accumulation. IEEE TPAMI 27.
.. [4] Strehl, A., Ghosh, J. (2002). Cluster ensembles: a knowledge reuse framework for combining multiple partitions.
   Journal of Machine Learning Research 3, 583-617.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from audioclust.evaluation.degenerate import DegenerateClusteringWarning
from audioclust.validation import check_n_clusters

__all__ = ["Consensus", "consensus"]

MOST_CELLS = 3000  # sets of recordings that Ward's linkage works on
PASSES = 20  # after which recordings stop moving between groups
MOST_SUPPORT = 40_000_000  # recordings x groups up to which they move
BLOCK = 1000  # rows of the similarity that are held at a time

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


class Consensus(NamedTuple):
    """One clustering made of many.

    Attributes
    ----------
    labels : array of int [shape=(n,)]
        Groups from 0, the largest first; -1 where no clustering places the recording.
    confidence : array of float in [0, 1] [shape=(n,)]
        How consistently a recording sits with its group: how far its cluster stands for that group, judged by the
        other recordings, as the weighted mean over the clusterings that cover it. Noise counts as 0.
    agreement : array of float in [0, 1] [shape=(m,)]
        How far each clustering follows what those of other features share. A single clustering has NaN.
    n_clusters : int
    """

    labels: Ints
    confidence: Floats
    agreement: Floats
    n_clusters: int


def consensus(partitions: ArrayLike, groups: Sequence[Any] | None = None, n_clusters: int | None = None) -> Consensus:
    """Rank clusterings by what other features confirm, and make one clustering of all.

    Parameters
    ----------
    partitions : array-like of int [shape=(m, n)]
        Clusters from 0, -1 noise, -2 not covered.
    groups : sequence [shape=(m,)], optional
        The feature each clustering was made from. By default, or where all are the same, each is compared with all
        others.
    n_clusters : int, optional
        The number of groups. By default the most stable level of the co-association, see
        :class:`audioclust.clustering.Levels`; a single clustering is then given back as it is.

    Returns
    -------
    Consensus
        The same for any order of the recordings and of the clusterings. A warning tells where the clusterings do not
        tell as many groups apart as were asked for.

    Raises
    ------
    ValueError
        When a parameter cannot be used, or no recording is in any cluster.

    Examples
    --------
    >>> mfcc, mel, chroma = [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1]
    >>> labels, confidence, agreement, k = consensus([mfcc, mel, chroma], ["mfcc", "mel", "chroma"], n_clusters=2)
    >>> labels.tolist(), agreement.round(1).tolist()
    ([0, 0, 0, 1, 1, 1], [1.0, 1.0, 0.0])
    """
    table, features = _checked(partitions, groups)
    placed = (table >= 0).any(axis=0)
    if n_clusters is not None:
        check_n_clusters(n_clusters, int(placed.sum()))
    agreement = _agreement(table, features)
    weights = _weights(agreement, features)
    sizes = [np.sort(np.bincount(row[row >= 0])) for row in table]
    order = sorted(range(len(table)), key=lambda i: (-round(float(weights[i]), 9), *sizes[i][::-1].tolist()))
    votes = _Votes(table[order][:, placed], weights[order])
    if n_clusters is not None:
        candidates = votes.groups(n_clusters)
    elif len(table) == 1 or votes.n < 2:
        candidates = [votes.table[0]]
    else:
        candidates = [votes.levels()]
    if len(table) > 1:
        candidates = [votes.settled(labels) for labels in candidates]
    groups_of = _by_size(max(candidates, key=lambda labels: round(votes.shared(labels), 6)))
    k = len(np.unique(groups_of))
    labels, confidence = np.full(table.shape[1], -1, dtype=np.intp), np.zeros(table.shape[1])
    labels[placed] = groups_of
    if n_clusters is not None and k < n_clusters:
        message = f"consensus: the clusterings tell {k} groups apart, {n_clusters} asked for"
        warnings.warn(message, DegenerateClusteringWarning, stacklevel=2)
    confidence[placed] = votes.confidence(groups_of, k)
    return Consensus(labels, confidence, agreement, k)


def _checked(partitions: ArrayLike, groups: Sequence[Any] | None) -> tuple[Ints, Ints]:
    """Return the clusterings with clusters numbered without gaps, and the number of each one's feature."""
    try:
        given = np.asarray(partitions, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("partitions: give one row of whole numbers per clustering, all of one length") from None
    if given.ndim != 2 or not given.size:
        raise ValueError(f"partitions has shape {given.shape}: give one row per clustering, one column per recording")
    wrong = ~np.isfinite(given) | (given != np.round(given)) | (given < -2)
    if wrong.any():
        row, value = int(np.argwhere(wrong)[0][0]), given[wrong][0]
        raise ValueError(f"partitions[{row}] holds {value:g}: give clusters from 0, -1 for noise, -2 for not covered")
    if not (given >= 0).any():
        raise ValueError("partitions: no recording is in any cluster")
    names = np.asarray([0] * len(given) if groups is None else [str(name) for name in groups])
    if len(names) != len(given):
        raise ValueError(f"groups has {len(names)} values, partitions has {len(given)} rows")
    table = given.astype(np.intp)
    for row in table:
        row[row >= 0] = np.unique(row[row >= 0], return_inverse=True)[1]
    return table, np.unique(names, return_inverse=True)[1]


def _agreement(table: Ints, features: Ints) -> Floats:
    """Return t of the model ``shared[i, j] = t[i] t[j]`` for clusterings of different features [shape=(m,)]."""
    m = len(table)
    if m == 1:
        return np.full(1, np.nan)
    shared = np.zeros((m, m))
    for i in range(m):
        for j in range(i):
            shared[i, j] = shared[j, i] = _shared(table[i], table[j])
    compared = features[:, None] != features[None, :]
    if not compared.any():
        compared = ~np.eye(m, dtype=bool)
    shared = np.where(compared, shared, 0.0)
    t = np.sqrt(shared.sum(axis=1) / compared.sum(axis=1))
    for _ in range(200):  # least squares, each t in turn given the others; halfway, so that two do not take turns
        best = shared @ t / np.maximum(compared @ t**2, 1e-12)
        t = np.clip((t + best) / 2, 0.0, 1.0)
    return t


def _shared(one: Ints, other: Ints) -> float:
    """Mutual information of two clusterings, corrected for chance, times the share of recordings that both place.

    The correction is the expectation for independent clusterings of many recordings, (r - 1)(c - 1) / 2n; it makes
    sure that a clustering into single recordings shares nothing.
    """
    covered = int(np.count_nonzero((one > -2) & (other > -2)))
    both = (one >= 0) & (other >= 0)
    n = int(np.count_nonzero(both))
    if n < 2:
        return 0.0
    first, second = (np.unique(labels[both], return_inverse=True)[1] for labels in (one, other))
    r, c = int(first.max()) + 1, int(second.max()) + 1
    pairs = np.unique(first * c + second, return_counts=True)[1]
    entropies = [_entropy(counts) for counts in (np.bincount(first), np.bincount(second), pairs)]
    chance = min((r - 1) * (c - 1) / (2 * n), *entropies[:2])
    room = (entropies[0] + entropies[1]) / 2 - chance
    share = (entropies[0] + entropies[1] - entropies[2] - chance) / room if room > 1e-9 else 0.0
    return min(max(share, 0.0), 1.0) * n / covered


def _entropy(counts: Ints) -> float:
    p = np.sort(counts) / counts.sum()
    return float(-(p * np.log(p)).sum())


def _weights(agreement: Floats, features: Ints) -> Floats:
    """Return the clusterings' weights, of sum 1: agreement, shared by those of one feature; equal where none agrees."""
    counts = np.bincount(features)
    weights = np.nan_to_num(agreement) / (counts[features] if len(counts) > 1 else 1)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))


class _Votes:
    """Weighted clusterings of recordings each of which is in a cluster of at least one.

    Parameters
    ----------
    table : array of int [shape=(m, n)]
        The heaviest clusterings first.
    weights : array [shape=(m,)]
    """

    def __init__(self, table: Ints, weights: Floats) -> None:
        self.table = table
        self.weights = np.maximum(weights, 1e-9)  # what shares nothing still places what others do not
        self.n = table.shape[1]

    def similarity(self, rows: Any, columns: Any) -> Floats:
        """Co-association of the means of recordings, from their profiles [shape=(a, b)]."""
        together = (rows[0] @ columns[0].T).toarray()
        covered = rows[1] @ columns[1].T
        return together / np.maximum(covered, 1e-12)

    def profiles(self, cell: Ints) -> tuple[Any, Floats]:
        """Return the mean of each cell's clusters (a column per cluster) and of what covers it (one per clustering)."""
        k, sizes = int(cell.max()) + 1, np.bincount(cell)
        starts = np.concatenate([[0], np.cumsum(self.table.max(axis=1) + 1)])
        which, recording = np.nonzero(self.table >= 0)
        data = np.sqrt(self.weights)[which] / sizes[cell[recording]]
        shape = (k, max(int(starts[-1]), 1))
        inside = csr_array((data, (cell[recording], starts[which] + self.table[which, recording])), shape=shape)
        which, recording = np.nonzero(self.table > -2)
        data = np.sqrt(self.weights)[which] / sizes[cell[recording]]
        return inside, csr_array((data, (cell[recording], which)), shape=(k, len(self.table))).toarray()

    def cells(self) -> Ints:
        """Return the sets of recordings that the heaviest clusterings put together, at most MOST_CELLS [shape=(n,)]."""
        cell = np.zeros(self.n, dtype=np.intp)
        for row in self.table:
            finer = np.unique(cell * (row.max() + 3) + row + 2, return_inverse=True)[1]
            if finer.max() < MOST_CELLS:
                cell = finer
        return cell

    def groups(self, k: int) -> list[Ints]:
        """Return k groups by Ward's linkage of the cells, and by average linkage [shape=(n,)]."""
        cell = self.cells()
        profiles, sizes = self.profiles(cell), np.bincount(cell).astype(np.float64)
        similarity = self.similarity(profiles, profiles)
        similarity = (similarity + similarity.T) / 2
        strengths = [np.round(similarity**power @ sizes, 6) for power in (1, 2)]
        order = np.lexsort((*strengths, sizes))  # whatever the order of the recordings
        place = np.argsort(order)
        ordered = similarity[np.ix_(order, order)], sizes[order], k
        return [_linked(*ordered, method)[place][cell] for method in ("ward", "average")]

    def levels(self) -> Ints:
        """Return the recommended level of the graph of each recording's nearest ones by co-association."""
        from audioclust.clustering.ladder import most_neighbours  # compiled code, which takes a second to import
        from audioclust.clustering.levels import Levels

        own = self.profiles(np.arange(self.n))
        strength = np.round(own[0] @ (own[0].T @ np.ones(self.n)), 9)
        order = np.lexsort((*self.table[::-1], strength))
        near = min(max(most_neighbours(self.n), 1), self.n - 1)
        parts = list(self._nearest((own[0][order], own[1][order]), near))
        rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        graph = csr_array((values, (rows, columns)), shape=(self.n, self.n))
        labels = np.empty(self.n, dtype=np.intp)
        labels[order] = Levels(metric="precomputed").fit(graph.maximum(graph.T)).labels_
        return labels

    def _nearest(self, profiles: tuple[Any, Floats], near: int) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield row, column and similarity of the nearest recordings of a block of recordings at a time."""
        for start in range(0, self.n, BLOCK):
            rows = np.arange(start, min(start + BLOCK, self.n))
            block = self.similarity((profiles[0][rows], profiles[1][rows]), profiles)
            block[np.arange(len(rows)), rows] = 0.0
            columns = np.argpartition(-block, near - 1, axis=1)[:, :near]
            values = np.take_along_axis(block, columns, axis=1).ravel()
            kept = values > 0
            yield np.repeat(rows, near)[kept], columns.ravel()[kept], values[kept]

    def shared(self, labels: Ints) -> float:
        """Return the information that groups share with the clusterings, their weighted mean."""
        return float(self.weights @ [_shared(row, labels) for row in self.table])

    def settled(self, labels: Ints) -> Ints:
        """Return the groups after each recording has gone to the one that its clusters stand for, until none moves.

        A cluster stands for the groups of which it holds the largest share; large groups do not count more.
        """
        k = int(labels.max()) + 1
        for _ in range(PASSES if self.n * k <= MOST_SUPPORT else 0):
            support = np.zeros((self.n, k))
            for row, weight in zip(self.table, self.weights, strict=True):
                inside = np.flatnonzero(row >= 0)
                shares, _ = _shares(row[inside], labels[inside], np.bincount(labels, minlength=k))
                totals = np.asarray(shares.sum(axis=1)).ravel()
                alone = np.bincount(row[inside]) == 1  # would stand for where its only recording is now
                stands = shares.multiply((weight * ~alone / totals)[:, None]).tocsr()
                support[inside] += stands[row[inside]].toarray()
            moved = np.argmax(np.round(support, 9), axis=1)
            if len(np.unique(moved)) < k or np.array_equal(moved, labels):
                break
            labels = moved
        return labels

    def confidence(self, labels: Ints, k: int) -> Floats:
        """Return how far each recording's clusters stand for its group, on the average, without it [shape=(n,)]."""
        said, heard = np.zeros(self.n), np.zeros(self.n)
        sizes = np.bincount(labels, minlength=k)
        for row, weight in zip(self.table, self.weights, strict=True):
            inside = np.flatnonzero(row >= 0)
            shares, own = _shares(row[inside], labels[inside], sizes)
            itself = 1 / sizes[labels[inside]]
            others = np.asarray(shares.sum(axis=1)).ravel()[row[inside]] - itself
            said[inside] += weight * np.where(others > 1e-9, (own - itself) / np.maximum(others, 1e-9), 0.0)
            heard += weight * (row > -2)
        return np.clip(said / heard, 0.0, 1.0)


def _shares(clusters: Ints, labels: Ints, sizes: Ints) -> tuple[Any, Floats]:
    """Return the share of each group that is in each cluster, sparse, and that of each recording's own group."""
    both, place, counts = np.unique(clusters * len(sizes) + labels, return_inverse=True, return_counts=True)
    shares = counts / sizes[both % len(sizes)]
    where = (both // len(sizes), both % len(sizes))
    return csr_array((shares, where), shape=(int(clusters.max(initial=0)) + 1, len(sizes))), shares[place]


def _linked(similarity: Floats, sizes: Floats, k: int, method: str) -> Ints:
    """Return k groups of cells by Ward's or average linkage, squared distances being 1 - similarity [shape=(cells,)].

    Lance-Williams updates along chains of nearest neighbours.
    """
    D, size = 1.0 - similarity, sizes.copy()
    ward = method == "ward"
    if ward:
        D *= 2 * np.multiply.outer(size, size) / np.add.outer(size, size)  # how much each merge adds to the variance
    np.fill_diagonal(D, np.inf)
    merges: list[tuple[float, int, int]] = []
    alive, chain = np.ones(len(D), dtype=bool), [0]
    while len(merges) < len(D) - 1:
        chain = chain or [int(np.argmax(alive))]
        last = chain[-1]
        near = int(np.argmin(D[last]))
        if len(chain) < 2 or D[last, near] < D[last, chain[-2]]:
            chain.append(near)
            continue
        near, chain = chain[-2], chain[:-2]
        merges.append((float(D[last, near]), near, last))
        alive[last] = False
        if ward:
            total = size + size[near] + size[last]
            added = (size + size[near]) * D[near] + (size + size[last]) * D[last] - size * D[last, near]
        else:
            total, added = size[near] + size[last], size[near] * D[near] + size[last] * D[last]
        D[near] = np.where(alive, added / total, np.inf)
        D[:, near] = D[near]
        D[near, near] = D[last] = D[:, last] = np.inf
        size[near] += size[last]
    order = np.argsort([round(merge[0], 9) for merge in merges], kind="stable")[: max(len(sizes) - k, 0)]
    pairs = np.array([merges[i][1:] for i in order], dtype=np.intp).reshape(-1, 2)
    joined = csr_array((np.ones(len(pairs)), pairs.T), shape=similarity.shape)
    return connected_components(joined, directed=False)[1].astype(np.intp)


def _by_size(labels: Ints) -> Ints:
    """Return groups numbered from 0, the largest first."""
    values, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ranks = np.empty(len(values), dtype=np.intp)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(values))
    return ranks[place]
