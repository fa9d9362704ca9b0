"""The page to look and listen, in a real browser: it opens, plays, is corrected, by mouse and by keyboard alone."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from browser import opened

from audioclust import report
from audioclust.curation import corrections

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
NAMES = [
    "plain.wav", "<img src=x onerror=alert(1)>.wav", "<∕script><script>alert(2)<∕script>.wav",
    "\"'`quoted.wav", "<∕style>.wav", "javascript:alert(3).wav", "left\u202egnp.wav", "two\nlines.wav",
    "%41 #1? &amp; $x_1$.wav", "naïve ☃ 😀 very long name that does not fit into a line and differs at its end 17.wav",
]  # fmt: skip
LABELS = ["</script><script>alert(4)</script>", "x" * 500, "<b>bold</b>", "</style><style>*{display:none}</style>"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    blank = tmp_path_factory.mktemp("blank") / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    with opened(blank, tmp_path_factory.mktemp("profile"), width=1400) as seen:
        yield seen


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Index, labels, folder and places of 160 short tones under names that try to break out."""
    root = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    paths = [f"{row:03d} {NAMES[row % len(NAMES)]}" for row in range(160)]
    for row, path in enumerate(paths):
        times = np.arange(int(0.4 * RATE)) / RATE
        soundfile.write(root / path, 0.3 * np.sin(2 * np.pi * (200 + 10 * row) * times), RATE)
    labels = np.repeat([0, 1, 2, 3], 40)
    labels[-4:] = -1
    index = pd.DataFrame(
        {
            "path": paths,
            "label": [LABELS[row // 40] for row in range(160)],
            "pitch": 200.0 + 10 * np.arange(160),
            "duration": 0.4,
            "sha256": [hashlib.sha256((root / path).read_bytes()).hexdigest() for path in paths],
        }
    )
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])
    places = corners[np.repeat([0, 1, 2, 3], 40)] + rng.normal(size=(160, 2))
    return index, labels, root, places


def written(voices, out, **options):
    index, labels, root, places = voices
    return report.listen(index, labels, root, out, positions=places, **options)


