"""Pooling, imputing, scaling and reducing, by hand and against librosa and scikit-learn; and images."""

import librosa
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from audioclust import features
from audioclust.features import images, vectors


@pytest.mark.parametrize("frames", [1, 2, 5, 9, 40])
def test_statistics_equal_numpy_and_librosas_delta(rng, frames):
    values = (50 * rng.standard_normal((7, frames)) - 300).astype(np.float32)
    delta = librosa.feature.delta(values.astype(np.float64), width=9, mode="nearest")
    expected = [values.mean(axis=1), values.std(axis=1), delta.mean(axis=1), delta.std(axis=1)]
    np.testing.assert_allclose(vectors.statistics(values), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frames", [65, 67, 131, 1000])
def test_statistics_of_a_long_recording_in_blocks(rng, monkeypatch, frames):
    values = rng.standard_normal((3, frames)).astype(np.float32)
    monkeypatch.setattr(vectors, "_BLOCK", 2000)
    whole = vectors.statistics(values)
    monkeypatch.setattr(vectors, "_BLOCK", 64)
    np.testing.assert_allclose(vectors.statistics(values), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 5, 44, 300])
def test_statistics_of_what_does_not_change_are_exact(rng, frames):
    level = rng.normal(-60, 20, 100).astype(np.float32)
    found = vectors.statistics(np.repeat(level[:, None], frames, axis=1))
    np.testing.assert_array_equal(found, np.stack([level, *np.zeros((3, 100), np.float32)]))


def test_statistics_keep_their_digits_after_a_loud_beginning(rng):
    values = rng.normal(-60, 0.01, (20, 5000)).astype(np.float32)
    values[:, 0] = 0
    found, wide = vectors.Statistics(), values.astype(np.float64)
    for start in range(0, 5000, 700):
        found.add(values.T[start : start + 700])
    np.testing.assert_allclose(found.result()[:2], [wide.mean(axis=1), wide.std(axis=1)], rtol=1e-6)


def test_poolings_by_hand():
    values = np.array([[1, 3], [2, 6]], np.float32)
    np.testing.assert_allclose(vectors.pool(values, "mean"), [2, 4])
    np.testing.assert_allclose(vectors.pool(values, "mean_std"), [2, 4, 1, 2])
    slope = 2 * (1 + 2 + 3 + 4) / 60  # the end frames repeat, so every difference across the centre is 2, or 4
    np.testing.assert_allclose(vectors.pool(values, "mean_std_delta")[4:], [slope, 2 * slope, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vectors.pool(values, "profile"), [1.5, 4.5])
    np.testing.assert_allclose(vectors.pool(values, "image_rows"), [2, 4])
    np.testing.assert_allclose(vectors.pool(values, "image"), [1, 3, 2, 6])
    with pytest.raises(ValueError, match=r"pooling='median'.*mean_std"):
        vectors.pool(values, "median")


def test_imputing_takes_the_columns_mean():
    X = vectors.impute(vectors.stack([[1, 2, 3], [3], [5, 4]]))
    np.testing.assert_allclose(X, [[1, 2, 3], [3, 3, 3], [5, 4, 3]])
    np.testing.assert_array_equal(vectors.impute([[np.nan, 1], [np.nan, 2]]), [[0, 1], [0, 2]])


def test_scaling_equals_scikit_learn_and_survives_constants(rng):
    X = rng.standard_normal((30, 5)) * [1, 10, 100, 1e-3, 1] + 7
    X[:, 2] = -79.99999
    np.testing.assert_allclose(vectors.scale(X), StandardScaler().fit_transform(X), atol=1e-12)
    np.testing.assert_allclose(vectors.scale(X, "minmax"), MinMaxScaler().fit_transform(X), atol=1e-12)
    np.testing.assert_array_equal(vectors.scale(X, None), X)
    X[3] = 0
    rows = vectors.scale(X, "l2")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.where(np.arange(30) == 3, 0, 1))
    np.testing.assert_array_equal(vectors.scale([[3.0, 4.0]]), [[0, 0]])
    with pytest.raises(ValueError, match=r"scale='robust'.*minmax"):
        vectors.scale(X, "robust")


def test_reducing_by_count_and_by_share(rng):
    X = rng.standard_normal((40, 6)) * [10, 5, 2, 1, 1, 1]
    np.testing.assert_allclose(vectors.reduce(X, 2), PCA(2).fit_transform(X), atol=1e-9)
    kept = vectors.reduce(X, 0.9)
    assert kept.var(axis=0).sum() >= 0.9 * X.var(axis=0).sum() > kept[:, :-1].var(axis=0).sum()
    assert vectors.reduce(X) is X
    assert np.isfinite(vectors.reduce(np.ones((5, 3)), 0.9)).all()
    for wrong in (0, 7, 1.0, 1.5, -0.1, "2", True):
        with pytest.raises(ValueError, match="pca="):
            vectors.reduce(X, wrong)


def test_resizing_averages_areas_and_interpolates():
    ramp = np.repeat(np.arange(96.0)[None], 48, axis=0)
    np.testing.assert_allclose(images.resize(ramp), ramp)
    np.testing.assert_allclose(images.resize(np.repeat(ramp, 3, axis=1)), ramp, rtol=1e-6)  # three frames to a pixel
    tall = np.arange(72.0)[:, None] @ np.ones((1, 96))  # one and a half bands to a pixel
    np.testing.assert_allclose(images.resize(tall)[47, 0], (0 * 1 + 1 * 0.5) / 1.5, rtol=1e-6)
    np.testing.assert_allclose(images.resize(tall).mean(), tall.mean(), rtol=1e-6)
    few = images.resize(np.array([[0.0, 1.0]]))
    assert few.shape == (48, 96)
    assert few[0, 0] == 0
    assert few[0, -1] == 1
    assert (np.diff(few[0]) >= 0).all()
    np.testing.assert_allclose(images.resize(np.full((12, 1), 3.0)), np.full((48, 96), 3.0), rtol=1e-6)


def test_low_bands_are_at_the_bottom_and_time_runs_to_the_right():
    values = np.zeros((100, 200), np.float32)
    values[:10, :20] = 1
    image = images.gray(images.resize(values), 0, 1)
    assert image[47, 0] == 255
    assert image[0].max() == image[:, 95].max() == 0


def test_gray_by_hand():
    np.testing.assert_array_equal(images.gray(np.array([[-90.0, -80, -40, 0, 5]]), -80, 0), [[0, 0, 128, 255, 255]])
    np.testing.assert_array_equal(images.gray(np.full((1, 2), 4.0), 4, 4), [[0, 0]])


def test_png_holds_the_image(tmp_path, rng):
    image = rng.integers(0, 256, (48, 96), dtype=np.uint8)
    path = features.write_png(image, tmp_path / "deep" / "a b.png")
    with Image.open(path) as read:
        assert read.mode == "L"
        np.testing.assert_array_equal(np.asarray(read), image)
    with pytest.raises(ValueError, match="float64"):
        features.write_png(image / 255, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()
