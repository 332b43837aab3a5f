import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.data import digits, fashion_mnist, synthetic
from nas.data.catalogue import LOADERS, load
from nas.data.images import Images, split
from nas.facts import DATASETS


@pytest.mark.parametrize("name", LOADERS)
def test_a_data_set_is_what_its_facts_say(name):
    data, sha256 = load(name)
    facts = DATASETS[name]
    assert (len(data.train), len(data.test)) == (facts.train, facts.test)
    for part in (data.train, data.test):
        size = facts.image_size
        assert part.images.shape == (len(part), facts.channels, size, size)
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
        assert set(part.labels.tolist()) == set(range(facts.classes))
    assert len(sha256) == 64
    assert 0 < facts.validation < facts.train


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


def test_fashion_mnist_is_the_debian_packages_70000_images():
    assert (fashion_mnist.DEBIAN / "train-images-idx3-ubyte.gz").exists()
    data = fashion_mnist.load()
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert np.bincount(data.train.labels).tolist() == [6_000] * 10
    assert np.bincount(data.test.labels).tolist() == [1_000] * 10
    assert data.train.labels[:8].tolist() == [9, 0, 0, 3, 0, 2, 7, 2]


def idx(path, header, values):
    with gzip.open(path, "wb") as file:
        file.write(bytes(header) + np.asarray(values, np.uint8).tobytes())


def test_fashion_mnist_is_read_from_a_folder_of_ones_own(tmp_path, monkeypatch):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name, count in (("train", 5), ("t10k", 2)):
        idx(folder / f"{name}-images-idx3-ubyte.gz", 16, np.full((count, 28, 28), 7))
        idx(folder / f"{name}-labels-idx1-ubyte.gz", 8, np.arange(count))
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    data = fashion_mnist.load()
    assert data.train.images.shape == (5, 1, 28, 28)
    assert data.test.labels.tolist() == [0, 1]
    assert int(data.train.images.min()) == 7


def test_synthetic_images_are_the_same_each_time():
    assert synthetic.load().sha256 == synthetic.load().sha256 == load("synthetic")[1]
    assert (len(synthetic.load().train), len(synthetic.load().test)) == (256, 64)


@given(st.integers(1, 200), st.integers(0, 2**31), st.data())
def test_a_split_is_disjoint_and_whole(count, seed, data):
    held_out = data.draw(st.integers(0, count))
    images = Images(
        images=np.zeros((count, 1, 1, 1), np.uint8), labels=np.arange(count, dtype=np.int64)
    )
    train, validation = split(images, held_out, seed)
    assert len(validation) == held_out
    assert sorted([*train.labels.tolist(), *validation.labels.tolist()]) == list(range(count))
    again = split(images, held_out, seed)
    assert validation.labels.tolist() == again[1].labels.tolist()


def test_another_seed_splits_otherwise():
    data, _ = load("digits")
    first, second = (split(data.train, 400, seed)[1] for seed in (0, 1))
    assert not np.array_equal(first.images, second.images)
    assert len(first) == len(second) == 400


def test_the_fingerprint_is_of_every_image_and_label():
    data, known = load("synthetic")
    labels = data.test.labels.copy()
    labels[-1] = (labels[-1] + 1) % 4
    pixels = data.train.images.copy()
    pixels[0, 0, 0, 0] ^= 1
    relabelled = type(data)(train=data.train, test=Images(images=data.test.images, labels=labels))
    repainted = type(data)(train=Images(images=pixels, labels=data.train.labels), test=data.test)
    assert len({known, relabelled.sha256, repainted.sha256}) == 3


def test_a_data_set_that_can_only_be_counted_says_so():
    message = "imagenet can be counted but not trained on here; there are digits, fashion_mnist"
    with pytest.raises(ValueError, match=message):
        load("imagenet")
