import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from nas import Recipe
from nas.train.augmentation import (
    INTERPOLATIONS,
    augmentation,
    crops,
    distort,
    photometric,
    resample,
    resample_each,
)

NONE, FLIP, CROPS = (Recipe(augmentation=how) for how in (None, "flip", "crops"))
RANDOM = dataclasses.replace(CROPS, interpolation="random")
HOWARD = dataclasses.replace(NONE, photometric=0.5)
RECIPES = [NONE, FLIP, CROPS, RANDOM, HOWARD, dataclasses.replace(RANDOM, photometric=0.5)]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def augment(images, recipe, seed=0):
    return augmentation(recipe, stream(seed), 0.0, 1.0)(images)


images = torch.rand(64, 1, 12, 12, generator=stream(9))
coloured = torch.rand(64, 3, 12, 12, generator=stream(8))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("given_", [images, coloured], ids=["grey", "coloured"])
def test_the_shape_stays_and_the_images_given_are_not_changed(recipe, given_):
    before = given_.clone()
    assert augment(given_, recipe).shape == given_.shape
    assert torch.equal(given_, before)


def test_nothing_is_drawn_without_augmentation():
    generator = stream()
    assert augmentation(NONE, generator, 0.0, 1.0)(images) is images
    assert torch.equal(generator.get_state(), stream().get_state())


@pytest.mark.parametrize("recipe", RECIPES[1:])
@given(seed=st.integers(0, 2**32))
def test_one_stream_gives_one_result(recipe, seed):
    assert torch.equal(augment(images, recipe, seed), augment(images, recipe, seed))


def test_flip_mirrors_about_half_of_the_images_and_changes_no_other():
    made = augment(images, FLIP)
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(made, images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(made, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 20 < sum(mirrored) < 44


@given(st.integers(0, 1000))
def test_a_crop_lies_inside_the_image_and_has_8_to_100_percent_of_its_area(seed):
    side = 200
    ramp = torch.arange(side, dtype=torch.float32)
    across = augment(ramp.expand(16, 1, side, side).contiguous(), CROPS, seed)
    down = augment(ramp[:, None].expand(16, 1, side, side).contiguous(), CROPS, seed)
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
    made = augment(ramp, CROPS)
    mirrored = (made[:, 0, 0, -1] < made[:, 0, 0, 0]).float().mean()
    assert 0.4 < mirrored < 0.6


@pytest.mark.parametrize("recipe", [CROPS, RANDOM])
def test_a_crop_of_an_even_surface_is_even(recipe):
    even = torch.full((32, 3, 10, 10), 0.25)
    assert torch.allclose(augment(even, recipe), even)


SIDE = 24
TOP, LEFT, HEIGHT, WIDTH = 6, 3, 12, 8
wide = torch.rand(5, 3, SIDE, SIDE, generator=stream(3), dtype=torch.float64)


def box(top, left, height, width):
    """A crop in whole pixels, as `resample` takes it."""
    across = [width / SIDE, 0, (2 * left + width) / SIDE - 1]
    down = [0, height / SIDE, (2 * top + height) / SIDE - 1]
    return torch.tensor([across, down], dtype=torch.float64).expand(5, 2, 3).contiguous()


MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "nearest": InterpolationMode.NEAREST_EXACT,
    "bicubic": InterpolationMode.BICUBIC,
}


@pytest.mark.parametrize("how", MODES)
def test_a_crop_is_torchvisions_resized_crop(how):
    # Beyond a crop's edge there is more image for us, and its last pixel again for torchvision.
    reach = {"bilinear": 2, "nearest": 0, "bicubic": 6}[how]
    inner = slice(reach, SIDE - reach)
    made = resample(wide, box(TOP, LEFT, HEIGHT, WIDTH), how)
    wanted = reference.resized_crop(
        wide, TOP, LEFT, HEIGHT, WIDTH, [SIDE, SIDE], MODES[how], antialias=False
    )
    assert torch.allclose(made[..., inner, inner], wanted[..., inner, inner], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(12, 8), (24, 24), (6, 12), (3, 1)])
def test_an_area_crop_is_torchs_area_interpolation(height, width):
    made = resample(wide, box(TOP, LEFT, height, width) if height < SIDE else box(0, 0, 24, 24),
                    "area")  # fmt: skip
    top, left = (TOP, LEFT) if height < SIDE else (0, 0)
    cut = wide[..., top : top + height, left : left + width]
    wanted = functional.interpolate(cut, (SIDE, SIDE), mode="area")
    assert torch.allclose(made, wanted, atol=1e-6, rtol=0)


