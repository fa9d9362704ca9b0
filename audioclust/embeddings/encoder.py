"""What an encoder is, which ones there are, and what they share: checks, resampling, unit length, reading weights.

Waves are one-dimensional float arrays in -1..1; vectors are float32 rows of length 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CheckpointError", "Encoder", "available", "load", "preferred", "register"]


@runtime_checkable
class Encoder(Protocol):
    """What every encoder offers.

    Attributes
    ----------
    name : str
        One folder name; the store keeps the vectors under it.
    sample_rate : int
        The rate it works at, in Hz. Other rates are resampled to it.
    dimension : int
        Components of a vector.

    Notes
    -----
    An encoder may also have ``settings``, a dict of what decides its vectors (weights, window lengths): the store
    names its entries by it, by the options given to :func:`load` otherwise. One with a ``device`` that is no
    ``"cpu"`` stays in the main process.
    """

    name: str
    sample_rate: int
    dimension: int

    def encode(self, waves: Sequence[ArrayLike], sample_rate: int = 16000) -> NDArray[np.float32]:
        """Give each wave its vector, in their order: [shape=(n, dimension), unit length]."""
        ...


Factory = Callable[..., Encoder]


class CheckpointError(ValueError):
    """The file of weights is not the one expected: truncated, of another network, or with code in it."""


def _built_in(module: str, name: str) -> Factory:
    return lambda **options: getattr(import_module(f"audioclust.embeddings.{module}"), name)(**options)


def _uvector(*, checkpoint: str | Path) -> Encoder:
    """Return trained u-vectors; the network's own room is above this one, so it is named and not imported."""
    encoder: Encoder = import_module("audioclust.deep.u_vectors").trained(checkpoint)
    return encoder


_FACTORIES: dict[str, Factory] = {
    "ecapa": _built_in("ecapa", "EcapaEncoder"),
    "ge2e": _built_in("ge2e", "GE2EEncoder"),
    "uvector": _uvector,
}
BUILT_IN = tuple(_FACTORIES)


def available() -> list[str]:
    """Return the names that :func:`load` knows.

    Examples
    --------
    >>> from audioclust import embeddings
    >>> embeddings.available()[:2]
    ['ecapa', 'ge2e']
    """
    return sorted(_FACTORIES)


def preferred() -> str:
    """Return the encoder to take where none is named: ECAPA-TDNN where its weights have been fetched, else GE2E.

    Examples
    --------
    >>> preferred() in available()
    True
    """
    from audioclust.embeddings import ecapa

    return "ecapa" if ecapa.cached() is not None else "ge2e"


def register(name: str, factory: Factory) -> None:
    """Make ``load(name, **options)`` call `factory`, in this process.

    Parameters
    ----------
    name : str
        A new name; the built-in ones stay.
    factory : callable
        Takes the options, returns an :class:`Encoder`. An encoder's class will do.

    Raises
    ------
    ValueError
        When the name is built in, or cannot be a folder's name.

    Examples
    --------
    >>> from audioclust import embeddings
    >>> class Loudness:
    ...     name, sample_rate, dimension = "loudness", 16000, 2
    ...     def encode(self, waves, sample_rate=16000):
    ...         return unit(np.array([[1.0, float(np.abs(wave).mean())] for wave in waves]))
    >>> embeddings.register("loudness", Loudness)
    >>> embeddings.load("loudness").encode([np.ones(16000, "float32")]).round(3).tolist()
    [[0.7070000171661377, 0.7070000171661377]]
    """
    from audioclust.project import plain_name

    if name in BUILT_IN:
        raise ValueError(f"name={name!r} is built in: give your encoder another name")
    _FACTORIES[plain_name(name, "encoder")] = factory


def factory_of(name: str) -> Factory:
    """Return what makes encoder `name`, or say which names there are."""
    if name not in _FACTORIES:
        raise ValueError(f"encoder={name!r}: there are {', '.join(available())}")
    return _FACTORIES[name]


