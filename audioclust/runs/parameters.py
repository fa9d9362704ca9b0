"""What each notebook may be told: one model per notebook, checked before and while it runs.

papermill only warns of a parameter that a notebook does not know, so a typo would run with the default. Here it raises.
The defaults of a model and of its notebook's ``parameters`` cell are the same; a test holds them together.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from audioclust import files

__all__ = ["MODELS", "Parameters", "check", "model_for"]

Feature = Literal["spectrogram", "mel", "chroma", "mfcc", "mfcc_no0"]
Pooling = Literal["mean", "mean_std", "mean_std_delta", "profile", "image_rows", "image"]
Scale = Literal["standard", "minmax", "l2"] | None


class Parameters(BaseModel):
    """What every notebook takes.

    Attributes
    ----------
    project : str
        Folder with ``datasets/ features/ checkpoints/ results/``.
    dataset : str
        A dataset of the project.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    notebook: ClassVar[str] = ""
    named: ClassVar[tuple[str, ...]] = ()  # the fields that a run's folder is named for

    project: str = ".."
    dataset: str = "synthetic"
    jobs: int | str = 1

    def identity(self) -> dict[str, Any]:
        """Return the parameters that decide the result: all but where it lies and how many work on it."""
        return self.model_dump(exclude={"project", "jobs"})

    def run_name(self) -> str:
        """Name the run's folder: the notebook, a few telling parameters, and a digest of all of them."""
        telling = [str(value) for field in self.named if (value := getattr(self, field)) is not None]
        return "-".join([self.notebook, *telling, files.digest(self.identity(), 8)])


class Prepare(Parameters):
    """00: where the recordings come from."""

    notebook: ClassVar[str] = "00_prepare"
    source: str | None = None  # a folder of recordings to use where it lies; None fetches the dataset by its name
    offline: bool = False
    options: dict[str, Any] = {}  # of the dataset's own preparation, such as speakers=8


class Metadata(Parameters):
    """01: scan."""

    notebook: ClassVar[str] = "01_metadata"


class Transform(Parameters):
    """02: settings are those of `audioclust.audio.transform`."""

    notebook: ClassVar[str] = "02_transform"
    settings: dict[str, Any] = {}


class _OnAudio(Parameters):
    transform: dict[str, Any] | None = None  # settings of 02 whose recordings are used; None takes the original ones
    settings: dict[str, Any] = {}  # of `audioclust.features.extract`


class Features(_OnAudio):
    """03: settings are those of `audioclust.features.extract`."""

    notebook: ClassVar[str] = "03_features"
    features: list[Feature] = ["spectrogram", "mel", "chroma", "mfcc", "mfcc_no0"]
    png: bool = False
    descriptors: bool = False


class _Clustering(_OnAudio):
    labels: list[str] = ["label"]  # columns to score against; none needs to be there
    algorithms: list[str] = Field(min_length=1)
    params: dict[str, dict[str, Any]] = {}  # algorithm -> its parameters
    k: int | Literal["labels", "estimate"] = "labels"
    k_max: int = Field(15, ge=2)
    seeds: list[int] = Field([0, 1, 2], min_length=1)
    projection: Literal["pca", "tsne", "umap"] = "pca"
    figures: bool = True
    listen: str | None = None  # the algorithm whose clusters become a listening page

    @field_validator("k")
    @classmethod
    def _enough(cls, k: int | str) -> int | str:
        if isinstance(k, int) and k < 2:
            raise ValueError("give at least 2 clusters, 'labels' or 'estimate'")
        return k


class Classical(_Clustering):
    """04: one feature, one kind of vector, several algorithms and seeds."""

    notebook: ClassVar[str] = "04_classical_clustering"
    named: ClassVar[tuple[str, ...]] = ("feature", "vectors", "cure")
    feature: Feature = "mfcc"
    vectors: Pooling = "mean_std"
    scale: Scale = "standard"
    pca: int | float | None = None
    cure: str | None = None  # standardise inside groups: "found" without labels, or a column's name
    algorithms: list[str] = Field(["kmeans", "fuzzy_cmeans", "agglomerative", "hdbscan", "spectral"], min_length=1)


