import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.augmentation import augment


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


images = torch.rand(64, 1, 12, 12, generator=stream(9))


@pytest.mark.parametrize("how", [None, "flip", "crops"])
def test_the_shape_stays_and_the_images_given_are_not_changed(how):
    before = images.clone()
    assert augment(images, how, stream()).shape == images.shape
    assert torch.equal(images, before)


def test_nothing_is_drawn_without_augmentation():
    generator = stream()
    assert augment(images, None, generator) is images
    assert torch.equal(generator.get_state(), stream().get_state())


@pytest.mark.parametrize("how", ["flip", "crops"])
@given(seed=st.integers(0, 2**32))
def test_one_stream_gives_one_result(how, seed):
    assert torch.equal(augment(images, how, stream(seed)), augment(images, how, stream(seed)))


def test_flip_mirrors_about_half_of_the_images_and_changes_no_other():
    made = augment(images, "flip", stream())
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(made, images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(made, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 20 < sum(mirrored) < 44


@given(st.integers(0, 1000))
def test_a_crop_lies_inside_the_image_and_has_8_to_100_percent_of_its_area(seed):
    side = 200
    ramp = torch.arange(side, dtype=torch.float32)
    across = augment(ramp.expand(16, 1, side, side).contiguous(), "crops", stream(seed))
    down = augment(ramp[:, None].expand(16, 1, side, side).contiguous(), "crops", stream(seed))
    for map_ in (across, down):
        assert map_.min() >= -0.01
        assert map_.max() <= side - 0.99
    width = (across[:, 0, 0, -1] - across[:, 0, 0, 0]).abs() / (side - 1)
    height = (down[:, 0, -1, 0] - down[:, 0, 0, 0]).abs() / (side - 1)
    area = width * height
    assert area.min() > 0.075
    assert area.max() <= 1.001
    inside = (width < 0.99) & (height < 0.99)
    ratio = (width / height)[inside]
    assert bool(((ratio > 0.74) & (ratio < 1.35)).all())


def test_crops_are_mirrored_about_half_of_the_time():
    ramp = torch.arange(12.0).expand(256, 1, 12, 12).contiguous()
    made = augment(ramp, "crops", stream())
    mirrored = (made[:, 0, 0, -1] < made[:, 0, 0, 0]).float().mean()
    assert 0.4 < mirrored < 0.6


def test_a_crop_of_an_even_surface_is_even():
    even = torch.full((8, 3, 10, 10), 0.25)
    assert torch.allclose(augment(even, "crops", stream()), even)
