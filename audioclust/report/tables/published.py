"""Figures that others published, as data, to stand beside the ones measured here.

Scores are fractions (NMI .94, not 94 %). A figure that was not published is None. Sources are keys of `SOURCES`;
a figure that contradicts itself is kept with ``doubtful`` and is never shown as a number to beat.

References
----------
Each source's full reference is its text in `SOURCES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audioclust import clustering
from audioclust.report.tables.labels import algorithm_title

__all__ = ["CAMSAT", "FIGURES", "SOURCES", "U_VECTORS", "Figure", "lookup"]

SOURCES = {
    "thesis": "C7A7A/audio_clustering_autoencoder, master's thesis and README, 2024: single runs, k = number of labels",
    "dcec": "Table 4 of doi:10.1186/s13673-018-0148-3 (2018): MNIST, 70 000 digits",
    "speakers": "Kai-Heng/Exploring-Unlabelled-Speaker-Recognition, 2025: ECAPA-TDNN vectors of AudioMNIST",
    "u-vectors": "Ohi et al., Applied Sciences 11(21):10079, 2021: K-Means on 12-d embeddings, true speakers",
    "camsat": "Fathan et al., ICASSP 2024, and osrlpaper/CAMSAT_Clustering: VoxCeleb2-dev, 5 994 speakers; metrics are "
    "read off plots (+-.01)",
}


@dataclass(frozen=True)
class Figure:
    """One published row.

    Attributes
    ----------
    source : str
        Key of `SOURCES`.
    dataset : str
        The catalogue's name of the dataset.
    label : str
        The label column it was scored against.
    n_labels : int
        The number of distinct labels.
    feature, algorithm : str
        In this package's names; ``ae_kmeans`` is K-Means on an autoencoder's embedding.
    detail : str
        What the names leave out: image or array vectors, the size of the embedding.
    vectors : {"image", "array", ""}
        What was clustered: the rows of an image, a pooled array, or not said.
    embedding : int, optional
        The size of a network's embedding.
    params : mapping
        Parameters in this package's names that the row depends on.
    nmi, acc, silhouette, davies_bouldin : float or None
    doubtful : str
        Why the row cannot be right; empty where nothing is known against it.
    """

    source: str
    dataset: str
    label: str
    n_labels: int
    feature: str
    algorithm: str
    detail: str = ""
    nmi: float | None = None
    acc: float | None = None
    silhouette: float | None = None
    davies_bouldin: float | None = None
    doubtful: str = ""
    vectors: str = ""
    embedding: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> bool:
        """Whether a network was trained on the dataset for this row."""
        return clustering.is_network(self.algorithm)

    @property
    def title(self) -> str:
        """The algorithm as printed, with what its name leaves out."""
        name = algorithm_title(self.algorithm) if self.algorithm else "an algorithm that is not named"
        return f"{name} ({self.detail})" if self.algorithm and self.detail else name

    def is_like(self, algorithm: Any, vectors: Any, params: str) -> bool:
        """Return whether a clustering made here is of the same kind: algorithm, vectors, embedding and parameters.

        Parameters
        ----------
        algorithm, vectors : str
        params : str
            "name=value, ...", as `aggregate.aggregate` writes it.
        """
        if not self.algorithm or str(algorithm).partition(":")[0] != self.algorithm:
            return False
        parts = str(vectors).split()
        if self.vectors and (self.vectors == "image") != str(vectors).startswith("image"):
            return False
        if self.embedding is not None and f"z{self.embedding}" not in parts:
            return False
        given = dict(part.partition("=")[::2] for part in params.split(", "))
        usual = clustering.parameters(self.algorithm) if self.params else {}
        return all(given.get(name, str(usual.get(name))) == str(value) for name, value in self.params.items())


# feature, classical (vectors, algorithm, NMI, ACC), autoencoder (size of the embedding, NMI, ACC); in per cent
_THESIS: dict[tuple[str, str, int], list[tuple[str, tuple[str, str, int, int], tuple[int | None, int, int]]]] = {
    ("mabds", "label", 9): [
        ("spectrogram", ("image", "kmeans", 14, 26), (1024, 16, 29)),
        ("mel", ("image", "fuzzy_cmeans", 12, 21), (128, 15, 25)),
        ("mfcc", ("array", "fuzzy_cmeans", 12, 28), (128, 8, 19)),
        ("mfcc_no0", ("array", "fuzzy_cmeans", 11, 26), (1024, 12, 21)),
        ("chroma", ("array", "kmeans", 6, 18), (128, 8, 21)),
    ],
    ("urbansound8k", "label", 10): [
        ("spectrogram", ("image", "kmeans", 19, 25), (None, 20, 24)),
        ("mel", ("array", "fuzzy_cmeans", 18, 24), (128, 21, 26)),
        ("mfcc", ("array", "kmeans", 22, 31), (None, 16, 22)),
        ("mfcc_no0", ("array", "kmeans", 23, 32), (None, 17, 23)),
        ("chroma", ("", "", 15, 21), (None, 17, 23)),
    ],
    ("tess", "label", 14): [
        ("spectrogram", ("image", "agglomerative", 86, 80), (128, 96, 90)),
        ("mel", ("array", "agglomerative", 78, 70), (128, 95, 88)),
        ("mfcc", ("", "agglomerative", 94, 89), (1024, 63, 61)),
        ("mfcc_no0", ("", "agglomerative", 93, 88), (128, 79, 74)),
        ("chroma", ("image", "agglomerative", 53, 44), (128, 91, 21)),
    ],
}

_DOUBTFUL = {("tess", "chroma", "ae_kmeans"): "NMI 91 with ACC 21 at k = 14 contradict each other"}


def _thesis() -> list[Figure]:
    rows = []
    for (dataset, label, n_labels), features in _THESIS.items():
        for feature, (vectors, algorithm, nmi, acc), (size, deep_nmi, deep_acc) in features:
            where = ("thesis", dataset, label, n_labels, feature)
            rows.append(Figure(*where, algorithm, vectors, nmi / 100, acc / 100, vectors=vectors))
            detail = f"embedding {size}" if size else ""
            doubt = _DOUBTFUL.get((dataset, feature, "ae_kmeans"), "")
            scores = (deep_nmi / 100, deep_acc / 100)
            rows.append(Figure(*where, "ae_kmeans", detail, *scores, doubtful=doubt, embedding=size))
    return rows


def _digits(algorithm: str, nmi: float | None, acc: float | None, detail: str = "") -> Figure:
    return Figure("dcec", "mnist", "label", 10, "pixels", algorithm, detail, nmi, acc)


def _speakers(algorithm: str, silhouette: float, davies_bouldin: float, detail: str = "", **params: str) -> Figure:
    return Figure(
        "speakers", "audiomnist", "speaker", 60, "ecapa", algorithm, detail,
        silhouette=silhouette, davies_bouldin=davies_bouldin, params=params,
    )  # fmt: skip


FIGURES: tuple[Figure, ...] = (
    *_thesis(),
    _digits("kmeans", 0.527, 0.553),
    _digits("ae_kmeans", 0.669, 0.760, "AEC"),
    _digits("dcec", 0.885, 0.890),
    _speakers("hdbscan", 0.510, 0.824),
    _speakers("kmeans", 0.510, 0.824),
    _speakers("spectral", 0.510, 0.824, "rbf affinity", affinity="rbf"),
    _speakers("spectral", -0.024, 2.614, "nearest neighbours", affinity="nearest_neighbors"),
)

# u-vectors, share of impure segments 0: (set, speakers) -> ACC, NMI, ARI
U_VECTORS: dict[tuple[str, int], tuple[float, float, float]] = {
    ("TIMIT", 25): (0.934, 0.979, 0.919),
    ("TIMIT", 50): (0.924, 0.979, 0.898),
    ("TIMIT", 100): (0.889, 0.973, 0.847),
    ("TIMIT", 150): (0.815, 0.955, 0.734),
    ("LibriSpeech", 25): (0.946, 0.983, 0.935),
    ("LibriSpeech", 50): (0.951, 0.989, 0.933),
    ("LibriSpeech", 100): (0.924, 0.984, 0.921),
    ("LibriSpeech", 146): (0.932, 0.987, 0.916),
    ("Bengali ASR", 25): (0.909, 0.969, 0.869),
    ("Bengali ASR", 50): (0.930, 0.983, 0.912),
    ("Bengali ASR", 100): (0.906, 0.977, 0.871),
    ("Bengali ASR", 150): (0.885, 0.973, 0.836),
}

# CAMSAT, pseudo-labels from 10 000 initial clusters: ACC, NMI, AMI, clusters found, best equal error rate
# (per cent; CAMSAT+InfoNCE has none published)
CAMSAT: dict[str, tuple[float, float, float, int, float | None]] = {
    "IMSAT": (0.62, 0.845, 0.76, 9860, 4.003),
    "CAMSAT": (0.71, 0.885, 0.83, 6200, 2.863),
    "CAMSAT+InfoNCE": (0.73, 0.90, 0.85, 7700, None),
}

# Names under which the same recordings also appear.
_ALIASES = {"musicgenre": "mabds", "garageband": "mabds", "us8k": "urbansound8k", "audiomnistecapa": "audiomnist"}


def lookup(dataset: str, label: str) -> list[Figure]:
    """Return the published rows for a dataset and label column; an empty list where there are none.

    Spelling of the dataset's name (case, ``-``, ``_``) does not matter.
    """
    name = re.sub(r"[^a-z0-9]", "", str(dataset).lower())
    name = _ALIASES.get(name, name)
    return [figure for figure in FIGURES if figure.dataset == name and _same_label(figure, str(label))]


def _same_label(figure: Figure, label: str) -> bool:
    # Where the folder is the label, catalogues may also name it by what it holds.
    names = {"label": {"label"}, "speaker": {"label", "speaker"}}
    if figure.dataset in ("mabds", "urbansound8k", "mnist"):
        return label in {"label", "class", "genre", "digit"}
    return label in names[figure.label]
