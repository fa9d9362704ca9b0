"""Figures: each holds what it must show, leaves matplotlib as it was, and is closed once saved."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from audioclust.report import plots

RATE = 22050


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    plt.close("all")


@pytest.fixture
def tone():
    seconds = np.arange(RATE) / RATE
    return 0.5 * np.sin(2 * np.pi * 3000 * seconds)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_waveform_keeps_every_peak_of_a_long_recording(tone):
    tone[12345] = 0.95
    ax = plots.waveform(tone, RATE)
    (filled,) = ax.collections
    assert filled.get_datalim(ax.transData).ymax == pytest.approx(0.95)
    assert ax.get_xlim() == pytest.approx((0, 1.0))
    short = plots.waveform(tone[:50], RATE)
    assert len(short.lines[0].get_xdata()) == 50


def test_spectrogram_shows_a_tone_at_its_frequency_and_seconds(tone):
    ax = plots.spectrogram(np.concatenate([tone, np.zeros(RATE)]), RATE)
    image = ax.images[0]
    _, _, bottom, top = image.get_extent()
    level = np.asarray(image.get_array())
    middle = level[:, level.shape[1] // 4]
    height = bottom + (np.argmax(middle) + 0.5) / len(middle) * (top - bottom)
    assert height == pytest.approx(3000, abs=RATE / 1024)
    assert ax.get_xlim() == pytest.approx((0, 2.0))
    assert level[:, : int(level.shape[1] * 0.45)].max() > level[:, int(level.shape[1] * 0.55) :].max() + 40


def test_before_and_after_share_their_axes(tone):
    figure = plots.before_after((tone, RATE), (tone[::2], RATE // 2), title="a $b_c")
    before, after = (ax for ax in figure.axes if ax.get_title("left").startswith("Spectrogram"))
    assert before.get_ylim() == after.get_ylim() == (0, RATE / 2)
    assert before.get_xlim() == after.get_xlim()
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("name", "bands", "hop"), [("spectrogram", 1025, 1024), ("mel", 128, 1024), ("mfcc_no0", 19, 512)]
)
def test_feature_axis_is_in_seconds_by_its_own_hop(name, bands, hop):
    ax = plots.feature(np.random.default_rng(0).normal(size=(bands, 44)), name, RATE)
    assert ax.get_xlim()[1] == pytest.approx(43.5 * hop / RATE)
    longer = plots.feature(np.zeros((bands, 44)), name, RATE, hop=256)
    assert longer.get_xlim()[1] == pytest.approx(43.5 * 256 / RATE)


def test_mel_ticks_stand_at_their_bands():
    librosa = pytest.importorskip("librosa")
    ax = plots.feature(np.zeros((128, 10)), "mel", RATE)
    place = dict(zip(ticks(ax.yaxis), ax.get_yticks(), strict=True))
    weights = librosa.filters.mel(sr=RATE, n_fft=8192)
    strongest = weights[:, round(1024 * 8192 / RATE)].argmax()
    assert place["1024"] == pytest.approx(strongest, abs=0.6)


def test_features_stand_below_one_another_over_the_same_seconds():
    rng = np.random.default_rng(0)
    arrays = {
        "spectrogram": rng.normal(size=(1025, 22)),
        "chroma": rng.random((12, 44)),
        "mfcc": rng.normal(size=(20, 44)),
    }
    figure = plots.features(arrays, title="clip")
    panels = [ax for ax in figure.axes if ax.get_title("left")]
    assert [ax.get_title("left") for ax in panels] == ["Spectrogram", "Chroma", "MFCC"]
    assert len({ax.get_xlim() for ax in panels}) == 1
    with pytest.raises(ValueError, match="values"):
        plots.feature(np.zeros(5), "mel", RATE)


def test_explained_variance_marks_what_is_needed():
    ax = plots.explained_variance(np.array([0.6, 0.3, 0.07, 0.03]), chosen=2)
    assert "95% with 3 components" in texts(ax)
    vectors = np.random.default_rng(0).normal(size=(200, 3)) * [10, 1, 0.1]
    drawn = plots.explained_variance(vectors).lines[0].get_ydata()
    ratio = vectors.var(axis=0) / vectors.var(axis=0).sum()
    assert drawn == pytest.approx(np.cumsum(ratio), abs=0.02)
    assert "95% is not reached" in texts(plots.explained_variance(np.array([0.5, 0.2])))


def test_k_selection_has_a_panel_per_criterion_and_marks_suggestions():
    table = pd.DataFrame(
        {"k": [2, 3, 4], "inertia": [9, 4, 3.5], "silhouette": [0.2, 0.5, 0.3], "gap": [1, 2, 1.5], "gap_se": 0.1}
    )
    figure = plots.k_selection(table, suggestions={"elbow": 3, "silhouette": 3, "gap": None}, truth=4)
    panels = [ax for ax in figure.axes if ax.axison]
    assert len(panels) == 3
    assert [texts(ax) for ax in panels] == [["k = 3"], ["k = 3"], []]
    assert len(panels[2].collections) == 1, "the standard error as a band"
    with pytest.raises(ValueError, match="criterion"):
        plots.k_selection(pd.DataFrame({"k": [2, 3]}))


def test_k_selection_takes_an_estimate():
    clustering = pytest.importorskip("audioclust.clustering")
    X = np.concatenate([np.random.default_rng(0).normal(c, 0.1, (15, 2)) for c in (0, 3, 6)])
    estimate = clustering.estimate_k(X, k_max=5, criteria=("elbow", "silhouette"), random_state=0)
    figure = plots.k_selection(estimate)
    assert any("k = 3" in texts(ax) for ax in figure.axes)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_projection_is_the_same_every_time(method):
    X = np.random.default_rng(1).normal(size=(40, 6))
    first, second = (plots.project_2d(X, method, random_state=3) for _ in range(2))
    assert first.shape == (40, 2)
    assert np.array_equal(first, second)


def test_projection_of_little_or_bad_data():
    assert plots.project_2d(np.ones((1, 3)), "umap").shape == (1, 2)
    assert plots.project_2d(np.ones((3, 1)), "tsne").shape == (3, 2)
    with pytest.raises(ValueError, match="method='lda'"):
        plots.project_2d(np.ones((5, 3)), "lda")
    with pytest.raises(ValueError, match="finite"):
        plots.project_2d(np.full((5, 3), np.nan))


def test_scatter_pair_keeps_positions_and_tells_labels_apart():
    positions = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % 12 - 1
    truth = np.array([f"_speaker {i % 12}" for i in range(60)])
    figure = plots.scatter_pair(positions, truth, labels)
    left, right = figure.axes
    both = [np.sort(np.concatenate([c.get_offsets() for c in ax.collections]), axis=0) for ax in (left, right)]
    assert np.array_equal(*both)
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names[-1] == "noise"
    assert len(names) == 12
    assert len(left.get_legend().get_texts()) == 12
    looks = {(c.get_facecolor()[0].tobytes(), c.get_paths()[0].vertices.tobytes()) for c in right.collections}
    assert len(looks) == 12, "colour and marker together are unique"
    assert len(plots.scatter_pair(positions, None, labels).axes) == 1


def oklab(colours, view=None):
    """Colours [shape=(n, 3), linear RGB] in OKLab, seen with a colour blindness (Machado et al. 2009)."""
    views = {
        "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    }
    seen = colours if view is None else np.clip(colours @ np.array(views[view]).T, 0, 1)
    cones = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    mixed = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.cbrt(seen @ np.array(cones).T) @ np.array(mixed).T


def test_colours_stand_out_from_white_and_from_one_another():
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in plots.PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert len(rgb) == 24
    assert (1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)).min() >= 3, "WCAG 2.1, 1.4.11"
    least = {None: (0.16, 0.11, 0.085), "deuteranopia": (0.1, 0.07, 0.055), "protanopia": (0.09, 0.065, 0.055)}
    for view, limits in least.items():
        places = oklab(linear, view)
        for count, limit in zip((8, 16, 24), limits, strict=True):
            apart = np.linalg.norm(places[:count, None] - places[:count], axis=-1)
            assert apart[~np.eye(count, dtype=bool)].min() >= limit, (view, count)


def colours(ax):
    return {c.get_label(): mpl.colors.to_hex(c.get_facecolor()[0]) for c in ax.collections}


def test_a_cluster_has_the_colour_of_its_label():
    truth = np.array(["a"] * 5 + ["b"] * 5 + ["c"] * 5 + [None])
    labels = np.array([2] * 5 + [0] * 4 + [-1] + [1] * 3 + [3] * 2 + [3])
    left, right = (colours(ax) for ax in plots.scatter_pair(np.zeros((16, 2)), truth, labels).axes)
    assert [right["2"], right["0"], right["1"]] == [left["a"], left["b"], left["c"]]
    assert right["3"] not in {*left.values(), right["noise"]}, "a cluster without a label of its own"
    assert right["noise"] == left["–"]
    assert list(right) == ["0", "1", "2", "3", "noise"]


def test_figures_without_labels_have_no_panel_or_are_refused():
    missing = np.array([None, np.nan, None, None], dtype=object)
    assert len(plots.scatter_pair(np.zeros((4, 2)), missing, [0, 1, 0, 1]).axes) == 1
    with pytest.raises(ValueError, match="every label is missing"):
        plots.confusion([0, 1, 0, 1], missing)
    with pytest.raises(ValueError, match="truth: 2 labels for 3"):
        plots.confusion([0, 1, 0], ["a", "b"])
    ax = plots.confusion([0, 1, 0], ["a", "b", None])
    assert ticks(ax.xaxis) == ["a", "b"]
    assert sorted(texts(ax)) == ["1", "1"]


def test_many_labels_have_no_legend_and_missing_ones_are_grey():
    positions = np.zeros((30, 2))
    assert plots.scatter(positions, np.arange(30)).get_legend() is None
    ax = plots.scatter(positions[:3], np.array(["a", None, np.nan], dtype=object))
    assert [len(c.get_offsets()) for c in ax.collections] == [1, 2]
    with pytest.raises(ValueError, match="labels: 2"):
        plots.scatter(positions, [0, 1])


def test_dendrogram_cuts_into_the_clusters_asked():
    X = np.concatenate([np.random.default_rng(0).normal(c, 0.1, (10, 2)) for c in (0, 5, 10)])
    ax = plots.dendrogram(X, n_clusters=3)
    from scipy.cluster.hierarchy import fcluster, linkage

    height = ax.lines[-1].get_ydata()[0]
    assert len(set(fcluster(linkage(X, "ward"), height, "distance"))) == 3
    with pytest.raises(ValueError, match="at least 2"):
        plots.dendrogram(X[:1])


def test_confusion_puts_clusters_opposite_their_labels():
    truth = np.array(["a"] * 5 + ["b"] * 4 + ["c"] * 3)
    labels = np.array([2] * 5 + [0] * 4 + [1, 1, -1])
    ax = plots.confusion(labels, truth)
    assert ticks(ax.yaxis) == ["2", "0", "1", "noise"]
    assert sorted(texts(ax)) == ["1", "2", "4", "5"]
    share = np.asarray(ax.images[0].get_array())
    assert np.allclose(np.diag(share[:3]), 1)
    assert texts(plots.confusion(np.arange(40), np.arange(40))) == [], "large ones have no numbers"


def test_sizes_are_sorted_and_noise_comes_last():
    ax = plots.cluster_sizes([0, 1, 1, 1, -1, -1, -1, -1])
    assert [bar.get_height() for bar in ax.patches] == [3, 1, 4]
    assert ticks(ax.xaxis) == ["1", "0", "noise"]
    assert "2 clusters" in ax.get_title("left")


def test_silhouettes_leave_noise_out_of_the_mean():
    ax = plots.silhouettes([0.5, 0.7, -1.0, np.nan], [0, 1, -1, 0])
    assert ax.get_legend().get_texts()[0].get_text() == "mean 0.600"


def test_score_distributions_show_the_equal_error_line():
    rng = np.random.default_rng(0)
    ax = plots.score_distributions(rng.normal(0.8, 0.05, 300), rng.normal(0.2, 0.1, 900), eer=0.012, threshold=0.55)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "different (900 pairs)", "same (300 pairs)", "threshold 0.550, EER 1.20%",
    ]  # fmt: skip
    assert plots.score_distributions([], []).get_title("left")


def test_nuisance_says_what_is_followed():
    ax = plots.nuisance({"speaker": 0.7, "level": 0.1, "fold": np.nan}, truth="emotion", nmi=0.4)
    assert ax.get_title("left") == "Clusters follow speaker, not emotion"
    assert ticks(ax.yaxis) == ["level", "emotion", "speaker"]
    assert plots.nuisance({"speaker": 0.1}, truth="emotion", nmi=0.4).get_title("left") == "What the clusters follow"


def test_overview_counts_the_unusable_apart():
    metadata = pd.DataFrame(
        {
            "label": ["a", "a", "b", None],
            "duration": [1.0, 2.0, 3.0, np.nan],
            "sample_rate": [8000, 8000, 44100, None],
            "level": [-20.0, -30.0, -25.0, np.nan],
            "problem": [None, None, None, "empty file"],
        }
    )
    figure = plots.overview(metadata)
    assert figure.get_suptitle() == "3 recordings, 1 more unusable"
    assert ticks(figure.axes[2].xaxis) == ["8 000", "44 100"]
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 3
    assert isinstance(plots.overview(metadata.iloc[:0]), Figure)


def test_network_figures():
    images = np.random.default_rng(0).integers(0, 255, (10, 6, 12), dtype=np.uint8)
    assert len(plots.reconstructions(images, images, count=4, names=["$x"] * 10).axes) == 8
    figure = plots.nearest_images(images, np.array([[1, 2], [3, 4]]), queries=[0, 5])
    for ax, row in zip(figure.axes, [0, 1, 2, 5, 3, 4], strict=True):
        assert np.array_equal(ax.images[0].get_array(), images[row])
    assert sum(bool(ax.images) for ax in plots.image_grid(images[:7], titles=list("abcdefg"), columns=4).axes) == 7
    with pytest.raises(ValueError, match="rebuilt"):
        plots.reconstructions(images, images[:3])


def test_loss_curves_skip_what_a_log_leaves_empty():
    log = pd.DataFrame(
        {
            "epoch": [0, 0, 1, 1],
            "step": [1, 1, 2, 2],
            "train": [4.0, np.nan, 2.0, np.nan],
            "val": [np.nan, 5.0, np.nan, 3.0],
        }
    )
    ax = plots.loss_curves(log)
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines] == [
        ([0, 1], [4, 2]),
        ([0, 1], [5, 3]),
    ]
    assert ax.get_yscale() == "log"


def test_axes_given_are_axes_drawn_on():
    ax = plt.figure().subplots()
    assert plots.cluster_sizes([0, 1], ax=ax) is ax
    assert len(plt.get_fignums()) == 1


def test_save_closes_the_figure_and_leaves_one_whole_file(tmp_path):
    ax = plots.cluster_sizes([0, 1, 1])
    assert isinstance(ax, Axes)
    path = plots.save(ax, tmp_path / "deep" / "sizes.png")
    assert plt.get_fignums() == []
    with Image.open(path) as image:
        image.load()
        assert image.width > 300
    assert [p.name for p in path.parent.iterdir()] == ["sizes.png"]
    figure = plots.before_after((np.zeros(100), 8000), (np.zeros(100), 8000))
    with pytest.raises(ValueError, match="png"):
        plots.save(figure, tmp_path / "x.jpg")


def test_curves_are_named_at_their_ends_and_names_do_not_touch():
    table = pd.DataFrame({"K = 8": [8, 5, 4.0], "K = 16": [16, 6, 4.0], "K = 4": [4, 3, np.nan]}, index=[1, 2, 3])
    ax = plots.curves(table, level=4, level_name="truth")
    assert [line.get_color() for line in ax.lines][:3] == list(plots.PALETTE[:3])
    assert ax.lines[2].get_xdata().tolist() == [1, 2]
    assert texts(ax) == ["K = 8", "K = 16", "K = 4", "truth"]
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert np.diff(heights).min() > 0.05
    assert heights[-1] <= 1
    ax.figure.canvas.draw()
    assert all(float(tick).is_integer() for tick in ticks(ax.yaxis))


def test_heatmap_writes_values_and_pales_what_cannot_be_told():
    values = pd.DataFrame({"all": [-0.84, 0.19], "deep": [0.3, np.nan]}, index=["nmi", "davies_bouldin"])
    ax = plots.heatmap(values, low=values - 0.2, high=values + 0.2, signed=True, label="Pearson")
    assert texts(ax) == ["-1.04 to -.64", "-.84", ".10 to .50", ".30", "-.01 to .39", ".19"]
    alpha = ax.images[0].get_alpha()
    assert alpha[0].tolist() == [1, 1]
    assert alpha[1, 0] < 0.5
    shares = plots.heatmap(pd.DataFrame({"aam": [0.051, 0.25]}), percent=True)
    assert texts(shares) == ["5.1", "25.0"]
    assert shares.images[0].get_clim() == pytest.approx((5.1, 25))
