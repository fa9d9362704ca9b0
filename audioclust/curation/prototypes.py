"""Known speakers as prototypes: name clusters, recognise new recordings, add speakers, save all of it in a folder.

A prototype is the mean direction of a cluster's unit vectors. A new recording is the speaker whose prototype has the
highest cosine with it, or unknown when that cosine lies below the threshold. The threshold is calibrated on the
clusters themselves: every speaker in turn plays a stranger to all others, and no more than the asked share of their
recordings may be accepted.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from audioclust import files
from audioclust.evaluation.thresholds import false_accept_threshold
from audioclust.geometry import group_directions, group_sums, leave_one_out_cosines, unit_rows
from audioclust.validation import check_labels, check_number, check_share

__all__ = ["UNKNOWN", "Prototypes"]

UNKNOWN = -1
FORMAT = 1  # of the saved folder


class Prototypes(BaseEstimator):
    """Open-set recognition of clustered speakers.

    Parameters
    ----------
    false_accept_rate : float in [0, 1)
        Share of strangers' recordings that may be taken for a known speaker.
    threshold : float in [-1, 1], optional
        Least cosine to accept; None calibrates it to `false_accept_rate`. With one cluster there are no strangers to
        calibrate on and a threshold must be given.

    Attributes
    ----------
    labels_ : array of int [shape=(k,)]
        Label of each prototype.
    centroids_ : array [shape=(k, d)]
        Their directions, of length 1.
    counts_ : array of int [shape=(k,)]
        Recordings behind each.
    threshold_ : float
    miss_rate_ : float
        Share of the fitted recordings that their own prototype, made without them, would not accept; NaN where no
        cluster has two recordings.
    names_ : dict
        Label to name, for those that have one.

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    >>> fitted = Prototypes().fit(X, [0, 0, 1, 1]).name({0: "Ada"})
    >>> fitted.predict([[2, 0.1], [-1, 0]]).tolist(), fitted.predict_names([[2, 0.1], [-1, 0]])
    ([0, -1], ['Ada', 'unknown'])
    """

    def __init__(self, *, false_accept_rate: float = 0.01, threshold: float | None = None) -> None:
        self.false_accept_rate = false_accept_rate
        self.threshold = threshold

    def fit(self, X: ArrayLike, labels: ArrayLike) -> Self:
        """Make a prototype of every cluster.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            Speaker vectors, none zero.
        labels : array-like of int [shape=(n,)]
            Cluster of each, -1 for noise, which is left out.

        Raises
        ------
        ValueError
            When nothing but noise is given, a vector is zero or not finite, or the threshold cannot be calibrated.
        """
        self._check_settings()
        vectors = unit_rows(check_array(X, dtype=np.float64))
        labels = check_labels(labels, len(vectors))
        known = labels != UNKNOWN
        if not known.any():
            raise ValueError("labels: every recording is noise, there is no speaker to recognise")
        vectors = vectors[known]
        labels = labels[known]
        self.n_features_in_ = vectors.shape[1]
        self.labels_, place = np.unique(labels, return_inverse=True)
        self._sums = group_sums(vectors, place, len(self.labels_))
        self.counts_ = np.bincount(place)
        self.names_: dict[int, str] = {}
        cosines = vectors @ self.centroids_.T
        own = leave_one_out_cosines(vectors, place, self._sums)
        if self.threshold is not None:
            self.threshold_ = float(self.threshold)
        elif len(self.labels_) == 1:
            raise ValueError("threshold=None: one cluster has no strangers to calibrate on, give a threshold")
        else:
            cosines[np.arange(len(vectors)), place] = -np.inf
            self.threshold_ = false_accept_threshold(cosines.max(axis=1), self.false_accept_rate)
        own = own[np.isfinite(own)]
        self.miss_rate_ = float(np.mean(own < self.threshold_)) if len(own) else float("nan")
        return self

    def _check_settings(self) -> None:
        check_share("false_accept_rate", self.false_accept_rate, zero=True, one=False)
        if self.threshold is not None:
            check_number("threshold", self.threshold, -1, 1)

    @property
    def centroids_(self) -> NDArray[np.float64]:
        """Directions of the prototypes [shape=(k, d)]."""
        return group_directions(self._sums)

    def similarities(self, X: ArrayLike) -> NDArray[np.float64]:
        """Cosine of every row with every prototype [shape=(n, k)]."""
        check_is_fitted(self, "labels_")
        X = unit_rows(check_array(X, dtype=np.float64))
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} columns, the prototypes have {self.n_features_in_}")
        return X @ self.centroids_.T

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the label of each recording's speaker, -1 where no known speaker is near enough [shape=(n,)]."""
        cosines = self.similarities(X)
        best = cosines.argmax(axis=1)
        return np.where(cosines.max(axis=1) >= self.threshold_, self.labels_[best], UNKNOWN)

    def predict_names(self, X: ArrayLike, unknown: str = "unknown") -> list[str]:
        """Return the name of each recording's speaker; the label as text for speakers without a name."""
        return [unknown if label == UNKNOWN else self.names_.get(int(label), str(label)) for label in self.predict(X)]

    def name(self, names: Mapping[int, str]) -> Self:
        """Name speakers, or rename them.

        Raises
        ------
        ValueError
            When a label is not among the prototypes.
        """
        check_is_fitted(self, "labels_")
        for label in names:
            if label not in self.labels_:
                raise ValueError(f"names: no prototype has the label {label!r}; there are {self.labels_.tolist()}")
        self.names_.update({int(label): str(name) for label, name in names.items()})
        return self

    def add(self, X: ArrayLike, *, label: int | None = None, name: str | None = None) -> int:
        """Add recordings of one speaker: a new one, or more of a known one; the threshold stays.

        Parameters
        ----------
        X : array-like [shape=(m, d)]
        label : int, optional
            The speaker; None takes the next free label.
        name : str, optional

        Returns
        -------
        int
            The speaker's label.

        Raises
        ------
        ValueError
            When a vector is zero, not finite or of another length, or `label` is not a whole number of at least 0.
        """
        check_is_fitted(self, "labels_")
        X = unit_rows(check_array(X, dtype=np.float64))
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} columns, the prototypes have {self.n_features_in_}")
        if label is None:
            label = int(self.labels_.max()) + 1
        check_number("label", label, 0, whole=True)
        if label in self.labels_:
            place = int(np.flatnonzero(self.labels_ == label)[0])
            self._sums[place] += X.sum(axis=0)
            self.counts_[place] += len(X)
        else:
            self.labels_ = np.append(self.labels_, label)
            self._sums = np.vstack([self._sums, X.sum(axis=0)])
            self.counts_ = np.append(self.counts_, len(X))
        if name is not None:
            self.names_[label] = str(name)
        return label

    def save(self, folder: str | Path) -> Path:
        """Write the prototypes to a folder (``prototypes.npz``, ``prototypes.json``), which they replace as a whole."""
        check_is_fitted(self, "labels_")
        settings = {
            "format": FORMAT,
            "false_accept_rate": self.false_accept_rate,
            "threshold": self.threshold,
            "threshold_": self.threshold_,
            "miss_rate_": self.miss_rate_,
            "names": self.names_,
        }
        with files.atomic(folder, folder=True) as partial:
            np.savez(partial / "prototypes.npz", sums=self._sums, labels=self.labels_, counts=self.counts_)
            files.write_json(partial / "prototypes.json", settings)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Prototypes:
        """Read prototypes that :meth:`save` wrote; nothing in the folder is executed.

        Raises
        ------
        ValueError
            When the folder holds something else.
        """
        folder = Path(folder)
        settings = files.read_json(folder / "prototypes.json")
        if not isinstance(settings, dict) or settings.get("format") != FORMAT:
            given = settings.get("format") if isinstance(settings, dict) else settings
            raise ValueError(f"{folder}: format {given!r} is not {FORMAT}")
        sums, labels, counts = _arrays(folder / "prototypes.npz")
        try:
            loaded = cls(false_accept_rate=settings["false_accept_rate"], threshold=settings["threshold"])
            loaded._check_settings()
            loaded._sums, loaded.labels_, loaded.counts_ = sums, labels, counts
            loaded.n_features_in_ = sums.shape[1]
            check_number("threshold_", settings["threshold_"], -2, 2)
            loaded.threshold_ = settings["threshold_"]
            if settings["miss_rate_"] is not None:
                check_share("miss_rate_", settings["miss_rate_"], zero=True)
            loaded.miss_rate_ = float("nan") if settings["miss_rate_"] is None else settings["miss_rate_"]
            loaded.names_ = {}
            loaded.name({int(label): name for label, name in settings["names"].items()})
        except (KeyError, AttributeError, ValueError) as problem:
            raise ValueError(f"{folder / 'prototypes.json'}: {problem}") from problem
        return loaded


def _arrays(path: Path) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Read the sums, labels and counts of saved prototypes, and check that they can be those of some."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            sums, labels, counts = arrays["sums"], arrays["labels"], arrays["counts"]
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise ValueError(f"{path}: cannot be read as prototypes: {problem}") from problem
    for name, array, kinds, ndim in (("sums", sums, "f", 2), ("labels", labels, "iu", 1), ("counts", counts, "iu", 1)):
        if array.dtype.kind not in kinds or array.ndim != ndim or len(array) != len(sums) or not array.size:
            raise ValueError(f"{path}: {name} is an array of {array.dtype} with shape {array.shape}")
    if not np.isfinite(sums).all() or len(np.unique(labels)) < len(labels) or labels.min() < 0 or counts.min() < 1:
        raise ValueError(f"{path}: sums must be finite, labels different whole numbers from 0, counts at least 1")
    return sums.astype(np.float64), labels.astype(np.intp), counts.astype(np.intp)