def test_an_area_crop_between_pixels_takes_each_by_the_share_that_it_covers():
    row = torch.tensor([[[[0.0, 1.0, 4.0, 9.0]] * 4]], dtype=torch.float64)
    half = torch.tensor([[[0.5, 0, 0.25], [0, 1, 0]]], dtype=torch.float64)
    # Pixels 1.5 to 3.5 in four steps of half a pixel.
    assert resample(row, half, "area")[0, 0, 0].tolist() == pytest.approx([1, 4, 4, 9])
    third = torch.tensor([[[0.75, 0, 0.0], [0, 1, 0]]], dtype=torch.float64)
    # Pixels 0.5 to 3.5 in four steps of 0.75: 0.5 to 1.25 is half of 0 and a quarter of 1.
    expected = [1 / 3, (0.75 * 1) / 0.75, 4, (0.25 * 4 + 0.5 * 9) / 0.75]
    assert resample(row, third, "area")[0, 0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("how", INTERPOLATIONS)
def test_a_negative_extent_mirrors(how):
    theta = box(TOP, LEFT, HEIGHT, WIDTH)
    mirrored = theta * torch.tensor([[-1, 1, 1], [1, 1, 1]])
    straight = resample(wide, theta, how)
    assert torch.allclose(resample(wide, mirrored, how), straight.flip(-1), atol=1e-12)


def test_random_interpolation_gives_each_image_one_of_the_four_with_equal_probability():
    many = torch.rand(2000, 1, 6, 6, generator=stream(2))
    theta = crops(2000, stream())
    made = augment(many, RANDOM)
    each = torch.stack([resample(many, theta, how) for how in INTERPOLATIONS]).clamp(0, 1)
    same = (made == each).flatten(2).all(2)
    assert bool(same.any(0).all())
    assert same.float().mean(1).tolist() == pytest.approx([0.25] * 4, abs=0.03)


def test_each_image_has_the_interpolation_that_was_asked_for():
    kinds = torch.tensor([3, 0, 1, 2, 3])
    theta = box(TOP, LEFT, HEIGHT, WIDTH)
    made = resample_each(wide, theta, kinds)
    for at, kind in enumerate(kinds):
        assert torch.equal(made[at], resample(wide, theta, INTERPOLATIONS[kind])[at])


def test_a_batch_may_lack_an_interpolation():
    assert augment(images[:1], RANDOM).shape == images[:1].shape


ADJUSTED = (
    reference.adjust_brightness,
    reference.adjust_contrast,
    reference.adjust_saturation,
)


@pytest.mark.parametrize("channels", [1, 3])
@given(
    factors=st.lists(st.floats(0, 2), min_size=3, max_size=3),
    turns=st.permutations([0, 1, 2]),
    levels=st.sampled_from([(0.0, 1.0), (-0.8, 2.4)]),
)
def test_distortions_are_torchvisions_in_any_order(channels, factors, turns, levels):
    pixels = torch.rand(2, channels, 6, 6, generator=stream(4), dtype=torch.float64)
    wanted = pixels
    for turn in turns:
        wanted = ADJUSTED[turn](wanted, factors[turn])
    black, white = levels
    made = distort(
        pixels * (white - black) + black,
        torch.tensor([factors] * 2, dtype=torch.float64),
        torch.tensor([turns] * 2),
        black,
        white,
    )
    assert torch.allclose((made - black) / (white - black), wanted, atol=1e-6, rtol=0)


def test_photometric_draws_factors_and_an_order_for_each_image():
    same = torch.rand(1, 3, 4, 4, generator=stream()).expand(200, 3, 4, 4)
    made = photometric(same, 0.5, stream(), 0.0, 1.0)
    assert len(torch.unique(made, dim=0)) == 200
    assert torch.allclose(photometric(same, 0.0, stream(), 0.0, 1.0), same, atol=1e-6)
    assert made.min() >= 0
    assert made.max() <= 1


def test_a_part_more_changes_no_other_parts_draws():
    plain, distorted = CROPS, dataclasses.replace(CROPS, photometric=0.5)
    two = torch.rand(2, 64, 3, 8, 8, generator=stream(5))
    first, second = (augmentation(recipe, stream(), 0.0, 1.0) for recipe in (plain, distorted))
    colours = augmentation(HOWARD, stream(), 0.0, 1.0)
    for batch in two:
        assert torch.allclose(second(batch), colours(first(batch)), atol=1e-6)
