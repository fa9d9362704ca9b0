"""What each notebook may be told: one model per notebook, checked before and while it runs.

papermill only warns of a parameter that a notebook does not know, so a typo would run with the default. Here it raises.
The defaults of a model and of its notebook's ``parameters`` cell are the same; a test holds them together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import (
    Field,
    ValidationError,
    field_validator,
)

from audioclust.features.table import FEATURES
from audioclust.runs.fields import (
    Clustering,
    Corrected,
    Encoder,
    Feature,
    Loss,
    OnAudio,
    Parameters,
    Pooling,
    Projection,
    Scale,
    checked_join,
)
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["MODELS", "Parameters", "check", "model_for"]


class Prepare(Parameters):
    """00: where the recordings come from."""

    notebook: ClassVar[str] = "00_prepare"
    source: str | None = None  # a folder of recordings to use where it lies; None fetches the dataset by its name
    offline: bool = False
    options: dict[str, Any] = {}  # of the dataset's own preparation, such as speakers=8


class Metadata(Parameters):
    """01: scan."""

    notebook: ClassVar[str] = "01_metadata"
    allow_loss: bool = (
        False  # whether most of the recordings known so far may be gone: an unmounted disk looks like that
    )


class Transform(Parameters):
    """02: settings are those of `audioclust.audio.transform`."""

    notebook: ClassVar[str] = "02_transform"
    settings: dict[str, Any] = {}


class Features(OnAudio):
    """03: settings are those of `audioclust.features.extract`."""

    notebook: ClassVar[str] = "03_features"
    features: list[Feature] = list(FEATURES)
    png: bool = False
    descriptors: bool = False


class Classical(Clustering):
    """04: one feature, one kind of vector, several algorithms and seeds."""

    notebook: ClassVar[str] = "04_classical_clustering"
    named: ClassVar[tuple[str, ...]] = ("feature", "vectors", "standardise_within")
    feature: Feature = "mfcc"
    vectors: Pooling = "mean_std"
    scale: Scale = "standard"
    pca: int | float | None = None
    standardise_within: str | None = None  # a column; "auto": the groups that stand furthest apart, without labels
    algorithms: list[str] = Field(["kmeans", "fuzzy_cmeans", "agglomerative", "hdbscan", "spectral"], min_length=1)


class Autoencoder(Clustering):
    """05: one feature's images, one size of the embedding; `params` by algorithm, "autoencoder" for the network."""

    notebook: ClassVar[str] = "05_autoencoder_dcec"
    takes: ClassVar[str] = "images"
    named: ClassVar[tuple[str, ...]] = ("feature", "latent_size")
    feature: Feature = "mel"
    latent_size: int = Field(128, ge=1)
    params: dict[str, dict[str, Any]] = {"autoencoder": {"scale": "pixel"}}
    epochs: int = Field(200, ge=1)
    batch_size: int = Field(64, ge=1)
    algorithms: list[str] = Field(["ae_kmeans", "ae_agglomerative", "ae_n2d", "dcec"], min_length=1)
    projection: Projection = "umap"


class Voices(Clustering):
    """06 to 08: vectors of voices, from clips as they are or joined."""

    metric: ClassVar[str] = "cosine"
    join: dict[str, Any] | None = None  # by, order: clips to join before, see `audioclust.datasets.join_takes`
    labels: list[str] | None = None  # `speaker`, or `label` where there are no speakers
    seeds: list[int] = Field([0], min_length=1)
    projection: Projection = "tsne"

    _joins = field_validator("join")(checked_join)


class Speakers(Voices):
    """06: speaker vectors of one encoder; settings are the encoder's options."""

    notebook: ClassVar[str] = "06_speaker_embeddings"
    named: ClassVar[tuple[str, ...]] = ("encoder",)
    encoder: Encoder = "ge2e"
    algorithms: list[str] = Field(
        ["auto", "hdbscan", "nme_spectral", "partial_sets", "umap_hdbscan", "agglomerative", "kmeans", "spectral"],
        min_length=1,
    )
    listen: str | None = "auto"


class Unlabelled(Voices):
    """07: u-vectors, learned from the dataset itself; settings are those of `audioclust.deep.UVectors`."""

    notebook: ClassVar[str] = "07_u_vectors"
    trainings: list[Literal["infonce", "pairwise", "triplet"]] = Field(["infonce"], min_length=1)
    held_out: float = Field(0.2, ge=0, lt=1)  # share of the recordings that nothing is learned from
    algorithms: list[str] = Field(["auto", "levels", "kmeans", "agglomerative"], min_length=1)
    listen: str | None = "auto"


