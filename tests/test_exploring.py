"""Looking at a dataset before clustering: silence, clipping, noise, cards with players, distributions, projections."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import audio, datasets, report
from audioclust.report import plots

RATE = 16_000
TIMES = np.arange(RATE) / RATE
TONE = 0.5 * np.sin(2 * np.pi * 440 * TIMES)


def bursts(noise: float) -> np.ndarray:
    """A tone that stops twice a second, in noise of that level."""
    return TONE * (TIMES * 4 % 2 < 1) + noise * np.random.default_rng(0).normal(size=RATE)


def test_silence_is_where_it_was_put():
    y = np.concatenate([np.zeros(4000), TONE, np.zeros(200), TONE, np.zeros(8000)])
    assert audio.silence(y, RATE) == [(0, 3840), (36480, 44200)]  # to a frame of 20 ms
    assert audio.silence(y, RATE, shortest=0.3) == audio.silence(y, RATE)[1:]
    assert audio.silence(np.zeros(100), RATE, shortest=0) == [(0, 100)]
    with pytest.raises(ValueError, match="depth"):
        audio.silence(y, RATE, depth=-1)


@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("", TONE), ("", bursts(0.001)), ("noisy", bursts(0.2)), ("clipped", np.clip(2.2 * TONE, -1, 1)),
        ("mostly silence", np.concatenate([TONE, np.zeros(4 * RATE)])),
    ],
)  # fmt: skip
def test_what_is_not_clean_is_flagged(tmp_path, name, y):
    soundfile.write(tmp_path / "a.wav", y, RATE)
    table = audio.qualities(datasets.scan(tmp_path), tmp_path)
    assert table["flags"].tolist() == [name]


def test_noise_is_measured():
    measured = audio.quality(bursts(0.01), RATE)
    assert measured["noise"] == pytest.approx(-40, abs=1.5)
    assert measured["snr"] == pytest.approx(31, abs=2)
    assert np.isfinite(list(audio.quality(np.zeros(10), RATE).values())).all()


def test_players_escape_names_and_say_what_cannot_be_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    (tmp_path / "b.wav").write_bytes(b"RIFF nothing")
    index = pd.DataFrame({"path": ["a.wav", "b.wav"], "label": ["<script>x</script>", None]})
    cards = report.players(index, tmp_path)
    assert cards.count("<audio controls") == cards.count("data:audio/mpeg;base64,") == cards.count("<img") == 1
    assert "<script" not in cards
    assert "a.wav · &lt;script&gt;" in cards
    assert "b.wav" in cards
    assert not plt.get_fignums()


def test_distributions_by_label_or_of_all():
    table = pd.DataFrame({"who": list("aabb"), "level": [-20.0, -21, -30, np.inf], "empty": np.nan})
    columns = {"level": "dBFS", "empty": "s", "missing": "Hz"}
    (ax,) = plots.distributions(table, columns, by="who").axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    (ax,) = plots.distributions(table, columns).axes
    assert sum(bar.get_height() for bar in ax.patches) == 3
    with pytest.raises(ValueError, match="none of them has a number"):
        plots.distributions(table, {"empty": "s"})
    plt.close("all")


def test_projections_share_one_legend():
    figure = plots.projections({f"f{i}": np.eye(3)[:, :2] for i in range(4)}, ["a", "b", "$b$"])
    assert [ax.get_visible() for ax in figure.axes] == [True] * 4 + [False] * 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"\$b\$", "a", "b"]
    assert all(ax.get_legend() is None for ax in figure.axes)
    plt.close("all")
