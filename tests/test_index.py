"""The page of all runs: what is on it, in which order, escaped; sorted, filtered and looked at in a browser."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from audioclust import report
from tests.browser import opened

BAD = "<script>alert(1)</script>\"' </style> javascript:x"


def row(dataset, algorithm, nmi, agreement, *, feature="mfcc", label="label", run="run", **more):
    known = {"dataset": dataset, "algorithm": algorithm, "nmi": nmi, "acc": nmi, "agreement": agreement}
    known |= {"feature": feature, "label": label, "run": run, "vectors": "mean", "n_clusters": 3, "seed": 0}
    return known | {"params": {}, "warnings": [], "error": None} | more


@pytest.fixture
def written(tmp_path):
    """A page of three datasets, one with published figures, one without labels, one with names that mean harm."""
    results = tmp_path / "my results"
    run = results / "tess" / "04 mel"
    (run / "figures").mkdir(parents=True)
    for name in ("listen.html", "notebook.ipynb"):
        (run / name).write_text("{}")
    figure = plt.figure(figsize=(2, 1))
    figure.savefig(run / "figures" / "map.png", dpi=100)
    plt.close(figure)
    rows = [row("tess", "kmeans", 0.6, 0.5, feature="mel", run="04 mel")]
    rows += [row("tess", "agglomerative", 0.4, 0.7, feature="mel")]
    rows += [row("tess", "dbscan", 0.9, 0.1, feature="chroma", warnings=["one giant cluster"])]
    rows += [row("tess", "kmeans", 0.3 - i / 100, 0.3, vectors=f"mean{i}") for i in range(8)]
    rows += [row("field", "auto", np.nan, np.nan, label=None), row(BAD, BAD, 0.2, 0.2, feature=BAD, run=BAD)]
    return report.index(pd.DataFrame(rows), results)


def test_what_was_chosen_without_labels_stands_first(written):
    page = written.read_text(encoding="utf-8")
    headings = re.findall("<h2>([^<]*)</h2>", page)
    assert headings[:2] == ["Chosen without labels", "tess · label"]
    assert headings[-1] == "Runs"
    chosen = page[page.index("Chosen without labels") : page.index("<h2>tess")]
    assert "Agglomerative" in chosen  # the most confirmed one; labels would have picked K-Means
    assert "DBSCAN" not in chosen
    assert re.findall(r"[46]0\.0", chosen)[-1] == "60.0"  # what the best row reaches
    assert "40.0" in chosen
    assert "field" in chosen


def test_published_figures_have_columns_of_their_own(written):
    page = written.read_text(encoding="utf-8")
    tess = page[page.index("<h2>tess") : page.index("<h2>field")]
    assert re.findall("<th scope=col class=num>(published [^<]*)<", tess) == ["published NMI", "published ACC"]
    field = page[page.index("<h2>field") :]
    assert "published" not in field[: field.index("</figure>")]


def test_runs_are_linked_where_something_is_there(written):
    page = written.read_text(encoding="utf-8")
    for address in ("tess/04%20mel/listen.html", "tess/04%20mel/notebook.ipynb"):
        assert page.count(f'<a href="{address}"') == 2  # in the table and in the list of runs
    assert '<img loading=lazy src="tess/04%20mel/figures/map.png" alt="map">' in page
    assert "field/run/listen" not in page


def test_nothing_of_the_data_is_markup(written):
    page = written.read_text(encoding="utf-8")
    assert len(re.findall("<script", page)) == 1
    assert len(re.findall("</style>", page)) == 1
    assert 'href="javascript:' not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_in_a_browser_it_sorts_filters_and_shows_the_figures(written, tmp_path):
    table = "document.getElementById('tess-label').querySelector('table')"
    shown = f"[...{table}.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[1].textContent)"
    with opened(written, tmp_path / "profile", width=1280) as seen:
        assert seen.ask("document.querySelectorAll('.scroll').length") == 4
        cut = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
        assert seen.ask(f"{cut}.map(box => box.closest('figure').id)") == []
        assert seen.ask(shown)[0] == "Agglomerative"
        sort = "[...{}.tHead.lastElementChild.cells].find(cell => cell.textContent == 'NMI')"
        seen.ask(f"{sort.format(table)}.click()")
        assert seen.ask(shown)[0] == "DBSCAN"
        field = "document.querySelector('#tess-label input[type=search]')"
        seen.ask(f"{field}.value = 'k-means MEAN3'; {field}.dispatchEvent(new Event('input'))")
        assert seen.ask(shown) == ["K-Means"]
        assert seen.ask("document.querySelector('#tess-label output').value") == "1 of 11"
        assert seen.ask("document.querySelectorAll('figcaption input').length") == 1  # short tables need none
        seen.ask("document.querySelector('.runs details').open = true")
        seen.ask("document.querySelector('.runs img').scrollIntoView()")
        loaded = (
            "document.querySelector('.runs img').complete && document.querySelector('.runs img').naturalWidth || null"
        )
        assert seen.until(lambda: seen.ask(loaded)) == 200


def test_one_clustering_is_what_there_is(tmp_path):
    page = report.index(pd.DataFrame([{"dataset": "d", "algorithm": "kmeans"}]), tmp_path).read_text(encoding="utf-8")
    assert "K-Means" in page
