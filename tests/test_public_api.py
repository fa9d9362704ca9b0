"""The names that notebooks and users call: they are there, and take what the documentation says.

One row per name: its parameters in order as one may give them by position, then ``*``, then those by keyword. More
parameters may follow; these may not go, move or lose their default.
"""

import importlib
import inspect

import pytest

import audioclust
from audioclust import clustering, features

API = {
    "show_versions": "",
    "group": "folder, kind='auto', groups=None, out=None",
    "similar": "file, folder=None, n=10",
    "datasets.scan": "root",
    "datasets.catalogue": "",
    "datasets.fetch": "name, project",
    "audio.load": "path, sample_rate=None",
    "audio.transform": "metadata, root, out, *, jobs=-1",
    "features.spectral": "y, sample_rate, features=('spectrogram', 'mel', 'chroma', 'mfcc', 'mfcc_no0')",
    "features.extract": "metadata, root, store, features, jobs=-1",
    "features.register": "feature",
    "features.available": "",
    "features.FeatureSet.vectors": "self, feature, pooling='mean_std', scale='standard', pca=None",
    "features.FeatureSet.images": "self, feature",
    "embeddings.available": "",
    "embeddings.register": "name, factory",
    "embeddings.load": "name",
    "embeddings.Encoder.encode": "self, waves, sample_rate=16000",
    "clustering.available": "",
    "clustering.make": "name",
    "clustering.register": "name, target, *, title=None, takes='vectors', finds_k=None, network=False",
    "clustering.entry": "name",
    "clustering.title_of": "name",
    "clustering.is_network": "name",
    "clustering.estimate_k": "X",
    "clustering.search": "X, name, grid",
    "clustering.Levels": "*, metric='cosine', random_state=0",
    "clustering.Levels.fit": "self, X",
    "clustering.consensus": "partitions, groups=None, n_clusters=None",
    "clustering.Prototypes.fit": "self, X, labels",
    "clustering.Prototypes.predict": "self, X",
    "deep.ConvAutoencoder": "*, random_state=None",
    "deep.DCEC": "n_clusters, *, autoencoder=None, random_state=None",
    "deep.Embedded": "clusterer, *, n_clusters=None, clusterer_params=None, autoencoder=None, random_state=None",
    "curation.folders.sort_into_folders": "paths, labels, root, out",
    "curation.corrections.read": "path, root='.'",
    "curation.corrections.merge": "*corrections",
    "curation.corrections.apply": "labels, X, corrections, paths=None",
    "evaluation.evaluate": "labels, truth=None, X=None",
    "evaluation.equal_error_rate": "X, truth",
    "evaluation.review": "",
    "report.tables.comparison": "runs",
    "report.tables.write": "runs, folder",
    "report.listen": "index, labels, root, out",
    "runs.run": "notebook, project, *, resume=False",
    "runs.sweep": "path, project, jobs=-1",
    "runs.collect": "project, *, agreement=False",
    "plugins.load": "names, root",
    "plugins.loaded": "",
    "project.Project": "root",
    "project.Project.find": "start=None",
    "project.Project.settings": "self",
}
CLUSTERERS = {
    "kmeans", "fuzzy_cmeans", "agglomerative", "dbscan", "hdbscan", "spectral", "umap_hdbscan", "nme_spectral",
    "partial_sets", "auto",
}  # fmt: skip


def public(name: str):
    """Import what `name` says, as users write it: ``from audioclust import ROOM``, then attributes."""
    room, _, rest = name.partition(".")
    thing = importlib.import_module(f"audioclust.{room}") if rest else getattr(audioclust, room)
    for part in rest.split(".") if rest else ():
        if inspect.ismodule(thing) and not hasattr(thing, part):
            importlib.import_module(f"{thing.__name__}.{part}")
        thing = getattr(thing, part)
    return thing


def fields(row: str) -> inspect.Signature:
    return inspect.signature(eval(f"lambda {row}: None"))


@pytest.mark.parametrize("name", API)
def test_signature(name):
    actual = inspect.signature(public(name)).parameters
    names = list(actual)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in actual.values())
    for position, (parameter, said) in enumerate(fields(API[name]).parameters.items()):
        assert parameter in names or takes_any, f"{name} takes no {parameter}"
        if said.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            assert names[position] == parameter
            assert actual[parameter].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        if said.default is not inspect.Parameter.empty:
            assert actual[parameter].default == said.default
    required = {
        parameter
        for parameter, kept in actual.items()
        if kept.default is kept.empty and kept.kind not in (kept.VAR_KEYWORD, kept.VAR_POSITIONAL)
    }
    assert not API[name] or required <= set(fields(API[name]).parameters), f"{name} asks for more"


@pytest.mark.parametrize("name", [name for name in API if "." not in name or not name.split(".")[-2][0].isupper()])
def test_example(name):
    assert ">>>" in (inspect.getdoc(public(name)) or ""), f"{name} has no example"


def test_features_and_clusterers_by_name():
    assert features.FEATURES == ("spectrogram", "mel", "chroma", "mfcc", "mfcc_no0")
    assert features.available()[:5] == features.FEATURES
    assert set(clustering.available()) >= CLUSTERERS
    for name in CLUSTERERS:
        estimator = clustering.make(name)
        assert {"fit", "fit_predict", "get_params"} <= set(dir(estimator))


def test_scores_by_name():
    from audioclust import evaluation

    scores = evaluation.evaluate([0, 0, 1, 1], truth=["a", "a", "b", "b"], X=[[0.0], [0.1], [5.0], [5.2]])
    label_based = {"acc", "nmi", "ari", "ami", "homogeneity", "completeness", "purity", "fmi"}
    assert set(scores) >= label_based | {f"{name}_clustered" for name in label_based}
    assert set(scores) >= {"n_clusters", "coverage", "silhouette", "silhouette_cosine", "davies_bouldin"}
    assert "calinski_harabasz" in scores
