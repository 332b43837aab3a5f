import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.data import digits, synthetic
from nas.data.catalogue import READERS, READY, load
from nas.data.datasets import DATASETS
from nas.data.images import Images, in_memory, split, stratified


@pytest.mark.parametrize("name", ["digits", "synthetic", "fashion_mnist", "fashion_small"])
def test_a_data_set_is_what_its_facts_say(name):
    facts = DATASETS[name]
    data = load(facts)
    assert (len(data.train), len(data.test)) == (facts.train, facts.test)
    for part in (data.train, data.test):
        size = facts.image_size
        assert part.images.shape == (len(part), facts.channels, size, size)
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
        assert set(part.labels.tolist()) == set(range(facts.classes))
    assert data.mean == pytest.approx(data.train.images.mean() / 255, rel=1e-12)
    assert data.std == pytest.approx(data.train.images.std() / 255, rel=1e-12)


def test_every_shipped_data_set_can_be_read():
    assert set(DATASETS) == set(READY) | set(READERS) - {"folder"}


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("digits", "73f17b262453"),
        ("synthetic", "a489994e40ba"),
        ("fashion_mnist", "ece172613115"),
        ("fashion_small", "88e7d38bf888"),
    ],
)
def test_the_fingerprints_of_stored_protocols_stay(name, sha256):
    assert load(DATASETS[name]).sha256[:12] == sha256


def test_digits_are_1797_real_digits_and_the_test_split_stays():
    first, again = digits.load(), digits.load()
    assert (len(first.train), len(first.test)) == (1500, 297)
    assert first.sha256 == again.sha256
    assert (int(first.train.images.max()), int(first.train.images.min())) == (255, 0)
    assert first.test.labels[:10].tolist() == again.test.labels[:10].tolist()


def test_no_digit_is_trained_and_tested_on():
    data = digits.load()
    seen = {image.tobytes() for image in data.train.images}
    assert not [1 for image in data.test.images if image.tobytes() in seen]


def test_synthetic_images_are_the_same_each_time():
    known = load(DATASETS["synthetic"])
    assert synthetic.load().sha256 == synthetic.load().sha256 == known.sha256
    assert (len(synthetic.load().train), len(synthetic.load().test)) == (256, 64)


@given(st.integers(1, 200), st.integers(0, 2**31), st.data())
def test_a_split_is_disjoint_and_whole(count, seed, data):
    held_out = data.draw(st.integers(0, count))
    train, validation = split(count, held_out, seed)
    assert len(validation) == held_out
    assert sorted([*train, *validation]) == list(range(count))
    assert validation.tolist() == sorted(validation.tolist())
    assert validation.tolist() == split(count, held_out, seed)[1].tolist()


def test_another_seed_splits_otherwise():
    first, second = (split(1500, 400, seed)[1] for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert len(first) == len(second) == 400


def test_the_fingerprint_is_of_every_image_and_label():
    data = load(DATASETS["synthetic"])
    labels = data.test.labels.copy()
    labels[-1] = (labels[-1] + 1) % 4
    pixels = data.train.images.copy()
    pixels[0, 0, 0, 0] ^= 1
    relabelled = in_memory(data.train, Images(images=data.test.images, labels=labels))
    repainted = in_memory(Images(images=pixels, labels=data.train.labels), data.test)
    assert len({data.sha256, relabelled.sha256, repainted.sha256}) == 3


def test_a_share_is_drawn_from_the_training_images_and_a_smaller_one_lies_in_it():
    (all_, held), (half, same), (some, _) = (split(1000, 200, 3, share) for share in (1, 0.5, 0.1))
    assert (len(all_), len(half), len(some)) == (800, 400, 80)
    assert held.tolist() == same.tolist()
    assert set(some) < set(half) < set(all_)
    # Folders are read class by class: the first half of the images would be half of the classes.
    assert 0.4 < (half < 500).mean() < 0.6


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=8).filter(lambda counts: sum(counts) > 1),
    st.integers(0, 2**31),
    st.data(),
)
def test_a_stratified_split_holds_out_and_keeps_each_class_in_proportion(counts, seed, data):
    labels = np.repeat(np.arange(len(counts)), counts)
    held_out = data.draw(st.integers(1, len(labels) - 1))
    train, validation = stratified(labels, held_out, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert len(validation) == held_out
    held = np.bincount(labels[validation], minlength=len(counts))
    if 2 * len(counts) <= held_out <= len(labels) // 2 and min(counts) >= 4:
        exact = held_out * np.array(counts) / len(labels)
        assert (held >= 1).all()
        assert (held < np.array(counts)).all()
        assert np.abs(held - exact).max() <= len(counts)
    before: set[int] = set()
    for share in (0.01, 0.3, 0.31, 1.0):
        part, same = stratified(labels, held_out, seed, share)
        assert same.tolist() == validation.tolist()
        assert before <= set(part)
        assert set(labels[part]) == set(labels[train])
        before = set(part)


def test_a_rare_class_is_trained_and_validated_on_whatever_the_seed():
    labels = np.repeat([0, 1], [990, 10])
    for seed in range(20):
        train, validation = stratified(labels, 20, seed, share=0.01)
        assert np.bincount(labels[validation]).tolist() == [19, 1]
        assert np.bincount(labels[train]).tolist() == [10, 1]
    first, second = (stratified(labels, 20, seed)[1].tolist() for seed in (0, 1))
    assert first != second
