"""`mil.load` and `predict`: what stands between a package on disk and the interpreter."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from mil_harness import ct, mb, program, run
from PIL import Image

from pocketlab.course.dependencies import imported_names
from pocketlab.errors import ModelFileError, PocketlabError, UnsupportedOperatorError
from pocketlab.runtimes import coreml, mil
from pocketlab.runtimes.mil import package as mil_package
from pocketlab.runtimes.mil._coremltools import quiet
from pocketlab.runtimes.mil.interpreter import Interpreter
from pocketlab.runtimes.mil.registry import OPERATORS

FLOAT32 = {"precision": "float32"}


class ColorNet(torch.nn.Module):
    """Treats the three colors differently, so that their order shows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mix = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.mix(x).mean((2, 3)).softmax(1)


class Counter(torch.nn.Module):
    """Adds x to what it remembers, and returns the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3, dtype=torch.float16))

    def forward(self, x):
        self.total += x
        return self.total * 1.0


def converted(model, folder: Path, name: str, **options) -> Path:
    """Convert with coremltools itself, for what `coreml.export` has no option for."""
    example = options.pop("example")
    with quiet():
        package = ct.convert(
            torch.jit.trace(model.eval(), example),
            minimum_deployment_target=options.pop("target", ct.target.iOS18),
            compute_precision=options.pop("compute_precision", ct.precision.FLOAT32),
            skip_model_load=True,
            **options,
        )
        package.save(str(folder / name))
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mil")


@pytest.fixture(scope="module")
def line(folder):
    """A package with one flexible input."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
    path = coreml.export(net, torch.rand(1, 4), folder / "line.mlpackage", flexible={0: (1, 6)}, **FLOAT32).path
    return net, path


class TestTensors:
    def test_gives_the_networks_numbers(self, line):
        net, path = line
        x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        got = mil.load(path).predict({"x": x})
        with torch.no_grad():
            expected = net(torch.from_numpy(x)).numpy()
        assert list(got) == ["y"]
        np.testing.assert_allclose(got["y"], expected, rtol=0, atol=1e-6 * np.abs(expected).max())

    def test_takes_torch_tensors_lists_and_other_number_types(self, line):
        model = mil.load(line[1])
        x = np.ones((1, 4), np.float32)
        expected = model.predict({"x": x})["y"]
        for given in (torch.from_numpy(x), x.tolist(), x.astype(np.float64), x.astype(np.int64), x.astype(np.float16)):
            np.testing.assert_array_equal(model.predict({"x": given})["y"], expected)

    def test_any_tensor_of_the_program_can_be_asked_for(self, line):
        net, path = line
        model = mil.load(path)
        hidden = next(name for name in model.tensors if "relu" in name or name.startswith("input"))
        x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
        got = model.predict({"x": x}, keep=[hidden, *model.tensors])
        with torch.no_grad():
            layers = [net[0](torch.from_numpy(x)).numpy(), net[:2](torch.from_numpy(x)).numpy()]
        assert any(np.allclose(got[hidden], layer, atol=1e-6) for layer in layers)
        assert set(got) == {"y", *model.tensors}

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({}, "'x', and it is missing"),
            ({"x": np.zeros((1, 4)), "z": 1}, "no input 'z'; it takes 'x'"),
            ({"x": np.zeros((1, 5))}, r"takes shape \(any, 4\).*got \(1, 5\)"),
            ({"x": np.zeros((7, 4))}, r"flexible \{0: \(1, 6\)\}.*got \(7, 4\)"),
            ({"x": np.zeros(4)}, r"got \(4,\)"),
            ({"x": np.zeros((0, 4))}, r"got \(0, 4\)"),
        ],
    )
    def test_what_does_not_fit_is_told(self, line, inputs, message):
        with pytest.raises(ValueError, match=message):
            mil.load(line[1]).predict(inputs)

    def test_an_unknown_tensor_precision_or_function_is_named(self, line):
        with pytest.raises(ValueError, match="no tensor 'nothing'"):
            mil.load(line[1]).predict({"x": np.zeros((1, 4))}, keep=["nothing"])
        with pytest.raises(ValueError, match="'bfloat16' is neither"):
            mil.load(line[1], precision="bfloat16")
        with pytest.raises(ValueError, match="no function 'other'; it has main"):
            mil.load(line[1], function="other")

    def test_enumerated_shapes_are_the_only_ones(self, folder):
        net = torch.nn.Linear(4, 2).eval()
        shapes = [(1, 4), (3, 4)]
        path = coreml.export(net, torch.rand(1, 4), folder / "enumerated.mlpackage", flexible=shapes, **FLOAT32).path
        model = mil.load(path)
        assert model.predict({"x": np.zeros((3, 4))})["y"].shape == (3, 2)
        with pytest.raises(ValueError, match=r"got \(2, 4\)"):
            model.predict({"x": np.zeros((2, 4))})

    def test_whole_numbers_only_where_the_model_takes_indices(self, folder):
        path = converted(
            torch.nn.Embedding(5, 2),
            folder,
            "embedding.mlpackage",
            example=torch.zeros(3, dtype=torch.int32),
            inputs=[ct.TensorType(name="token", shape=(3,), dtype=np.int32)],
        )
        model = mil.load(path)
        assert model.predict({"token": np.array([4.0, 0.0, 1.0])})
        with pytest.raises(ValueError, match="whole numbers"):
            model.predict({"token": np.array([0.5, 0, 1])})

    def test_an_optional_input_has_its_default(self, folder):
        class Sum(torch.nn.Module):
            def forward(self, x, y):
                return x + y

        path = converted(
            Sum(),
            folder,
            "optional.mlpackage",
            example=(torch.zeros(2), torch.zeros(2)),
            inputs=[
                ct.TensorType(name="x", shape=(2,)),
                ct.TensorType(name="y", shape=(2,), default_value=np.full(2, 3.0, np.float32)),
            ],
            outputs=[ct.TensorType(name="sum")],
        )
        np.testing.assert_array_equal(mil.load(path).predict({"x": np.ones(2)})["sum"], [4, 4])