@pytest.fixture(scope="module")
def page(voices, tmp_path_factory):
    labels = voices[1]
    coarse = np.where(labels < 0, -1, labels // 2)
    confidence = np.repeat([0.2, 0.9], 80)
    out = tmp_path_factory.mktemp("page") / "listen.html"
    return written(voices, out, levels=[coarse], confidence=confidence, title="</title><script>alert(5)</script>")


def show(browser, page, *, dark=False, width=1400, height=900):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.send("Emulation.setEmulatedMedia", features=scheme)
    browser.complaints.clear()
    browser.ask("localStorage.clear()")
    browser.go(page)
    browser.until(lambda: browser.ask("globalThis.audioclust ? true : null"))
    return browser


def place(seen, row):
    """Where a recording stands in the window."""
    seen.ask("globalThis.box_ = document.querySelector('.map').getBoundingClientRect()")
    return seen.ask(f"(p => [box_.left + p[0], box_.top + p[1]])(audioclust.map.place({row}))")


def plays(seen):
    return seen.until(lambda: seen.ask("audioclust.player.element.currentTime > 0.02 || null"))


def kinds(seen):
    return [each["kind"] for each in seen.ask("audioclust.corrections()")["corrections"]]


def choose_tab(seen, name):
    press_button(seen, "[role=tab]", name)


def change(seen, selector, value, event="change"):
    """Fill in a field, as a user who then leaves it."""
    field = f"document.querySelector({json.dumps(selector)})"
    seen.ask(f"(field => {{ field.value = {json.dumps(value)}; field.dispatchEvent(new Event('{event}')); }})({field})")


def press_button(seen, box, text):
    """Click on a button or label by its text."""
    seen.ask(f"[...document.querySelectorAll('{box}')].find(each => each.textContent === '{text}').click()")


def colour_by(seen, name):
    change(seen, "select[aria-label='Colour by']", name)


# Opening and playing -----------------------------------------------------------------------------------------------


def test_it_opens_without_a_complaint_and_names_stay_text(browser, page, voices):
    seen = show(browser, page)
    assert seen.ask("document.querySelector('h1').textContent") == "</title><script>alert(5)</script>"
    for row in (*range(10), 45, 130):
        seen.ask(f"audioclust.choose({row})")
        name = voices[0]["path"][row].replace("\n", "\ufffd").replace("\u202e", "\ufffd")
        assert seen.ask("document.querySelector('.now h2').textContent") == name
    for tab in ("Details", "Table", "Corrections", "Group"):
        choose_tab(seen, tab)
    colour_by(seen, "label")
    assert seen.ask("document.querySelector('.legend').textContent").count("</script><script>alert(4)</script>") == 1
    inside = "#explorer img, #explorer script, #explorer style, #explorer a, #explorer iframe, b b"
    assert seen.ask(f"document.querySelectorAll('{inside}').length") == 0
    assert seen.complaints == []


@pytest.mark.parametrize("megabytes", [20, 0], ids=["in the page", "from their files"])
def test_a_click_on_the_map_plays(browser, voices, page, tmp_path, megabytes):
    path = page if megabytes else written(voices, tmp_path / "linked.html", embed_megabytes=0)
    seen = show(browser, path)
    for row in (5, 91):
        seen.click(*place(seen, row))
        assert seen.until(lambda: seen.ask("audioclust.store.current")) == row
        assert plays(seen)
        assert seen.ask("audioclust.player.element.duration") == pytest.approx(0.4, abs=0.15)
    assert seen.complaints == []


def test_missing_sound_is_said(browser, voices, tmp_path):
    index, labels, _, places = voices
    seen = show(
        browser,
        report.listen(index, labels, tmp_path / "gone", tmp_path / "l.html", positions=places, embed_megabytes=0),
    )
    seen.click(*place(seen, 7))
    said = seen.until(lambda: seen.ask("document.querySelector('.problem:not([hidden])')?.textContent"))
    assert "does not play from where it was" in said
    assert said.replace("\ufffd", "\n").endswith(f"{index['path'][7]}.")
    assert "does not play" in seen.ask("document.querySelector('.status').textContent")


def test_play_all_plays_one_after_the_other(browser, page):
    seen = show(browser, page)
    press_button(seen, ".sheet button", "Play all")
    heard = {seen.until(lambda: seen.ask("audioclust.store.current"))}
    seen.until(lambda: heard.add(seen.ask("audioclust.store.current")) or (True if len(heard) >= 3 else None))
    press_button(seen, ".sheet button", "Stop")
    assert seen.ask("audioclust.player.queue.length") == 0
    assert seen.ask("audioclust.player.element.paused")


# By keyboard -------------------------------------------------------------------------------------------------------


def test_everything_by_keyboard_alone(browser, page):
    seen = show(browser, page)
    stops = []
    for _ in range(60):
        seen.press("Tab")
        stops.append(
            seen.ask("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
        if stops[-1] == "Map of the recordings":
            break
    assert stops[-1] == "Map of the recordings", stops
    seen.press("ArrowRight")
    first = seen.ask("audioclust.store.current")
    for _ in range(40):
        seen.press("ArrowRight")
    there = seen.ask("audioclust.store.current")
    assert seen.ask(f"audioclust.map.x[{there}] - audioclust.map.x[{first}]") > 0
    assert seen.ask(
        f"document.querySelector('.status').textContent.startsWith(audioclust.store.names[{there}].slice(0, 3))"
    )
    seen.press("Enter")
    assert plays(seen)
    for key, kind in (("s", "same"), ("d", "different"), ("n", "outside"), ("x", "split"), ("v", "several")):
        seen.press(key)
        assert kind in kinds(seen), key
    assert kinds(seen) == ["different", "split", "several"], "what says otherwise is replaced"
    seen.press("a", "ArrowLeft", "a", "ArrowLeft", "a")
    assert len(seen.ask("audioclust.store.picked")) == 3
    seen.press("a", "s")
    assert len(seen.ask("audioclust.corrections()")["corrections"][-1]["recordings"]) == 2
    seen.press("u", "Escape")
    assert seen.ask("audioclust.store.picked") == []
    seen.press("u", "u", "u")
    assert kinds(seen) == ["different", "outside"] or kinds(seen) == ["different"]
    while seen.ask("document.activeElement.getAttribute('role')") != "tab":
        seen.press("Tab")
    seen.press("ArrowRight", "ArrowRight")
    assert seen.ask("document.querySelector('[role=tab][aria-selected=true]').textContent") == "Table"
    while not seen.ask("document.activeElement.matches('tbody button')"):
        seen.press("Tab")
    before = seen.ask("document.activeElement.dataset.row")
    seen.press("ArrowDown", "ArrowDown", "Enter")
    assert seen.ask("document.activeElement.dataset.row") != before
    assert str(seen.ask("audioclust.store.current")) == seen.ask("document.activeElement.dataset.row")
    seen.press("End")
    assert seen.ask("document.activeElement.dataset.row") == "159"


def test_letters_act_on_the_map_only_and_can_be_turned_off(browser, page):
    seen = show(browser, page)
    seen.ask("audioclust.choose(1); document.querySelector('input[type=search]').focus()")
    seen.press("v", "s")
    assert kinds(seen) == []
    seen.ask("document.querySelector('.map').focus()")
    seen.press("v")
    assert kinds(seen) == ["several"]
    press_button(seen, ".tools label", "Letter keys")
    seen.ask("document.querySelector('.map').focus()")
    seen.press("u", "x")
    assert kinds(seen) == ["several"]
    seen.ask("document.querySelector('.over button').focus()")
    seen.press(" ")
    assert seen.ask("document.activeElement.ariaPressed") == "true", "Space presses the button that has the focus"


def test_tab_stops_are_few(browser, page):
    seen = show(browser, page)
    seen.ask("audioclust.choose(3)")
    for tab in ("Group", "Table"):
        choose_tab(seen, tab)
        stops = "[...document.querySelectorAll('button, input, select, audio, [tabindex]')]"
        assert seen.ask(f"{stops}.filter(each => each.tabIndex >= 0 && each.offsetParent).length") < 45


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_has_nothing_to_say(browser, page, dark):
    source = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        pytest.skip("axe-core is not installed here: npm ci")
    seen = show(browser, page, dark=dark)
    seen.ask(source.read_text(encoding="utf-8") + ";0")
    seen.ask("audioclust.choose(3)")
    seen.ask("audioclust.store.pick([1, 2]); document.querySelector('.acts button').click(); audioclust.store.pick([])")
    for tab in ("Group", "Details", "Table", "Corrections"):
        choose_tab(seen, tab)
        found = seen.ask(
            "axe.run().then(found => found.violations.map(each => [each.id, each.nodes.map(node => node.html)]))",
            wait=True,
        )
        assert found == [], tab


def test_colours_stand_out_from_their_ground(browser, page):
    for dark in (False, True):
        seen = show(browser, page, dark=dark)
        for column in ("group", "pitch"):
            colour_by(seen, column)
            least = seen.ask(
                "(() => { const light = n => [n & 255, n >> 8 & 255, n >> 16 & 255].map(v => v / 255)"
                ".map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)"
                ".reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);"
                " const ground = light(audioclust.map.paper);"
                " return Math.min(...audioclust.map.coding.packed.map(light).map(v => "
                "(Math.max(v, ground) + .05) / (Math.min(v, ground) + .05))); })()"
            )
            assert least >= 3, (dark, column)


# Looking -----------------------------------------------------------------------------------------------------------


def test_search_filter_levels_and_colours(browser, page):
    seen = show(browser, page)
    change(seen, "[type=search]", "BOLD plain", "input")
    assert seen.until(lambda: seen.ask("document.querySelector('.count').textContent || null")) == "4 of 160"
    choose_tab(seen, "Table")
    assert seen.ask("document.querySelectorAll('tbody button').length") == 4
    press_button(seen, ".table button", "Select all of these")
    assert len(seen.ask("audioclust.store.picked")) == 4
    press_button(seen, ".table button", "Clear the selection")
    seen.ask("audioclust.store.search('')")
    seen.ask("document.querySelectorAll('.legend [data-code]')[1].click()")
    assert seen.ask("document.querySelector('.count').textContent") == "120 of 160"
    seen.ask("document.querySelector('.levels input[value=\"1\"]').click()")
    assert seen.ask("audioclust.store.shown") == 160, "another column is another filter"
    assert seen.ask("document.querySelectorAll('.legend [data-code]').length") == 3
    assert "in no group" in seen.ask("document.querySelector('.legend').textContent")
    colour_by(seen, "pitch")
    change(seen, ".range input", 1000, "input")
    assert seen.ask("audioclust.store.shown") == 80
    press_button(seen, ".tools label", "Confidence")
    assert "confidence below 0.5: 80" in seen.ask("document.querySelector('.legend').textContent")


def test_the_table_sorts_by_every_column(browser, page):
    seen = show(browser, page)
    choose_tab(seen, "Table")
    names = seen.ask("[...document.querySelectorAll('thead button')].map(button => button.textContent)")
    assert names == ["name", "group", "confidence", "label", "pitch", "duration"]
    head = "document.querySelectorAll('thead button')[4]"
    seen.ask(f"{head}.click()")
    assert seen.ask("document.querySelector('tbody button').dataset.row") == "159"
    assert seen.ask("document.querySelectorAll('thead th')[4].ariaSort") == "descending"
    seen.ask(f"{head}.click()")
    assert seen.ask("document.querySelector('tbody button').dataset.row") == "0"
    assert seen.ask("document.querySelectorAll('tbody tr').length") < 60, "what is not seen is not there"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_chosen_one_has_a_ring_in_the_colour_of_text(browser, page, dark):
    seen = show(browser, page, dark=dark)
    seen.ask("audioclust.choose(20)")
    pixels = "audioclust.map.overlay.getContext('2d').getImageData(x - 1 + (audioclust.map.radius + 4), y, 3, 1).data"
    ring = seen.ask(f"(([x, y]) => [...{pixels}])(audioclust.map.place(20))")
    ink = seen.ask("getComputedStyle(audioclust.map.box).color.match(/\\d+/g).map(Number)")
    assert any(np.abs(np.subtract(ring[at : at + 3], ink)).max() < 40 for at in (0, 4, 8)), (ring, ink)


def test_the_card_stays_inside_the_map(browser, page):
    seen = show(browser, page)
    for row in (0, 45, 90, 130, 159):
        x, y = place(seen, row)
        seen.send("Input.dispatchMouseEvent", type="mouseMoved", x=x + 30, y=y)
        seen.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        inside = seen.ask(
            "((a, b) => a.width > 100 && a.left >= b.left && a.right <= b.right && a.top >= b.top"
            " && a.bottom <= b.bottom)"
            "(document.querySelector('.hover').getBoundingClientRect(), box_)"
        )
        assert inside, row


def test_it_fits_a_phone(browser, page):
    seen = show(browser, page, width=360, height=740)
    seen.ask("audioclust.choose(9)")
    for tab in ("Group", "Details", "Table", "Corrections"):
        choose_tab(seen, tab)
        assert seen.ask("document.documentElement.scrollWidth") <= 360, tab
    seen.ask("scrollTo(0, 0)")
    seen.click(*place(seen, 100))
    assert seen.until(lambda: seen.ask("audioclust.store.current")) == 100


# Corrections -------------------------------------------------------------------------------------------------------


def test_a_lasso_picks_and_what_is_said_of_it_comes_back(browser, page, voices, tmp_path):
    index, labels, *_ = voices
    seen = show(browser, page)
    places = [place(seen, row) for row in np.flatnonzero(labels == 1)]
    (left, top), (right, bottom) = np.min(places, axis=0) - 8, np.max(places, axis=0) + 8
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 2)]
    seen.drag([(float(x), float(y)) for x, y in corners], shift=True)
    assert seen.ask("audioclust.store.picked") == np.flatnonzero(labels == 1).tolist()
    press_button(seen, ".acts button", "Split off")
    change(seen, ".acts select", "2")
    assert kinds(seen) == ["move"], "the same recordings cannot be split off and moved"
    seen.ask("audioclust.store.pick([]); audioclust.choose(3)")
    change(seen, ".sheet [type=text]", "<b>Anna</b>")
    assert seen.ask("document.querySelector('.legend').textContent").startswith("<b>Anna</b>")
    saved = seen.ask("audioclust.corrections()")
    move, name = saved["corrections"]
    assert move["recordings"] == index["sha256"][labels == 1].tolist()
    assert set(move["group"]) <= set(index["sha256"][labels == 2])
    assert (name["name"], name["cluster"]) == ("<b>Anna</b>", 0)
    assert saved["recordings"][index["sha256"][45]] == index["path"][45]
    seen.go(page)
    seen.until(lambda: seen.ask("globalThis.audioclust ? true : null"))
    assert seen.ask("audioclust.corrections()") == saved, "kept by the browser"
    assert seen.complaints == []


def load(seen, path):
    """Give the page a file of corrections as a user does; return what it says."""
    root = seen.send("DOM.getDocument")["root"]["nodeId"]
    node = seen.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    seen.ask("document.querySelector('.saved [role=status]').textContent = ''")
    seen.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])
    return seen.until(lambda: seen.ask("document.querySelector('.saved [role=status]').textContent || null"))


