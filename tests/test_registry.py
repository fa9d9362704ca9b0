"""Clusterers by name, and what is known of each."""

import numpy as np
import pytest

from audioclust import clustering
from audioclust.clustering.registry import entry


def test_every_vector_clusterer_can_be_made():
    for name in clustering.available():
        estimator = clustering.make(name)
        assert hasattr(estimator, "fit_predict"), name


def test_what_finds_the_number_itself_is_not_told_it():
    told = {name for name in clustering.available() if not clustering.entry(name).finds_k}
    assert told >= {"kmeans", "fuzzy_cmeans", "agglomerative", "spectral"}
    for name in told:
        assert "n_clusters" in clustering.parameters(name)


@pytest.mark.parametrize(
    ("name", "title", "network"),
    [
        ("kmeans", "K-Means", False),
        ("kmeans:cosine", "K-Means: cosine", False),
        ("ae_kmeans", "AE + K-Means", True),
        ("ae_spectral", "AE + Spectral", True),
        ("ae_n2d", "N2D", True),
        ("dcec", "DCEC", True),
        ("unknown_one", "unknown_one", False),
    ],
)
def test_titles_and_networks(name, title, network):
    assert clustering.title_of(name) == title
    assert clustering.is_network(name) is network


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="kmeans, fuzzy_cmeans"):
        entry("kmean")
    with pytest.raises(ValueError, match="ae_kmean"):
        entry("ae_kmean")


def test_a_registered_class_is_made_and_kept(rng):
    class Halves:
        def __init__(self, axis=0):
            self.axis = axis

        def fit_predict(self, X):
            return (X[:, self.axis] > np.median(X[:, self.axis])).astype(int)

    clustering.register("halves", Halves)
    assert clustering.entry("halves").finds_k
    assert set(clustering.make("halves", axis=1).fit_predict(rng.normal(size=(10, 2)))) == {0, 1}
    clustering.register("halves", Halves)
    with pytest.raises(ValueError, match="'halves' is taken"):
        clustering.register("halves", "sklearn.cluster:Birch")
    with pytest.raises(ValueError, match="takes='sound'"):
        clustering.register("other", Halves, takes="sound")
    with pytest.raises(ValueError, match="without a colon"):
        clustering.register("a:b", Halves)


def test_parameters_of_the_clusterer_inside_reach_it():
    pytest.importorskip("torch")
    n2d = clustering.make("ae_n2d", n_clusters=3, head_on="convolutions", head_runs=1)
    assert n2d.clusterer_params == {"head_on": "convolutions", "head_runs": 1}
    ward = clustering.make("ae_agglomerative:average", n_clusters=3, linkage="average", random_state=1)
    assert (ward.clusterer, ward.clusterer_params, ward.random_state) == ("agglomerative", {"linkage": "average"}, 1)
    with pytest.raises(ValueError, match="linkages: no parameter of clusterer 'agglomerative'"):
        clustering.make("ae_agglomerative", n_clusters=3, linkages="average")