class TestPrecision:
    def test_float16_rounds_every_result_that_the_program_declares_so(self, folder):
        class Chain(torch.nn.Module):
            def forward(self, x):
                return (x + 0.1) * 3.3 - 0.7

        path = coreml.export(Chain(), torch.zeros(64), folder / "chain.mlpackage").path
        x = np.random.default_rng(0).normal(size=64).astype(np.float16)
        half = np.float16
        expected = (x + half(0.1)) * half(3.3) - half(0.7)
        got = mil.load(path, precision="float16").predict({"x": x})["y"]
        assert got.dtype == np.float16
        np.testing.assert_array_equal(got, expected)
        exact = mil.load(path).predict({"x": x})["y"]
        assert exact.dtype == np.float32
        assert 0 < np.abs(exact - got).max() < 0.02

    def test_float16_overflows_where_float32_does_not(self, folder):
        class Square(torch.nn.Module):
            def forward(self, x):
                return x * x

        path = coreml.export(Square(), torch.zeros(1), folder / "square.mlpackage").path
        assert mil.load(path, precision="float16").predict({"x": [300.0]})["y"] == np.inf
        assert mil.load(path).predict({"x": [300.0]})["y"] == 90000


class TestImages:
    @pytest.mark.parametrize("layout", ["rgb", "bgr"])
    def test_every_form_of_a_picture_gives_the_networks_answer(self, folder, layout):
        scale, bias = coreml.image_scale_bias([0.5, 0.4, 0.3], [0.25, 0.25, 0.25])
        net = ColorNet().eval()
        # What the network was trained on is in the order of the layout.
        image = coreml.ImageInput(scale, bias, layout)
        path = coreml.export(net, torch.rand(1, 3, 6, 8), folder / f"{layout}.mlpackage", image=image, **FLOAT32).path
        model = mil.load(path)
        array = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        planes = array.transpose(2, 0, 1)[None]
        inner = planes[:, ::-1].copy() if layout == "bgr" else planes
        with torch.no_grad():
            offsets = torch.tensor(bias).reshape(1, 3, 1, 1)
            expected = net(torch.from_numpy(inner).float() * scale + offsets).numpy()
        picture = Image.fromarray(array)
        for given in (picture, picture.convert("RGBA"), array, array.astype(float), planes, planes + 0.3):
            got = model.predict({"image": given})["y"]
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)

    def test_gray_pictures_are_taken_with_and_without_axes(self, folder):
        class Mean(torch.nn.Module):
            def forward(self, x):
                return x.mean((2, 3))

        path = coreml.export(
            Mean(), torch.rand(1, 1, 4, 4), folder / "gray.mlpackage", image=coreml.ImageInput(), **FLOAT32
        ).path
        model = mil.load(path)
        array = np.arange(16, dtype=np.uint8).reshape(4, 4)
        for given in (array, array[:, :, None], array[None, None], Image.fromarray(array)):
            assert model.predict({"image": given})["y"] == pytest.approx(7.5)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (np.zeros((6, 8)), r"give a PIL image, or an array \(height, width, 3\)"),
            (np.zeros((2, 3, 6, 8)), r"or \(1, 3, height, width\); got an array of shape \(2, 3, 6, 8\)"),
            (np.zeros((5, 8, 3)), r"takes shape \(1, 3, 6, 8\).*got \(1, 3, 5, 8\)"),
            (Image.new("RGB", (6, 8)), r"got \(1, 3, 8, 6\)"),
        ],
    )
    def test_another_shape_is_told(self, folder, given, message):
        path = folder / "for_shapes.mlpackage"
        if not path.exists():
            image = coreml.ImageInput(bias=(0, 0, 0), color_layout="rgb")
            coreml.export(ColorNet(), torch.rand(1, 3, 6, 8), path, image=image, **FLOAT32)
        with pytest.raises(ValueError, match=message):
            mil.load(path).predict({"image": given})

    @pytest.mark.parametrize("layout", ["RGB", "BGR"])
    def test_an_image_output_is_a_picture_in_rgb_order(self, folder, layout):
        class Darker(torch.nn.Module):
            def forward(self, x):
                return x * 0.5

        image = {"shape": (1, 3, 4, 6), "color_layout": ct.colorlayout[layout]}
        path = converted(
            Darker(),
            folder,
            f"darker_{layout}.mlpackage",
            example=torch.rand(1, 3, 4, 6),
            inputs=[ct.ImageType(name="image", **image)],
            outputs=[ct.ImageType(name="darker", color_layout=ct.colorlayout[layout])],
        )
        array = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
        got = mil.load(path).predict({"image": array})["darker"]
        assert isinstance(got, Image.Image)
        np.testing.assert_array_equal(np.asarray(got), np.rint(array * 0.5).astype(np.uint8))


