"""What every dataset of the catalogue must state, and fetching them from a server of our own."""

import gzip
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import types
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import datasets, files
from audioclust.datasets import archives, download, fetching
from audioclust.datasets.catalogue import check, module, names
from audioclust.project import Project


@pytest.mark.parametrize("name", names())
def test_every_dataset_says_what_it_is(name):
    dataset = module(name)
    assert dataset.__doc__
    assert all(isinstance(text, str) and text for text in (dataset.TITLE, dataset.DESCRIPTION, dataset.LICENSE_INFO))
    assert dataset.BIBTEX.startswith("@")
    assert dataset.BIBTEX.count("{") == dataset.BIBTEX.count("}")
    assert isinstance(dataset.RECORDINGS, int)
    assert dataset.HOMEPAGE.startswith("https://") or not dataset.REMOTES
    for remote in dataset.REMOTES:
        assert remote["url"].startswith("https://")
        assert remote["filename"] == os.path.basename(remote["filename"])  # noqa: PTH119
        assert remote["sha256"] is None or len(bytes.fromhex(remote["sha256"])) == 32
        assert archives.is_archive(remote["filename"]) or remote["filename"].endswith(".npz")
    assert len({remote["filename"] for remote in dataset.REMOTES}) == len(dataset.REMOTES)
    assert (dataset.BYTES > 0) == bool(dataset.REMOTES)
    assert callable(dataset.prepare)


@pytest.mark.parametrize("name", names())
def test_every_label_rule(name):
    dataset = module(name)
    assert dataset.EXAMPLES
    for path, expected in dataset.EXAMPLES.items():
        assert dataset.columns(path) == expected, path
        assert set(dataset.LABELS) <= set(expected) <= {"label", *dataset.LABELS}
    assert set(dataset.columns("")) == set(dataset.LABELS)
    assert all(value is None for value in dataset.columns("").values())


def test_catalogue_lists_them():
    table = datasets.catalogue()
    assert list(table.index) == names()
    assert {"urbansound8k", "tess", "mabds", "audiomnist", "fsdd", "esc50", "esc10", "mnist", "synthetic"} == set(
        names()
    )
    assert {"title", "recordings", "size", "labels", "licence", "url", "citation"} <= set(table.columns)
    assert table.loc["tess", "recordings"] == 2800
    assert table.loc["fsdd", "labels"] == "speaker, digit, take"


def test_rules_by_name():
    assert datasets.rule_for("TESS") is module("tess").columns
    assert datasets.rule_for("tess_short") is None
    assert datasets.rule_for("my recordings") is None
    assert datasets.rule_for("__init__") is None
    with pytest.raises(ValueError, match=r"dataset='tess2': the catalogue has audiomnist, "):
        module("tess2")


# ---- preparation, each on a small archive in the publisher's layout ----


def wav(seed=0, count=800, rate=8000):
    written = io.BytesIO()
    soundfile.write(written, np.random.default_rng(seed).uniform(-0.3, 0.3, count), rate, format="WAV")
    return written.getvalue()


def zipped(members):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def tarred(members):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


