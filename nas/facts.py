"""What the data sets are, known without loading them and without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A data set: number of classes, channels, native image size in pixels, and how many images
    it has to train and validate on, to hold out for validation out of those, and to test on."""

    classes: int
    channels: int
    image_size: int
    train: int
    validation: int
    test: int


DATASETS = {
    "imagenet": Facts(
        classes=1000, channels=3, image_size=224, train=1_281_167, validation=50_000, test=50_000
    ),
    "fashion_mnist": Facts(
        classes=10, channels=1, image_size=28, train=60_000, validation=5_000, test=10_000
    ),
    "digits": Facts(classes=10, channels=1, image_size=8, train=1_500, validation=400, test=297),
    "synthetic": Facts(classes=4, channels=1, image_size=16, train=256, validation=64, test=64),
}