def test_files_are_read_by_the_page(browser, page, voices, tmp_path):
    index = voices[0]
    a, b, c = index["sha256"][:3]
    seen = show(browser, page)
    file = tmp_path / "corrections.json"
    gone = "f" * 64
    said = [
        {"kind": "same", "recordings": [a, b]},
        {"kind": "same", "recordings": [a, gone]},
        {"kind": "name", "name": "Ben", "group": [c, gone], "cluster": 9},
        {"kind": "different", "recordings": [b, a]},
    ]
    recordings = {a: "old/a.wav", b: "old/b.wav", c: "old/c.wav", gone: "old/gone.wav"}
    file.write_text(json.dumps({"format": "audioclust-corrections-2", "recordings": recordings, "corrections": said}))
    assert load(seen, file) == "3 corrections read; 1 about recordings that are not here, kept for the next saving."
    saved = seen.ask("audioclust.corrections()")
    assert [each["kind"] for each in saved["corrections"]] == ["same", "name", "different"], "the later one counts"
    assert saved["corrections"][0]["recordings"] == [a, gone]
    assert saved["recordings"][gone] == "old/gone.wav"
    assert saved["corrections"][1]["cluster"] == 0, "the group that its recordings are in now"
    former = {"format": "audioclust-corrections-1", "names": {"1": "Cleo", "77": "nobody"}, "cannot_link": []}
    file.write_text(
        json.dumps({**former, "must_link": [index["path"][3:5].tolist(), ["elsewhere.wav", index["path"][0]]]})
    )
    assert load(seen, file).startswith("2 corrections read; 1 about recordings")
    assert kinds(seen).count("same") == 3
    for content in ("nonsense", "{}", '{"format": "audioclust-corrections-2", "corrections": [{"kind": "alert"}]}'):
        file.write_text(content)
        assert "cannot be read" in load(seen, file)
    assert kinds(seen).count("same") == 3
    assert seen.complaints == []


