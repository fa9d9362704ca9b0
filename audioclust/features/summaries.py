"""What the store keeps of one recording's feature, gathered from consecutive stretches of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from audioclust.features import images
from audioclust.features.shards import Rows
from audioclust.features.table import Feature
from audioclust.features.vectors import Statistics, average

__all__ = ["Summaries"]

Floats = npt.NDArray[np.float32]


class _Summary:
    """Of one feature, but for its statistics."""

    def __init__(self, feature: Feature, frames: int, reference: str) -> None:
        self.feature = feature
        self.limits = feature.limits(reference)
        self.own_limits = self.limits is None and not feature.level and reference == "file"
        self.image = images.Resizer(frames)
        self.profile: list[Floats] = []
        self.low, self.high = math.inf, -math.inf

    def add(self, values: Floats) -> None:
        self.image.add(values)
        self.profile.append(average(len(values)) @ values)
        if self.feature.level or self.own_limits:
            self.high = max(self.high, float(values.max()))
        if self.own_limits:
            self.low = min(self.low, float(values.min()))

    def row(self, sha256: npt.NDArray[np.str_], statistics: Floats) -> Rows:
        limits = (self.low, self.high) if self.own_limits else self.limits
        image = self.image.result()
        picture = image.astype(self.feature.image_type) if limits is None else images.gray(image, *limits)
        profile = self.profile[0] if len(self.profile) == 1 else np.concatenate(self.profile)
        return Rows(
            sha256=sha256,
            frames=np.array([len(profile)], np.int32),
            peak=np.array([self.high if self.feature.level else math.nan], np.float32),
            statistics=statistics[:, None],
            profile=profile,
            images=picture[None],
        )


class Summaries:
    """Of several features of one recording.

    A feature that is a part of another takes its statistics from the whole, so that they are the same numbers whether
    the other is asked for too or not.

    Parameters
    ----------
    entries : sequence of Feature
    frames : mapping of str to int
        Of each of them.
    reference : str
        What levels are relative to, as in the settings of the store.
    """

    def __init__(self, entries: Sequence[Feature], frames: Mapping[str, int], reference: str) -> None:
        self._summaries = [_Summary(feature, frames[feature.name], reference) for feature in entries]
        self._statistics = {(feature.of or feature).name: Statistics() for feature in entries}

    def add(self, values: Mapping[str, Floats]) -> None:
        """Take the next stretch of each feature [shape=(bands, frames)]."""
        for name, statistics in self._statistics.items():
            statistics.add(values[name].T)
        for summary in self._summaries:
            summary.add(values[summary.feature.name])

    def rows(self, sha256: str) -> dict[str, Rows]:
        """Return the row of each feature.

        Raises
        ------
        ValueError
            When a feature is not finite.
        """
        rows, name = {}, np.array([sha256])
        statistics = {name: statistics.result() for name, statistics in self._statistics.items()}
        finite = {name: np.isfinite(values).all() for name, values in statistics.items()}
        for summary in self._summaries:
            feature, of = summary.feature, (summary.feature.of or summary.feature).name
            row = summary.row(name, statistics[of][:, feature.first :])
            # bytes are finite, and so is a profile where the means of all bands are
            if not finite[of] or not (row.images.dtype == np.uint8 or np.isfinite(row.images).all()):
                raise ValueError(f"its {feature.title} is not finite")
            rows[feature.name] = row
        return rows
