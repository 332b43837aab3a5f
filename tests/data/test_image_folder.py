import dataclasses
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from nas.data.catalogue import load
from nas.data.store import place
from tests.specimens import made


def put(tmp_path, image, name="train/daisy/0.png"):
    (tmp_path / "flowers/train/daisy/0.png").unlink()
    image.save(tmp_path / "flowers" / name)


def test_classes_are_the_folders_in_the_order_of_their_names(data):
    found = load(data)
    assert found.train.labels.tolist() == [0] * 6 + [1] * 6
    assert found.test.labels.tolist() == [0, 0, 1, 1]


def test_an_image_of_the_stated_size_is_kept_to_the_bit(data, tmp_path):
    pixels = np.asarray(Image.open(tmp_path / "flowers/train/rose/3.png"))
    assert np.array_equal(load(data).train.images[9], pixels.transpose(2, 0, 1))


def test_the_shorter_side_is_scaled_and_the_middle_kept(data, tmp_path):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, :16], wide[:, 16:32], wide[:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    put(tmp_path, Image.fromarray(wide))
    middle = load(data).train.images[0, :, :, 1:-1]
    assert middle.max(axis=(1, 2)).tolist() == middle.min(axis=(1, 2)).tolist() == [0, 255, 0]


def test_a_jpeg_is_read_too(data, tmp_path):
    grey = np.full((8, 8, 3), 200, np.uint8)
    put(tmp_path, Image.fromarray(grey), "train/daisy/0.jpg")
    assert np.all(abs(load(data).train.images[0].astype(int) - 200) <= 2)


def test_grey_becomes_colour_and_colour_grey(data, tmp_path):
    put(tmp_path, Image.fromarray(np.full((8, 8), 77, np.uint8)))
    assert (load(data).train.images[0] == 77).all()
    grey = dataclasses.replace(data, channels=1)
    assert load(grey).train.images.shape == (12, 1, 8, 8)
    assert (load(grey).train.images[0] == 77).all()


def test_a_test_folder_serves_where_there_is_no_val(data, tmp_path):
    shutil.move(tmp_path / "flowers/val", tmp_path / "flowers/test")
    assert len(load(data).test) == 4


@pytest.mark.parametrize("missing", ["", "train", "val"])
def test_a_folder_that_is_not_there_says_where_to_put_the_images(data, tmp_path, missing):
    shutil.rmtree(tmp_path / "flowers" / missing)
    root = tmp_path / "flowers"
    message = f"flowers is not here: put its images into {root}/train/CLASS/ and {root}/val/CLASS/"
    with pytest.raises(ValueError, match=message):
        made(data)


def test_images_that_are_gone_after_they_were_made_are_not_missed(data, tmp_path):
    made(data)
    shutil.rmtree(tmp_path / "flowers")
    assert made(data)[0] == []
    assert len(load(data).train) == 12


def test_another_number_of_classes_is_refused(data, tmp_path):
    with pytest.raises(
        ValueError, match=f"was said to have 3 classes; {tmp_path}/flowers/train has 2: daisy, rose"
    ):
        load(dataclasses.replace(data, classes=3))


def test_classes_that_part_between_the_splits_are_named(data, tmp_path):
    shutil.move(tmp_path / "flowers/val/rose", tmp_path / "flowers/val/tulip")
    with pytest.raises(ValueError, match="val have the same classes, but for rose"):
        load(data)


def test_a_class_without_images_is_refused(data, tmp_path):
    (tmp_path / "flowers/train/tulip").mkdir()
    with pytest.raises(ValueError, match=r"train needs a folder of images a class: .*tulip"):
        load(data)


@pytest.mark.parametrize("kept", [30, -60])
def test_a_broken_image_names_its_file(data, tmp_path, kept):
    path = tmp_path / "flowers/train/rose/3.png"
    path.write_bytes(path.read_bytes()[:kept])
    message = f"flowers, image 9 to train on: {path} is no image that can be read .*; replace it or"
    with pytest.raises(ValueError, match=message):
        load(data)
    assert not list(place(data).glob("*.npy"))


def test_fewer_images_than_are_to_validate_is_an_error(data):
    with pytest.raises(ValueError, match="flowers: 12 images to validate on leave none of 12"):
        load(dataclasses.replace(data, validation=12))


def test_a_changed_folder_is_made_anew_and_the_old_files_go(data, tmp_path):
    made(data)
    before, files = load(data), set(place(data).glob("*.npy"))
    (tmp_path / "flowers/train/rose/5.png").unlink()
    assert len(made(data)[0]) == 1
    assert (len(before.train), len(load(data).train)) == (12, 11)
    assert int(before.train.images.sum()) > 0
    now = set(place(data).glob("*.npy"))
    assert len(now) == 2
    assert len(now & files) == 1
    assert made(data)[0] == []


def test_an_image_that_is_replaced_by_one_of_its_size_and_time_is_read_again(data, tmp_path):
    made(data)
    path, before = tmp_path / "flowers/train/rose/5.png", load(data).sha256
    about = path.stat()
    path.write_bytes((tmp_path / "flowers/train/daisy/5.png").read_bytes())
    assert path.stat().st_size == about.st_size
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert len(made(data)[0]) == 1
    assert load(data).sha256 != before
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    changed = load(data).sha256
    made(data)  # its time of change is another, and its images are not
    assert load(data).sha256 == changed
