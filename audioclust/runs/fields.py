"""What the parameters of several notebooks have in common: types of fields, and the models that notebooks build on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from audioclust import clustering, files, plugins
from audioclust.curation import corrections as marks
from audioclust.embeddings import available as encoders
from audioclust.features.table import check_features
from audioclust.features.vectors import POOLINGS, SCALES
from audioclust.project import Project
from audioclust.validation import check_choice

__all__ = [
    "Clustering",
    "Corrected",
    "Encoder",
    "Feature",
    "Loss",
    "OnAudio",
    "Parameters",
    "Pooling",
    "Projection",
    "Scale",
    "checked_join",
]


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


def checked_join(join: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return how clips are joined, if it can be used."""
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

    # defaults are checked too: 1 becomes 1.0 as in the notebook, whose run would otherwise have another name
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    notebook: ClassVar[str] = ""
    named: ClassVar[tuple[str, ...]] = ()  # the fields that a run's folder is named for

    project: str | None = None
    plugins: list[str] = []
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


class Corrected(Parameters):
    """What a notebook takes that applies what listeners heard."""

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


class OnAudio(Parameters):
    """What a notebook takes that starts from sound."""

    transform: dict[str, Any] | None = None  # settings of 02 whose recordings are used; None takes the original ones
    settings: dict[str, Any] = {}  # of `audioclust.features.extract`


class Clustering(Corrected, OnAudio):
    """What a notebook takes that clusters."""

    takes: ClassVar[str] = "vectors"  # what the algorithms are fitted on
    metric: ClassVar[str] = "euclidean"  # of silhouettes and of the recordings to listen to
    labels: list[str] | None = ["label"]  # columns to score against; none needs to be there; None: who speaks
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
