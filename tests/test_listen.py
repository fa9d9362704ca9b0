"""The listening page: everything in it, nothing in it that runs, and a browser that plays a clip where there is one."""

import base64
import gzip
import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import report
from audioclust.evaluation.internal import silhouettes
from audioclust.report.pages import clips

RATE = 8000
NAMES = [
    "plain.wav", "it's \"quoted\".wav", "<img src=x onerror=alert(1)>.wav", "<!-- <script>.wav", "naïve ☃ %41 #1?.wav",
    "a&amp;b $x_1$ \\ `y`.wav",
]  # fmt: skip


@pytest.fixture
def recordings(tmp_path, rng):
    """Twelve short tones in three clusters, one of them noise, under names that try to break out."""
    root = tmp_path / "sounds"
    rows = []
    for place in range(12):
        folder = "</script><script>alert(2)</script>".replace("/", "∕") if place % 3 == 0 else f"label {place % 3}"
        path = root / folder / f"{place:02d} {NAMES[place % len(NAMES)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = 0.3 + 0.05 * place
        times = np.arange(int(seconds * RATE)) / RATE
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (300 + 100 * place) * times), RATE)
        rows.append({"path": path.relative_to(root).as_posix(), "label": "</script>" + folder, "duration": seconds})
    labels = np.array([0, 1, -1] * 4)
    X = np.stack([labels * 5.0, rng.normal(size=12), rng.normal(size=12)], axis=1)
    return pd.DataFrame(rows), labels, root, X


def blocks(page: Path, kind: str) -> dict[int, bytes]:
    """The sounds or the pictures in a page."""
    blocks = re.findall(
        rf'<script type="text/plain" id="{kind}-(\d+)">([^<]*)</script>', page.read_text(encoding="utf-8")
    )
    return {int(number): base64.b64decode(text) for number, text in blocks}


def contents(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    packed = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', text)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def sounds(page: Path) -> dict[int, bytes]:
    return blocks(page, "sound")


def column(data: dict, name: str) -> list:
    """The values of a column of a page."""
    (one,) = (column for column in data["columns"] if column["name"] == name)
    return one["values"] if "values" in one else [None if c < 0 else one["texts"][c] for c in one["codes"]]


def test_every_recording_is_there_and_sounds(recordings, tmp_path):
    index, labels, root, X = recordings
    page = report.listen(index, labels, root, tmp_path / "run" / "listen.html", X=X, per_cluster=3)
    data = contents(page)
    assert data["paths"] == index["path"].tolist()
    assert column(data, data["truth"]) == index["label"].tolist()
    assert data["groupings"][0]["labels"] == labels.tolist()
    assert [cluster for cluster, _ in data["groupings"][0]["sheets"]] == [0, 1, -1]
    assert all(len(sheet) == 3 for _, sheet in data["groupings"][0]["sheets"])
    assert sorted(data["thumbnails"]["places"]) == list(range(12))
    embedded = sounds(page)
    assert sorted(embedded) == list(range(12))
    for row in (0, 11):
        y, rate = soundfile.read(io.BytesIO(embedded[row]))
        assert rate == clips.RATE
        assert len(y) / rate == pytest.approx(index["duration"][row], abs=0.15)
        spectrum = np.abs(np.fft.rfft(y))
        assert np.argmax(spectrum) * rate / len(y) == pytest.approx(300 + 100 * row, abs=10)
    assert [p.name for p in page.parent.iterdir()] == ["listen.html"], "nothing half-written stays"


def test_names_never_become_markup(recordings, tmp_path):
    index, labels, root, X = recordings
    page = report.listen(index, labels, root, tmp_path / "l.html", X=X, title="</title><script>alert(3)</script>")
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "alert(2)</script>" not in text
    assert "<script>alert" not in text
    assert len(re.findall(r"<script>", text)) == 1, "one script, the template's own"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "connect-src" not in policy, "the default forbids it"


def test_medoid_border_and_outlier_are_what_they_say(tmp_path):
    X = np.array([[0.0], [0.1], [0.2], [0.15], [3.0], [-4.0], [8.0], [8.1], [8.2]])
    labels = np.array([0] * 6 + [1] * 3)
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(9)], "duration": 1.0})
    page = report.listen(index, labels, tmp_path, tmp_path / "l.html", X=X, per_cluster=4, projection="pca")
    kinds = {kind: row for row, kind in dict(contents(page)["groupings"][0]["sheets"])[0]}
    assert kinds["medoid"] in (0, 1)
    assert kinds["outlier"] == 5
    assert kinds["border"] == 4
    silhouette = column(contents(page), "silhouette")
    assert silhouette[4] < silhouette[0]
    assert {"map by PCA", "euclidean silhouettes"} <= set(contents(page)["facts"])
    assert contents(page)["neighbours"][6][:2] == [7, 8], "the most similar first"