def test_what_is_saved_is_read_by_another_page(browser, page, voices, tmp_path):
    index, labels, root, places = voices
    seen = show(browser, page)
    seen.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    seen.ask("audioclust.choose(50); document.querySelector('.map').focus()")
    seen.press("v", "n", "d")
    change(seen, ".sheet [type=text]", "Anna")
    choose_tab(seen, "Corrections")
    press_button(seen, ".saved button", "Save as JSON")
    file = tmp_path / "corrections.json"
    saved = seen.until(lambda: json.loads(file.read_text(encoding="utf-8")), OSError, ValueError)
    assert saved == seen.ask("audioclust.corrections()")
    heard = corrections.read(file).of(index)
    assert [each.kind for each in heard.entries] == [each["kind"] for each in saved["corrections"]]
    assert heard.several == (50,)
    assert heard.named(labels) == {1: "Anna"}
    shuffled = np.random.default_rng(1).permutation(160)
    moved = index.iloc[shuffled].reset_index(drop=True).assign(path=[f"copy {row}.wav" for row in range(160)])
    other = report.listen(
        moved,
        3 - np.maximum(labels, 0)[shuffled],
        root,
        tmp_path / "other.html",
        positions=places[shuffled],
        embed_megabytes=0,
    )
    seen = show(browser, other)
    choose_tab(seen, "Corrections")
    assert load(seen, file) == "4 corrections read."
    again = {each["kind"]: each for each in seen.ask("audioclust.corrections()")["corrections"]}
    assert again["several"]["recordings"] == [index["sha256"][50]]
    assert again["name"]["cluster"] == 2, "the same recordings, under another number"
    assert seen.complaints == []


