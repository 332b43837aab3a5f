"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries: no download.

They are ready in milliseconds, so they need no file of ours.
"""

import numpy as np

from nas.data.images import DataSet, Images, in_memory, split

TEST = 297


def load() -> DataSet:
    """The digits; the test split is the same in every study."""
    from sklearn.datasets import load_digits  # here, as it takes two seconds

    pixels, labels = load_digits(return_X_y=True)
    grey = np.round(np.asarray(pixels) * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    digits = Images(images=grey, labels=np.asarray(labels, np.int64))
    train, test = split(len(digits), TEST, seed=2014)
    return in_memory(digits.at(train), digits.at(test))
