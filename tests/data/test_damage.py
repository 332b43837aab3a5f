import json

import pytest

from nas.data.catalogue import load
from nas.data.store import place
from tests.specimens import made


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def forge(path):
    path.write_bytes(path.read_bytes().replace(b"(2400,)", b"(2399,)"))


def scribble(path):
    path.write_bytes(b"\0" * path.stat().st_size)


def test_a_flipped_byte_is_found_before_anything_runs(data):
    for path in made(data)[1]:
        before = path.read_bytes()
        flip(path)
        with pytest.raises(
            ValueError,
            match=f"{path} is damaged: its SHA-256 is not that of manifest.json; delete it, and it "
            "will be made again",
        ):
            made(data)
        path.write_bytes(before)
    assert made(data)[0] == []


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (cut, "it has 2,527 bytes of 2,528; delete it, and it will be made again"),
        (forge, r"its header says uint8 of \(2399,\)"),
        (scribble, "delete it, and it will be made again"),
    ],
)
def test_every_process_that_opens_a_damaged_file_names_it(data, damage, why):
    path = made(data)[1][1]
    damage(path)
    for open_again in (load, made):
        with pytest.raises(ValueError, match=f"{path} is damaged: .*{why}"):
            open_again(data)
    path.unlink()
    assert len(made(data)[0]) == 1
    assert len(load(data).train) == 12


def test_without_its_manifest_a_data_set_is_made_again(data):
    _, files = made(data)
    (place(data) / "manifest.json").unlink()
    assert len(made(data)[0]) == 1
    assert [path.name for path in made(data)[1]] == [path.name for path in files]


@pytest.mark.parametrize("text", ["", "{", "5", '{"is": "Manifest"}', '{"is": "os:system"}'])
def test_a_damaged_manifest_names_itself(data, text):
    made(data)
    path = place(data) / "manifest.json"
    path.write_text(text)
    for open_again in (load, made):
        with pytest.raises(ValueError, match=f"{path} is damaged: it is no manifest of this data"):
            open_again(data)


def test_the_manifest_of_another_data_set_is_no_good(data):
    made(data)
    path = place(data) / "manifest.json"
    stored = json.loads(path.read_text())
    stored["data"]["name"] = "weeds"
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=f"{path} is damaged"):
        load(data)