LAYOUTS = {
    "tess": (
        {"TESS/OAF_Fear/OAF_food_fear.wav": wav(), "TESS/YAF_sad/YAF_germ_sad.wav": wav(1), "OAF_back_ps.wav": wav(2),
         "MANIFEST.TXT": b"x", "__MACOSX/OAF_Fear/._OAF_food_fear.wav": b"x"},
        ["OAF_fear/OAF_food_fear.wav", "OAF_pleasant_surprise/OAF_back_ps.wav", "YAF_sad/YAF_germ_sad.wav"],
        {"emotion": ["fear", "pleasant_surprise", "sad"], "speaker": ["OAF", "OAF", "YAF"]},
    ),
    "esc10": (
        {"ESC-10-master/001 - Dog bark/1-100032-A.ogg": wav(), "ESC-10-master/README.md": b"x"},
        ["001 - Dog bark/1-100032-A.ogg"],
        {"class": ["dog_bark"], "fold": ["1"]},
    ),
    "esc50": (
        {"ESC-50-x/audio/1-100032-A-0.wav": wav(), "ESC-50-x/audio/5-9032-A-49.wav": wav(1), "ESC-50-x/e.csv": b""},
        ["dog/1-100032-A-0.wav", "hand_saw/5-9032-A-49.wav"],
        {"label": ["dog", "hand_saw"], "group": ["animals", "exterior"], "fold": ["1", "5"]},
    ),
    "fsdd": (
        {"fsdd-1/recordings/7_theo_0.wav": wav(), "fsdd-1/recordings/0_ann_10.wav": wav(1)},
        ["ann/0_ann_10.wav", "theo/7_theo_0.wav"],
        {"speaker": ["ann", "theo"], "digit": ["0", "7"]},
    ),
    "mabds": (
        {"Band-Song.mp3": wav()},
        [f"{genre}/Band-Song.mp3" for genre in module("mabds").GENRES],
        {"genre": list(module("mabds").GENRES)},
    ),
    "urbansound8k": (
        {"UrbanSound8K/audio/fold10/1-3-0-0.wav": wav(), "UrbanSound8K/audio/fold2/2-8-1-0.wav": wav(1)},
        ["dog_bark/fold10_1-3-0-0.wav", "siren/fold2_2-8-1-0.wav"],
        {"label": ["dog_bark", "siren"], "fold": ["10", "2"], "source": ["1", "2"]},
    ),
    "audiomnist": (
        {f"A/data/{s}/{d}_{s}_{t}.wav": wav(d, 400 + d) for s in ("01", "02") for d in range(10) for t in (0, 1)},
        ["01/01_0.wav", "01/01_1.wav", "02/02_0.wav", "02/02_1.wav"],
        {"speaker": ["01", "01", "02", "02"], "take": ["0", "1", "0", "1"]},
    ),
}  # fmt: skip


def put(project, name, monkeypatch):
    """Put the small archive where a user would put a downloaded one."""
    folder = project.dataset(name) / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    remotes = [{key: remote[key] for key in ("url", "filename", "sha256")} for remote in module(name).REMOTES]
    monkeypatch.setattr(module(name), "REMOTES", remotes)
    for remote in remotes:
        pack = zipped if remote["filename"].endswith(".zip") else tarred
        (folder / remote["filename"]).write_bytes(pack(LAYOUTS[name][0]))


@pytest.mark.parametrize("name", LAYOUTS)
def test_preparation(name, tmp_path, monkeypatch):
    project = Project(tmp_path)
    put(project, name, monkeypatch)
    found = datasets.fetch(name.upper(), project, offline=True)
    assert list(found["path"]) == LAYOUTS[name][1]
    assert found["problem"].isna().all()
    for column, values in LAYOUTS[name][2].items():
        assert list(found[column]) == values
    pd.testing.assert_frame_equal(project.metadata(name), found)
    left = {path.name for path in project.dataset(name).iterdir()}
    assert left == {"downloads", "metadata.parquet", *(path.split("/")[0] for path in LAYOUTS[name][1])}

    # A second time nothing is unpacked, and the archive is not needed any more.
    for remote in module(name).REMOTES:
        (project.dataset(name) / "downloads" / remote["filename"]).unlink()
    monkeypatch.setattr(module(name), "prepare", None)
    pd.testing.assert_frame_equal(datasets.fetch(name, project, offline=True), found)


def test_a_preparation_cut_off_is_done_again(tmp_path, monkeypatch):
    project = Project(tmp_path)
    put(project, "fsdd", monkeypatch)
    whole = archives.place

    def halfway(unpacked, folder, target):
        whole(unpacked, folder, lambda path: target(path) if "ann" in path else None)
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "place", halfway)
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch("fsdd", project, offline=True)
    monkeypatch.setattr(archives, "place", whole)
    assert list(datasets.fetch("fsdd", project, offline=True)["path"]) == LAYOUTS["fsdd"][1]


