"""The listening page: everything in it, nothing in it that runs, and a browser that plays a clip where there is one."""

import base64
import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from browser import opened

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


def contents(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def sounds(page: Path) -> dict[int, str]:
    found = re.findall(r'<script type="text/plain" id="sound-(\d+)">([^<]*)</script>', page.read_text(encoding="utf-8"))
    return {int(row): text for row, text in found}


def test_every_recording_is_there_and_sounds(recordings, tmp_path):
    index, labels, root, X = recordings
    page = report.listen(index, labels, root, tmp_path / "run" / "listen.html", X=X, per_cluster=3)
    data = contents(page)
    assert [r["path"] for r in data["recordings"]] == index["path"].tolist()
    assert [r["truth"] for r in data["recordings"]] == index["label"].tolist()
    assert [c["cluster"] for c in data["clusters"]] == [0, 1, -1]
    assert all(len(c["sheet"]) == 3 for c in data["clusters"])
    embedded = sounds(page)
    assert sorted(embedded) == list(range(12))
    for row in (0, 11):
        y, rate = soundfile.read(io.BytesIO(base64.b64decode(embedded[row])))
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
    kinds = {item["kind"]: item["row"] for item in contents(page)["clusters"][0]["sheet"]}
    assert kinds["medoid"] in (0, 1)
    assert kinds["outlier"] == 5
    assert kinds["border"] == 4
    recordings = contents(page)["recordings"]
    assert recordings[4]["silhouette"] < recordings[0]["silhouette"]
    assert "map by PCA · euclidean silhouettes" in page.read_text(encoding="utf-8")


def test_the_page_shows_the_silhouettes_of_its_metric_and_obeys_the_projection(tmp_path, rng):
    X = np.concatenate([rng.normal(0, 0.3, (10, 4)) + np.eye(4)[place] * 2 for place in (0, 1)])
    labels = np.repeat([0, 1], 10)
    labels[3] = 1
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(20)], "duration": 1.0})
    shown = {}
    for metric in ("euclidean", "cosine"):
        page = report.listen(index, labels, tmp_path, tmp_path / "l.html", X=X, metric=metric, projection="pca")
        shown[metric] = [r["silhouette"] for r in contents(page)["recordings"]]
        assert shown[metric] == pytest.approx(silhouettes(X, labels, metric=metric), abs=0.006)
        kinds = {item["row"]: item["kind"] for cluster in contents(page)["clusters"] for item in cluster["sheet"]}
        assert kinds[3] in ("border", "outlier"), "the one that is in the wrong cluster is shown"
        assert f"map by PCA · {metric} silhouettes" in page.read_text(encoding="utf-8")
        pca = contents(page)["recordings"]
    assert shown["euclidean"] != shown["cosine"]
    page = report.listen(index, labels, tmp_path, tmp_path / "t.html", X=X, projection="tsne")
    assert "map by t-SNE" in page.read_text(encoding="utf-8")
    assert [r["at"] for r in contents(page)["recordings"]] != [r["at"] for r in pca]


def test_a_review_chooses_the_recordings(recordings, tmp_path):
    index, labels, root, _ = recordings
    review = pd.DataFrame({"path": index["path"][[3, 0]], "kind": ["border", "medoid"]})
    page = report.listen(index, labels, root, tmp_path / "l.html", review=review)
    by_cluster = {c["cluster"]: c["sheet"] for c in contents(page)["clusters"]}
    assert by_cluster == {0: [{"row": 3, "kind": "border"}, {"row": 0, "kind": "medoid"}], 1: [], -1: []}
    with pytest.raises(ValueError, match="not in index"):
        report.listen(index, labels, root, tmp_path / "l.html", review=review.assign(path="elsewhere.wav"))


def test_positions_are_the_same_every_time(recordings, tmp_path):
    index, labels, root, X = recordings
    pages = [report.listen(index, labels, root, tmp_path / f"{i}.html", X=X, random_state=5) for i in range(2)]
    first, second = ([r["at"] for r in contents(page)["recordings"]] for page in pages)
    assert first == second
    assert np.ptp(first, axis=0).max() == pytest.approx(1, abs=1e-3)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    given = report.listen(index, labels, root, tmp_path / "g.html", positions=np.arange(24).reshape(12, 2))
    assert contents(given)["recordings"][0]["at"] == [0.0, 1.0]


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
    pictures = sum(len(r["picture"] or "") for r in data["recordings"])
    assert sum(map(len, embedded.values())) + (pictures if embedded else 0) <= megabytes * 1e6
    assert embedded_here is None or len(embedded) == embedded_here
    linked = [r["link"] for r in data["recordings"] if not r["sound"]]
    assert len(linked) == 12 - len(embedded)
    for link in linked:
        assert (page.parent / urllib.request.url2pathname(link)).resolve().exists()
    full = report.listen(index, [0, 1] * 6, root, out, per_cluster=1, embed_megabytes=megabytes, absolute_links=True)
    links = [r["link"] for r in contents(full)["recordings"] if not r["sound"]]
    assert links == [(root / path).as_uri() for path in (r["path"] for r in data["recordings"] if not r["sound"])]


