import gzip

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from nas.data import fashion_mnist, fashion_small
from nas.data.datasets import DATASETS

FACTS = DATASETS["fashion_mnist"]


def idx(path, values):
    values = np.asarray(values, np.uint8)
    header = bytes([0, 0, 8, values.ndim]) + np.asarray(values.shape, ">i4").tobytes()
    with gzip.open(path, "wb") as file:
        file.write(header + values.tobytes())


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Four small files in $NAS_DATA/fashion-mnist."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name, count in (("train", 5), ("t10k", 2)):
        idx(folder / f"{name}-images-idx3-ubyte.gz", np.full((count, 28, 28), 7))
        idx(folder / f"{name}-labels-idx1-ubyte.gz", np.arange(count))
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    return folder


def test_fashion_mnist_is_the_debian_packages_70000_images():
    assert (fashion_mnist.DEBIAN / "train-images-idx3-ubyte.gz").exists()
    train, test = fashion_mnist.read(FACTS)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert np.bincount(train.labels).tolist() == [6_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    assert train.labels[:8].tolist() == [9, 0, 0, 3, 0, 2, 7, 2]


def test_fashion_mnist_is_read_from_a_folder_of_ones_own(own):
    train, test = fashion_mnist.read(FACTS)
    assert train.images.shape == (5, 1, 28, 28)
    assert test.labels.tolist() == [0, 1]
    assert int(train.images.min()) == 7


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-6] ^= 255  # of the checksum
    path.write_bytes(bytes(content))


def shorten(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def empty(path):
    path.write_bytes(gzip.compress(b""))


def replace(path):
    path.write_text("no gzip file")


def remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [cut, flip, shorten, empty, replace, remove])
@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"])
def test_a_damaged_file_of_fashion_mnist_names_itself(own, name, damage):
    damage(own / name)
    with pytest.raises(
        ValueError, match=f"{own / name} is missing or damaged .*: put the four good .gz files into"
    ):
        fashion_mnist.read(FACTS)


def test_fashion_mnist_that_is_nowhere_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "no-package")
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"file://{tmp_path}/no-mirror/"])
    with pytest.raises(
        ValueError,
        match=r"could not be downloaded: apt-get install dataset-fashion-mnist, or put its four",
    ):
        fashion_mnist.read(FACTS)


def test_fashion_small_is_the_first_1200_of_each_class_and_the_whole_test_split():
    small, test = fashion_small.read(DATASETS["fashion_small"])
    assert np.bincount(small.labels).tolist() == [1_200] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    train, _ = fashion_mnist.read(FACTS)
    assert small.labels[:1000].tolist() == train.labels[:1000].tolist()
    assert small.images.shape == (12_000, 1, 14, 14)


def test_a_pixel_of_fashion_small_is_the_mean_of_four_a_half_rounded_up():
    train, _ = fashion_mnist.read(FACTS)
    small, _ = fashion_small.read(DATASETS["fashion_small"])
    # The ankle boot that Fashion-MNIST opens with.
    assert train.images[0, 0, 12:14, 12:14].tolist() == [[99, 244], [55, 236]]
    assert small.images[0, 0, 6, 6] == 159  # 634 / 4 = 158.5
