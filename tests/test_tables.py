"""The comparison tables: averages by hand, marks, escapes, golden files in every format, the pages they stand in."""

import os
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import opened

from audioclust import clustering as clusterers
from audioclust import features
from audioclust.clustering import registry
from audioclust.report import tables
from audioclust.report.tables import published
from audioclust.report.tables.aggregate import aggregate
from audioclust.report.tables.table import Table, rank

WHAT = ("algorithm", "network")
GOLDEN = Path(__file__).parent / "golden"
NASTY = '=HYPERLINK("x") </script><img src=x onerror=alert(1)> | $a_b$ \\input{x} 100% & `c` **d** [e](http://f)\n#g'


def clustering(feature, algorithm, seed, nmi, acc, **more):
    row = {
        "dataset": "tess", "run": f"04_{feature}", "notebook": "04_classical_clustering", "status": "complete",
        "feature": feature, "vectors": "mean", "algorithm": algorithm, "params": {}, "seed": seed, "label": "label",
        "k": 14.0, "seconds": 0.5, "warnings": [], "error": None, "nmi": nmi, "acc": acc, "n_clusters": 14.0,
        "coverage": 1.0, "nmi_clustered": nmi, "silhouette": 0.25, "davies_bouldin": 1.5, "nuisance_speaker": 0.4,
        "nuisance_duration": 0.05,
    }  # fmt: skip
    return row | more


def failed(feature, algorithm, error):
    row = clustering(feature, algorithm, None, np.nan, np.nan, status="failed", error=error)
    return {name: np.nan if isinstance(value, float) and name != "k" else value for name, value in row.items()}


@pytest.fixture
def runs():
    rows = [
        clustering("mfcc", "kmeans", 0, 0.90, 0.80),
        clustering("mfcc", "kmeans", 1, 0.94, 0.86),
        clustering("mfcc", "agglomerative", None, 0.937, 0.885, params={"linkage": "ward", "n_clusters": 14}),
        clustering("mel", "kmeans", 0, 0.60, 0.50, warnings=["one giant cluster: 97 %"]),
        clustering("mel", "agglomerative", None, 0.30, 0.20, nuisance_speaker=0.70),
        failed("chroma", "dbscan", "ValueError: eps=0"),
        clustering(NASTY, "@" + NASTY, 0, 0.70, 0.60, label="emotion", dataset=NASTY),
    ]
    return pd.DataFrame(rows)


def test_seeds_are_averaged_over_equal_settings_only(runs):
    table = aggregate(runs)
    row = table[(table["feature"] == "mfcc") & (table["algorithm"] == "kmeans")].iloc[0]
    assert row["nmi"] == pytest.approx(0.92)
    assert row["nmi_std"] == pytest.approx(np.std([0.90, 0.94], ddof=1))
    assert row["n"] == 2
    assert np.isnan(table[table["algorithm"] == "agglomerative"]["nmi_std"]).all()
    assert len(table) == 6


def test_a_seed_run_twice_counts_once_and_a_later_success_replaces_an_error():
    twice = pd.DataFrame([clustering("mfcc", "kmeans", 0, 0.1, 0.1), clustering("mfcc", "kmeans", 0, 0.9, 0.9)])
    assert aggregate(twice)[["nmi", "n"]].iloc[0].tolist() == [0.9, 1]
    again = pd.DataFrame([clustering("mel", "dbscan", None, 0.5, 0.5), failed("mel", "dbscan", "killed")])
    row = aggregate(again).iloc[0]
    assert row["nmi"] == 0.5
    assert row["errors"] == []


def test_parameters_as_text_or_mapping_are_one_setting():
    same = [{"m": 1.1, "random_state": 3, "n_clusters": 14}, '{"m": 1.1}']
    table = aggregate(
        pd.DataFrame([clustering("mfcc", "fuzzy_cmeans", s, 0.5, 0.5, params=p) for s, p in enumerate(same)])
    )
    assert len(table) == 1
    assert table["params"][0] == "m=1.1"


