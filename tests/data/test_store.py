import dataclasses
import fcntl
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas import edit
from nas.data import image_folder, making
from nas.data.catalogue import load, prepare
from nas.data.datasets import DATASETS
from nas.data.images import Images, in_memory
from nas.data.store import MANIFEST, Manifest, Part, find, length, place
from nas.runs.record import Settings, seeds
from nas.train.training import Training
from nas.tree.tree import to_json
from tests.specimens import made, quick


def states(files):
    return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in files]


def test_the_files_are_made_once_with_a_notice(data):
    notices, files = made(data)
    assert notices == ["making flowers in $NAS_DATA, once"]
    again = made(data)
    assert again[0] == []
    assert states(again[1]) == states(files)
    assert sorted(os.listdir(place(data))) == ["lock", "manifest.json", *(f.name for f in files)]


def test_what_is_read_is_what_was_written_and_mapped_not_copied(data):
    made(data)
    train, test = (
        Images(
            images=np.stack([image for image, _ in rows]),
            labels=np.array([label for _, label in rows]),
        )
        for rows in image_folder.read(data)
    )
    known, found = in_memory(train, test), load(data)
    assert found.sha256 == known.sha256
    assert (found.mean, found.std) == pytest.approx((known.mean, known.std))
    assert np.array_equal(found.train.images, train.images)
    assert found.test.labels.tolist() == [0, 0, 1, 1]
    assert not found.train.images.flags.owndata
    assert not found.train.images.flags.writeable


def test_a_file_is_plain_bytes_that_numpy_reads(data):
    _, (test, train) = made(data)
    flat = np.load(train, mmap_mode="r")
    assert (flat.dtype, flat.shape) == (np.uint8, (12 * (3 * 8 * 8 + 8),))
    assert flat[-8:].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert np.load(test).shape == (4 * (3 * 8 * 8 + 8),)


def test_a_load_makes_what_is_not_there(data):
    assert len(load(data).train) == 12
    assert find(data) is not None


MAKE = """
import sys
sys.path.append({root!r})
from nas import image_folder
from nas.data.catalogue import load, prepare
data = image_folder("flowers", classes=2, image_size=8, validation=2)
prepare(data, lambda text: print(text, flush=True))
print(load(data).sha256)
"""


def test_two_processes_at_once_make_one_good_copy(data):
    folder = place(data)
    folder.mkdir()
    script = MAKE.format(root=str(Path(__file__).parents[2]))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = [
            subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in running:
            assert process.stdout.readline() == "making flowers in $NAS_DATA, once\n"
        assert os.listdir(folder) == ["lock"]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert said == {f"{load(data).sha256}\n"}
    assert [process.returncode for process in running] == [0, 0]
    assert made(data)[0] == []
    assert len(os.listdir(folder)) == 4


def test_a_process_that_had_to_wait_makes_nothing_again(data):
    _, files = made(data)
    before = states(files)

    def source():
        raise AssertionError

    assert making.make(data, find(data).origin, source) == find(data)
    assert states(files) == before


def test_what_was_broken_off_is_made_again(data):
    rows = image_folder.read(data)

    def broken():
        (place(data) / "train.partial").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        making.make(data, "", broken)
    assert find(data) is None
    making.make(data, "", lambda: rows)
    assert len(load(data).train) == 12


def test_how_many_validate_is_no_part_of_the_files(data):
    made(data)
    more = dataclasses.replace(data, validation=5)
    assert made(more)[0] == []
    with pytest.raises(ValueError, match="flowers: 12 images to validate on leave none of 12"):
        load(dataclasses.replace(data, validation=12))


def test_another_image_size_is_another_file(data):
    made(data)
    other = dataclasses.replace(data, image_size=4)
    assert len(made(other)[0]) == 1
    assert load(other).train.images.shape == (12, 3, 4, 4)
    assert load(data).train.images.shape == (12, 3, 8, 8)


def test_counts_that_are_not_what_was_said_are_refused(data):
    shipped = DATASETS["cifar10"]
    rows = image_folder.read(data)
    with pytest.raises(ValueError, match="cifar10 has 50,000 images to train on, not 12"):
        making.make(shipped, "", lambda: rows)
    with pytest.raises(ValueError, match="flowers: test must be 1 or more, not 0"):
        making.make(data, "", lambda: (rows[0], []))


def test_a_place_that_cannot_be_written_is_one_message(data, tmp_path, monkeypatch):
    rows = image_folder.read(data)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "file"))
    with pytest.raises(
        ValueError, match=r"cannot be written: Not a directory; set \$NAS_DATA to a folder that can"
    ):
        making.make(data, "", lambda: rows)


def test_a_full_disk_is_one_message_and_leaves_nothing_behind_as_made(data):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ValueError, match=f"{place(data)} cannot be written: File too large;"):
            prepare(data, lambda text: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert find(data) is None
    assert len(made(data)[0]) == 1


def test_a_data_set_larger_than_memory_is_trained_on_from_its_file(data, tmp_path):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    huge = replace(data, image_size=128)
    images = memory // length(huge, 1) + 1
    folder = place(huge)
    folder.mkdir()
    parts = {"train": images, "test": 2}
    for name, count in parts.items():
        header = making._header(length(huge, count))
        # Zeros that take no place on the disk: black images, all of class 0.
        with (folder / f"{name}-00000000.npy").open("wb") as file:
            file.write(header)
            file.truncate(len(header) + length(huge, count))
    train, test = (
        Part(sha256="0" * 64, bytes=path.stat().st_size, images=count)
        for path, count in zip(sorted(folder.glob("*.npy"))[::-1], parts.values(), strict=True)
    )
    made = Manifest(data=huge, origin="", train=train, test=test, sha256="", mean=0.5, std=1.0)
    (folder / MANIFEST).write_text(json.dumps(to_json(made)))
    edits = {"recipe.dataset": huge, "recipe.fidelity.share": 64 / images}
    experiment = edit(quick, edits)
    training = Training(experiment.layers(), experiment.recipe, seeds(0), Settings())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert next(iter(training)).train_accuracy > 0
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < memory / 20
