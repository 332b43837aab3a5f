"""The uncertainty of a difference that comes from training seeds and from test images at once.

Shapes: S seeds, N images.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from nas.stats.paired import LEVEL


def two_way(right: ArrayLike, other: ArrayLike, resolution: float = 0.0) -> float:
    """Half of the 95 % interval of a mean difference in accuracy, in percentage points, for new
    seeds and new images: `other` less `right`, both (S, N) and true where a run is right about an
    image, the same images for all runs.

    Seeds and images are crossed random effects: the variance of the mean is that over seeds and
    that over images less that of a single answer, which both hold (Owen 2007, to which the
    bootstrap over seeds x images tends as well; with few seeds its percentiles are too near).
    Student's t, its degrees of freedom by Satterthwaite (1946). `resolution` is the least that the
    seeds' standard deviation is taken to be. Never less than for the seeds alone, whose t has fewer
    degrees of freedom. NaN below two seeds or images.
    """
    apart = 100 * (np.asarray(other, float) - np.asarray(right, float))
    seeds, images = apart.shape
    if min(seeds, images) < 2:
        return math.nan
    by_seed, by_image = apart.mean(1), apart.mean(0)
    rest = apart - by_seed[:, None] - by_image + apart.mean()
    free = seeds - 1, images - 1, (seeds - 1) * (images - 1)
    parts = (
        max(float(by_seed.var(ddof=1)), resolution**2) / seeds,
        float(by_image.var(ddof=1)) / images,
        float((rest**2).sum()) / free[2] / apart.size,
    )
    # An effect's estimated variance may be negative, the mean's is no less than one effect's alone.
    variance = max(parts[0] + parts[1] - parts[2], parts[0], parts[1])
    if variance == 0:
        return 0.0
    degrees = variance**2 / sum(part**2 / each for part, each in zip(parts, free, strict=True))
    both = float(special.stdtrit(degrees, 1 - LEVEL / 2)) * math.sqrt(variance)
    return max(both, float(special.stdtrit(free[0], 1 - LEVEL / 2)) * math.sqrt(parts[0]))
