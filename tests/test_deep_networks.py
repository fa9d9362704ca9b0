"""The autoencoder's layers, and the images that go into them."""

import itertools

import numpy as np
import pytest
import torch

from audioclust.deep.data import SCALES, Augmentation, Scaling, augment, canonical, check_images, generator, order
from audioclust.deep.networks import ConvNetwork

SIDES = (8, 9, 10, 13, 15, 16, 20, 23, 24, 28, 31)


@pytest.mark.parametrize(("height", "width"), list(itertools.product(SIDES, SIDES)))
def test_the_decoder_gives_back_the_size_it_was_given(height, width):
    network = ConvNetwork(height, width, latent_size=3, channels=(2, 2, 2))
    embedding, rebuilt = network(torch.zeros(2, 1, height, width))
    assert embedding.shape == (2, 3)
    assert rebuilt.shape == (2, 1, height, width)


@pytest.mark.parametrize(
    ("size", "latent", "parameters", "bottom"),
    # by hand: 28 x 28 ends in 3 x 3 without padding (1152 numbers), 48 x 96 in 6 x 12 with padding (9216)
    [((28, 28), 10, 275_979, (128, 3, 3)), ((48, 96), 128, 2_620_417, (128, 6, 12))],
)
def test_the_layers_are_the_published_ones(size, latent, parameters, bottom):
    network = ConvNetwork(*size, latent_size=latent)
    assert network.bottom == bottom
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert isinstance(network.encoder[-1], torch.nn.Linear), "the embedding has no activation"
    assert isinstance(network.decoder[-1], torch.nn.ConvTranspose2d), "the output has no activation"


def test_only_the_side_that_eight_divides_is_padded():
    assert ConvNetwork(24, 28, channels=(1, 1, 1)).bottom == (1, 3, 3)
    assert ConvNetwork(16, 20, channels=(1, 1, 1)).bottom == (1, 2, 2)
    assert ConvNetwork(20, 16, channels=(1, 1, 1)).bottom == (1, 2, 2)


def test_a_side_too_short_is_named():
    with pytest.raises(ValueError, match="7 x 20"):
        ConvNetwork(7, 20)


# Images


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, bool])
def test_images_come_in_any_numbers_and_with_or_without_a_channel(rng, dtype):
    images = rng.integers(0, 2, (5, 8, 9)).astype(dtype)
    checked = check_images(images)
    assert checked.dtype == (np.uint8 if dtype is np.uint8 else np.float32)
    assert np.array_equal(checked, images)
    assert np.array_equal(check_images(images[:, None]), checked)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 64)), r"\(4, 64\)"),
        (np.zeros((4, 3, 16, 16)), r"\(4, 3, 16, 16\)"),
        (np.zeros((4, 16, 7)), "at least 8 pixels"),
        (np.zeros((1, 16, 16)), r"1 image\(s\)"),
        (np.zeros((0, 16, 16)), r"0 image\(s\)"),
        (np.full((4, 16, 16), "a"), "numbers"),
        (np.zeros((4, 16, 16), complex), "numbers"),
    ],
)
def test_what_is_no_set_of_images_is_named(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images, least=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_image_that_is_not_finite_is_named(bad):
    images = np.zeros((4, 8, 8))
    images[2, 1, 1] = bad
    with pytest.raises(ValueError, match=r"1 of 4 images, first at 2"):
        check_images(images)


def test_images_of_another_size_than_fitted_are_named():
    with pytest.raises(ValueError, match="8 x 9, fitted were 8 x 8"):
        check_images(np.zeros((2, 8, 9)), size=(8, 8))


def test_scaling_is_one_line_for_the_whole_set(rng):
    images = rng.integers(3, 200, (6, 8, 8)).astype(np.uint8)
    ranged = Scaling.of(images, "range")(torch.from_numpy(images))
    assert ranged.shape == (6, 1, 8, 8)
    assert (float(ranged.min()), float(ranged.max())) == pytest.approx((0, 1))
    standard = Scaling.of(images, "standard")(torch.from_numpy(images)).double()
    assert (float(standard.mean()), float(standard.std(unbiased=False))) == pytest.approx((0, 1), abs=1e-5)
    pixels = Scaling.of(images, "pixel")(torch.from_numpy(images)).double()
    assert np.allclose(pixels.mean(0), 0, atol=1e-5)
    assert np.allclose(pixels.std(0, unbiased=False), 1, atol=1e-4)
    flat = np.full((2, 8, 8), 7.0)
    for kind in SCALES:
        assert float(Scaling.of(flat, kind)(torch.from_numpy(flat)).abs().max()) == 0


@pytest.mark.parametrize("kind", SCALES)
def test_scaling_can_be_undone(rng, kind):
    images = rng.normal(5, 3, (4, 8, 8))
    scaling = Scaling.of(images, kind)
    assert np.allclose(scaling.undo(scaling(torch.from_numpy(images)).numpy()[:, 0]), images, atol=1e-5)


def test_the_order_of_the_images_does_not_change_their_name(rng):
    images = rng.integers(0, 255, (20, 8, 8)).astype(np.uint8)
    images[7] = images[3]
    shuffled = rng.permutation(20)
    first, name = canonical(images)
    second, same = canonical(images[shuffled])
    assert name == same
    assert np.array_equal(images[first], images[shuffled][second])
    images[0, 0, 0] ^= 1
    assert canonical(images)[1] != name


# Augmentation


def test_a_shifted_image_is_the_image_moved(rng):
    batch = torch.from_numpy(rng.normal(size=(40, 10, 12)).astype(np.float32))
    moved = augment(batch, Augmentation(shift=0.2), generator(1), floor=-9.0)
    seen = set()
    for before, after in zip(batch.numpy(), moved.numpy(), strict=True):
        padded = np.pad(before, 2, constant_values=-9.0)
        places = [(i, j) for i in range(5) for j in range(5) if np.array_equal(padded[i : i + 10, j : j + 12], after)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 10, "every image draws its own shift"
    assert {i for i, _ in seen} == set(range(5)), "all shifts up to a fifth of the side occur"


def test_masks_hide_stretches_of_rows_and_of_columns(rng):
    batch = torch.from_numpy(rng.normal(size=(60, 10, 20)).astype(np.float32))
    hidden = (augment(batch, Augmentation(time_mask=0.25), generator(2)) != batch).numpy()
    assert all(columns.all(axis=0).sum() == columns.any(axis=0).sum() for columns in hidden)
    widths = hidden.all(axis=1).sum(axis=1)
    assert set(widths) == set(range(6))
    rows = (augment(batch, Augmentation(frequency_mask=0.5), generator(2)) != batch).numpy()
    assert set(rows.all(axis=2).sum(axis=1)) <= set(range(6))
    assert rows.all(axis=2).any()


def test_no_augmentation_changes_nothing(rng):
    batch = torch.from_numpy(rng.normal(size=(3, 8, 8)).astype(np.float32))
    assert not Augmentation()
    assert torch.equal(augment(batch, Augmentation(), generator(0)), batch)


def test_a_pass_visits_every_image_once_and_differs_from_the_next():
    assert sorted(order(50, 0, 3).tolist()) == list(range(50))
    assert torch.equal(order(50, 0, 3), order(50, 0, 3))
    assert not torch.equal(order(50, 0, 3), order(50, 0, 4))
    assert not torch.equal(order(50, 0, 3), order(50, 1, 3))
