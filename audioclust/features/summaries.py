"""What the store keeps of one recording's feature, gathered from consecutive stretches of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from audioclust.features import images
from audioclust.features.settings import Settings
from audioclust.features.shards import Rows
from audioclust.features.table import Feature
from audioclust.features.vectors import Statistics

__all__ = ["Summaries"]

Floats = npt.NDArray[np.float32]


class _Summary:
    """Of one feature, but for its statistics."""

    def __init__(self, feature: Feature, frames: int) -> None:
        self.feature = feature
        self.image = images.Resizer(frames)
        self.profile: list[Floats] = []
        self.low, self.high = math.inf, -math.inf

    def add(self, values: Floats) -> None:
        self.image.add(values)
        self.profile.append(values.mean(axis=0, dtype=np.float32))
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def row(self, sha256: str, statistics: Floats, reference: str) -> Rows:
        limits = self.feature.limits(reference)
        if limits is None and not self.feature.level and reference == "file":
            limits = self.low, self.high
        image = self.image.result()
        picture = image.astype(self.feature.image_type) if limits is None else images.gray(image, *limits)
        profile = np.concatenate(self.profile)
        return Rows(
            sha256=np.array([sha256]),
            frames=np.array([len(profile)], np.int32),
            peak=np.array([self.high if self.feature.level else math.nan], np.float32),
            statistics=statistics[None],
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
    """

    def __init__(self, entries: Sequence[Feature], frames: Mapping[str, int]) -> None:
        self._summaries = [_Summary(feature, frames[feature.name]) for feature in entries]
        self._statistics = {(feature.of or feature).name: Statistics() for feature in entries}

    def add(self, values: Mapping[str, Floats]) -> None:
        """Take the next stretch of each feature [shape=(bands, frames)]."""
        for name, statistics in self._statistics.items():
            statistics.add(values[name].T)
        for summary in self._summaries:
            summary.add(values[summary.feature.name])

    def rows(self, sha256: str, settings: Settings) -> dict[str, Rows]:
        """Return the row of each feature.

        Raises
        ------
        ValueError
            When a feature is not finite.
        """
        rows = {}
        statistics = {name: statistics.result() for name, statistics in self._statistics.items()}
        for summary in self._summaries:
            feature = summary.feature
            row = summary.row(sha256, statistics[(feature.of or feature).name][:, feature.first :], settings.reference)
            if not all(np.isfinite(values).all() for values in (row.statistics, row.profile, row.images)):
                raise ValueError(f"its {feature.title} is not finite")
            rows[feature.name] = row
        return rows
