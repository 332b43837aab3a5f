"""Data sets by name."""

from functools import lru_cache

from nas.data import digits, fashion_mnist, synthetic
from nas.data.images import DataSet

LOADERS = {
    "digits": digits.load,
    "fashion_mnist": fashion_mnist.load,
    "synthetic": synthetic.load,
}


@lru_cache(maxsize=2)
def load(name: str) -> tuple[DataSet, str]:
    """The data set and its SHA-256; ValueError for one that is known but cannot be loaded."""
    if name not in LOADERS:
        raise ValueError(
            f"{name} can be counted but not trained on here; there are {', '.join(LOADERS)}"
        )
    data = LOADERS[name]()
    return data, data.sha256
