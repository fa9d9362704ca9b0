"""What the notebook `08_camsat` does, on vectors and short sounds made here."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust.runs import Run, camsat, check

SMALL = {
    "algorithms": ["agglomerative"], "params": {"camsat": {"width": 32, "max_iter": 4}}, "bounds": [1, 2],
    "held_out": 0.4, "frames": 20, "network": {"channels": 4, "blocks": 1, "dimension": 4, "epochs": 1},
    "losses": ["aam", "softmax"], "flips": [0.5], "many": [1, 2], "figures": False, "listen": None,
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    return Run(check("08_camsat", {"project": str(tmp_path), **SMALL}))


@pytest.fixture
def people(rng):
    who = np.repeat(np.arange(5), 8)
    X = rng.normal(size=(5, 16))[who] + 0.3 * rng.normal(size=(40, 16))
    return X, pd.DataFrame({"path": [f"{i}.wav" for i in range(40)], "speaker": [f"s{i}" for i in who]})


@pytest.fixture
def root(tmp_path, people):
    for name, speaker in zip(people[1]["path"], people[1]["speaker"], strict=True):
        tone = np.sin(np.arange(4000) * (0.1 + 0.1 * int(speaker[1:])))
        soundfile.write(tmp_path / name, 0.5 * tone, 16_000)
    return tmp_path


def test_bounds_are_multiples_of_the_truth_and_of_levels_without_labels(run, people):
    X, index = people
    models = camsat.bounds(run, X, index, "speaker")
    assert {name: model.bound_ for name, model in models.items()} == {"K = 5": 5, "K = 10": 10}
    unlabelled = camsat.bounds(run, X, index, None)
    low, high = (model.bound_ for model in unlabelled.values())
    assert high == 2 * low
    table = camsat.epochs(run, models, index["speaker"].to_numpy())
    last = table[table["model"] == "K = 10"].iloc[-1]
    assert last["n_clusters"] == len(set(models["K = 10"].network_labels_))
    assert camsat.epochs(run, unlabelled, None)["acc"].isna().all()
    ablation = camsat.ablation(run, X, None, 10)
    assert ablation["loss"].tolist() == ["imsat"] * 2 + ["imsat_augmentation"] * 2 + ["camsat"] * 2
    assert ablation["step"].tolist() == ["alone", "+ merge"] * 3


def test_whoever_is_held_out_is_not_trained_on(run, people, root):
    X, index = people
    voices = camsat.hold_out(run, X, index, root, "speaker")
    assert voices.spectra.shape == (40, 20, 80)
    heard, held_out = (set(voices.truth[side].tolist()) for side in (voices.train, ~voices.train))
    assert (len(heard), len(held_out)) == (3, 2)
    assert not heard & held_out
    assert voices.sides.startswith("3 speakers to train on, 2 held out; with so few")
    two = index["speaker"].isin(["s0", "s1"]).to_numpy()
    assert camsat.hold_out(run, X[two], index[two], root, "speaker") is None
    assert camsat.hold_out(run, X, index, root, None) is None


def test_every_loss_on_every_kind_of_labels_and_what_predicts(run, people, root):
    X, index = people
    voices = camsat.hold_out(run, X, index, root, "speaker")
    table = camsat.downstream(run, voices, "speaker")
    wide = camsat.eer_table(table)
    assert wide.index.tolist() == ["true labels", "50% flipped", "agglomerative"]
    assert wide.columns.tolist() == ["aam", "softmax"]
    assert wide.notna().all(axis=None)
    truth = table[table["labels"] == "true labels"]
    assert (truth["acc"] == 1).all()
    assert table.loc[table["labels"] == "50% flipped", "acc"].iloc[0] < 0.8
    predicted = camsat.prediction(run, voices, "speaker").set_index(["group", "score"])
    assert set(predicted.index.get_level_values("group")) == {"all", "classical", "deep"}
    assert predicted.loc[("all", "acc"), "n"] >= 8
    assert {"agreement", "silhouette_learned"} <= set(predicted.index.get_level_values("score"))


def test_published_figures_are_of_the_scores_and_losses_that_there_are():
    from audioclust.deep.margin_losses import MARGIN_LOSSES
    from audioclust.evaluation import SCORES

    assert set(camsat.PUBLISHED.columns) - {"labels", "K"} <= set(MARGIN_LOSSES)
    assert set(camsat.PUBLISHED_CORRELATIONS.index) <= set(SCORES)