def test_audiomnist_joins_the_ten_digits_in_order(tmp_path, monkeypatch):
    project = Project(tmp_path)
    put(project, "audiomnist", monkeypatch)
    datasets.fetch("audiomnist", project, offline=True)
    joined, rate = soundfile.read(project.dataset("audiomnist") / "01" / "01_1.wav", dtype="int16")
    parts = [soundfile.read(io.BytesIO(wav(digit, 400 + digit)), dtype="int16")[0] for digit in range(10)]
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    assert rate == 8000

    flat = datasets.fetch("audiomnist", project, offline=True, flat=True)
    assert len(flat) == 40
    assert flat["label"].isna().all()
    assert flat["path"][0] == "01_0_01_0.wav"
    assert sorted(flat["digit"].unique()) == list("0123456789")
    assert len(datasets.fetch("audiomnist", project, offline=True)) == 4


def test_mnist_holds_images(tmp_path, monkeypatch):
    project = Project(tmp_path)
    mnist = module("mnist")
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    with files.atomic(project.dataset("mnist") / "downloads" / "mnist.npz") as partial:
        np.savez(partial, x_train=images[:3], y_train=np.arange(3), x_test=images[3:], y_test=np.arange(2))
    remote = mnist.REMOTES[0] | {"sha256": files.sha256(project.dataset("mnist") / "downloads" / "mnist.npz")}
    monkeypatch.setattr(mnist, "REMOTES", [remote])
    assert len(datasets.fetch("mnist", project, offline=True)) == 0
    got, digits = mnist.load(project.dataset("mnist"))
    np.testing.assert_array_equal(got, images)
    assert digits.tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(FileNotFoundError, match=r"no mnist.npz in .*fetch"):
        mnist.load(tmp_path)


def test_synthetic_is_written_not_downloaded(tmp_path):
    from audioclust.datasets import synthetic

    project = Project(tmp_path)
    synthetic.generate(project.dataset("synthetic"), speakers=2, words=1, takes=1)  # a smaller one is replaced
    found = datasets.fetch("synthetic", project, offline=True)
    assert len(found) == module("synthetic").RECORDINGS
    assert found["speaker"].nunique() == 8
    small = datasets.fetch("synthetic", project, speakers=2, words=2, takes=1)
    assert len(small) == 4
    assert len(datasets.scan(project.dataset("synthetic"))) == 4


# ---- downloading ----

