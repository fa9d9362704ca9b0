"""Figures: every function takes arrays or tables and gives the matplotlib Axes or Figure that it drew.

Functions that draw one panel take ``ax`` and return it (a new one where it is None); those that draw several return a
Figure. The style is local to each call: matplotlib's settings are as before afterwards. Colours stand out from white
and are told apart by colour-blind readers; beyond eight groups markers differ too. `save` writes a PNG atomically and
closes the figure.
"""

from audioclust.report.plots.clusters import cluster_sizes, confusion, nuisance, score_distributions, silhouettes
from audioclust.report.plots.exploring import distributions, projections, sound_card, stretches
from audioclust.report.plots.learning import curves, heatmap
from audioclust.report.plots.networks import image_grid, loss_curves, nearest_images, reconstructions
from audioclust.report.plots.selection import explained_variance, k_selection, ladder
from audioclust.report.plots.sound import before_after, feature, features, overview, spectrogram, waveform
from audioclust.report.plots.space import dendrogram, project_2d, scatter, scatter_pair
from audioclust.report.plots.style import PALETTE, figure_of, save, style

__all__ = [
    "PALETTE",
    "before_after",
    "cluster_sizes",
    "confusion",
    "curves",
    "dendrogram",
    "distributions",
    "explained_variance",
    "feature",
    "features",
    "figure_of",
    "heatmap",
    "image_grid",
    "k_selection",
    "ladder",
    "loss_curves",
    "nearest_images",
    "nuisance",
    "overview",
    "project_2d",
    "projections",
    "reconstructions",
    "save",
    "scatter",
    "scatter_pair",
    "score_distributions",
    "silhouettes",
    "sound_card",
    "spectrogram",
    "stretches",
    "style",
    "waveform",
]