def test_a_name_of_another_level_stays_with_that_level(browser, page):
    seen = show(browser, page)
    seen.ask("document.querySelector('.levels input[value=\"1\"]').click()")
    seen.ask("audioclust.choose(0)")
    change(seen, ".sheet [type=text]", "women")
    for _ in range(2):
        assert seen.ask("audioclust.store.groupName(0, audioclust.store.groupings[1])") == "women"
        assert seen.ask("audioclust.store.groupName(0, audioclust.store.groupings[0])") == "group 0"
        seen.go(page)
        seen.until(lambda: seen.ask("globalThis.audioclust ? true : null"))


# Few, many, odd ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_recordings(browser, voices, tmp_path, n):
    index, labels, root, places = voices
    seen = show(
        browser, report.listen(index[:n], labels[:n], root, tmp_path / "l.html", positions=places[:n] if n else None)
    )
    if n:
        seen.click(*place(seen, n - 1))
        assert plays(seen)
        seen.ask("document.querySelector('.map').focus()")
        seen.press("ArrowRight", "ArrowUp", "s", "x", "?")
    else:
        assert seen.ask("document.querySelector('#explorer').textContent") == "No recordings."
    assert seen.complaints == []


@pytest.mark.parametrize("case", ["noise", "300 groups", "no map"])
def test_odd_clusterings(browser, voices, tmp_path, case):
    index, _, root, places = voices
    labels = {"noise": np.full(160, -1), "300 groups": np.arange(160) * 2, "no map": np.zeros(160, dtype=int)}[case]
    options = {} if case == "no map" else {"positions": places}
    seen = show(browser, report.listen(index, labels, root, tmp_path / "l.html", embed_megabytes=0, **options))
    seen.ask("audioclust.choose(150, {play: true})")
    assert plays(seen)
    assert seen.ask("document.querySelector('.sheet select').options.length") == len(set(labels))
    assert seen.complaints == []


