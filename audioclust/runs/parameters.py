"""What each notebook may be told: one model per notebook, checked before and while it runs.

papermill only warns of a parameter that a notebook does not know, so a typo would run with the default. Here it raises.
The defaults of a model and of its notebook's ``parameters`` cell are the same; a test holds them together.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from audioclust import clustering, files, plugins
from audioclust.curation import corrections as marks
from audioclust.embeddings import available as encoders
from audioclust.features.table import FEATURES, check_features
from audioclust.features.vectors import POOLINGS, SCALES
from audioclust.project import Project
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["MODELS", "Parameters", "check", "model_for"]


def _feature(name: str) -> str:
    check_features(name)
    return name


def _encoder(name: str) -> str:
    check_choice("encoder", name, encoders())
    return name


def _loss(name: str) -> str:
    from audioclust.deep.margin_losses import MARGIN_LOSSES  # imports torch

    check_choice("loss", name, tuple(MARGIN_LOSSES))
    return name


def _choice(name: str, allowed: Collection[Any]) -> AfterValidator:
    def checked(value: Any) -> Any:
        check_choice(name, value, allowed)
        return value

    return AfterValidator(checked)


# asked when a value is checked, so that what a plugin has registered is known
Feature = Annotated[str, AfterValidator(_feature)]
Pooling = Annotated[str, _choice("vectors", POOLINGS)]
Scale = Annotated[str | None, _choice("scale", SCALES)]
Loss = Annotated[str, AfterValidator(_loss)]
Projection = Literal["pca", "tsne", "umap"]


def _checked_join(join: dict[str, Any] | None) -> dict[str, Any] | None:
    if join is not None and set(join) != {"by", "order"}:
        raise ValueError("give {'by': [columns], 'order': column}, or None")
    return join


Encoder = Annotated[str, AfterValidator(_encoder)]


class Parameters(BaseModel):
    """What every notebook takes.

    Attributes
    ----------
    project : str
        Folder with ``datasets/ features/ checkpoints/ results/``; None looks for it from the working folder upwards,
        see `Project.find`.
    plugins : list of str
        Modules and files to import first, see `audioclust.plugins`; those of the project's ``audioclust.yaml`` too.
    dataset : str
        A dataset of the project.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    notebook: ClassVar[str] = ""
    named: ClassVar[tuple[str, ...]] = ()  # the fields that a run's folder is named for

    project: str | None = Field(None, validate_default=True)
    plugins: list[str] = Field([], validate_default=True)
    dataset: str = "synthetic"
    jobs: int | str = 1

    @field_validator("project")
    @classmethod
    def _where(cls, project: str | None) -> str:
        return str(Project.find().root if project is None else Project(project).root)

    @field_validator("plugins")
    @classmethod
    def _imported(cls, names: list[str], info: ValidationInfo) -> list[str]:
        home = Project(info.data["project"])
        wanted = plugins.resolve([*home.settings().get("plugins", []), *names], home.root)
        plugins.load(wanted)
        return list(dict.fromkeys(wanted))

    def identity(self) -> dict[str, Any]:
        """Return the parameters that decide the result: all but where it lies and how many work on it."""
        code = [files.sha256(name) if name.endswith(".py") else name for name in self.plugins]
        return self.model_dump(exclude={"project", "plugins", "jobs"}) | ({"plugins": code} if code else {})

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
    allow_loss: bool = (
        False  # whether most of the recordings known so far may be gone: an unmounted disk looks like that
    )


class Transform(Parameters):
    """02: settings are those of `audioclust.audio.transform`."""

    notebook: ClassVar[str] = "02_transform"
    settings: dict[str, Any] = {}


class _Corrected(Parameters):
    corrections: str | list[str] | None = None  # saved by listening pages; a relative path starts at the project

    @field_validator("corrections")
    @classmethod
    def _readable(cls, paths: str | list[str] | None, info: ValidationInfo) -> str | list[str] | None:
        marks.read(paths, info.data["project"])
        return paths

    def identity(self) -> dict[str, Any]:
        """Return the parameters that decide the result; corrections by what they say."""
        heard = marks.read(self.corrections, str(self.project))
        return {**super().identity(), "corrections": heard.as_dict() if heard else []}


class _OnAudio(Parameters):
    transform: dict[str, Any] | None = None  # settings of 02 whose recordings are used; None takes the original ones
    settings: dict[str, Any] = {}  # of `audioclust.features.extract`


class Features(_OnAudio):
    """03: settings are those of `audioclust.features.extract`."""

    notebook: ClassVar[str] = "03_features"
    features: list[Feature] = list(FEATURES)
    png: bool = False
    descriptors: bool = False


