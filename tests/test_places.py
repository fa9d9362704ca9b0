"""Where recordings stand in an order: against a dictionary."""

import numpy as np

from audioclust.places import Places, keys


def test_places_are_those_of_a_dictionary(rng):
    names = [f"{number:064x}" for number in rng.integers(0, 400, 1000)]
    asked = [f"{number:064x}" for number in rng.integers(0, 800, 500)]
    first = {}
    for place, name in enumerate(names):
        first.setdefault(name, place)
    places = Places.among(names)
    assert places.of(keys(asked)).tolist() == [first.get(name, -1) for name in asked]
    assert np.flatnonzero(places.first()).tolist() == sorted(first.values())
    assert places.order.nbytes + places.sorted_keys.nbytes == 20 * len(names)


def test_nothing_stands_in_nothing():
    assert Places.among([]).of(keys(["a"])).tolist() == [-1]
    assert Places.among([]).first().tolist() == []
    assert Places.among(["a"]).of(keys([])).tolist() == []
    odd = ["\udcff", "ä", "a\0", "a"]
    assert Places.among(odd).of(keys(odd)).tolist() == [0, 1, 2, 3]