def one(tables, title):
    """The table of that title."""
    (found,) = [table for table in tables if table.title == title]
    return found


def places(table, column):
    return {name: row for row, name in enumerate(table.values[column])}


def test_best_per_feature_shows_the_best_and_the_published(runs):
    table = one(tables.comparison(runs)["comparison"], "Best algorithm per feature: tess · label")
    assert list(table.values) == ["feature", "algorithm", "vectors", "NMI", "ACC", "clusters", "published NMI / ACC"]
    row = places(table, "feature")
    assert [table.shown(row["mfcc"], c)[0] for c in ("feature", "algorithm", "vectors")] == [
        "MFCC", "Agglomerative", "mean",
    ]  # fmt: skip
    assert table.shown(row["mfcc"], "NMI") == ("93.7", "")
    assert table.mark(row["mfcc"], "NMI") == 1
    assert table.shown(row["mel"], "algorithm")[0] == "Agglomerative", "K-Means is one giant cluster there"
    assert table.shown(row["mfcc"], "published NMI / ACC")[0] == "94 / 89"
    assert table.shown(row["chroma"], "algorithm")[0] == "–"
    assert any("linkage=ward (MFCC)" in note for note in table.notes)
    assert any("never called the best: 1 of 4" in note for note in table.notes)
    assert "normalised mutual information" in table.caption


def test_networks_have_a_table_of_their_own(runs):
    deep = [clustering("mel", "ae_kmeans", s, 0.95, 0.88, vectors="image z10") for s in (0, 1)]
    deep += [clustering("chroma", "ae_kmeans", 0, 0.5, 0.4, vectors="image z10")]
    made = tables.comparison(pd.concat([runs, pd.DataFrame(deep)]))["comparison"]
    classical, network = (one(made, f"Best {what} per feature: tess · label") for what in WHAT)
    assert classical.shown(places(classical, "feature")["mel"], "algorithm")[0] == "Agglomerative"
    row = places(network, "feature")
    assert network.shown(row["mel"], "algorithm")[0] == "AE + K-Means"
    assert network.shown(row["mel"], "NMI") == ("95.0", "0.0")
    assert network.shown(row["chroma"], "published NMI / ACC")[0] == "– *"
    assert any("contradict" in note for note in network.notes)


def test_scores_by_feature_and_algorithm_name_errors_and_missing_pairs(runs):
    table = one(tables.comparison(runs)["comparison"], "NMI by feature and algorithm: tess · label")
    row = places(table, "algorithm")
    assert table.shown(row["kmeans"], "mfcc") == ("92.0", "2.8")
    assert table.shown(row["dbscan"], "chroma") == ("error", "")
    assert table.shown(row["kmeans"], "chroma") == ("–", "")
    assert [table.mark(row[a], "mfcc") for a in ("agglomerative", "kmeans", "dbscan")] == [1, 2, 0]
    assert [table.mark(row[a], "mel") for a in ("agglomerative", "kmeans")] == [0, 0], "the other one is degenerate"
    assert any("eps=0" in note for note in table.notes)
    assert any("Not ranked: K-Means (" in note for note in table.notes)


def test_every_printed_table_is_narrow_and_has_its_label(runs):
    more = [clustering(f"feature {i}", f"algorithm {j}", 0, 0.1 * i, 0.1) for i in range(9) for j in range(12)]
    made = tables.comparison(pd.concat([runs, pd.DataFrame(more)]))
    for kind in ("comparison", "published", "nuisance"):
        assert all(len(table.columns) <= 8 for table in made[kind]), kind
    assert all(len(table.columns) <= 11 for table in made["full"])
    latex = "".join(made.to_latex(kind) for kind in made)
    assert "resizebox" not in latex
    labels = re.findall(r"\\label\{(.*?)\}", latex)
    assert len(labels) == len(set(labels)) == sum(map(len, made.values()))
    lead = one(made["comparison"], "Best algorithm per feature: tess · label")
    width = max(sum(max(map(len, lead.shown(row, c))) + 3 for c in lead.columns) for row in range(len(lead.values)))
    assert width <= 95, "characters that \\footnotesize has in a line of a page"