class _Clustering(_Corrected, _OnAudio):
    takes: ClassVar[str] = "vectors"  # what the algorithms are fitted on
    metric: ClassVar[str] = "euclidean"  # of silhouettes and of the recordings to listen to
    labels: list[str] = ["label"]  # columns to score against; none needs to be there
    algorithms: list[str] = Field(min_length=1)
    params: dict[str, dict[str, Any]] = {}  # algorithm -> its parameters
    k: int | Literal["labels", "estimate"] = "labels"
    k_max: int = Field(15, ge=2)
    seeds: list[int] = Field([0, 1, 2], min_length=1)
    projection: Projection = "pca"
    figures: bool = True
    listen: str | None = None  # the algorithm whose clusters become a listening page

    @field_validator("k")
    @classmethod
    def _enough(cls, k: int | str) -> int | str:
        if isinstance(k, int) and k < 2:
            raise ValueError("give at least 2 clusters, 'labels' or 'estimate'")
        return k

    @field_validator("algorithms")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if clustering.entry(name).takes != cls.takes:
                allowed = ", ".join(clustering.available(cls.takes))
                raise ValueError(f"{name!r} does not take {cls.takes}; give some of {allowed}")
        return names

    @model_validator(mode="after")
    def _among(self) -> Self:
        if self.listen is not None and self.listen not in self.algorithms:
            if "listen" in self.model_fields_set:
                raise ValueError(f"listen={self.listen!r}: give one of the algorithms, {', '.join(self.algorithms)}")
            object.__setattr__(self, "listen", self.algorithms[0])
        return self


class Classical(_Clustering):
    """04: one feature, one kind of vector, several algorithms and seeds."""

    notebook: ClassVar[str] = "04_classical_clustering"
    named: ClassVar[tuple[str, ...]] = ("feature", "vectors", "standardise_within")
    feature: Feature = "mfcc"
    vectors: Pooling = "mean_std"
    scale: Scale = "standard"
    pca: int | float | None = None
    standardise_within: str | None = None  # a column; "auto": the groups that stand furthest apart, without labels
    algorithms: list[str] = Field(["kmeans", "fuzzy_cmeans", "agglomerative", "hdbscan", "spectral"], min_length=1)


class Autoencoder(_Clustering):
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


class Speakers(_Clustering):
    """06: speaker vectors of one encoder; settings are the encoder's options."""

    notebook: ClassVar[str] = "06_speaker_embeddings"
    metric: ClassVar[str] = "cosine"
    named: ClassVar[tuple[str, ...]] = ("encoder",)
    join: dict[str, Any] | None = None  # by, order: clips to join before, see `audioclust.datasets.join_takes`
    encoder: Encoder = "ge2e"
    labels: list[str] = ["speaker"]
    algorithms: list[str] = Field(
        ["auto", "hdbscan", "nme_spectral", "partial_sets", "umap_hdbscan", "agglomerative", "kmeans", "spectral"],
        min_length=1,
    )
    seeds: list[int] = Field([0], min_length=1)
    projection: Projection = "tsne"
    listen: str | None = "auto"

    _joins = field_validator("join")(_checked_join)


class Unlabelled(_Clustering):
    """07: u-vectors, learned from the dataset itself; settings are those of `audioclust.deep.UVectors`."""

    notebook: ClassVar[str] = "07_u_vectors"
    metric: ClassVar[str] = "cosine"
    join: dict[str, Any] | None = None  # by, order: clips to join before, see `audioclust.datasets.join_takes`
    trainings: list[Literal["infonce", "pairwise", "triplet"]] = Field(["infonce"], min_length=1)
    held_out: float = Field(0.2, ge=0, lt=1)  # share of the recordings that nothing is learned from
    labels: list[str] = ["speaker"]
    algorithms: list[str] = Field(["auto", "levels", "kmeans", "agglomerative"], min_length=1)
    seeds: list[int] = Field([0], min_length=1)
    projection: Projection = "tsne"
    listen: str | None = "auto"

    _joins = field_validator("join")(_checked_join)


class Pseudo(_Clustering):
    """08: CAMSAT, and a speaker network trained on clusters; settings are the encoder's options."""

    notebook: ClassVar[str] = "08_camsat"
    metric: ClassVar[str] = "cosine"
    named: ClassVar[tuple[str, ...]] = ("encoder",)
    join: dict[str, Any] | None = None  # by, order: clips to join before, see `audioclust.datasets.join_takes`
    encoder: Encoder = "ge2e"
    labels: list[str] = ["speaker"]  # the first names the speakers that are held out
    algorithms: list[str] = Field(["camsat", "auto", "levels", "kmeans", "agglomerative"], min_length=1)
    params: dict[str, dict[str, Any]] = {}
    seeds: list[int] = Field([0], min_length=1)
    bounds: list[float] = Field([1, 2, 4], min_length=1)  # of CAMSAT, as multiples of the true number or of Levels'
    held_out: float = Field(0.3, gt=0, lt=1)  # share of the speakers that the network is verified on
    frames: int = Field(100, ge=5)  # of a recording's loudest stretch, 10 ms each, that the network sees
    network: dict[str, Any] = {"channels": 16, "blocks": 1, "epochs": 12, "learning_rate": 0.01}  # of `SpeakerNetwork`
    losses: list[Loss] = Field(  # of `deep.margin_losses`; the first is also used for the many clusterings
        ["aam", "am", "oc", "cosface", "adaface", "sub_centre_aam", "mv_arc", "boundaryface", "softmax"], min_length=1
    )
    flips: list[float] = [0.1, 0.2, 0.4]  # shares of the true labels that are replaced, as a control
    many: list[float] = [0.5, 1, 2, 4]  # clusterings with these multiples of the true number, for the correlations
    projection: Projection = "tsne"
    listen: str | None = "camsat"

    _joins = field_validator("join")(_checked_join)

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


class Group(_Corrected):
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


class Explore(_OnAudio):
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