class Autoencoder(_Clustering):
    """05: one feature's images, one size of the embedding; `params` by algorithm, "autoencoder" for the network."""

    notebook: ClassVar[str] = "05_autoencoder_dcec"
    named: ClassVar[tuple[str, ...]] = ("feature", "latent_size")
    feature: Feature = "mel"
    latent_size: int = Field(128, ge=1)
    params: dict[str, dict[str, Any]] = {"autoencoder": {"scale": "pixel"}}
    epochs: int = Field(200, ge=1)
    batch_size: int = Field(64, ge=1)
    algorithms: list[str] = Field(["ae_kmeans", "ae_agglomerative", "ae_n2d", "dcec"], min_length=1)
    projection: Literal["pca", "tsne", "umap"] = "umap"


class Speakers(_Clustering):
    """06: speaker vectors of one encoder; settings are the encoder's options."""

    notebook: ClassVar[str] = "06_speaker_embeddings"
    named: ClassVar[tuple[str, ...]] = ("encoder",)
    join: dict[str, Any] | None = None  # by, order: clips to join before, see `audioclust.datasets.join_takes`
    encoder: str = "ge2e"
    labels: list[str] = ["speaker"]
    algorithms: list[str] = Field(
        ["auto", "hdbscan", "nme_spectral", "partial_sets", "umap_hdbscan", "agglomerative", "kmeans", "spectral"],
        min_length=1,
    )
    seeds: list[int] = Field([0], min_length=1)
    projection: Literal["pca", "tsne", "umap"] = "tsne"
    listen: str | None = "auto"
    corrections: str | list[str] | None = None  # saved by listening pages; a relative path starts at the project

    @field_validator("join")
    @classmethod
    def _joins(cls, join: dict[str, Any] | None) -> dict[str, Any] | None:
        if join is not None and set(join) != {"by", "order"}:
            raise ValueError("give {'by': [columns], 'order': column}, or None")
        return join

    @field_validator("corrections")
    @classmethod
    def _readable(cls, paths: str | list[str] | None, info: ValidationInfo) -> str | list[str] | None:
        for path in [paths] if isinstance(paths, str) else paths or []:
            saved = Path(info.data.get("project", "..")) / path
            if not saved.is_file():
                raise ValueError(f"there is no {saved}")
            try:
                marks = files.read_json(saved)
            except ValueError:
                marks = None
            if not isinstance(marks, dict) or marks.get("format") != "audioclust-corrections-1":
                raise ValueError(f"{saved} was not saved by a listening page")
        return paths

    def identity(self) -> dict[str, Any]:
        """Return the parameters that decide the result; corrections by what they say."""
        paths = [self.corrections] if isinstance(self.corrections, str) else self.corrections or []
        return super().identity() | {"corrections": [files.sha256(Path(self.project) / path) for path in paths]}


class Results(Parameters):
    """09: the tables of everything that ran."""

    notebook: ClassVar[str] = "09_results"
    dataset: str = "all"


MODELS: dict[str, type[Parameters]] = {
    model.notebook: model
    for model in (Prepare, Metadata, Transform, Features, Classical, Autoencoder, Speakers, Results)
}


def model_for(notebook: str) -> type[Parameters]:
    """Return the model of a notebook, by its name without folder and suffix.

    Raises
    ------
    ValueError
        When there is none.
    """
    try:
        return MODELS[notebook]
    except KeyError:
        raise ValueError(f"notebook={notebook!r}: there is {', '.join(sorted(MODELS))}") from None


def check(notebook: str, values: Mapping[str, Any]) -> Any:
    """Validate a notebook's parameters; call it as ``check("04_classical_clustering", globals())``.

    Parameters
    ----------
    notebook : str
        Its name without suffix.
    values : mapping
        The parameters, or the notebook's whole namespace: then only its parameters are read, and what papermill
        injected without the notebook knowing it counts as unknown.

    Returns
    -------
    The notebook's model, filled.

    Raises
    ------
    ValueError
        Naming each unknown or ill-typed parameter, its value and what is allowed.
    """
    model = model_for(notebook)
    if "__name__" in values:
        names = set(model.model_fields) & set(values) | _injected(values.get("In", ()))
        values = {name: values[name] for name in sorted(names)}
    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        raise ValueError(f"{notebook} has no parameter {', '.join(unknown)}; it has {', '.join(model.model_fields)}")
    try:
        return model(**values)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}={e['input']!r}: {e['msg']}" for e in error.errors()]
        raise ValueError(f"{notebook}: " + "; ".join(lines)) from None


def _injected(cells: Any) -> set[str]:
    """Names assigned in the cell that papermill puts behind the parameters cell."""
    for source in cells:
        if source.startswith("# Parameters"):
            body = ast.parse(source).body
            return {
                t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
            }
    return set()