class Pseudo(Voices):
    """08: CAMSAT, and a speaker network trained on clusters; settings are the encoder's options."""

    notebook: ClassVar[str] = "08_camsat"
    named: ClassVar[tuple[str, ...]] = ("encoder",)
    encoder: Encoder = "ge2e"
    algorithms: list[str] = Field(["camsat", "auto", "levels", "kmeans", "agglomerative"], min_length=1)
    params: dict[str, dict[str, Any]] = {}
    bounds: list[float] = Field([1, 2, 4], min_length=1)  # of CAMSAT, as multiples of the true number or of Levels'
    held_out: float = Field(0.3, gt=0, lt=1)  # share of the speakers, by the first label, to verify the network on
    frames: int = Field(100, ge=5)  # of a recording's loudest stretch, 10 ms each, that the network sees
    network: dict[str, Any] = {"channels": 16, "blocks": 1, "epochs": 12, "learning_rate": 0.01}  # of `SpeakerNetwork`
    losses: list[Loss] = Field(  # of `deep.margin_losses`; the first is also used for the many clusterings
        ["aam", "am", "oc", "cosface", "adaface", "sub_centre_aam", "mv_arc", "boundaryface", "softmax"], min_length=1
    )
    flips: list[float] = [0.1, 0.2, 0.4]  # shares of the true labels that are replaced, as a control
    many: list[float] = [0.5, 1, 2, 4]  # clusterings with these multiples of the true number, for the correlations
    listen: str | None = "camsat"

    @field_validator("bounds", "many")
    @classmethod
    def _positive(cls, factors: list[float]) -> list[float]:
        for factor in factors:
            check_number("factor", factor, 0, above=True)
        return factors

    @field_validator("flips")
    @classmethod
    def _shares(cls, shares: list[float]) -> list[float]:
        for share in shares:
            check_share("share", share)
        return shares

    @field_validator("network")
    @classmethod
    def _of_the_network(cls, settings: dict[str, Any]) -> dict[str, Any]:
        from audioclust.deep.speaker_network import SpeakerNetwork

        allowed = sorted(set(SpeakerNetwork().get_params()) - {"loss", "folder"})
        for name in settings:
            check_choice("network", name, allowed)
        return settings


class Group(Corrected):
    """group: one folder in, groups out."""

    notebook: ClassVar[str] = "group"
    named: ClassVar[tuple[str, ...]] = ("kind", "groups")
    kind: Literal["auto", "voices", "sounds"] = "auto"
    groups: int | None = Field(None, ge=1)  # how many; None: as many as there are
    encoder: Encoder | None = None  # of voices; None: ECAPA-TDNN where its weights are, else GE2E
    seed: int = Field(0, ge=0, lt=2**32)
    figures: bool = True


class Results(Parameters):
    """09: the tables of everything that ran."""

    notebook: ClassVar[str] = "09_results"
    dataset: str = "all"


class Explore(OnAudio):
    """10: look at a dataset and listen to it before it is clustered."""

    notebook: ClassVar[str] = "10_explore"
    label: str = "label"  # column that recordings are parted by; it need not be there
    features: list[Feature] = list(FEATURES)
    kind: Literal["auto", "voices", "sounds"] = "auto"
    encoder: Encoder = "ge2e"
    examples: int = Field(12, ge=1)
    projection: Projection = "pca"
    seed: int = Field(0, ge=0, lt=2**32)


MODELS: dict[str, type[Parameters]] = {
    model.notebook: model
    for model in (
        Prepare,
        Metadata,
        Transform,
        Features,
        Classical,
        Autoencoder,
        Speakers,
        Unlabelled,
        Pseudo,
        Group,
        Results,
        Explore,
    )
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
        The parameters, or the notebook's whole namespace: then its parameters are read, and what the parameters cell
        or papermill's own cell assigns without the notebook knowing it counts as unknown.

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
        names = set(model.model_fields) & set(values) | _assigned(values.get("In", ()), set(model.model_fields))
        values = {name: values[name] for name in sorted(names) if name in values}
    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        raise ValueError(f"{notebook} has no parameter {', '.join(unknown)}; it has {', '.join(model.model_fields)}")
    try:
        return model(**values)
    except ValidationError as error:
        raise ValueError(f"{notebook}: " + "; ".join(map(_sentence, error.errors()))) from None


def _sentence(error: Any) -> str:
    where, message = ".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")
    return f"{where}={error['input']!r}: {message}" if where else message


def _assigned(cells: Iterable[str], fields: set[str]) -> set[str]:
    """Names that the parameters cell assigns, and papermill's cell behind it, each as it was last run."""
    own: set[str] = set()
    injected: set[str] = set()
    for source in cells:
        names = _plain_assignments(source)
        if source.startswith("# Parameters"):
            injected = names
        elif {"project", "dataset"} <= names and len(names & fields) > len(fields) / 2:
            own = names
    return own | injected


def _plain_assignments(source: str) -> set[str]:
    """Names assigned by a cell that does nothing else; empty for any other cell."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with magics is none of ours
        return set()
    targets = [node.targets[0] if isinstance(node, ast.Assign) else None for node in body]
    return {node.id for node in targets if isinstance(node, ast.Name)} if None not in targets else set()
