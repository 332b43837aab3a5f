"""What is read is what is there, whatever the file is."""

import io
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from nas import image_folder
from nas.data.decoding import FRAMES, LAID, TURNED, pixels

GREY = image_folder("odd", classes=2, image_size=4, validation=2, channels=1)
COLOUR = image_folder("odd", classes=2, image_size=4, validation=2)
CORNER = np.zeros((4, 4, 3), np.uint8)
CORNER[0, 0] = 255
TWELVE = np.linspace(0, 4095, 16).astype(np.uint16).reshape(4, 4)


def ranged(low, high, channels=1):
    facts = {"classes": 2, "image_size": 4, "validation": 2, "channels": channels}
    return image_folder("odd", pixel_range=(low, high), **facts)


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    buffer.seek(0)
    return Image.open(buffer)


def read(image, data=COLOUR):
    met = Counter()
    return pixels(image, data, met), met


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, 3)), (3, (3, 3)), (4, (3, 0)), (5, (0, 0)), (6, (0, 3)), (7, (3, 3)),
     (8, (3, 0))],
)  # fmt: skip
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_an_image_is_turned_as_its_exif_orientation_says(form, orientation, corner):
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    found, met = read(saved(Image.fromarray(CORNER), form, exif=exif, **options))
    assert [tuple(at) for at in np.argwhere(found[0])] == [corner]
    if form != "TIFF":  # which Pillow turns itself
        assert met[TURNED] == (orientation > 1)