BODY = np.random.default_rng(5).bytes(1_500_000)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `bodies`; knows ranges and tags; breaks off and slows down on demand."""

    bodies: dict[str, bytes]
    seen: list[str | None]
    break_after: int | None = None
    pause = 0.0
    ranges = True
    tags = True
    shift = 0
    status = 200

    def do_GET(self):
        body, start = self.bodies.get(self.path), 0
        type(self).seen.append(self.headers.get("Range"))
        if body is None or self.status >= 400:
            self.send_error(self.status if body is not None else 404)
            return
        tag = '"' + hashlib.sha256(body).hexdigest()[:8] + '"'
        asked = self.headers.get("Range")
        if asked and self.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            start += self.shift
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if self.tags:
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end, type(self).break_after = type(self).break_after or len(body), None
        for at in range(start, min(end, len(body)), 1 << 16):
            self.wfile.write(body[at : min(at + (1 << 16), end)])
            time.sleep(self.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Handler", (Server,), {"bodies": {"/file.bin": BODY}, "seen": []})
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    running.handle_error = lambda *_: None
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    handler.url = f"http://127.0.0.1:{running.server_port}"
    yield handler
    running.shutdown()
    running.server_close()
    thread.join()


def test_download_and_progress(server, tmp_path):
    told = []

    def progress(blocks, description, total):
        told.append((description, total))
        yield from blocks

    path = download.download(f"{server.url}/file.bin", tmp_path / "file.bin", progress=progress)
    assert path.read_bytes() == BODY
    assert told == [("download file.bin", 6)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]


def test_broken_connections_are_resumed(server, tmp_path):
    server.break_after = 500_000
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin", wait=0)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert server.seen == [None, "bytes=500000-"]


def test_a_killed_download_goes_on(server, tmp_path):
    server.pause = 0.05
    code = "import sys; from audioclust.datasets import download; download.download(sys.argv[1], sys.argv[2])"
    target = tmp_path / "file.bin"
    child = subprocess.Popen([sys.executable, "-c", code, f"{server.url}/file.bin", str(target)])
    part = tmp_path / "file.bin.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    child.wait()
    assert not target.exists()
    held = part.stat().st_size
    assert 100_000 < held < len(BODY)
    server.pause = 0.0
    download.download(f"{server.url}/file.bin", target)
    assert target.read_bytes() == BODY
    assert server.seen == [None, f"bytes={held}-"]


def test_a_file_that_changed_meanwhile_starts_over(server, tmp_path):
    part = tmp_path / "file.bin.part"
    part.write_bytes(b"of another edition")
    (tmp_path / "file.bin.part.tag").write_text('"other"')
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == BODY
    part.write_bytes(BODY + b"too long")
    (tmp_path / "file.bin.part.tag").write_text(f'"{hashlib.sha256(BODY).hexdigest()[:8]}"')
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin", wait=0)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    part.write_bytes(b"of another edition")
    server.ranges = False
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_untagged_and_shifted_parts_are_not_joined(server, tmp_path):
    part = tmp_path / "file.bin.part"
    server.tags = False
    part.write_bytes(b"of another edition")
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert server.seen == [None]
    server.tags, server.shift = True, 1000
    part.write_bytes(BODY[:5000])
    (tmp_path / "file.bin.part.tag").write_text(f'"{hashlib.sha256(BODY).hexdigest()[:8]}"')
    download.download(f"{server.url}/file.bin", tmp_path / "file.bin", wait=0)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert server.seen == [None, "bytes=5000-", None]


@pytest.mark.parametrize("tags", [True, False])
def test_a_download_that_does_not_end_is_stopped(server, tmp_path, tags):
    server.tags = tags
    with pytest.raises(datasets.DownloadError, match=r"more than 0\.001 GB"):
        download.download(f"{server.url}/file.bin", tmp_path / "file.bin", largest=1_000_000)
    assert list(tmp_path.iterdir()) == []
    assert len(server.seen) == 1


def test_downloads_that_cannot_work(server, tmp_path):
    with pytest.raises(OSError, match="404"):
        download.download(f"{server.url}/missing", tmp_path / "x")
    assert len(server.seen) == 1
    server.status = 503
    with pytest.raises(OSError, match="503"):
        download.download(f"{server.url}/file.bin", tmp_path / "x", wait=0)
    assert len(server.seen) == 4
    with pytest.raises(ValueError, match="url='file:///etc/passwd'"):
        download.download("file:///etc/passwd", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.fixture
def remote_fsdd(server, monkeypatch):
    """The catalogue's FSDD, from our server."""
    server.bodies["/fsdd.zip"] = zipped(LAYOUTS["fsdd"][0])
    remote = {"url": f"{server.url}/fsdd.zip", "filename": "fsdd.zip", "sha256": None}
    monkeypatch.setattr(module("fsdd"), "REMOTES", [remote])
    return remote


def test_fetch_downloads_records_and_checks(remote_fsdd, server, tmp_path):
    project = Project(tmp_path)
    found = datasets.fetch("fsdd", project)
    assert list(found["path"]) == LAYOUTS["fsdd"][1]
    folder = project.dataset("fsdd") / "downloads"
    got = hashlib.sha256(server.bodies["/fsdd.zip"]).hexdigest()
    assert files.read_json(folder / "checksums.json") == {"fsdd.zip": got}
    (folder / "prepared.json").unlink()
    (folder / "fsdd.zip").write_bytes(zipped({"other.txt": b""}))
    with pytest.raises(ValueError, match=rf"not {got} recorded in .*checksums.json: delete the file"):
        datasets.fetch("fsdd", project)
    (folder / "fsdd.zip").unlink()  # what the message advises works, with another edition too
    server.bodies["/fsdd.zip"] = zipped(LAYOUTS["fsdd"][0] | {"readme.txt": b"new edition"})
    assert len(datasets.fetch("fsdd", project)) == 2