def test_excerpts_are_cut_where_it_is_loud(tmp_path):
    y = np.zeros(clips.RATE * 3, dtype=np.float32)
    y[clips.RATE : clips.RATE * 2] = 0.5 * np.sin(np.arange(clips.RATE) * 0.3)
    soundfile.write(tmp_path / "a.wav", y, clips.RATE)
    clip = clips.prepare((tmp_path / "a.wav", 1.0, True))
    part, _ = soundfile.read(io.BytesIO(base64.b64decode(clip.sound)))
    assert np.sqrt(np.mean(part[2000:-3000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert base64.b64decode(clip.thumbnail).startswith(b"\x89PNG")
    assert len(clip.thumbnail) < 8000


def test_an_unreadable_recording_is_named_and_the_rest_goes_on(recordings, tmp_path):
    index, labels, root, X = recordings
    (root / index["path"][0]).write_bytes(b"not sound")
    (root / index["path"][1]).unlink()
    page = report.listen(index, labels, root, tmp_path / "l.html", X=X)
    problems = [r["problem"] for r in contents(page)["recordings"]]
    assert all(problems[:2])
    assert not any(problems[2:])
    assert sorted(sounds(page)) == list(range(2, 12))


def test_little_and_malformed_input(recordings, tmp_path):
    index, labels, root, X = recordings
    out = tmp_path / "l.html"
    assert contents(report.listen(index[:0], [], root, out, X=X[:0]))["clusters"] == []
    assert len(contents(report.listen(index[:1], [0], root, out, X=X[:1]))["recordings"]) == 1
    bare = contents(report.listen(index[["path"]], labels, root, out, truth=None))
    assert bare["truth"] is None
    assert bare["recordings"][0]["seconds"] == pytest.approx(0.3, abs=0.01)
    for bad, message in (
        ({"X": X[:3]}, "X: 3 values for 12"),
        ({"per_cluster": 0}, "per_cluster=0"),
        ({"embed_megabytes": -1}, "embed_megabytes=-1"),
        ({"projection": "lda"}, "projection='lda'"),
        ({"metric": "cityblock"}, "metric='cityblock'"),
        ({"review": pd.DataFrame({"path": []})}, "kind"),
    ):
        with pytest.raises(ValueError, match=message):
            report.listen(index, labels, root, out, **bad)
    with pytest.raises(ValueError, match="path"):
        report.listen(index.drop(columns="path"), labels, root, out)


# In a browser ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [20, 0], ids=["embedded", "linked"])
def test_in_a_browser_a_click_on_the_map_plays(recordings, tmp_path, megabytes):
    index, labels, root, _ = recordings
    positions = np.stack([np.arange(12) % 4, np.arange(12) // 4], axis=1)
    page = report.listen(
        index, labels, root, tmp_path / "l.html", positions=positions, per_cluster=2, embed_megabytes=megabytes
    )
    with opened(page, tmp_path / "profile") as seen:
        assert seen.ask("document.querySelectorAll('.card').length") == 6
        assert seen.ask("document.querySelectorAll('#sheets img[src=x], article script').length") == 0
        assert seen.ask("document.querySelector('[data-row=\"0\"] .truth').textContent") == index["label"][0]
        seen.ask("var box = canvas.getBoundingClientRect(), point = place(recordings[5].at)")
        x, y = seen.ask("[box.left + point[0], box.top + point[1]]")
        seen.click(x, y)
        assert seen.until(lambda: seen.ask("current")) == 5
        assert seen.until(lambda: seen.ask("player.duration > 0 && player.currentTime > 0 || null"))
        duration = seen.ask("player.duration")
        assert duration == pytest.approx(index["duration"][5], abs=0.15)

        seen.press("ArrowRight")
        assert seen.ask("current") == seen.ask("Number(document.querySelector('.card').dataset.row)"), (
            "5 is in no sheet"
        )
        seen.press("ArrowRight")
        assert seen.ask("current") == seen.ask("Number(document.querySelectorAll('.card')[1].dataset.row)")
        seen.press("d")
        saved = seen.ask("corrections()")
        first, second = (
            seen.ask(f"recordings[document.querySelectorAll('.card')[{i}].dataset.row].path") for i in (0, 1)
        )
        assert saved["cannot_link"] == [sorted([first, second])]
        seen.press("s")
        assert seen.ask("corrections()")["cannot_link"] == []
        assert seen.ask("corrections()")["must_link"] == [sorted([first, second])]
        seen.ask("(() => { const n = document.querySelector('.name'); n.value = '<b>Anna</b>'; n.onchange(); })()")
        assert seen.ask("corrections()")["names"] == {"0": "<b>Anna</b>"}
        seen.ask("(() => { $('by-cluster').value = '1'; filter(); })()")
        assert seen.ask("[...document.querySelectorAll('section')].filter(s => !s.hidden).length") == 1