def test_an_exif_block_that_is_broken_turns_nothing():
    broken = saved(Image.fromarray(CORNER), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12")
    assert np.array_equal(read(broken)[0], CORNER.transpose(2, 0, 1))


DEEP = {
    "I;16 PNG": lambda: saved(Image.fromarray(TWELVE), "PNG"),
    "I;16 TIFF": lambda: saved(Image.fromarray(TWELVE), "TIFF"),
    "I;16B TIFF": lambda: saved(Image.fromarray(TWELVE.astype(">u2")), "TIFF"),
    "JPEG 2000": lambda: saved(Image.fromarray(TWELVE), "JPEG2000"),
    "16-bit PGM": lambda: saved(Image.fromarray(TWELVE), "PPM"),
    "I": lambda: Image.fromarray(TWELVE.astype(np.int32)),
    "F": lambda: saved(Image.fromarray(TWELVE.astype(np.float32)), "TIFF"),
    "uint16": lambda: TWELVE,
    "int64": lambda: TWELVE.astype(np.int64),
    "float": lambda: TWELVE.astype(float)[None],
}


@pytest.mark.parametrize("image", DEEP.values(), ids=DEEP)
def test_more_than_eight_bits_want_their_range_and_keep_what_256_levels_of_it_can(image):
    with pytest.raises(ValueError, match="pixel_range"):
        read(image(), GREY)
    found, _ = read(image(), ranged(0, 4095))
    assert np.array_equal(found[0], np.rint(TWELVE * (255 / 4095)))
    with pytest.raises(ValueError, match=r"from 0 to 4095, out of pixel_range \(0, 4094\)"):
        read(image(), ranged(0, 4094))


def test_negative_pixels_have_a_range_too_and_no_number_has_none():
    hounsfield = np.array([[-1000.0] * 4, [0] * 4, [1000] * 4, [500] * 4])
    assert read(hounsfield, ranged(-1000, 1000))[0][0, :, 0].tolist() == [0, 128, 255, 191]
    hounsfield[0, 0] = np.nan
    with pytest.raises(ValueError, match="out of pixel_range"):
        read(Image.fromarray(hounsfield.astype("f4")), ranged(-1000, 1000))


def png(kind, alpha=b""):
    """A PNG of 4 x 4 pixels of 16 bits: of colour, or of kinds with alpha."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    rows = b"".join(b"\0" + b"\x01\x02" * (4 * channels) for _ in range(4))

    def chunk(name, content):
        crc = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + crc

    head = struct.pack(">IIBBBBB", 4, 4, 16, kind, 0, 0, 0)
    content = chunk(b"IHDR", head) + alpha + chunk(b"IDAT", zlib.compress(rows))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))


PPM16 = b"P6\n4 4\n4095\n" + b"\x01\x02" * 48
CUT = {
    "PNG": lambda: png(2),
    "PNG LA": lambda: png(4),
    "PNG RGBA": lambda: png(6),
    "PPM": lambda: io.BytesIO(PPM16),
    "plain PPM": lambda: io.BytesIO(b"P3\n4 4\n4095\n" + b"258 " * 48),
}


@pytest.mark.parametrize("file", CUT.values(), ids=CUT)
@pytest.mark.parametrize("channels", [1, 3])
def test_colour_of_sixteen_bits_which_pillow_cuts_to_eight_is_refused(file, channels):
    grey = GREY if channels == 1 else COLOUR
    with pytest.raises(ValueError, match="more than 8 bits a channel"):
        read(Image.open(file()), grey)
    with pytest.raises(ValueError, match=r"pixel_range=\(0, 65535\) alone"):
        read(Image.open(file()), ranged(0, 4095, channels))
    assert read(Image.open(file()), ranged(0, 65535, channels))[0].shape == (channels, 4, 4)


def test_a_sixteen_bit_tiff_in_colour_is_refused():
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2),
               (273, 4, 1, 140), (277, 3, 1, 3), (278, 3, 1, 4), (279, 4, 1, 96)]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + b"\0\0\0\0"
    content = content.ljust(134, b"\0") + struct.pack("<HHH", 16, 16, 16) + b"\x01\x02" * 48
    with pytest.raises(ValueError, match="more than 8 bits a channel"):
        read(Image.open(io.BytesIO(content)))


def test_eight_bits_have_no_range():
    with pytest.raises(ValueError, match="more than 8 bits a channel, and this one's mode is RGB"):
        read(Image.fromarray(CORNER), ranged(0, 4095))
    with pytest.raises(ValueError, match="more than 8 bits a channel, and this is uint8"):
        read(CORNER[..., 0], ranged(0, 4095))


def clear(mode):
    """An image whose left half is clear, over a hidden red (or grey)."""
    rgba = np.full((4, 4, 4), (200, 0, 0, 255), np.uint8)
    rgba[:, :2, 3] = 0
    image = Image.fromarray(rgba)
    if mode == "LA":
        return image.convert("LA")
    if mode == "RGBa":
        return image.convert("RGBa")
    if mode == "P":
        palette = Image.new("P", (4, 4), 1)
        palette.putpalette([200, 0, 0, 0, 0, 200])
        palette.paste(0, (0, 0, 2, 4))
        return saved(palette, "PNG", transparency=0)
    if mode == "L":
        grey = Image.new("L", (4, 4), 60)
        grey.paste(7, (0, 0, 2, 4))
        return saved(grey, "PNG", transparency=7)
    if mode == "RGB":
        solid = Image.new("RGB", (4, 4), (0, 0, 200))
        solid.paste((200, 0, 0), (0, 0, 2, 4))
        return saved(solid, "PNG", transparency=(200, 0, 0))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "P", "L", "RGB"])
@pytest.mark.parametrize("data", [GREY, COLOUR], ids=["grey", "colour"])
def test_what_is_transparent_lies_on_white(mode, data):
    found, met = read(clear(mode), data)
    assert (found[:, :, :2] == 255).all()
    assert (found[:, :, 2:] < 255).any()
    assert met[LAID] == 1


def test_half_transparent_is_half_white_and_an_opaque_alpha_is_not_told():
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert set(read(half)[0].ravel().tolist()) == {127}
    assert read(Image.new("RGBA", (4, 4), (9, 9, 9, 255)))[1][LAID] == 0


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_read_and_it_is_told(form):
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    options = {"lossless": True} if form == "WEBP" else {}
    found, met = read(saved(first, form, save_all=True, append_images=[second], **options))
    assert found[0].min() == 255
    assert found[2].max() == 0
    assert met[FRAMES] == 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_other_modes_are_read_as_their_colours(mode):
    white = Image.new("RGB", (4, 4), "white")
    lab = Image.new("LAB", (4, 4), (255, 128, 128))
    image = lab if mode == "LAB" else white.convert(mode)
    assert (read(image)[0] >= 254).all()


def test_a_flag_is_no_pixel():
    with pytest.raises(ValueError, match="not bool of"):
        read(np.eye(4, dtype=bool), GREY)
