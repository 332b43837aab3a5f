import hashlib
import pickle
import tarfile

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from nas.data import cifar
from nas.data.datasets import DATASETS

FILES = {
    CIFAR10: ([f"data_batch_{at}" for at in range(1, 6)], ["test_batch"], "labels"),
    CIFAR100: (["train"], ["test"], "fine_labels"),
}
KINDS = [("cifar10", CIFAR10), ("cifar100", CIFAR100)]


def pack(folder, name, content):
    """A pickle in CIFAR's layout, and its MD5."""
    text = pickle.dumps(content)
    (folder / name).write_bytes(text)
    return [name, hashlib.md5(text).hexdigest()]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0])
def small(request, tmp_path, monkeypatch):
    """Three images a file in a folder of its own, which torchvision takes for the real ones."""
    name, kind = request.param
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    train, test, labels = FILES[kind]
    rng = np.random.default_rng(0)

    def batch(file):
        pixels = rng.integers(0, 256, (3, 3072), dtype=np.uint8)
        return pack(folder, file, {"data": pixels, labels: [2, 0, 1]})

    meta = pack(folder, kind.meta["filename"], {kind.meta["key"]: ["a", "b", "c"]})
    monkeypatch.setattr(kind, "train_list", [batch(file) for file in train])
    monkeypatch.setattr(kind, "test_list", [batch(file) for file in test])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": meta[1]})
    monkeypatch.setattr(kind, "url", f"file://{tmp_path}/nowhere/{kind.filename}")
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    return DATASETS[name], kind, folder


def test_cifar_is_read_from_its_folder(small):
    data, kind, folder = small
    train, test = cifar.read(data)
    first = pickle.loads((folder / kind.train_list[0][0]).read_bytes())
    assert len(train) == 3 * len(kind.train_list)
    assert test.labels.tolist() == [2, 0, 1]
    assert train.images.shape[1:] == (3, 32, 32)
    assert np.array_equal(train.images[1].ravel(), first["data"][1])


def test_a_damaged_file_of_cifar_names_itself(small):
    data, kind, folder = small
    for name in (kind.test_list[0][0], kind.meta["filename"]):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(ValueError, match=f"{path} is missing or damaged: delete {folder}, and"):
            cifar.read(data)
        path.unlink()
        with pytest.raises(ValueError, match=f"{path} is missing or damaged"):
            cifar.read(data)
        path.write_bytes(whole)


def test_the_archive_beside_is_unpacked(small, tmp_path, monkeypatch):
    data, kind, folder = small
    known, _ = cifar.read(data)
    archive = tmp_path / kind.filename
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, kind.base_folder)
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert np.array_equal(cifar.read(data)[0].images, known.images)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_cifar_that_is_nowhere_says_which_archive_to_get(name, kind, tmp_path, monkeypatch):
    url = f"file://{tmp_path}/nowhere/{kind.filename}"
    monkeypatch.setattr(kind, "url", url)
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    message = f"{name} is not here and could not be downloaded: get {url} and put it into"
    with pytest.raises(ValueError, match=message):
        cifar.read(DATASETS[name])
