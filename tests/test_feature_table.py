"""The table of features, and features of one's own, which come from outside the package."""

import sys
import warnings

import numpy as np
import pytest
from test_store import extract, table, write

from audioclust import features, files
from audioclust.features import spectra
from audioclust.features.settings import Settings
from audioclust.features.table import parameters

PLUGIN = '''
import numpy as np
from audioclust import features


def flux(spectrum, count=8):
    """Rise of the level from one frame to the next, in bands."""
    level = np.log10(np.maximum(spectrum.power, 1e-10))
    rise = np.maximum(np.diff(level, axis=1, prepend=level[:, :1]), 0)
    return np.stack([part.mean(axis=0) for part in np.array_split(rise, count)])


def octaves(spectrum):
    """Power in octave bands."""
    edges = spectrum.settings.sample_rate / 2.0 ** np.arange(8, 0, -1)
    band = np.digitize(spectrum.frequencies, edges)
    return np.stack([spectrum.power[band == i].sum(axis=0) for i in range(len(edges))])


def share(spectrum, total):
    return np.cumsum(spectrum.power, axis=0)[::100] / total


features.register(features.Feature("flux", flux, title="Spectral flux", reach=1, settings=()))
features.register(features.Feature("octaves", octaves, hop=0.5, level=True, reach=0, settings=()))
features.register(features.Feature("share", share, reach=0, survey=lambda s: float(s.power.sum()), gather=sum))
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Three features, registered by a module that is no part of the package."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own_features.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path / "code")
    import own_features

    yield own_features
    sys.modules.pop("own_features")
    for name in ("flux", "octaves", "share"):
        features.unregister(name)


@pytest.fixture
def root(tmp_path, rng):
    for i in range(4):
        write(tmp_path / "recordings" / "ab"[i % 2] / f"{i}.wav", rng, seconds=0.3 + 0.2 * i)
    return tmp_path / "recordings"


def test_the_table_names_the_built_in_features():
    assert features.available() == features.FEATURES
    assert [features.entry(name).hop_of(Settings()) for name in features.FEATURES] == [1024, 1024, 512, 512, 512]
    assert features.entry("mfcc_no0").title == "MFCC without the first"
    with pytest.raises(ValueError, match=r"feature='melody'.*mfcc_no0"):
        features.entry("melody")


def test_keys_of_the_built_in_features_stay():
    """A changed key computes every store of every user anew: if it must change, raise the feature's version."""
    from importlib.metadata import version

    if (version("soundfile"), version("soxr")) != ("0.14.0", "1.1.0"):
        pytest.skip("keys also name the libraries that decode and resample")
    keys = {name: files.digest(parameters(features.entry(name), Settings())) for name in features.FEATURES}
    expected = ["3de66277fc51", "3afecb9de339", "6622776fc42a", "704fca9939db", "fa8a93391f67"]
    assert list(keys.values()) == expected


def test_only_settings_that_a_feature_reads_are_in_its_key():
    def changed(**settings):
        pairs = [(features.entry(name), name) for name in features.FEATURES]
        return {
            name for entry, name in pairs if parameters(entry, Settings()) != parameters(entry, Settings(**settings))
        }

    assert changed(fmin=50) == changed(htk=True) == changed(n_mels=64) == {"mel", "mfcc", "mfcc_no0"}
    assert changed(window="hamming") == changed(win_length=1024) == set(features.FEATURES)
    assert changed(n_mfcc=13) == {"mfcc", "mfcc_no0"}
    assert changed(window="hann", htk=False, fmin=0) == set()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_feature_from_outside_is_extracted_kept_pooled_and_drawn(plugin, root, tmp_path, jobs, monkeypatch):
    names = ["mel", "flux", "octaves", "share"]
    found = extract(root, tmp_path / "store", features=names, jobs=jobs, arrays=True)
    assert found.features == ("mel", "flux", "octaves", "share")
    X, index = found.vectors("flux", "mean_std_delta", scale=None)
    assert X.shape == (4, 8 * 4)
    pictures, _ = found.images("flux")
    assert pictures.dtype == np.uint8
    assert pictures.std() > 0
    for row, path in enumerate(index["path"]):
        y, rate = features.extraction.load(root / path, 22050)
        expected = features.spectral(y, rate, names)
        for name in names:
            np.testing.assert_array_equal(found.array(name, row), expected[name])
        np.testing.assert_allclose(X[row, :8], expected["flux"].mean(axis=1), rtol=1e-4, atol=1e-5)
        assert expected["octaves"].max() == pytest.approx(0, abs=1e-4)
    from audioclust.report import plots

    ax = plots.feature(found.array("flux", 0), "flux", 22050)
    assert "Spectral flux" in (ax.get_title(), ax.get_title("left"))
    monkeypatch.setattr(plugin, "flux", None)
    monkeypatch.setattr("audioclust.features.extraction._work", None)
    again = extract(root, tmp_path / "store", features=names, jobs=jobs)  # all of it is in the store
    np.testing.assert_array_equal(again.vectors("flux", "mean_std_delta", scale=None)[0], X)


def test_version_and_parameters_decide_the_key(plugin, root, tmp_path):
    from dataclasses import replace

    first = extract(root, tmp_path / "store", features="flux")
    features.register(replace(features.entry("flux"), params={"count": 5}))
    other = extract(root, tmp_path / "store", features="flux")
    assert (first.vectors("flux", "mean")[0].shape, other.vectors("flux", "mean")[0].shape) == ((4, 8), (4, 5))
    features.register(replace(features.entry("flux"), version=2))
    reasons = features.why_stale(tmp_path / "store", "flux")["reason"]
    assert sorted(reasons) == ["params None, now {'count': 5}; version 1, now 2", "version 1, now 2"]


@pytest.mark.parametrize("kept", [0, 99])
def test_long_recordings_in_blocks_see_their_neighbours(plugin, rng, monkeypatch, kept):
    y = rng.standard_normal(100_000).astype(np.float32)
    names = ["mel", "flux", "octaves", "share"]
    whole = features.spectral(y, 22050, names)
    monkeypatch.setattr(spectra, "_BLOCK", 32)
    monkeypatch.setattr(spectra, "_KEPT", kept)
    for name, values in features.spectral(y, 22050, names).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-5, atol=1e-4, err_msg=name)


def test_what_a_feature_computes_is_checked(plugin, root, tmp_path):
    features.register(features.Feature("share", lambda spectrum: spectrum.power.sum(axis=0)))
    with pytest.raises(ValueError, match=r"share computes an array of shape \(44,\) instead of \(bands, 44\)"):
        features.spectral(np.ones(22050, np.float32), 22050, "share")
    features.register(features.Feature("share", lambda spectrum: np.log10(spectrum.power - 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"none of the 4 recordings.*its share is not finite"):
            extract(root, tmp_path / "store", table(root), features="share")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"compute": None}, "compute=None"),
        ({"hop": 0.3}, r"hop=0\.3"),
        ({"reach": -1}, "reach=-1"),
        ({"settings": ("n_mel",)}, "settings='n_mel'.*n_mels"),
        ({"axis": "octave"}, "axis='octave'"),
        ({"level": True, "survey": max}, "survey"),
    ],
)
def test_rows_that_cannot_be_used_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        features.Feature(**{"name": "own", "compute": np.abs, **wrong})


def test_built_in_features_stay():
    for call in (lambda: features.register(features.Feature("mel", np.abs)), lambda: features.unregister("mel")):
        with pytest.raises(ValueError, match="built in"):
            call()
    with pytest.raises(ValueError, match="feature='a/b'"):
        features.register(features.Feature("a/b", np.abs))
