"""Which files of a folder are images, and of which class."""

import dataclasses
import os
import shutil
import socket

import numpy as np
import pytest
from PIL import Image

from nas.data import image_folder
from nas.data.catalogue import load, prepare
from nas.data.listing import listing
from nas.data.store import find
from tests.specimens import made


@pytest.fixture
def train(data, tmp_path):
    return tmp_path / "flowers/train"


def told(data):
    return " ".join(prepare(data, lambda text: None))


@pytest.mark.parametrize("name", ["a.gif", "a.jfif", "a.avif", "a.JPG", "a.webp", "a.jp2", "a.tga"])
def test_what_pillow_reads_is_an_image(data, train, name):
    Image.new("RGB", (8, 8)).save(train / "daisy" / name)
    assert told(data) == ""
    assert len(load(data).train) == 13


def test_what_is_passed_over_is_counted_by_its_ending_and_named(data, train, tmp_path):
    for name in ("a.txt", "b.txt", "c.heic", "plain", "empty.png", "Thumbs.db", "._1.png"):
        (train / "daisy" / name).write_bytes(b"" if name == "empty.png" else b"text")
    for place in ("daisy/.ipynb_checkpoints", "daisy/@eaDir", "__MACOSX", ".thumbnails"):
        shutil.copytree(train / "rose", train / place)
    (train / "stray.png").write_bytes(b"text")
    shutil.copytree(tmp_path / "flowers/val", tmp_path / "flowers/test")
    said = told(data)
    assert len(load(data).train) == 12
    for part in ("2 .txt (train/daisy/a.txt, ...)", "1 .heic (train/daisy/c.heic)", "6 hidden (",
                 "1 without an ending (train/daisy/plain)", "1 empty (train/daisy/empty.png)",
                 "1 outside of a class's folder (train/stray.png)",
                 "1 beside train and val (test)"):  # fmt: skip
        assert part in said
    assert told(data) == said  # each time, not when it is made alone
    (train / "daisy/d.txt").write_text("text")
    assert "3 .txt" in told(data)


def test_a_class_whose_files_are_all_passed_over_says_so(data, train):
    (train / "tulip").mkdir()
    (train / "tulip/a.heic").write_text("text")
    with pytest.raises(ValueError, match=r"tulip has none; passed over: 1 .heic \(train/tulip/a"):
        load(data)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("10", "2", "1"), ("1", "2", "10")),
        (("class10", "class2"), ("class2", "class10")),
        (("a2b10", "a2b9", "a10"), ("a2b9", "a2b10", "a10")),
        (("0", "-1", "1"), ("-1", "0", "1")),
        (("0.5", "0.25", "10"), ("0.25", "0.5", "10")),
        (("02", "1", "2"), ("1", "02", "2")),
        (("rose", "Daisy"), ("Daisy", "rose")),
    ],
)
def test_classes_are_in_the_order_that_people_sort_in(tmp_path, names, order):
    for name in names:
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "0.png")
    (tmp_path / "README").write_text("no class")
    assert listing(tmp_path).classes == order


def test_the_names_of_the_classes_go_with_what_was_made(data):
    made(data)
    assert find(data).class_names == ("daisy", "rose")


def loop(train):
    (train / "daisy/all").symlink_to(train)


def class_loop(train):
    (train / "tulip").symlink_to(train.parent)


def outwards(train):
    (train / "daisy/rose.png").symlink_to(train / "rose/0.png")


def inwards(train):
    (train / "daisy/again.png").symlink_to("0.png")


def dangling(train):
    (train / "daisy/gone.png").symlink_to("nowhere.png")


@pytest.mark.parametrize("link", [loop, class_loop, outwards, inwards, dangling])
def test_a_link_is_passed_over_by_name(data, train, link):
    link(train)
    said = told(data)
    assert "1 links (train/" in said
    assert load(data).train.labels.tolist() == [0] * 6 + [1] * 6