def test_twenty_thousand(browser, tmp_path):
    n, rng = 20_000, np.random.default_rng(0)
    labels = rng.integers(0, 300, n)
    index = pd.DataFrame(
        {"path": [f"speaker_{who:03d}/{row:06d}.wav" for row, who in enumerate(labels)], "duration": 1.0}
    )
    page = report.listen(
        index, labels, tmp_path, tmp_path / "l.html", positions=rng.normal(size=(n, 2)), embed_megabytes=0
    )
    assert page.stat().st_size < 2e6
    seen = show(browser, page)
    assert "no pictures, to keep the page small" in seen.ask("document.querySelector('header p').textContent")
    choose_tab(seen, "Table")
    assert seen.ask("document.querySelectorAll('*').length") < 2500
    seen.ask("document.querySelector('.table .scroller').scrollTop = 33 * 12000")
    assert seen.until(lambda: seen.ask("document.querySelector('tbody [data-row=\"12003\"]') ? true : null"))
    seen.ask("audioclust.store.search('speaker_007/')")
    assert seen.ask("audioclust.store.shown") == int((labels == 7).sum())
    draws = "audioclust.map.moving = true; for (let k = 0; k < 10; k++) audioclust.map.draw()"
    draw = f"(start => {{ {draws}; return (performance.now() - start) / 10; }})(performance.now())"
    assert seen.ask(draw) < 100, "ms, on a machine that does other things"
    assert seen.complaints == []