class TestLabels:
    def test_the_best_label_and_a_number_for_each(self, folder):
        net = ColorNet().eval()
        labels = ["ant", "bee", "cat", "dog"]
        path = coreml.export(
            net, torch.rand(1, 3, 6, 8), folder / "labels.mlpackage", class_labels=labels, **FLOAT32
        ).path
        x = np.random.default_rng(0).random((1, 3, 6, 8), np.float32)
        got = mil.load(path).predict({"x": x})
        with torch.no_grad():
            expected = net(torch.from_numpy(x)).numpy()[0]
        assert got["classLabel"] == labels[expected.argmax()]
        assert list(got["classLabel_probs"]) == labels
        np.testing.assert_allclose(list(got["classLabel_probs"].values()), expected, rtol=1e-5)


class TestStates:
    @pytest.fixture(scope="class")
    def counter(self, folder):
        return converted(
            Counter(),
            folder,
            "counter.mlpackage",
            example=torch.zeros(3),
            compute_precision=ct.precision.FLOAT16,
            inputs=[ct.TensorType(name="x", shape=(3,))],
            outputs=[ct.TensorType(name="y")],
            states=[ct.StateType(wrapped_type=ct.TensorType(shape=(3,), dtype=np.float16), name="total")],
        )

    def test_is_kept_between_calls_and_apart_from_another(self, counter):
        model = mil.load(counter)
        one, other = model.make_state(), model.make_state()
        x = np.array([1, 2, 3], np.float32)
        model.predict({"x": x}, one)
        np.testing.assert_array_equal(model.predict({"x": x}, one)["y"], [2, 4, 6])
        np.testing.assert_array_equal(model.predict({"x": x}, other)["y"], [1, 2, 3])
        np.testing.assert_array_equal(one.read_state("total"), [2, 4, 6])

    def test_can_be_read_and_written(self, counter):
        model = mil.load(counter)
        state = model.make_state()
        state.write_state("total", np.array([10, 10, 10]))
        before = state.read_state("total")
        np.testing.assert_array_equal(model.predict({"x": np.ones(3)}, state)["y"], [11, 11, 11])
        np.testing.assert_array_equal(before, [10, 10, 10])  # a copy
        with pytest.raises(ValueError, match=r"shape \(3,\), and got \(2,\)"):
            state.write_state("total", np.zeros(2))
        with pytest.raises(ValueError, match="no state 'cache'; there are total"):
            state.read_state("cache")

    def test_a_missing_or_needless_state_is_told(self, counter, line):
        with pytest.raises(ValueError, match=r"'total'.*make_state"):
            mil.load(counter).predict({"x": np.zeros(3)})
        with pytest.raises(ValueError, match="has no state"):
            mil.load(line[1]).predict({"x": np.zeros((1, 4))}, mil.load(counter).make_state())