def test_csv_keeps_plain_names_and_every_score(runs):
    made = tables.comparison(runs)
    full = pd.read_csv(StringIO(made.to_csv("full")))
    assert {"kmeans", "agglomerative"} <= set(full["algorithm"])
    assert {"Davies-Bouldin", "silhouette", "seconds", "seeds", "parameters"} <= set(full)
    assert "K-Means" in made.to_markdown("full")
    assert "Davies-Bouldin" not in made.to_markdown("full")


def test_nuisance_says_what_the_clusters_follow(runs):
    table = tables.comparison(runs)["nuisance"][0]
    finding = dict(
        zip(zip(table.values["feature"], table.values["algorithm"], strict=True), table.values["finding"], strict=True)
    )
    assert finding["mel", "agglomerative"] == "follows speaker"
    assert finding["mfcc", "kmeans"] == ""
    assert [table.values["finding"][row] != "" for row in range(len(table.values))] == [
        row in table.flagged for row in range(len(table.values))
    ]


def test_full_grid_marks_by_dataset_and_label_and_lower_is_better_where_it_is(runs):
    runs["davies_bouldin"] = [1.0, 1.0, 0.5, 0.1, 2.0, np.nan, 9.0]
    table = one(tables.comparison(runs)["full"], "Every clustering: tess · label")
    assert table.marks["Davies-Bouldin"].tolist() == [2, 1, 0, 0, 0], "the third is degenerate"
    assert table.values["remarks"][4] == "error: ValueError: eps=0"
    assert "NMI (clustered)" not in table.values, "equal to NMI everywhere: no noise"


def test_published_rows_stand_beside_ours(runs):
    images = [
        clustering("spectrogram", "agglomerative", None, 0.80, 0.70, vectors="image_rows"),
        clustering("spectrogram", "agglomerative", None, 0.95, 0.90, vectors="mean_std"),
        clustering("mel", "ae_kmeans", 0, 0.99, 0.99, vectors="image z10"),
        clustering("mel", "ae_kmeans", 0, 0.90, 0.80, vectors="image z128"),
        clustering("mel", "agglomerative", None, 0.99, 0.99, vectors="image"),
    ]
    (table,) = tables.comparison(pd.concat([runs, pd.DataFrame(images)]))["published"]
    rows = {
        key: row for row, key in enumerate(zip(table.values["", "feature"], table.values["", "algorithm"], strict=True))
    }
    ward = rows["mfcc", "Agglomerative"]
    assert table.values["published", "NMI"][ward] == 0.94
    assert table.values["the same here", "NMI"][ward] == 0.937
    assert table.mark(ward, ("published", "NMI")) == table.mark(ward, ("the same here", "NMI")) == 1, "94 is 94"
    same = table.values["the same here", "NMI"]
    assert same[rows["spectrogram", "Agglomerative (image)"]] == 0.80, "an image beside an image"
    assert same[rows["mel", "Agglomerative (array)"]] == 0.30, "an array beside an array"
    assert same[rows["mel", "AE + K-Means (embedding 128)"]] == 0.90, "as large an embedding"
    assert not any(feature == "chroma" and name.startswith("AE") for feature, name in rows)


def test_published_affinity_is_compared_with_the_same():
    row = {"dataset": "audiomnist", "label": "speaker", "feature": "ecapa", "vectors": "embedding", "seed": 0}
    runs = pd.DataFrame(
        [
            {**row, "algorithm": "spectral", "params": {}, "silhouette": 0.5, "davies_bouldin": 0.9},
            {**row, "algorithm": "spectral:rbf", "params": {"affinity": "rbf"}, "silhouette": 0.4},
        ]
    )
    (table,) = tables.comparison(runs)["published"]
    same = dict(zip(table.values["", "algorithm"], table.values["the same here", "silhouette"], strict=True))
    assert same["Spectral (nearest neighbours)"] == 0.5
    assert same["Spectral (rbf affinity)"] == 0.4