def load(name: str, **options: Any) -> Encoder:
    """Make an encoder.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    **options
        The encoder's own: see :class:`~audioclust.embeddings.ecapa.EcapaEncoder` and
        :class:`~audioclust.embeddings.ge2e.GE2EEncoder`. Both take ``device`` (default: a GPU if there is one).
        ``"uvector"`` takes ``checkpoint``, a file that :meth:`audioclust.deep.UVectors.save` wrote, and needs it.

    Raises
    ------
    ValueError
        For an unknown name or option.
    CheckpointError
        When the weights are damaged or not this encoder's.
    FileNotFoundError
        When the weights are not there and cannot be fetched; the message says what to put where.

    Examples
    --------
    >>> from audioclust import embeddings
    >>> encoder = embeddings.load("ge2e", device="cpu")
    >>> encoder.sample_rate, encoder.encode([np.ones(16000, "float32")]).shape
    (16000, (1, 256))
    """
    return made(name, factory_of(name), options)


def made(name: str, factory: Factory, options: Mapping[str, Any]) -> Encoder:
    """Call `factory` and check that an encoder came out."""
    try:
        encoder = factory(**options)
    except TypeError as error:
        if "unexpected keyword argument" in str(error):
            raise ValueError(f"encoder {name!r} does not know an option: {error}") from None
        if "missing" in str(error) and "required keyword-only" in str(error):
            raise ValueError(f"encoder {name!r} needs an option: {error}") from None
        raise
    if not isinstance(encoder, Encoder) or inspect.isclass(encoder):
        raise ValueError(f"the factory of encoder {name!r} returned {type(encoder).__name__}, which is no Encoder")
    return encoder


def checked_waves(waves: Sequence[ArrayLike], sample_rate: int, wanted: int) -> list[NDArray[np.float32]]:
    """Return the waves as float32 at `wanted` Hz.

    Raises
    ------
    ValueError
        When one is empty, not one-dimensional, no float, or holds NaN or infinity; it is named by its place.
    """
    if isinstance(waves, np.ndarray) and waves.ndim == 1 and waves.dtype != object:
        raise ValueError("waves is one array of samples: give a list of waves, [wave]")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate={sample_rate}: must be above 0 Hz")
    found = []
    for place, wave in enumerate(waves):
        samples = np.asarray(wave)
        if samples.ndim != 1 or samples.size == 0:
            raise ValueError(f"waves[{place}] has shape {samples.shape}: each must be mono, with at least one sample")
        if samples.dtype.kind != "f":
            raise ValueError(f"waves[{place}] is {samples.dtype}: give floats in -1..1")
        samples = samples.astype(np.float32, copy=False)
        if not np.isfinite(samples).all():
            raise ValueError(f"waves[{place}] holds NaN or infinite samples")
        if sample_rate != wanted:
            import soxr

            samples = soxr.resample(samples, sample_rate, wanted)
        found.append(np.ascontiguousarray(samples))
    return found


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale rows to length 1. A row of zeros stays."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)


def chosen_device(device: str | None) -> str:
    """Return `device`, by default a GPU if there is one."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return str(device)


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep a GPU from computing in TF32, which moves vectors by more than batching may. Needs nothing on a CPU."""
    import torch

    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def read_state(path: Path) -> Any:
    """Read a torch checkpoint without running anything that it may hold.

    Raises
    ------
    CheckpointError
        When it holds anything but tensors and plain containers, or is damaged.
    """
    import pickle

    import torch

    with path.open("rb"):
        pass  # a file that may not be read is not a damaged one
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line), None)
        problem = f"holds code, and was not loaded: {code}" if code else "is no checkpoint of tensors"
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        problem = f"is no whole checkpoint: {str(error).partition(chr(10))[0] or 'it is empty'}"
    raise CheckpointError(f"{path} {problem}")


def fill(network: Any, state: Any, path: Path) -> None:
    """Load `state` into `network`; every name and shape must be met.

    Raises
    ------
    CheckpointError
        Naming what is missing, too much, or of another shape.
    """
    import torch

    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no table of named tensors")
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = [f"{name} is missing" for name in wanted if name not in given]
    wrong += [f"{name} is unknown" for name in given if name not in wanted]
    wrong += [
        f"{name} is {given[name]} instead of {shape}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(f"{path} is not of this network: {'; '.join(wrong[:3])}{more}")
    broken = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{path} holds NaN or infinite weights: {', '.join(broken[:3])}")
    network.load_state_dict(state)