def test_each_function_of_a_package_has_its_own_interface(folder):
    class Scale(torch.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x * self.factor

    paths = {
        name: converted(
            Scale(factor),
            folder,
            f"{name}.mlpackage",
            example=torch.zeros(size),
            inputs=[ct.TensorType(name="x", shape=(size,))],
            outputs=[ct.TensorType(name=f"{name}d")],
        )
        for name, factor, size in (("double", 2.0, 3), ("triple", 3.0, 5))
    }
    both = ct.utils.MultiFunctionDescriptor()
    for name, path in paths.items():
        both.add_function(str(path), src_function_name="main", target_function_name=name)
    both.default_function_name = "triple"
    with quiet():
        ct.utils.save_multifunction(both, str(folder / "both.mlpackage"))
    np.testing.assert_array_equal(mil.load(folder / "both.mlpackage").predict({"x": np.ones(5)})["tripled"], [3] * 5)
    double = mil.load(folder / "both.mlpackage", function="double")
    np.testing.assert_array_equal(double.predict({"x": np.ones(3)})["doubled"], [2] * 3)
    with pytest.raises(ValueError, match="has no function 'half'; it has double, triple"):
        mil.load(folder / "both.mlpackage", function="half")
    assert coreml.describe(folder / "both.mlpackage").inputs[0].shape == (5,)


def test_control_flow_survives_being_saved(folder):
    def build(x):
        def double(i, x):
            return mb.add(x=i, y=1), mb.add(x=x, y=x)

        _, doubled = mb.while_loop(_cond=lambda i, x: mb.less(x=i, y=3), _body=double, loop_vars=(0, x))
        small = mb.less(x=mb.reduce_sum(x=doubled), y=np.float32(100))
        return mb.cond(pred=small, _true_fn=lambda: mb.add(x=doubled, y=1.0), _false_fn=lambda: mb.abs(x=doubled))

    made = program(build, {"x": np.zeros(2, np.float32)})
    with quiet():
        ct.convert(
            made, minimum_deployment_target=ct.target.iOS17, compute_precision=ct.precision.FLOAT32, skip_model_load=True
        ).save(str(folder / "loop.mlpackage"))
    model = mil.load(folder / "loop.mlpackage")
    for x, expected in (([1, 2], [9, 17]), ([-100, 200], [-800 * -1, 1600])):
        (got,) = model.predict({"x": np.array(x, np.float32)}).values()
        np.testing.assert_array_equal(got, expected)


class TestWhatCannotBeRun:
    def test_a_missing_operator_is_named_with_its_output_and_place(self, line, tmp_path, monkeypatch):
        monkeypatch.delitem(OPERATORS, "relu")
        with pytest.raises(UnsupportedOperatorError, match=r"line.*operator relu with output '\w+' \(number 2 of 3 in .*'main'"):
            mil.load(line[1])
        made = program(lambda x: mb.relu(x=x), {"x": np.zeros(2, np.float32)})
        with pytest.raises(UnsupportedOperatorError, match=r"operator relu with output '\w+' \(number 1 of 1"):
            Interpreter(made)

    def test_an_operator_that_no_coremltools_knows_is_named_too(self, line, tmp_path):
        path = tmp_path / "strange.mlpackage"
        shutil.copytree(line[1], path)
        package = mil_package.read_package(path)
        operation = next(op for op in package.functions()["main"].operations if op.type == "relu")
        operation.type = "frobnicate"
        next(path.rglob("model.mlmodel")).write_bytes(package.spec.SerializeToString())
        with pytest.raises(ModelFileError, match=r"strange\.mlpackage uses the operator 'frobnicate'.*damaged, or newer"):
            mil.load(path)

    def test_a_failing_operator_is_named_with_its_place(self):
        made = program(lambda x: mb.gather(x=x, indices=np.int32([5]), axis=0), {"x": np.zeros(2, np.float32)})
        with pytest.raises(PocketlabError, match=r"gather with output '\w+' \(number 1 of 1.*cannot be computed"):
            Interpreter(made).run({"x": np.zeros(2, np.float32)})

    def test_a_tensor_that_no_phone_could_hold_is_refused_before_it_is_made(self):
        made = program(lambda x: mb.tile(x=x, reps=[1 << 20, 1 << 20]), {"x": np.zeros((1, 1), np.float32)})
        with pytest.raises(PocketlabError, match="more than a phone could hold"):
            Interpreter(made)

    def test_a_damaged_program_is_the_files_fault(self, line, tmp_path):
        path = tmp_path / "damaged.mlpackage"
        shutil.copytree(line[1], path)
        package = mil_package.read_package(path)
        linear = next(op for op in package.functions()["main"].operations if op.type == "linear")
        linear.inputs["weight"].arguments[0].name = "nowhere"
        next(path.rglob("model.mlmodel")).write_bytes(package.spec.SerializeToString())
        with pytest.raises(ModelFileError, match=r"damaged.*nowhere"):
            mil.load(path)


def test_a_tensor_is_freed_after_its_last_use(monkeypatch):
    alive: list[int] = []
    seen: list[weakref.ref[torch.Tensor]] = []

    def watched(x):
        seen.append(weakref.ref(x))
        alive.append(sum(ref() is not None for ref in seen))
        return torch.abs(x)

    def chain(x):
        for _ in range(6):
            x = mb.abs(x=x)
        return x

    monkeypatch.setitem(OPERATORS, "abs", type(OPERATORS["abs"])("abs", watched, OPERATORS["abs"].parameters))
    inputs = {"x": np.zeros(3, np.float32)}
    interpreter = Interpreter(program(chain, inputs))
    interpreter.run(inputs)
    assert len(alive) == 6
    assert max(alive) == 1  # the one that is being read
    seen.clear()
    alive.clear()
    interpreter.run(inputs, keep=interpreter.names)
    assert max(alive) > 1


def test_integers_stay_integers_and_truth_values_truth_values():
    def build(x, i):
        return mb.less(x=x, y=0.5), mb.add(x=i, y=np.int32(2)), mb.cast(x=x, dtype="int32")

    less, added, cast = run(build, {"x": np.float32([0.25, 0.75, -1.9]), "i": np.int32([1, 2, 3])})
    assert (less.dtype, added.dtype, cast.dtype) == (np.bool_, np.int32, np.int32)
    assert cast.tolist() == [0, 0, -1]


def test_the_interpreter_is_a_package_of_its_own():
    folder = Path(mil_package.__file__).parent
    for path in folder.rglob("*.py"):
        inner = ".".join(("pocketlab.runtimes.mil", *path.relative_to(folder).parent.parts))
        ours = {name for name in imported_names(path.read_text(), inner) if name.startswith("pocketlab")}
        allowed = ("pocketlab.runtimes.mil", "pocketlab.errors", "pocketlab.memory")  # the last two import nothing of ours
        outside = {name for name in ours if not name.startswith(allowed)}
        assert not outside, f"{path.name} imports {outside}"


