"""Pictures of any kind as square RGB images."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import pictures
from benchmarks.datasets.pictures import Stream, Unreadable, central, extensions, inner, read, stretched
from tests.benchmarks.datasets.image_files import picture, truncated


def rgb(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("RGB", "png"),
        ("RGB", "JPG"),
        ("RGB", "webp"),
        ("L", "png"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("P", "gif"),
        ("1", "png"),
        ("CMYK", "jpg"),
    ],
)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    written = picture(tmp_path / f"a.{suffix}", mode=mode, size=(32, 32))
    got = read(tmp_path / f"a.{suffix}", 32, central)
    assert got.shape == (32, 32, 3)
    assert got.dtype == np.uint8
    assert np.array_equal(got, rgb(written))


def test_sixteen_bits_keep_their_higher_byte(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        got = read(tmp_path / name, 32, central)
        assert np.array_equal(got, np.broadcast_to((values >> 8)[..., None], (32, 32, 3)))


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path: Path, recwarn) -> None:
    image = Image.new("P", (8, 8))
    image.putpalette([200, 10, 20, 0, 255, 0])
    image.info["transparency"] = b"\x00\xff"
    image.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", 8, central)[0, 0].tolist() == [200, 10, 20]
    assert not recwarn


def test_a_square_is_cut_from_the_centre_and_antialiased(tmp_path: Path) -> None:
    image = picture(tmp_path / "wide.png", size=(200, 80))
    square = image.crop((60, 0, 140, 80))
    blocks = np.asarray(square).reshape(20, 4, 20, 4, 3).mean(axis=(1, 3))
    got = read(tmp_path / "wide.png", 20, central).astype(float)
    assert np.abs(got - blocks).mean() < 3  # a triangle over eight pixels is not a mean over four
    expected = square.resize((20, 20), Image.Resampling.BILINEAR)
    inside = (slice(None), slice(1, -1))  # the crop knows no neighbours beyond its edge
    assert np.abs(got - rgb(expected))[inside].max() <= 1


@pytest.mark.parametrize("size", [(512, 512), (512, 400), (300, 700), (40, 41)])
def test_imagenets_test_image_is_torchvisions(tmp_path: Path, size) -> None:
    from torchvision.transforms import v2

    image = picture(tmp_path / "a.png", size=size)
    theirs = v2.Compose([v2.Resize(256), v2.CenterCrop(224)])(image)
    got = read(tmp_path / "a.png", 224, inner).astype(int)
    difference = np.abs(got - rgb(theirs))
    assert difference.mean() < 1.5
    if size[0] == size[1]:  # otherwise they round the longer side and the place of the crop
        assert difference.max() <= 1


def test_stretching_takes_the_nearest_pixels(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png", size=(178, 218))
    rows = ((np.arange(32) + 0.5) * 218 / 32).astype(int)
    columns = ((np.arange(32) + 0.5) * 178 / 32).astype(int)
    assert np.array_equal(read(tmp_path / "a.png", 32, stretched), np.asarray(image)[rows][:, columns])


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "float"])
def test_what_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "broken.jpg"
    if kind == "truncated":
        truncated(path)
    elif kind == "float":
        path = tmp_path / "broken.tif"
        Image.fromarray(np.ones((4, 4), np.float32)).save(path)
    else:
        path.write_text("no image" if kind == "text" else "")
    with pytest.raises(Unreadable, match=rf"{path} cannot be read \(.+\); repair or replace it") as raised:
        read(path, 8, central)
    assert "\n" not in str(raised.value)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


def test_only_formats_of_photographs_are_opened_whatever_a_file_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    (tmp_path / "a.png").write_bytes(EPS)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "EPS"  # what Pillow takes it for
    with pytest.raises(Unreadable, match=r"its content is not (AVIF, )?BMP, GIF, JPEG"):
        read(tmp_path / "a.png", 8, central)
    picture(tmp_path / "b.png", size=(8, 8)).save(tmp_path / "b.jpg", "PNG")
    assert np.array_equal(read(tmp_path / "b.jpg", 8, central), read(tmp_path / "b.png", 8, central))
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".bmp", ".gif", ".ppm"} < extensions()
    assert not extensions() & {".eps", ".ps", ".pdf", ".psd", ".ico", ".h5", ".mpg", ".wmf"}


def test_pictures_beyond_the_limit_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (9000, 8000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 20_000
    monkeypatch.setattr(pictures, "rgb", lambda _: pytest.fail("it was decoded"))
    Image.new("1", (20_000, 20_000)).save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        with pytest.raises(Unreadable, match="it has more than 67 million pixels, which are the limit"):
            read(tmp_path / name, 8, central)


def test_large_pictures_are_decoded_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_LARGE", 99)
    picture(tmp_path / "small.png", size=(9, 11))
    picture(tmp_path / "large.png", size=(10, 10))
    alone = []
    resize = lambda image, side: alone.append(pictures._large_picture_lock.locked()) or central(image, side)  # noqa: E731
    for name in ("small", "large"):
        read(tmp_path / f"{name}.png", 8, resize)
    assert alone == [False, True]
    assert not pictures._large_picture_lock.locked()


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(tmp_path / f"a.{kind}") as image:
        assert image.n_frames == 2
    assert read(tmp_path / f"a.{kind}", 8, central)[0, 0].tolist() == [255, 0, 0]


def test_the_note_on_how_a_camera_was_held_is_not_heeded(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image = picture(tmp_path / "a.png", size=(8, 8))
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read(tmp_path / "turned.png", 8, central), rgb(image))


def test_integers_of_32_bits_are_refused_and_not_made_black(tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.int32).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(Unreadable, match="its pixels have 32 bits, whose range is not known"):
        read(tmp_path / "a.tif", 8, central)
    (tmp_path / "a.pgm").write_bytes(b"P5 8 8 65535\n" + (values << 8).astype(">u2").tobytes())
    assert np.array_equal(read(tmp_path / "a.pgm", 8, central)[..., 0], values)


def test_a_stream_reads_what_is_asked_for_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [picture(tmp_path / f"{i}.png", i, size=(8, 8)) for i in range(5)]
    (tmp_path / "broken.png").write_text("")
    names = np.array([*(f"{i}.png" for i in range(5)), "broken.png"], np.bytes_)
    stream = Stream(tmp_path, names, tmp_path / "cache", 8, central)
    asked: list[Path] = []
    monkeypatch.setattr(pictures, "read", lambda path, *how: asked.append(path) or read(path, *how))
    assert stream.shape == (6, 8, 8, 3)
    got = stream[np.array([3, 1, 3])]
    assert np.array_equal(got, np.stack([rgb(expected[i]) for i in (3, 1, 3)]))
    assert sorted(path.name for path in asked) == ["1.png", "3.png", "3.png"]
    assert stream[np.array([], np.int64)].shape == (0, 8, 8, 3)
    with pytest.raises(Unreadable, match=r"broken\.png"):
        stream[np.array([0, 5])]


def test_a_streams_digest_changes_with_its_files_and_survives_a_pickle(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(8, 8))
    names = np.array(["a.png"], np.bytes_)
    cache = tmp_path / "cache" / "contents"
    first = Stream(tmp_path, names, cache, 8, central)
    assert pickle.loads(pickle.dumps(first)).digest == first.digest
    assert Stream(tmp_path, names, cache, 8, inner).digest != first.digest
    picture(tmp_path / "a.png", 1, size=(9, 9))
    assert Stream(tmp_path, names, cache, 8, central).digest != first.digest