def test_a_fifo_a_socket_and_a_second_name_are_no_images(data, train):
    os.mkfifo(train / "daisy/a.png")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.getcwd()
        os.chdir(train / "daisy")
        bound.bind("b.png")
        os.chdir(here)
    os.link(train / "daisy/0.png", train / "daisy/c.png")
    said = told(data)
    assert "2 special files (train/daisy/a.png, ...)" in said
    assert "1 repeated (train/daisy/c.png)" in said
    assert len(load(data).train) == 12


def test_a_folder_of_a_class_may_be_a_link_and_so_may_the_split(data, train, tmp_path):
    shutil.move(train / "rose", tmp_path / "elsewhere")
    (train / "rose").symlink_to(tmp_path / "elsewhere")
    shutil.move(train, tmp_path / "there")
    train.symlink_to(tmp_path / "there")
    assert len(load(data).train) == 12


def twice(train):
    shutil.rmtree(train / "rose")
    (train / "rose").symlink_to("daisy")


def within(train):
    shutil.move(train / "rose", train / "daisy/rose")
    (train / "rose").symlink_to("daisy/rose")


def split(train):
    shutil.rmtree(train.parent / "val")
    (train.parent / "val").symlink_to("train")


@pytest.mark.parametrize("harm", [twice, within, split])
def test_a_folder_of_two_classes_or_splits_is_refused(data, train, harm):
    harm(train)
    with pytest.raises(ValueError, match="are one folder; an image has one label and is in one"):
        load(data)


@pytest.mark.parametrize("second", ["train/rose/9.png", "val/daisy/9.png"])
def test_a_file_of_two_classes_or_splits_is_refused(data, train, second):
    os.link(train / "daisy/0.png", train.parent / second)
    with pytest.raises(ValueError, match=r"daisy/0.png and .*9.png are one file; an image has one"):
        load(data)


def test_names_that_are_no_text_are_read_and_told(data, train):
    shutil.copy(train / "daisy/0.png", os.fsencode(train / "daisy") + b"/\xff.png")
    (train / "daisy/\x1b]52;.txt").write_text("text")
    assert r"1 .txt (train/daisy/\x1b]52;.txt)" in told(data)
    assert len(load(data).train) == 13


def test_a_class_has_a_name_that_can_be_printed(data, train):
    os.mkdir(os.fsencode(train) + b"/\xff")
    with pytest.raises(ValueError, match=r"train/\\xff: a class's name can be printed; rename it"):
        load(data)


def test_a_folder_that_cannot_be_read_is_no_empty_one(data, train, monkeypatch):
    scan = os.scandir

    def closed(path):
        if str(path).endswith("daisy/deep"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    (train / "daisy/deep").mkdir()
    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(ValueError, match="deep cannot be read: Permission denied"):
        load(data)


def test_no_program_is_run_for_a_file_that_says_it_is_postscript(data, train):
    (train / "daisy/0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    with pytest.raises(ValueError, match=r"0.png is no image that can be read"):
        load(data)


def test_what_was_done_to_images_is_told(data, train):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(train / "daisy/0.png")
    assert told(data) == "to train on: 1 with transparency, laid on white"


def test_sixteen_bits_are_refused_by_the_name_of_the_file_or_read_in_their_range(data, train):
    deep = Image.fromarray(np.full((8, 8), 4095, np.uint16))
    deep.save(train / "daisy/0.png")
    with pytest.raises(ValueError, match=r"daisy/0.png: more than 8 bits .* pixel_range"):
        load(data)
    for path in train.parent.rglob("*.png"):
        deep.save(path)
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(train / "rose/0.png")
    ranged = dataclasses.replace(data, pixel_range=(0.0, 4095.0))
    assert load(ranged).train.images[0].min() == 255


def test_what_an_earlier_version_made_is_made_again(data, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(image_folder, "READING", 1)
        made(data)
    said = "making flowers in $NAS_DATA, once: its images, or how they are read, have changed"
    assert made(data)[0] == [said]
    assert made(data)[0] == []