@pytest.mark.parametrize("content", [zipped({"readme.txt": b"no sound"}), b"<html>maintenance</html>"])
def test_a_bad_archive_is_not_remembered(remote_fsdd, server, tmp_path, content):
    project, right = Project(tmp_path), server.bodies["/fsdd.zip"]
    server.bodies["/fsdd.zip"] = content
    for _ in range(2):
        with pytest.raises(archives.ArchiveError, match=r"delete .*fsdd.zip and fetch again"):
            datasets.fetch("fsdd", project)
    server.bodies["/fsdd.zip"] = right
    (project.dataset("fsdd") / "downloads" / "fsdd.zip").unlink()
    assert len(datasets.fetch("fsdd", project)) == 2


def test_a_name_is_free_after_a_failed_fetch(remote_fsdd, tmp_path):
    (tmp_path / "fsdd").mkdir()
    project = Project(tmp_path / "home")
    with pytest.raises(datasets.DownloadError):
        datasets.fetch("fsdd", project, offline=True)
    assert project.recordings(project.register(tmp_path / "fsdd")) == tmp_path / "fsdd"


def test_wrong_checksum(remote_fsdd, tmp_path):
    remote_fsdd["sha256"] = "0" * 64
    with pytest.raises(ValueError, match=r"fsdd.zip has the sha256 .* not 0000.*of the catalogue"):
        datasets.fetch("fsdd", Project(tmp_path))
    remote_fsdd |= {"sha256": None, "md5": "1" * 32}
    with pytest.raises(ValueError, match=r"has the md5 .*, not 1111"):
        datasets.fetch("fsdd", Project(tmp_path))
    assert not (Project(tmp_path).dataset("fsdd") / "theo").exists()


@pytest.mark.parametrize("switch", ["argument", "variable"])
def test_offline_is_one_clear_message(remote_fsdd, server, tmp_path, monkeypatch, switch):
    monkeypatch.setenv("AUDIOCLUST_OFFLINE", "1" if switch == "variable" else "0")
    project = Project(tmp_path)
    with pytest.raises(datasets.DownloadError) as caught:
        datasets.fetch("fsdd", project, offline=True if switch == "argument" else None)
    message = str(caught.value)
    assert "downloads are switched off" in message
    assert remote_fsdd["url"] in message
    assert str(project.dataset("fsdd") / "downloads") in message
    assert server.seen == []


def test_no_network_is_one_clear_message(remote_fsdd, tmp_path, monkeypatch):
    remote_fsdd["url"] = "http://127.0.0.1:9/fsdd.zip"
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    with pytest.raises(datasets.DownloadError, match=r"cannot be downloaded .*127.0.0.1:9/fsdd.zip by hand"):
        datasets.fetch("fsdd", Project(tmp_path))


def test_a_registered_folder_is_not_fetched_over(remote_fsdd, tmp_path):
    (tmp_path / "own").mkdir()
    project = Project(tmp_path / "project")
    project.register(tmp_path / "own", "fsdd")
    with pytest.raises(ValueError, match=r"dataset='fsdd': stands for .*own"):
        datasets.fetch("fsdd", project)


# ---- archives ----


def evil_zip(name, mode=0o100644):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, "../outside")
    return written.getvalue()


def evil_tar(name, kind=tarfile.REGTYPE, target=""):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        archive.addfile(entry, io.BytesIO())
    return written.getvalue()


EVIL = {
    "parent.zip": (evil_zip("../outside.wav"), "outside"),
    "inner.zip": (evil_zip("a/../../outside.wav"), "outside"),
    "absolute.zip": (evil_zip("/tmp/outside.wav"), "outside"),
    "windows.zip": (evil_zip("..\\outside.wav"), "outside"),
    "drive.zip": (evil_zip("C:/outside.wav"), "outside"),
    "link.zip": (evil_zip("link.wav", 0o120777), "link or device"),
    "parent.tar": (evil_tar("../outside.wav"), "outside"),
    "absolute.tar": (evil_tar("/tmp/outside.wav"), "outside"),
    "link.tar": (evil_tar("link.wav", tarfile.SYMTYPE, "/etc/passwd"), "link or device"),
    "hard.tar": (evil_tar("hard.wav", tarfile.LNKTYPE, "/etc/passwd"), "link or device"),
    "device.tar": (evil_tar("device", tarfile.CHRTYPE), "link or device"),
    "damaged.zip": (zipped({"a.wav": wav()})[:-30], "cannot be unpacked"),
    "damaged.tar.gz": (tarred({"a.wav": wav()})[:300], "cannot be unpacked"),
    "page.zip": (b"<html>not found</html>", "cannot be unpacked"),
}


