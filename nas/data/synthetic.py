"""Four classes of noisy stripes and blobs of 16 x 16 pixels, made from a fixed seed: for --smoke
and for tests. They are ready in milliseconds, so they need no file of ours."""

import numpy as np

from nas.data.images import DataSet, Images, in_memory


def load() -> DataSet:
    """256 images to train and validate on, 64 to test on."""
    return in_memory(_draw(256, seed=1), _draw(64, seed=2))


def _draw(count: int, seed: int) -> Images:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    y, x = np.mgrid[:16, :16]
    clean = np.stack(
        [np.sin(x), np.sin(y), np.sin(x + y), np.exp(-((x - 8) ** 2 + (y - 8) ** 2) / 16)]
    )
    noisy = clean[labels] + rng.normal(0, 0.4, (count, 16, 16))
    images = np.clip(128 + 64 * noisy, 0, 255).astype(np.uint8)
    return Images(images=images[:, None], labels=labels.astype(np.int64))