def test_the_page_shows_the_silhouettes_of_its_metric_and_obeys_the_projection(tmp_path, rng):
    X = np.concatenate([rng.normal(0, 0.3, (10, 4)) + np.eye(4)[place] * 2 for place in (0, 1)])
    labels = np.repeat([0, 1], 10)
    labels[3] = 1
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(20)], "duration": 1.0})
    shown = {}
    for metric in ("euclidean", "cosine"):
        page = report.listen(index, labels, tmp_path, tmp_path / "l.html", X=X, metric=metric, projection="pca")
        shown[metric] = column(contents(page), "silhouette")
        assert shown[metric] == pytest.approx(silhouettes(X, labels, metric=metric), abs=0.006)
        kinds = {row: kind for _, sheet in contents(page)["groupings"][0]["sheets"] for row, kind in sheet}
        assert kinds[3] in ("border", "outlier"), "the one that is in the wrong cluster is shown"
        assert {"map by PCA", f"{metric} silhouettes"} <= set(contents(page)["facts"])
        pca = contents(page)["at"]
    assert shown["euclidean"] != shown["cosine"]
    page = report.listen(index, labels, tmp_path, tmp_path / "t.html", X=X, projection="tsne")
    assert "map by t-SNE" in contents(page)["facts"]
    assert contents(page)["at"] != pca


def test_a_review_chooses_the_recordings(recordings, tmp_path):
    index, labels, root, _ = recordings
    review = pd.DataFrame({"path": index["path"][[3, 0]], "kind": ["border", "medoid"]})
    page = report.listen(index, labels, root, tmp_path / "l.html", review=review)
    assert contents(page)["groupings"][0]["sheets"] == [[0, [[3, "border"], [0, "medoid"]]]]
    with pytest.raises(ValueError, match="not in index"):
        report.listen(index, labels, root, tmp_path / "l.html", review=review.assign(path="elsewhere.wav"))


def test_positions_are_the_same_every_time(recordings, tmp_path):
    index, labels, root, X = recordings
    pages = [report.listen(index, labels, root, tmp_path / f"{i}.html", X=X, random_state=5) for i in range(2)]
    first, second = (contents(page)["at"] for page in pages)
    assert first == second
    assert np.ptp(first, axis=1).max() == pytest.approx(10_000, abs=1)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    given = report.listen(index, labels, root, tmp_path / "g.html", positions=np.arange(24).reshape(12, 2))
    assert [axis[0] for axis in contents(given)["at"]] == [0, 10_000]


@pytest.mark.parametrize(
    ("seconds", "megabytes", "embedded_here"), [(1.5, 0.1, 12), (4.0, 0.04, 2), (4.0, 0.0, 0), (0.5, 0.02, None)]
)
def test_size_is_capped_and_the_rest_is_linked(tmp_path, rng, seconds, megabytes, embedded_here):
    root = tmp_path / "sounds #1"
    root.mkdir()
    paths = [f"{i} é.wav" for i in range(12)]
    noise = rng.uniform(-0.5, 0.5, int(seconds * RATE))  # costs more than estimated
    tone = 0.5 * np.sin(np.arange(int(seconds * RATE)) * 0.4)
    for path in paths:
        soundfile.write(root / path, noise if embedded_here is None else tone, RATE)
    index = pd.DataFrame({"path": paths, "duration": seconds})
    out = tmp_path / "run" / "l.html"
    page = report.listen(index, [0, 1] * 6, root, out, per_cluster=1, embed_megabytes=megabytes)
    data, embedded = contents(page), sounds(page)
    pictures = blocks(page, "sprite")
    assert 4 / 3 * sum(map(len, [*embedded.values(), *pictures.values()])) <= megabytes * 1e6
    assert embedded_here is None or len(embedded) == embedded_here
    assert all((page.parent / urllib.request.url2pathname(data["base"]) / path).exists() for path in paths)
    full = report.listen(index, [0, 1] * 6, root, out, per_cluster=1, embed_megabytes=megabytes, absolute_links=True)
    assert contents(full)["base"] == f"{root.as_uri()}/"