@pytest.mark.parametrize("name", EVIL)
def test_unsafe_archives_are_refused(name, tmp_path):
    content, reason = EVIL[name]
    (tmp_path / name).write_bytes(content)
    inside = tmp_path / "in" / "side"
    inside.mkdir(parents=True)
    with pytest.raises(archives.ArchiveError, match=reason):
        archives.unpack(tmp_path / name, inside)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(inside)]
    assert written == [tmp_path / name]
    assert not any(path.is_symlink() for path in inside.rglob("*"))


def long_name_tar():
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a" * 3_000_000))
    return written.getvalue()


def damaged_middle():
    """A plain tar whose second header is spoilt: the tarfile module takes that for the end."""
    data = bytearray(gzip.decompress(tarred({"a.wav": b"x", "b.wav": b"y", "c.wav": b"z"})))
    data[1024:1034] = b"!" * 10
    return bytes(data)


def bad_checksum():
    data = bytearray(tarred({"a.wav": wav()}))
    data[-8] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("header.tar.gz", long_name_tar(), "header of 3 MB"),
     ("middle.tar", damaged_middle(), "damaged in the middle"),
     ("middle.tgz", gzip.compress(damaged_middle()), "damaged in the middle"),
     ("crc.tar.gz", bad_checksum(), "CRC"),
     ("short.tar", gzip.decompress(tarred({"a": b"x" * 512}))[:1024], "ends early")],
)  # fmt: skip
def test_damaged_archives_are_noticed(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "in").mkdir()
    with pytest.raises(archives.ArchiveError, match=reason):
        archives.unpack(tmp_path / name, tmp_path / "in")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_flipped_bytes_give_one_kind_of_error(pack, tmp_path):
    rng = np.random.default_rng(3)
    members = {f"{number}.wav": wav(number, 100) for number in range(3)}
    whole = pack(members)
    path = tmp_path / ("x.zip" if pack is zipped else "x.tar.gz")
    for turn in range(150):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 1 + turn % 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        folder = tmp_path / str(turn)
        folder.mkdir()
        try:
            archives.unpack(path, folder)
        except archives.ArchiveError:
            continue
        held = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert set(held.values()) <= set(members.values())


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_folders_count_as_members(pack, tmp_path, monkeypatch):
    path = tmp_path / ("x.zip" if pack is zipped else "x.tar.gz")
    monkeypatch.setattr(archives, "MEMBERS", 3)
    if pack is zipped:
        path.write_bytes(zipped({f"{number}/": b"" for number in range(4)}))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for number in range(4):
                entry = tarfile.TarInfo(str(number))
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
    with pytest.raises(archives.ArchiveError, match="more than 3 files and folders"):
        archives.unpack(path, tmp_path)


def test_a_bomb_is_stopped_by_the_size_of_its_dataset(remote_fsdd, server, tmp_path, monkeypatch):
    server.bodies["/fsdd.zip"] = zipped({"recordings/7_theo_0.wav": bytes(3_000_000)})
    monkeypatch.setattr(module("fsdd"), "BYTES", 500_000)
    monkeypatch.setattr(fetching, "_LEAST", 0)
    with pytest.raises(archives.ArchiveError, match=r"unpacks to more than 0.0015 GB, which its dataset does not need"):
        datasets.fetch("fsdd", Project(tmp_path))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_that_grow_are_stopped(pack, tmp_path, monkeypatch):
    path = tmp_path / f"bomb{'.zip' if pack is zipped else '.tar.gz'}"
    path.write_bytes(pack({f"{number}.wav": bytes(400_000) for number in range(4)}))
    (tmp_path / "in").mkdir()
    with pytest.raises(archives.ArchiveError, match=r"unpacks to more than 0.001 GB"):
        archives.unpack(path, tmp_path / "in", largest=1_000_000)
    assert sum(file.stat().st_size for file in (tmp_path / "in").iterdir()) <= 1_000_000
    monkeypatch.setattr(archives, "MEMBERS", 3)
    with pytest.raises(archives.ArchiveError, match="more than 3 files"):
        archives.unpack(path, tmp_path / "in")