def test_published_figures_are_known_by_dataset_and_label():
    assert {f.algorithm for f in published.lookup("MNIST", "digit")} == {"kmeans", "ae_kmeans", "dcec"}
    assert [f.silhouette for f in published.lookup("audiomnist_ecapa", "speaker")] == [0.51, 0.51, 0.51, -0.024]
    assert published.lookup("tess", "emotion") == []
    assert published.lookup("my own folder", "label") == []
    assert all(0 <= f.nmi <= 1 and 0 <= f.acc <= 1 for f in published.lookup("UrbanSound8K", "class"))


def test_without_labels_no_clustering_is_called_the_best(runs):
    bare = runs[runs["dataset"] == "tess"].assign(nmi=np.nan, acc=np.nan, label=None)
    twice = pd.concat([bare, bare.assign(label="missing")])
    made = tables.comparison(twice)
    (table,) = made["comparison"]
    assert table.title == "Without labels: tess"
    assert list(table.columns) == [
        "feature", "algorithm", "vectors", "parameters", "clusters", "coverage", "remarks",
    ]  # fmt: skip
    assert table.marks is None
    assert [table.values["remarks"][row] for row in table.flagged] == ["one giant cluster: 97 %"]
    assert "no row is called the best" in table.caption
    for kind in made:
        for text in (made.to_markdown(kind), made.to_html(kind)):
            shown = re.sub(r"is called the best", "", text)
            assert not re.search(r"NMI|\*\*|in bold|<b>", shown), kind
    assert made["nuisance"] == [], "nothing to compare with"
    stable = tables.comparison(bare.assign(stability=0.8))["comparison"][0]
    assert "stability" in stable.columns


def test_degenerate_clusterings_never_win():
    row = {"dataset": "d", "label": "label", "vectors": "mean", "params": {}, "seed": 0, "coverage": 1.0}
    giant = {"warnings": ["one giant cluster: 97 of 100 clustered recordings"]}
    runs = pd.DataFrame(
        [
            {**row, "feature": "mel", "algorithm": "kmeans", "nmi": 0.4, "n_clusters": 5, "warnings": []},
            {**row, "feature": "mel", "algorithm": "agglomerative", "nmi": 0.6, "n_clusters": 5, **giant},
            {**row, "feature": "mel", "algorithm": "dbscan", "nmi": 0.5, "n_clusters": 1, "warnings": []},
            {**row, "feature": "mfcc", "algorithm": "agglomerative", "nmi": 0.9, "n_clusters": 5, **giant},
        ]
    )
    best, grid = tables.comparison(runs)["comparison"]
    assert best.values["algorithm"].tolist() == ["kmeans", None]
    assert any("3 of 4 clusterings" in note and "nothing else is left of MFCC" in note for note in best.notes)
    assert not grid.marks.to_numpy().any(), "one candidate is the best of nothing"


def test_whatever_a_record_holds_the_tables_are_made(runs):
    odd = clustering("mel", "kmeans", 7, "a text", [1], k="many", warnings=3, coverage="all", dataset=["x"])
    odd |= {"silhouette": {"a": 1}, "nuisance_speaker": "?", "seconds": "long", "error": "", "label": 5, "params": 3}
    expected = tables.comparison(runs)["comparison"][0].to_csv()
    made = tables.comparison(pd.concat([runs, pd.DataFrame([odd])]))
    assert made["comparison"][0].to_csv() == expected
    assert any(table.title == "Every clustering: ['x'] · 5" for table in made["full"])


def test_empty_and_malformed_input():
    assert tables.comparison(pd.DataFrame(columns=["dataset", "algorithm"]))["full"] == []
    with pytest.raises(ValueError, match="lacks the columns"):
        tables.comparison(pd.DataFrame({"nmi": [1.0]}))
    with pytest.raises(ValueError, match="stub=3"):
        Table("t", pd.DataFrame({"a": [1]}), stub=3)


