import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.utils.estimator_checks import check_estimator

from audioclust.clustering import GroupScaler
from audioclust.evaluation import nuisance


def voices(rng, n=60, speakers=2, emotions=3, d=6):
    """Emotions that hide behind the speakers: a large shift per speaker, a small one per emotion."""
    speaker, emotion = np.repeat(np.arange(speakers), n), np.tile(np.arange(emotions), n * speakers // emotions)
    shift = 60 * rng.normal(size=(speakers, d))
    accent = rng.normal(size=(emotions, d))
    accent *= 6 / np.linalg.norm(accent, axis=1, keepdims=True)
    scale = 1 + np.arange(speakers)[:, None]
    X = (accent[emotion] + rng.normal(scale=1.0, size=(len(speaker), d))) * scale[speaker] + shift[speaker]
    return X, speaker, emotion


# The audit


@pytest.fixture
def index(rng):
    n = 40
    speaker = np.repeat(["anna", "ben"], n // 2)
    return pd.DataFrame(
        {
            "path": [f"{i}.wav" for i in range(n)],
            "name": [str(i) for i in range(n)],
            "extension": "wav",
            "label": [f"{s}/{e}" for s, e in zip(speaker, np.tile(["sad", "glad"], n // 2), strict=True)],
            "speaker": speaker,
            "emotion": np.tile(["sad", "glad"], n // 2),
            "fold": "1",
            "take": [str(i) for i in range(n)],
            "duration": np.linspace(1, 2, n),
            "level": np.tile([-30.0, -20.0], n // 2),
            "sample_rate": 16000,
            "problem": None,
        }
    )


def test_the_audit_names_what_the_clusters_follow(index):
    labels = pd.factorize(index["speaker"])[0]
    scores = nuisance(labels, index, "emotion")
    assert list(scores) == ["label", "speaker", "duration", "level"]
    assert scores["speaker"] == pytest.approx(1)
    assert scores["label"] == pytest.approx(normalized_mutual_info_score(index["label"], labels))
    assert scores["level"] == pytest.approx(0, abs=1e-12)
    assert scores["duration"] > 0.4  # the second half is longer
    quintiles = np.repeat(range(5), 8)
    assert scores["duration"] == pytest.approx(normalized_mutual_info_score(quintiles, labels))


def test_a_column_that_only_renames_the_truth_is_no_nuisance(index):
    index["class"] = index["emotion"].str.upper()
    assert "class" not in nuisance(np.zeros(40, dtype=int), index, "emotion")
    assert "class" in nuisance(np.zeros(40, dtype=int), index)


def test_rows_without_a_value_are_left_out_of_its_column(index):
    labels = pd.factorize(index["speaker"])[0]
    index.loc[::3, "speaker"] = None
    index.loc[::4, "duration"] = np.nan
    scores = nuisance(labels, index)
    assert scores["speaker"] == pytest.approx(1)
    assert 0 < scores["duration"] <= 1
    index["speaker"], index["level"] = None, np.nan
    assert not {"speaker", "level"} & set(nuisance(labels, index))


def test_noise_is_left_out(index):
    labels = pd.factorize(index["speaker"])[0]
    labels[::3] = -1
    scores = nuisance(labels, index)
    assert scores["speaker"] == pytest.approx(1)
    assert scores["emotion"] == nuisance(labels[labels >= 0], index[labels >= 0])["emotion"]
    assert nuisance([-1] * 40, index) == {}


def test_level_minus_infinity_is_no_value(index):
    index.loc[0, "level"] = -np.inf  # silence
    assert "level" in nuisance(np.arange(40) % 3, index)


def test_the_audit_refuses_what_does_not_fit(index):
    with pytest.raises(ValueError, match=r"labels has shape \(2,\), index has 40 rows"):
        nuisance([0, 1], index)
    with pytest.raises(ValueError, match="truth_column='mood': the table has path"):
        nuisance(np.zeros(40), index, "mood")
    with pytest.raises(ValueError, match="bins=1"):
        nuisance(np.zeros(40), index, bins=1)


# Standardising within groups


def test_scikit_learn_accepts_it():
    check_estimator(GroupScaler(), on_fail="raise")
    check_estimator(GroupScaler(n_groups="auto"), on_fail="raise")


@pytest.mark.parametrize("n_groups", [2, "auto"])
def test_speakers_are_found_and_taken_out(n_groups, rng):
    X, speaker, emotion = voices(rng)
    before = AgglomerativeClustering(3).fit_predict(X)
    scaler = GroupScaler(n_groups=n_groups)
    scaled = scaler.fit_transform(X)
    after = AgglomerativeClustering(3).fit_predict(scaled)
    assert adjusted_rand_score(speaker, scaler.groups_) == 1
    assert scaler.n_groups_ == 2
    assert normalized_mutual_info_score(emotion, before) < 0.6
    assert normalized_mutual_info_score(emotion, after) > 0.95
    for group in range(2):
        np.testing.assert_allclose(scaled[scaler.groups_ == group].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(scaled[scaler.groups_ == group].std(axis=0), 1)


def test_auto_finds_the_number_of_groups(rng):
    X, speaker, _ = voices(rng, speakers=4)
    scaler = GroupScaler(n_groups="auto").fit(X)
    assert scaler.n_groups_ == 4
    assert adjusted_rand_score(speaker, scaler.groups_) == 1


def test_given_groups(rng):
    X, speaker, _ = voices(rng)
    names = np.array(["anna", "ben"])[speaker]
    scaled = GroupScaler().fit_transform(X, groups=names)
    expected = np.empty_like(X)
    for name in ("anna", "ben"):
        own = X[names == name]
        expected[names == name] = (own - own.mean(axis=0)) / own.std(axis=0)
    np.testing.assert_allclose(scaled, expected)
    scaler = GroupScaler().fit(X, groups=names)
    np.testing.assert_allclose(scaler.transform(X[:7], groups=names[:7]), scaled[:7])
    with pytest.raises(ValueError, match="give them to both"):
        scaler.transform(X)
    with pytest.raises(ValueError, match="'carl' was not fitted; known are anna, ben"):
        scaler.transform(X[:1], groups=["carl"])
    with pytest.raises(ValueError, match="groups has shape"):
        scaler.fit(X, groups=names[:3])
    with pytest.raises(ValueError, match="groups has missing values"):
        scaler.fit(X, groups=pd.Series(names).where(speaker == 0))


def test_new_recordings_join_the_nearest_group(rng):
    X, _, _ = voices(rng)
    scaler = GroupScaler()
    scaled = scaler.fit_transform(X)
    np.testing.assert_allclose(scaler.transform(X[::5]), scaled[::5])


def test_order_does_not_matter(rng):
    X, _, _ = voices(rng)
    shuffled = rng.permutation(len(X))
    np.testing.assert_allclose(
        GroupScaler().fit_transform(X[shuffled]), GroupScaler().fit_transform(X)[shuffled], atol=1e-9
    )


@pytest.mark.parametrize("n_groups", [0, 1.5, "two", None])
def test_a_wrong_number_of_groups_is_named(n_groups, rng):
    with pytest.raises(ValueError, match="n_groups="):
        GroupScaler(n_groups=n_groups).fit(voices(rng)[0])


def test_edge_cases(rng):
    X, _, _ = voices(rng)
    assert clone(GroupScaler(n_groups=1)).fit(X).n_groups_ == 1
    assert np.isfinite(GroupScaler(n_groups=5).fit_transform(np.ones((3, 2)))).all()
    assert np.isfinite(GroupScaler().fit_transform(X[:2])).all()