def test_archives_are_unpacked_whole(tmp_path):
    members = {"a/b/ä ö.wav": wav(), "a/leer.txt": b"", "c.wav": wav(1)}
    for name, pack in (("x.zip", zipped), ("x.tar.gz", tarred)):
        (tmp_path / name).write_bytes(pack(members))
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        archives.unpack(tmp_path / name, folder)
        assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == members


def test_an_evil_download_leaves_nothing(remote_fsdd, server, tmp_path):
    server.bodies["/fsdd.zip"] = evil_zip("../../../outside.wav")
    project = Project(tmp_path)
    with pytest.raises(archives.ArchiveError, match="outside"):
        datasets.fetch("fsdd", project)
    assert {path.name for path in project.dataset("fsdd").iterdir()} == {"downloads"}


@pytest.fixture
def birds(monkeypatch):
    """A dataset from outside the package."""
    from audioclust.datasets.catalogue import _registered

    def columns(path):
        return {"species": path.split("_")[0] if "_" in path else None}

    def prepare(unpacked, folder):
        for path in ("wren_1.wav", "owl_1.wav"):
            (folder / path).write_bytes(wav())

    yield types.SimpleNamespace(
        TITLE="Birds", DESCRIPTION="Calls.", HOMEPAGE="", RECORDINGS=2, BYTES=0, LICENSE_INFO="CC0", BIBTEX="@misc{b}",
        REMOTES=[], LABELS={"species": "who calls"}, EXAMPLES={"wren_1.wav": {"species": "wren"}}, columns=columns,
        prepare=prepare,
    )  # fmt: skip
    _registered.clear()


def test_a_dataset_from_outside(birds, tmp_path):
    assert datasets.register(birds, "birds") == "birds"
    assert "birds" in names()
    assert datasets.catalogue().loc["birds", "labels"] == "species"
    assert datasets.rule_for("Birds")("owl_1.wav") == {"species": "owl"}
    found = datasets.fetch("birds", tmp_path, offline=True)
    assert list(found["species"]) == ["owl", "wren"]
    assert list(datasets.scan(tmp_path / "datasets" / "birds", rule=datasets.rule_for("birds"))["species"]) == [
        "owl",
        "wren",
    ]


def test_a_dataset_from_outside_keeps_the_contract(birds):
    assert all(check(module(name)) == [] for name in names())
    with pytest.raises(ValueError, match=r"name='tess': is a dataset of the package"):
        datasets.register(birds, "tess")
    with pytest.raises(ValueError, match=r"name='../x'"):
        datasets.register(birds, "../x")
    birds.EXAMPLES = {"wren_1.wav": {"species": "owl"}}
    with pytest.raises(ValueError, match=r"dataset='birds': columns\('wren_1.wav'\) gives"):
        datasets.register(birds, "birds")
    birds.BYTES = 5
    assert "BYTES and REMOTES" in check(birds)[0]
    del birds.TITLE
    with pytest.raises(ValueError, match="lacks TITLE"):
        datasets.register(birds, "birds")


def test_a_module_of_ones_own_fits(tmp_path):
    """What the documentation says a dataset needs is enough for scanning."""
    own = types.ModuleType("own")
    own.LABELS, own.columns = {"first": "letter"}, lambda path: {"first": path[0]}
    (tmp_path / "x.wav").write_bytes(wav())
    assert list(datasets.scan(tmp_path, rule=own)["first"]) == ["x"]