@pytest.mark.parametrize("suffix", ["md", "tex", "csv", "html"])
def test_golden(runs, suffix):
    made = tables.comparison(runs)
    writer = {"md": made.to_markdown, "tex": made.to_latex, "csv": made.to_csv, "html": made.to_html}[suffix]
    text = "\n".join(writer(kind) for kind in made)
    path = GOLDEN / f"tables.{suffix}"
    if os.environ.get("AUDIOCLUST_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_text_never_becomes_markup(runs):
    made = tables.comparison(runs)
    markdown, latex, csv, page = (getattr(made, f"to_{form}")("full") for form in ("markdown", "latex", "csv", "html"))
    assert "<img" not in markdown
    assert "http:" not in markdown
    assert all(
        line.count("|") - line.count("\\|") == markdown.splitlines()[4].count("|")
        for line in markdown.splitlines()[4:11]
    )
    assert "\\input" not in latex
    assert not re.search(r"(?<!\\)[$_](?=a|b)", latex)
    assert all(
        not text.startswith(("=", "@", "+", "-"))
        for text in pd.read_csv(StringIO(csv), dtype=str).fillna("").to_numpy().ravel()
    )
    tags = Tags()
    tags.feed(page)
    assert not {"img", "script"} & tags.seen


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.stack = set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)


def test_rank_ties_both_ways_and_ignores_what_is_not_a_number():
    assert rank(pd.Series([93.71, 93.69, 90.0, np.nan]), decimals=1).tolist() == [1, 1, 2, 0]
    assert rank(pd.Series([3.0, 1.0, 2.0]), decimals=0, largest=False).tolist() == [0, 1, 2]
    assert rank(pd.Series([3.0, np.nan]), decimals=0).tolist() == [0, 0], "nothing to be best of"
    assert rank(pd.Series(["error", 2.0, 1.0], dtype=object), decimals=0).tolist() == [0, 1, 2]


def test_csv_keeps_full_precision_and_reads_back():
    table = Table("t", pd.DataFrame({"name": ["a", "b"], "NMI": [1 / 3, np.nan]}), scale=100.0)
    back = pd.read_csv(StringIO(table.to_csv()))
    assert back["NMI"][0] == pytest.approx(1 / 3, abs=1e-9)
    assert np.isnan(back["NMI"][1])


def test_long_tables_break_over_turned_pages_and_braces_balance(runs):
    many = pd.concat([runs.assign(vectors=f"v{i}") for i in range(10)])
    made = tables.comparison(many)
    latex = made.to_latex("full")
    assert latex.count(r"\begin{landscape}") == latex.count(r"\begin{longtable}") == len(made["full"])
    for kind in made:
        latex = made.to_latex(kind)
        assert latex.count("\\begin{") == latex.count("\\end{")
        bare = re.sub(r"\\[{}]", "", latex)
        assert bare.count("{") == bare.count("}")


def test_write_makes_every_file_and_links_the_runs(runs, tmp_path):
    place = tmp_path / "results" / "tess" / "04_mfcc"
    place.mkdir(parents=True)
    (place / "listen.html").write_text("x")
    (place / "notebook.ipynb").write_text("{}")
    folder = tmp_path / "results" / "tables"
    written = tables.write(runs, folder)
    kinds = ("comparison", "published", "nuisance", "full")
    assert {p.name for p in written} == {"index.html"} | {
        f"{k}.{s}" for k in kinds for s in ("md", "tex", "csv", "html")
    }
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in written), "nothing half-written stays"
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert 'href="../tess/04_mfcc/listen.html"' in index
    assert (folder / "../tess/04_mfcc/listen.html").exists()
    assert 'href="../tess/04_mel/' not in index, "nothing there to link to"
    assert "onerror=alert(1)>" not in index
    assert "default-src 'none'" in index
    assert "http://" not in index.replace("http://f", "")


