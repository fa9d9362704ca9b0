"""What one can add from outside: a dataset, a feature, a clusterer and a network, through a sweep into the tables.

Nothing of the package knows their names; one file registers them, and the sweep names that file.
"""

import pandas as pd
import pytest
import yaml

from audioclust import runs
from audioclust.project import Project
from audioclust.report import tables

PLUGIN = '''
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans

from audioclust import clustering, datasets, features
from audioclust.datasets import synthetic


class Beeps:
    """A dataset."""

    NAME = "beeps"
    TITLE = "Beeps"
    DESCRIPTION = "Synthetic voices under another name."
    HOMEPAGE = ""
    RECORDINGS = 12
    BYTES = 0
    LICENSE_INFO = "CC0 1.0"
    BIBTEX = "@misc{beeps, title = {Beeps}}"
    REMOTES = []
    LABELS = {"voice": "who beeps"}
    EXAMPLES = {"s01/s01_ba_1.wav": {"voice": "s01"}}

    @staticmethod
    def columns(path):
        return {"voice": path.split("/")[0]}

    @staticmethod
    def prepare(unpacked, folder, **options):
        synthetic.generate(folder, speakers=3, words=2, takes=2)


def eighths(spectrum):
    """A feature: the power in eight equal bands."""
    bands = np.array_split(spectrum.power, 8)
    return np.log10(np.stack([band.mean(axis=0) for band in bands]) + 1e-10)


class Halves(ClusterMixin, BaseEstimator):
    """A clusterer that finds the number of clusters itself: above and below the median of one column."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y=None):
        values = np.asarray(X)[:, self.column]
        self.labels_ = (values > np.median(values)).astype(int)
        return self


class Linear(ClusterMixin, BaseEstimator):
    """A network on images: a linear autoencoder with two hidden units, and K-Means on them."""

    def __init__(self, n_clusters=2, steps=30, random_state=0):
        self.n_clusters, self.steps, self.random_state = n_clusters, steps, random_state

    def fit(self, X, y=None):
        torch.manual_seed(self.random_state)
        pixels = torch.tensor(np.asarray(X).reshape(len(X), -1) / 255, dtype=torch.float32)
        encoder, decoder = torch.nn.Linear(pixels.shape[1], 2), torch.nn.Linear(2, pixels.shape[1])
        optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-2)
        for _ in range(self.steps):
            optimiser.zero_grad()
            loss = ((decoder(encoder(pixels)) - pixels) ** 2).mean()
            loss.backward()
            optimiser.step()
        self.embedding_ = encoder(pixels).detach().numpy()
        self.labels_ = KMeans(self.n_clusters, n_init=3, random_state=self.random_state).fit_predict(self.embedding_)
        return self


datasets.register(Beeps)
features.register(features.Feature("eighths", eighths, title="Eight bands", reach=0))
clustering.register("halves", Halves, title="Halves")
clustering.register("linear", Linear, title="Linear network", takes="images", network=True)
'''

SWEEP = {
    "name": "outside",
    "plugins": ["mine.py"],
    "datasets": [{"name": "beeps", "labels": ["voice"]}],
    "compare": [
        {
            "notebook": "04_classical_clustering",
            "parameters": {"algorithms": ["kmeans", "halves"], "seeds": [0], "figures": False},
            "matrix": {"feature": ["eighths"]},
        },
        {
            "notebook": "05_autoencoder_dcec",
            "parameters": {
                "feature": "eighths",
                "algorithms": ["linear"],
                "params": {"linear": {"steps": 10}, "autoencoder": {"channels": [2, 2, 2]}},
                "latent_size": 2,
                "epochs": 1,
                "seeds": [0],
                "figures": False,
            },
        },
    ],
}


def test_a_file_of_ones_own_goes_through_a_sweep_into_the_tables(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "outside.yaml").write_text(yaml.safe_dump(SWEEP))
    home = Project(tmp_path / "project")
    outcome = runs.sweep(tmp_path / "outside.yaml", home, jobs=2)
    assert outcome["error"].isna().all(), outcome["error"].dropna().tolist()
    collected = runs.collect(home)
    assert set(collected["algorithm"]) == {"kmeans", "halves", "linear"}
    assert collected["feature"].eq("eighths").all()
    assert collected["nmi"].notna().all()
    (labels,) = home.results.glob("beeps/04*/labels.parquet")
    assert set(pd.read_parquet(labels)["cluster"]) >= {0, 1}
    text = tables.comparison(collected).to_markdown()
    assert "Halves" in text
    assert "Linear network" in text


def test_a_plugin_named_by_the_project_is_known_to_its_notebooks(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "audioclust.yaml").write_text("plugins: [mine.py]\n")
    checked = runs.check("04_classical_clustering", {"project": str(tmp_path), "algorithms": ["halves"]})
    assert checked.plugins == [str(tmp_path / "mine.py")]
    with pytest.raises(ValueError, match="does not take vectors"):
        runs.check("04_classical_clustering", {"project": str(tmp_path), "algorithms": ["linear"]})