def test_excerpts_are_cut_where_it_is_loud(tmp_path):
    y = np.zeros(clips.RATE * 3, dtype=np.float32)
    y[clips.RATE : clips.RATE * 2] = 0.5 * np.sin(np.arange(clips.RATE) * 0.3)
    soundfile.write(tmp_path / "a.wav", y, clips.RATE)
    clip = clips.prepare((tmp_path / "a.wav", 1.0, True))
    part, _ = soundfile.read(io.BytesIO(base64.b64decode(clip.sound)))
    assert np.sqrt(np.mean(part[2000:-3000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert clip.thumbnail.shape == (36, 96)
    loud = clip.thumbnail.mean(axis=0)
    assert loud[40:56].mean() > 1 + loud[:24].mean(), "the tone stands in the middle third"


def test_an_unreadable_recording_is_named_and_the_rest_goes_on(recordings, tmp_path):
    index, labels, root, X = recordings
    (root / index["path"][0]).write_bytes(b"not sound")
    (root / index["path"][1]).unlink()
    page = report.listen(index, labels, root, tmp_path / "l.html", X=X)
    assert sorted(contents(page)["problems"]) == ["0", "1"]
    assert contents(page)["thumbnails"]["places"][:3] == [-1, -1, 0]
    assert sorted(sounds(page)) == list(range(2, 12))


def test_columns_of_all_kinds_are_shown(recordings, tmp_path):
    index, labels, root, X = recordings
    more = {
        "group": "given",
        "empty": None,
        "flag": [True, None] * 6,
        "take": pd.array([1, None] * 6, dtype="Int64"),
        "kind": pd.Categorical(["a", None] * 6),
        "day": pd.Timestamp("2024-01-02"),
        "share": [np.inf, 0.123456] * 6,
    }
    page = report.listen(index.assign(**more), labels, root, tmp_path / "l.html", X=X, truth="group")
    data = contents(page)
    names = [each["name"] for each in data["columns"]]
    assert names == ["silhouette", "label", "duration", "group (metadata)", "flag", "take", "kind", "day", "share"]
    assert data["truth"] == "group (metadata)"
    assert column(data, "flag")[:2] == ["True", None]
    assert column(data, "take")[:2] == [1, None]
    assert column(data, "kind")[:2] == ["a", None]
    assert column(data, "share")[:2] == [None, 0.1235]


def test_levels_and_confidence(recordings, tmp_path):
    index, labels, root, X = recordings
    same, fewer = np.where(labels < 0, -1, 1 - labels), np.zeros(12, dtype=int)
    options = {"levels": [same, fewer], "confidence": np.linspace(0, 1, 12)}
    data = contents(report.listen(index, labels, root, tmp_path / "l.html", X=X, **options))
    assert [each["name"] for each in data["groupings"]] == ["2 groups", "1 group"], "the same partition is not repeated"
    assert [kind for _, kind in dict(data["groupings"][1]["sheets"])[0]][:2] == ["medoid", "typical"]
    assert data["confidence"][:2] == [0, 0.09]


def test_little_and_malformed_input(recordings, tmp_path):
    index, labels, root, X = recordings
    out = tmp_path / "l.html"
    assert contents(report.listen(index[:0], [], root, out, X=X[:0]))["paths"] == []
    assert len(contents(report.listen(index[:1], [0], root, out, X=X[:1]))["paths"]) == 1
    bare = contents(report.listen(index[["path"]], labels, root, out, truth=None))
    assert bare["truth"] is None
    assert bare["columns"] == []
    for bad, message in (
        ({"X": X[:3]}, "X: 3 values for 12"),
        ({"per_cluster": 0}, "per_cluster=0"),
        ({"embed_megabytes": -1}, "embed_megabytes=-1"),
        ({"projection": "lda"}, "projection='lda'"),
        ({"metric": "cityblock"}, "metric='cityblock'"),
        ({"review": pd.DataFrame({"path": []})}, "kind"),
        ({"levels": [[0, 1]]}, "levels: 2 values for 12"),
        ({"confidence": [0.5]}, "confidence: 1 values for 12"),
    ):
        with pytest.raises(ValueError, match=message):
            report.listen(index, labels, root, out, **bad)
    with pytest.raises(ValueError, match="path"):
        report.listen(index.drop(columns="path"), labels, root, out)