@pytest.mark.slow
def test_in_a_browser_no_table_is_cut_at_1280_pixels(runs, tmp_path):
    rows = [
        clustering(feature, algorithm, seed, 0.973 - seed / 100, 0.983, vectors="mean_std_delta", params={"n_init": 50})
        for feature in features.FEATURES
        for algorithm in ("kmeans:cosine", "agglomerative:average", "fuzzy_cmeans", "ae_agglomerative")
        for seed in (0, 1)
    ]
    unlabelled = [row | {"dataset": "folder", "nmi": np.nan, "acc": np.nan, "label": None} for row in rows]
    everything = pd.concat([runs[runs["dataset"] == "tess"], pd.DataFrame(rows + unlabelled)])
    pages = [page for page in tables.write(everything, tmp_path / "tables") if page.suffix == ".html"]
    with opened(pages[0], tmp_path / "profile", width=1280) as seen:
        for page in pages:
            seen.go(page)
            cut = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
            assert seen.ask("innerWidth") == 1280
            assert seen.ask("document.querySelectorAll('.scroll').length") >= 1, page.name
            assert seen.ask(f"{cut}.map(box => box.closest('figure').id)") == [], page.name


def test_what_others_register_has_its_title_and_place(runs, monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    clusterers.register("toy", "sklearn.cluster:Birch", title="Toy Trees")
    clusterers.register("toy_net", "sklearn.cluster:Birch", title="Toy Net", takes="images", network=True)
    features.register(features.Feature("loudness", lambda spectrum: spectrum, title="Loudness"))
    try:
        toys = [clustering("loudness", "toy", 0, 0.5, 0.5), clustering("loudness", "toy_net", 0, 0.6, 0.6)]
        made = tables.comparison(pd.concat([runs, pd.DataFrame(toys)]))["comparison"]
        classical, network = (one(made, f"Best {what} per feature: tess · label") for what in WHAT)
        assert classical.values["feature"].tolist() == ["mel", "chroma", "mfcc", "loudness"]
        assert "| Loudness | Toy Trees |" in classical.to_markdown()
        assert "| Loudness | Toy Net |" in network.to_markdown()
    finally:
        features.unregister("loudness")


def test_page_allows_its_own_script_only(runs):
    page = tables.page("t", tables.comparison(runs)["comparison"])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "sha256-" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert len(re.findall(r"<script", page)) == 1


def test_noise_as_singletons_does_not_win():
    row = {"dataset": "d", "label": "label", "feature": "mel", "vectors": "mean", "params": {}, "seed": 0}
    runs = pd.DataFrame(
        [
            {**row, "algorithm": "kmeans", "nmi": 0.4, "acc": 0.5, "coverage": 1.0},
            {**row, "algorithm": "ward", "nmi": 0.3, "acc": 0.4, "coverage": 1.0},
            {**row, "algorithm": "hdbscan", "nmi": 0.6, "acc": 0.1, "coverage": 0.3},
        ]
    )
    best, nmi, *_ = tables.comparison(runs)["comparison"]
    assert "K-Means" in best.to_markdown()
    assert "HDBSCAN" not in best.to_markdown()
    assert "**40.0**" in nmi.to_markdown()
    assert "Not ranked: HDBSCAN (Mel spectrogram)" in nmi.to_markdown()


def test_says_where_dcec_is_worse_than_what_it_began_with():
    row = {"dataset": "d", "label": "label", "vectors": "image", "params": {}, "seed": 0}
    figures = {"mel": (0.8, 0.7, 0.9, 0.6), "chroma": (0.8, 0.7, 0.7, 0.8), "mfcc": (0.8, 0.7, 0.8, 0.7)}
    runs = pd.DataFrame(
        [
            {**row, "feature": feature, "algorithm": algorithm, "nmi": nmi, "acc": acc}
            for feature, (base, base_acc, deep, deep_acc) in figures.items()
            for algorithm, nmi, acc in (("ae_kmeans", base, base_acc), ("dcec", deep, deep_acc))
        ]
    )
    _, nmi, acc = (table.to_markdown() for table in tables.comparison(runs)["comparison"])
    assert "DCEC: below its AE + K-Means with Chroma." in nmi
    assert "DCEC: below its AE + K-Means with Mel spectrogram." in acc
