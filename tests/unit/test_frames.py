"""A frame in one pass against the same in single steps: torch and OpenCV, without rounding and with it."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys

from pocketlab.data.yuv import RED_AND_BLUE, YuvFormat, YuvFrame, rgb_to_yuv_matrix, yuv_from_rgb, yuv_to_rgb_matrix
from pocketlab.signals import frame_steps as steps
from pocketlab.signals.frame_resizing import for_pairs, resizing_matrix, taps
from pocketlab.signals.frame_steps import TensorFormat
from pocketlab.signals.frames import FramePreparation

LEVELS = TensorFormat(pixel_scale=1.0)  # the tensor holds colors of 0 to 255
IMAGENET = TensorFormat(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# float32: some 20 additions of numbers below 1,100 (the sum of the largest products of the color matrix), each right to 2⁻²⁴.
FLOAT32_LEVELS = 20 * 1100 * 2.0**-24


def random_frame(frame_format: YuvFormat, seed: int = 0, margin: int = 20) -> YuvFrame:
    """Random bytes, also as padding; with the default margin every pixel is a color, with 128 they are any bytes."""
    rng = np.random.default_rng(seed)
    frame = YuvFrame(rng.integers(0, 256, frame_format.bytes, dtype=np.uint8), frame_format)
    brightness = (80, 170) if margin < 128 else (0, 256)
    for plane, limits in zip(frame.planes(), (brightness, *[(128 - margin, 128 + margin)] * 2), strict=True):
        plane[:] = rng.integers(*limits, plane.shape)
    return frame


def colors_of(frame: YuvFrame) -> np.ndarray:
    """(height, width, 3) float64, neither rounded nor kept to 0 to 255."""
    y, u, v = (plane.astype(np.float64) for plane in frame.planes())
    u, v = (plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (u, v))
    matrix = yuv_to_rgb_matrix(frame.format.color, frame.format.full_range)
    return np.stack([y, u, v, np.ones_like(y)], axis=-1) @ matrix.T


def resized(image: np.ndarray, size: tuple[int, int], resampling: str) -> np.ndarray:
    """By torch or OpenCV, in float64."""
    if resampling == "area":
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3)
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    made = torch.nn.functional.interpolate(tensor, size[::-1], mode="bilinear", align_corners=False)
    return made[0].numpy().transpose(1, 2, 0)


def expected(preparation: FramePreparation, colors: np.ndarray) -> np.ndarray:
    """The image that a preparation for `LEVELS` in HWC makes of colors, step by step."""
    left, top, width, height = preparation.crop
    image = np.rot90(colors[top : top + height, left : left + width], -preparation.rotation // 90)
    image = image[:, ::-1] if preparation.mirror else image
    left, top, width, height = preparation.box
    canvas = np.full((preparation.target_size[1], preparation.target_size[0], 3), float(preparation.padding))
    canvas[top : top + height, left : left + width] = resized(image, (width, height), preparation.resampling)
    return canvas


@pytest.mark.parametrize(
    ("color", "full_range", "published"),
    [
        # The usual numbers, with three decimals: BT.601 and BT.709 for video, BT.601 with full range as in JFIF.
        ("bt601", False, [(1.164, 0, 1.596), (1.164, -0.392, -0.813), (1.164, 2.017, 0)]),
        ("bt709", False, [(1.164, 0, 1.793), (1.164, -0.213, -0.533), (1.164, 2.112, 0)]),
        ("bt601", True, [(1, 0, 1.402), (1, -0.344, -0.714), (1, 1.772, 0)]),
        ("bt709", True, [(1, 0, 1.575), (1, -0.187, -0.468), (1, 1.856, 0)]),
    ],
)
def test_color_matrices_are_the_published_ones(color, full_range, published):
    matrix = yuv_to_rgb_matrix(color, full_range)
    np.testing.assert_allclose(matrix[:, :3], published, atol=6e-4)
    black, white = (0, 255) if full_range else (16, 235)
    np.testing.assert_allclose(matrix @ [black, 128, 128, 1], 0, atol=1e-12)
    np.testing.assert_allclose(matrix @ [white, 128, 128, 1], 255, atol=1e-12)


@pytest.mark.parametrize(
    ("pixel_format", "code"),
    [("NV12", cv2.COLOR_YUV2RGB_NV12), ("NV21", cv2.COLOR_YUV2RGB_NV21), ("I420", cv2.COLOR_YUV2RGB_I420)],
)
def test_colors_of_a_frame_are_opencvs(pixel_format, code):
    frame = random_frame(YuvFormat(32, 20, pixel_format), margin=128)
    y, _, _ = frame.planes()
    np.maximum(y, 16, out=y)  # OpenCV takes Y below black for black, whatever U and V say
    # OpenCV's coefficients have three decimals, worth 0.2 levels at most; so a rounding may go the other way.
    difference = steps.to_rgb(frame).astype(int) - cv2.cvtColor(frame.buffer.reshape(30, 32), code)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("color", list(RED_AND_BLUE))
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pixel_format", ["NV12", "NV21", "I420"])
def test_colors_come_back_from_yuv_where_blocks_have_one_color(color, full_range, pixel_format):
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    frame = yuv_from_rgb(image, YuvFormat(16, 12, pixel_format, 20, 18, color, full_range))
    # Y, U and V are rounded by up to a half, then the color is.
    tolerance = 0.5 * np.abs(yuv_to_rgb_matrix(color, full_range)[:, :3]).sum(axis=1) + 0.5
    assert (np.abs(steps.to_rgb(frame).astype(int) - image) <= tolerance).all()
    assert (rgb_to_yuv_matrix(color, full_range) @ [255, 255, 255, 1])[1:] == pytest.approx([128, 128])


@st.composite
def preparations(draw) -> tuple[YuvFormat, FramePreparation]:
    """Any settings, for frames up to 40 pixels wide, with rows longer than they need to be."""
    width, height = 2 * draw(st.integers(1, 20)), 2 * draw(st.integers(1, 20))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = (left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top)))
    rotation = draw(st.sampled_from([0, 90, 180, 270]))
    upright = crop[2:] if rotation in (0, 180) else crop[:1:-1]
    resampling = draw(st.sampled_from(["bilinear", "area"]))
    largest = upright if resampling == "area" else (30, 30)
    target = draw(st.integers(1, largest[0])), draw(st.integers(1, largest[1]))
    frame_format = YuvFormat(
        width,
        height,
        draw(st.sampled_from(["I420", "NV12", "NV21"])),
        width + draw(st.integers(0, 5)),
        width + draw(st.integers(0, 5)),
        draw(st.sampled_from(["bt601", "bt709"])),
        draw(st.booleans()),
    )
    preparation = FramePreparation(
        (width, height),
        target,
        crop=crop,
        rotation=rotation,
        mirror=draw(st.booleans()),
        letterbox=draw(st.booleans()),
        padding=draw(st.integers(0, 255)),
        resampling=resampling,
        tensor=TensorFormat(pixel_scale=1.0, layout=draw(st.sampled_from(["CHW", "HWC"]))),
    )
    return frame_format, preparation


def channels_last(tensor: np.ndarray, preparation: FramePreparation) -> np.ndarray:
    return tensor if preparation.tensor.layout == "HWC" else tensor.transpose(1, 2, 0)


@settings(max_examples=150, deadline=None)
@given(made=preparations(), seed=st.integers(0, 1000))
def test_one_pass_is_the_steps_without_their_rounding(made, seed):
    frame_format, preparation = made
    frame = random_frame(frame_format, seed)
    image = channels_last(preparation.prepare(frame), preparation)
    np.testing.assert_allclose(image, expected(preparation, colors_of(frame)), rtol=0, atol=FLOAT32_LEVELS)


def test_only_numbers_that_are_no_color_make_a_difference_and_no_more_than_they_are_off():
    frame = random_frame(YuvFormat(64, 48), margin=128)
    preparation = FramePreparation((64, 48), (13, 11), tensor=TensorFormat(pixel_scale=1.0, layout="HWC"))
    colors = colors_of(frame)
    overshoot = np.abs(colors - np.clip(colors, 0, 255)).max()
    difference = np.abs(preparation.prepare(frame) - expected(preparation, np.clip(colors, 0, 255)))
    assert 1 < difference.max() <= overshoot + FLOAT32_LEVELS


@pytest.mark.parametrize("resampling", ["bilinear", "area"])
@pytest.mark.parametrize(
    "options", [{}, {"rotation": 90}, {"rotation": 270, "mirror": True, "letterbox": True, "crop": (11, 3, 90, 60)}]
)
def test_one_pass_is_opencvs_images_up_to_their_rounding(resampling, options):
    frame = random_frame(YuvFormat(128, 72))
    preparation = FramePreparation((128, 72), (32, 24), resampling=resampling, tensor=LEVELS, **options)
    # A half for each image that is rounded to bytes (the colors, then the resized ones), and for bilinear weights of 11 bits,
    # which OpenCV uses for bytes, 4 · 2⁻¹² · 255 = 0.25.
    difference = np.abs(preparation.prepare(frame) - preparation.prepare_in_steps(frame))
    assert 0 < difference.max() <= 1.25 + FLOAT32_LEVELS


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("layout", ["CHW", "HWC"])
def test_integers_are_the_rounded_values(dtype, layout):
    frame = random_frame(YuvFormat(32, 24), margin=128)
    scaled = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4), "layout": layout}
    value = FramePreparation((32, 24), (9, 7), tensor=TensorFormat(**scaled)).prepare(frame)
    scale, zero_point = 0.01, 3
    quantized = TensorFormat(**scaled, dtype=dtype, scale=scale, zero_point=zero_point)
    stored = FramePreparation((32, 24), (9, 7), tensor=quantized).prepare(frame)
    assert stored.dtype == dtype
    unrounded = np.clip(value.astype(np.float64) / scale + zero_point, *quantized.limits)
    # float32 is good to some 1e-4 of a step here: levels to FLOAT32_LEVELS, and a level is up to 2 steps.
    np.testing.assert_allclose(stored, unrounded, rtol=0, atol=0.5 + 2 * FLOAT32_LEVELS)
    assert {stored.min(), stored.max()} >= set(map(int, quantized.limits)), "values beyond the limits are kept to them"


def test_pixels_as_bytes_are_the_rounded_levels():
    frame = random_frame(YuvFormat(32, 24))
    as_bytes = TensorFormat(pixel_scale=1.0, dtype="uint8")
    levels = FramePreparation((32, 24), (9, 7), tensor=LEVELS).prepare(frame)
    stored = FramePreparation((32, 24), (9, 7), tensor=as_bytes).prepare(frame)
    np.testing.assert_array_equal(stored, np.rint(levels))


def test_a_gray_frame_is_normalized_as_computed_by_hand():
    frame = YuvFormat(8, 6).blank()
    for plane, level in zip(frame.planes(), (126, 128, 128), strict=True):
        plane[:] = level
    level = (126 - 16) * 255 / 219
    values = FramePreparation((8, 6), (4, 4), tensor=IMAGENET).prepare(frame)
    by_hand = [(level / 255 - mean) / std for mean, std in zip(IMAGENET.mean, IMAGENET.std, strict=True)]
    np.testing.assert_allclose(values, np.broadcast_to(np.reshape(by_hand, (3, 1, 1)), (3, 4, 4)), atol=1e-5)


def test_one_preparation_takes_frames_of_any_layout_in_turns_and_reads_no_padding():
    image = np.random.default_rng(0).integers(60, 200, (24, 32, 3), dtype=np.uint8)
    preparation = FramePreparation((32, 24), (10, 12))
    results = []
    for pixel_format in ("NV12", "I420", "NV21", "NV12"):
        for padding in (0, 7):
            plain = yuv_from_rgb(image, YuvFormat(32, 24, pixel_format, 32 + padding, 32 + padding))
            filled = YuvFrame(np.full_like(plain.buffer, 255), plain.format)
            for ours, theirs in zip(filled.planes(), plain.planes(), strict=True):
                ours[:] = theirs
            results.append(preparation.prepare(filled).copy())
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_a_buffer_that_cannot_be_written_is_read():
    frame = random_frame(YuvFormat(8, 6))
    preparation = FramePreparation((8, 6), (4, 4))
    again = YuvFrame(np.frombuffer(frame.buffer.tobytes(), np.uint8), frame.format)
    np.testing.assert_array_equal(preparation.prepare(again).copy(), preparation.prepare(frame))


@pytest.fixture
def numba_counts():
    """A function that returns how many pieces of memory numba has taken, and how many it has given back."""
    _nrt_python.memsys_enable_stats()
    yield lambda: rtsys.get_allocation_stats()[:2]
    _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("options", [{}, {"letterbox": True, "rotation": 90, "resampling": "area"}])
def test_after_the_first_frame_nothing_is_allocated(options, numba_counts):
    frames = [random_frame(YuvFormat(128, 72), seed) for seed in range(2)]
    preparation = FramePreparation((128, 72), (64, 64), tensor=IMAGENET, **options)
    own = preparation.prepare(frames[0])
    outs = [own.copy(), own.copy()]

    def work(turns: int) -> None:
        for turn in range(turns):
            assert preparation.prepare(frames[turn % 2]) is own
            preparation.prepare(frames[turn % 2], outs[turn % 2])

    tracemalloc.start()
    try:
        work(500)  # small objects from before the tracing are replaced by traced ones one after the other
        tracemalloc.reset_peak()
        begun, _ = tracemalloc.get_traced_memory()
        work(100)
        ended, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    taken, given_back = numba_counts()
    work(100)
    taken_after, given_back_after = numba_counts()
    # Python makes and frees small objects with every call; the smallest image that a step could make has 64 · 64 · 3 bytes.
    assert ended - begun < 200
    assert peak - begun < 64 * 64
    # For each of the 14 arrays that it is handed, numba makes and frees a header; it makes no array.
    assert taken_after - taken == given_back_after - given_back == 14 * 200


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("letterbox", [False, True])
def test_points_of_the_target_lie_where_the_camera_saw_them(rotation, mirror, letterbox):
    options = {"rotation": rotation, "mirror": mirror, "letterbox": letterbox, "padding": 0, "crop": (9, 4, 48, 36)}
    preparation = FramePreparation((64, 48), (21, 17), resampling="area", tensor=LEVELS, **options)
    image = np.zeros((48, 64, 3), np.uint8)
    image[10:16, 20:28] = 255
    seen = preparation.prepare(yuv_from_rgb(image, YuvFormat(64, 48)))[0]
    rows, columns = np.mgrid[:17, :21] + 0.5
    center = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    # A mean over areas keeps the center of what is bright but for where it lies within a pixel of the target: half of one.
    pixel = np.abs(preparation.to_source(np.array([1.0, 1.0])) - preparation.to_source(np.zeros(2)))
    np.testing.assert_array_less(np.abs(preparation.to_source(center) - [24, 13]), pixel / 2)
    np.testing.assert_allclose(preparation.to_target(preparation.to_source(center)), center, atol=1e-12)


def test_corners_of_the_target_are_those_of_the_crop_and_boxes_stay_within_it():
    preparation = FramePreparation((1280, 720), (224, 224), crop=(280, 0, 720, 720), rotation=90)
    # Turned clockwise by 90 degrees, what was the lower left corner comes to lie at the upper left.
    np.testing.assert_allclose(preparation.to_source([[0, 0], [224, 0], [224, 224]]), [[280, 720], [280, 0], [1000, 0]])
    boxes = preparation.boxes_to_source([[0, 0, 112, 56], [-50, 100, 300, 300]])
    np.testing.assert_allclose(boxes, [[280, 360, 460, 720], [280 + 100 * 720 / 224, 0, 1000, 720]])
    assert preparation.boxes_to_source(np.zeros((0, 4))).shape == (0, 4)


def test_a_letterbox_keeps_proportions_and_a_center_crop_those_of_the_target():
    assert steps.letterbox_box((1280, 720), (224, 224)) == (0, 49, 224, 126)
    assert steps.letterbox_box((720, 1280), (224, 224)) == (49, 0, 126, 224)
    assert steps.letterbox_box((1000, 2), (10, 10)) == (0, 4, 10, 1)
    assert steps.center_crop((1280, 720), (224, 224)) == (280, 0, 720, 720)
    assert steps.center_crop((1280, 720), (160, 90)) == (0, 0, 1280, 720)


@given(source=st.integers(1, 200), target=st.integers(1, 200), resampling=st.sampled_from(["bilinear", "area"]))
def test_weights_add_up_to_one_and_few_are_stored(source, target, resampling):
    if resampling == "area":
        target = min(source, target)
    matrix = resizing_matrix(2 * source, target, resampling)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    first, weights = taps(for_pairs(matrix))
    dense = np.zeros((target, source))
    np.put_along_axis(dense, first[:, None] + np.arange(weights.shape[1]), weights, axis=1)
    np.testing.assert_allclose(dense, for_pairs(matrix), atol=1e-7)
    assert weights.shape[1] <= np.ceil(source / target) + 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: YuvFormat(7, 6), "width is 7"),
        (lambda: YuvFormat(8, 5), "height is 5"),
        (lambda: YuvFormat(0, 6), "width is 0"),
        (lambda: YuvFormat(8, -2), "height is -2"),
        (lambda: YuvFormat(8, 6, "YUY2"), "pixel_format is 'YUY2'"),
        (lambda: YuvFormat(8, 6, color="bt2020"), "color is 'bt2020'"),
        (lambda: YuvFormat(8, 6, row_stride=7), "row_stride is 7, but a row has 8 bytes"),
        (lambda: YuvFormat(8, 6, chroma_row_stride=6), "chroma_row_stride is 6, but a row has 8 bytes"),
        (lambda: YuvFormat(8, 6, "I420", chroma_row_stride=3), "chroma_row_stride is 3, but a row has 4 bytes"),
        (lambda: YuvFrame(np.zeros(71, np.uint8), YuvFormat(8, 6)), "has 71 bytes; .* has 72"),
        (lambda: YuvFrame(np.zeros(72, np.uint8), YuvFormat(8, 6, "I420", 16, 8)), "has 72 bytes; .* has 144"),
        (lambda: YuvFrame(np.zeros(72), YuvFormat(8, 6)), "this is float64"),
        (lambda: YuvFrame(np.zeros((9, 8), np.uint8), YuvFormat(8, 6)), r"shape \(9, 8\)"),
        (lambda: YuvFrame(bytes(72), YuvFormat(8, 6)), "this is bytes"),
        (lambda: YuvFrame(np.zeros(144, np.uint8)[::2], YuvFormat(8, 6)), "contiguous"),
        (lambda: yuv_from_rgb(np.zeros((6, 8, 3)), YuvFormat(8, 6)), "this is float64"),
        (lambda: yuv_from_rgb(np.zeros((8, 6, 3), np.uint8), YuvFormat(8, 6)), r"shape \(6, 8, 3\)"),
        (lambda: FramePreparation((9, 6), (4, 4)), "width is 9"),
        (lambda: FramePreparation((8, 6), (0, 4)), "0×4"),
        (lambda: FramePreparation((8, 6), (4, 4), crop=(4, 0, 5, 6)), "reaches outside of the frame of 8×6"),
        (lambda: FramePreparation((8, 6), (4, 4), crop=(-1, 0, 4, 4)), "reaches outside"),
        (lambda: FramePreparation((8, 6), (4, 4), crop=(0, 0, 0, 4)), "above zero"),
        (lambda: FramePreparation((8, 6), (4, 4), rotation=45), "45 degrees"),
        (lambda: FramePreparation((8, 6), (4, 4), resampling="cubic"), "resampling is 'cubic'"),
        (lambda: FramePreparation((8, 6), (9, 4), resampling="area"), "only shrinks"),
        (lambda: FramePreparation((8, 6), (8, 6), rotation=90, resampling="area"), "6×8 to 8×6"),
        (lambda: FramePreparation((8, 6), (4, 4), letterbox=True, padding=256), "padding is 256"),
        (lambda: TensorFormat(mean=(0.5, float("nan"), 0.5)), "finite"),
        (lambda: TensorFormat(std=(1.0, float("inf"), 1.0)), "finite"),
        (lambda: TensorFormat(std=(1.0, 0.0, 1.0)), "above zero"),
        (lambda: TensorFormat(pixel_scale=0.0), "above zero"),
        (lambda: TensorFormat(dtype="int8", scale=-0.1), "above zero"),
        (lambda: TensorFormat(mean=(0.5,)), "red, green and blue"),
        (lambda: TensorFormat(layout="NCHW"), "layout is 'NCHW'"),
        (lambda: TensorFormat(dtype="float16"), "dtype is 'float16'"),
        (lambda: TensorFormat(dtype="int8", zero_point=128), "zero_point 128"),
        (lambda: TensorFormat(scale=0.1), "float32 stores the value itself"),
        (lambda: steps.crop(np.zeros((6, 8, 3), np.uint8), (0, 0, 8, 7)), "reaches outside"),
        (lambda: steps.rotate(np.zeros((6, 8, 3), np.uint8), 30), "30 degrees"),
        (lambda: steps.resize(np.zeros((6, 8, 3), np.uint8), (0, 1)), "0×1"),
    ],
)
def test_what_cannot_be_done_is_said(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_frame_or_an_output_that_does_not_fit_is_refused_and_the_next_one_is_taken():
    preparation = FramePreparation((8, 6), (4, 5))
    frame = random_frame(YuvFormat(8, 6))
    with pytest.raises(ValueError, match="The frame is 6×8; this preparation is for 8×6"):
        preparation.prepare(random_frame(YuvFormat(6, 8)))
    for out in (
        np.zeros((3, 4, 5), np.float32),
        np.zeros((3, 5, 4)),
        np.zeros((5, 4, 3), np.float32).transpose(2, 0, 1),
        np.broadcast_to(np.float32(0), (3, 5, 4)),
    ):
        with pytest.raises(ValueError, match=r"of shape \(3, 5, 4\)"):
            preparation.prepare(frame, out)
    out = np.zeros((3, 5, 4), np.float32)
    assert preparation.prepare(frame, out) is out
    np.testing.assert_array_equal(out, preparation.prepare(frame))
