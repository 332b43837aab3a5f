"""Data sets by name: how each is read, and when its files are made."""

from collections.abc import Callable
from functools import lru_cache

from nas.data import cifar, digits, fashion_mnist, fashion_small, image_folder, own, synthetic
from nas.data.datasets import NAMES, Data
from nas.data.images import DataSet, Rows
from nas.data.making import make
from nas.data.store import Manifest, find, place, read, verify

READY = {"digits": digits.load, "synthetic": synthetic.load}
"""Those that need no file."""

READERS: dict[str, Callable[[Data], tuple[Rows, Rows]]] = {
    "imagenet": image_folder.read,
    "cifar10": cifar.read,
    "cifar100": cifar.read,
    "fashion_mnist": fashion_mnist.read,
    "fashion_small": fashion_small.read,
    "folder": image_folder.read,
}
"""How the others are read, by name or source."""


RANDOM = (
    "its function gives other images at each call; those of the first call are trained on. Draw "
    "them by a seed of your own"
)


def prepare(data: Data, notice: Callable[[str], None]) -> tuple[str, ...]:
    """Makes a data set's files where they are not there or its images have changed, and checks
    every byte of them: on the driver, before anything runs. What is told of how they were read:
    which files were passed over, what was done to images.

    Raises ValueError for what is missing, cannot be read or written, or is damaged.
    """
    if data.name in READY:
        return ()
    made, state = _standing(data, notice)
    verify(made)
    return (*made.remarks, RANDOM) if state == "random" else made.remarks


def images(data: Data) -> str:
    """The SHA-256 of the images and labels of a data set that is prepared."""
    if data.name in READY:
        return _ready(data.name).sha256
    made = find(data)
    return made.sha256 if made else ""


def coming(data: Data, notice: Callable[[str], None]) -> str | None:
    """The SHA-256 of what a run would train on now; None where nothing was made here yet.

    Raises ValueError as `prepare` does, but reads none of what was made.
    """
    if data.name not in READY:
        if find(data) is None:
            return None
        _standing(data, notice)
    return images(data)


def _standing(data: Data, notice: Callable[[str], None]) -> tuple[Manifest, str]:
    """What was made of a data set, made again where it is not what it was made of."""
    made, origin = find(data), _origin(data)
    state = "changed" if made is None else _state(data, made, origin)
    if made is None or state == "changed":
        again = ": its images, or how they are read, have changed" if made else ""
        notice(f"making {data.name} in $NAS_DATA, once{again}")
        made = _make(data, origin, made)
    return made, state


def load(data: Data) -> DataSet:
    """The data set; on a machine that has none of its files, made first.

    Raises ValueError as `prepare` does, and for a study file's own that was not prepared: a worker
    calls no function of a study.
    """
    if data.name in READY:
        return _ready(data.name)
    made = find(data)
    if made is None:
        if _is_own(data):
            raise ValueError(
                f"{data.name} is made where its study is run, and is not at {place(data)}: share "
                "$NAS_DATA between the machines, or copy that folder"
            )
        made = _make(data, _origin(data))
    return read(made)


def class_names(data: Data, sha256: str) -> tuple[str, ...]:
    """The names of the classes of the images with this fingerprint; none where they have none, or
    are not those that are here now: a label may mean another class there."""
    if data.name in NAMES:
        return NAMES[data.name]
    made = find(data)
    return made.class_names if made and made.sha256 == sha256 else ()


@lru_cache
def _ready(name: str) -> DataSet:
    return READY[name]()


def _is_own(data: Data) -> bool:
    return data.source not in (None, "folder")


def _make(data: Data, origin: str | None, before: Manifest | None = None) -> Manifest:
    reader = own.read if _is_own(data) else READERS[data.source or data.name]
    return make(data, origin or "", lambda: reader(data), before)


def _state(data: Data, made: Manifest, origin: str | None) -> str:
    """Whether a data set is still what it was made of: "same", "changed" or "random"."""
    if origin not in (None, made.origin):
        return "changed"
    return own.compared(made) if origin is not None and _is_own(data) else "same"


def _origin(data: Data) -> str | None:
    """What tells one state of a data set's source from another; None where it is not here."""
    if _is_own(data):
        return own.origin(data)
    files = READERS[data.source or data.name] is image_folder.read
    return image_folder.origin(data) if files else None
