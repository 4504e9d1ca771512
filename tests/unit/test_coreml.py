"""Core ML on any system: what is converted is read back from the file, since only macOS can run it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.data.models import DigitsNet
from pocketlab.errors import ModelFileError, PocketlabError, UnavailableError
from pocketlab.runtimes import coreml
from pocketlab.runtimes.mil.package import read_package

LABELS = [f"digit {i}" for i in range(10)]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, for ImageNet


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("coreml")


@pytest.fixture(scope="session")
def net():
    torch.manual_seed(0)
    return DigitsNet()  # in training mode, as a learner may leave it


@pytest.fixture(scope="session")
def example():
    return torch.rand(1, 1, 8, 8)


@pytest.fixture(scope="session")
def traced(folder, net, example):
    metadata = coreml.Metadata(author="Ada", license="MIT", description="Digits, 8 by 8", version="1.2")
    return coreml.export(net, example, folder / "traced.mlpackage", metadata=metadata)


@pytest.fixture(scope="session")
def exported(folder, net, example):
    return coreml.export(net, example, folder / "exported.mlpackage", through="export")


@pytest.fixture(scope="session")
def ios18(folder, net, example):
    return coreml.export(net, example, folder / "ios18.mlpackage", target="iOS18")


@pytest.fixture(scope="session")
def classifier(folder, net, example):
    scale, bias = coreml.image_scale_bias([0.3], [0.4], input_range=16)
    image = coreml.ImageInput(scale, bias, "grayscale")
    model = torch.nn.Sequential(net, torch.nn.Softmax(1))
    return coreml.export(model, example, folder / "classifier.mlpackage", image=image, class_labels=LABELS)


def folded_parameters(net: DigitsNet) -> int:
    """Parameters once each batch norm is folded into its convolution, which then has a bias per channel."""
    kinds = [type(m) for m in net.modules()]
    assert kinds.count(torch.nn.Conv2d) == kinds.count(torch.nn.BatchNorm2d)
    weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear))
    biases = sum(m.out_channels for m in net.modules() if isinstance(m, torch.nn.Conv2d)) + net.classifier.out_features
    return weights + biases


class TestScaleAndBias:
    @pytest.mark.parametrize("input_range", [255.0, 16.0, 1.0])
    def test_one_channel_is_exactly_what_normalize_did(self, input_range):
        scale, (bias,) = coreml.image_scale_bias([0.1307], [0.3081], input_range=input_range)
        pixels = np.linspace(0, input_range, 9)
        np.testing.assert_allclose(scale * pixels + bias, (pixels / input_range - 0.1307) / 0.3081, rtol=0, atol=1e-12)

    def test_values_of_the_coremltools_guide(self):
        scale, bias = coreml.image_scale_bias(MEAN, STD)
        assert scale == pytest.approx(1 / (0.226 * 255))
        assert bias == pytest.approx((-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225))

    def test_error_with_unequal_std_is_none_at_black_and_the_documented_one_at_white(self):
        scale, bias = coreml.image_scale_bias(MEAN, STD)
        for channel in range(3):
            black, white = (scale * p + bias[channel] - (p / 255 - MEAN[channel]) / STD[channel] for p in (0, 255))
            assert black == pytest.approx(0, abs=1e-12)
            assert white == pytest.approx(255 * scale - 1 / STD[channel])

    @pytest.mark.parametrize(
        ("mean", "std"), [([0.5], [0.5, 0.5]), ([], []), ([0.5], [0.0]), ([0.5], [-1.0]), ([0.5], [float("nan")])]
    )
    def test_refuses_what_cannot_be(self, mean, std):
        with pytest.raises(ValueError, match="std"):
            coreml.image_scale_bias(mean, std)


class TestExport:
    def test_trace_and_export_give_the_same_program(self, traced, exported):
        one, other = coreml.inspect(traced.path), coreml.inspect(exported.path)
        assert one.operators == other.operators == {"conv": 7, "clip": 7, "reduce_mean": 1, "linear": 1}
        assert (one.parameters, one.bytes_by_type) == (other.parameters, other.bytes_by_type)

    def test_parameters_are_those_of_the_network_with_batch_norm_folded(self, traced, net):
        inspection = coreml.inspect(traced.path)
        assert inspection.parameters == folded_parameters(net)
        assert inspection.bytes_by_type == {"float16": 2 * inspection.parameters}

    def test_size_is_that_of_the_files(self, traced):
        files = [f.stat().st_size for f in traced.path.rglob("*") if f.is_file()]
        assert traced.size_bytes == sum(files) == coreml.inspect(traced.path).size_bytes

    def test_weights_in_the_file_are_the_networks(self, traced, net):
        """The last layer is not folded, so its constant has to be the float16 of what torch holds."""
        package = read_package(traced.path)
        linear = next(op for op in package.functions()["main"].operations if op.type == "linear")
        name = linear.inputs["weight"].arguments[0].name
        constant = next(op for op in package.functions()["main"].operations if op.outputs[0].name == name)
        offset = constant.attributes["val"].blobFileValue.offset
        weights = (package.weights / "weight.bin").read_bytes()
        start = int(np.frombuffer(weights, np.uint64, 1, offset + 16)[0])
        stored = np.frombuffer(weights, np.float16, net.classifier.weight.numel(), start)
        expected = net.classifier.weight.detach().numpy().astype(np.float16)
        np.testing.assert_array_equal(stored.reshape(expected.shape), expected)

    def test_float32_keeps_weights_inputs_and_outputs_in_float32(self, folder, net, example):
        wide = coreml.inspect(coreml.export(net, example, folder / "wide.mlpackage", precision="float32").path)
        assert wide.bytes_by_type == {"float32": 4 * wide.parameters}
        assert (wide.inputs[0].dtype, wide.outputs[0].dtype) == ("float32", "float32")

    def test_leaves_the_model_in_its_mode(self, net, traced, exported):
        assert all(module.training for module in net.modules())

    def test_metadata_is_read_back(self, traced):
        described = coreml.describe(traced.path)
        assert (described.author, described.license) == ("Ada", "MIT")
        assert (described.description, described.version) == ("Digits, 8 by 8", "1.2")
        assert described.minimum_system == "iOS16"
        assert ("author", "Ada") in described.rows()

    def test_replaces_what_is_there_and_leaves_nothing_beside_it(self, tmp_path, net, example):
        path = tmp_path / "again.mlpackage"
        path.mkdir()
        (path / "stale").touch()
        coreml.export(net, example, path)
        assert [p.name for p in tmp_path.iterdir()] == ["again.mlpackage"]
        assert not (path / "stale").exists()

    def test_names_the_operator_that_cannot_be_converted(self, tmp_path, example):
        class Difference(torch.nn.Module):
            def forward(self, x):
                return torch.diff(x)

        with pytest.raises(PocketlabError, match="'diff' not implemented"):
            coreml.export(Difference(), example, tmp_path / "x.mlpackage")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "options",
        [
            {"target": "iOS3"},
            {"precision": "int8"},
            {"through": "magic"},
            {"flexible": {0: (2, 8)}},
            {"flexible": {7: (1, 8)}},
            {"flexible": [(4, 1, 8, 8)]},
            {"image": coreml.ImageInput(color_layout="rgb", bias=(0, 0, 0))},
            {"image": coreml.ImageInput(), "flexible": {0: (1, 8)}},
        ],
    )
    def test_refuses_options_that_do_not_fit(self, tmp_path, net, example, options):
        with pytest.raises(ValueError, match=r"\w"):
            coreml.export(net, example, tmp_path / "x.mlpackage", **options)

    def test_refuses_another_suffix(self, tmp_path, net, example):
        with pytest.raises(ValueError, match=r"\.mlpackage"):
            coreml.export(net, example, tmp_path / "x.mlmodel")


class TestFlexibleShapes:
    @pytest.mark.parametrize("through", ["trace", "export"])
    @pytest.mark.parametrize("flexible", [{0: (1, 8)}, ((1, 1, 8, 8), (4, 1, 8, 8))])
    def test_are_read_back_as_given(self, folder, net, example, through, flexible):
        model = coreml.export(net, example, folder / "flexible.mlpackage", through=through, flexible=flexible)
        (feature,) = coreml.describe(model.path).inputs
        assert feature.flexible == flexible
        assert feature.shape == (None, 1, 8, 8)
        assert coreml.inspect(model.path).outputs[0].shape == (None, 10)

    def test_of_an_image_are_heights_and_widths(self, folder, net, example):
        image = coreml.ImageInput()
        ranges = {2: (8, 16), 3: (8, 32)}
        model = coreml.export(net, example, folder / "image.mlpackage", image=image, flexible=ranges)
        assert coreml.describe(model.path).inputs[0].flexible == ranges


class TestImageInput:
    def test_scale_and_bias_are_in_the_program(self, classifier):
        (feature,) = coreml.describe(classifier.path).inputs
        assert (feature.kind, feature.image.color_layout) == ("image", "grayscale")
        assert (feature.image.height, feature.image.width) == (8, 8)
        assert feature.image.scale == pytest.approx(1 / (16 * 0.4), rel=2**-24)  # stored as float32
        assert feature.image.bias == pytest.approx((-0.3 / 0.4,), rel=2**-24)

    def test_they_are_applied_before_anything_else(self, classifier):
        assert coreml.describe(classifier.path).functions["main"][:2] == ("mul", "add")

    @pytest.mark.parametrize("layout", ["rgb", "bgr"])
    def test_color_has_a_bias_per_channel(self, folder, layout):
        scale, bias = coreml.image_scale_bias(MEAN, STD)
        image = coreml.ImageInput(scale, bias, layout)
        model = DigitsNet(channels=3)
        file = coreml.export(model, torch.rand(1, 3, 8, 8), folder / "color.mlpackage", image=image)
        (feature,) = coreml.describe(file.path).inputs
        assert feature.image.color_layout == layout
        assert feature.image.scale == pytest.approx(scale, rel=2**-24)
        assert feature.image.bias == pytest.approx(bias, rel=2**-24)

    def test_without_preprocessing_reads_as_one_and_zero(self, folder, net, example):
        file = coreml.export(net, example, folder / "plain.mlpackage", image=coreml.ImageInput())
        (feature,) = coreml.describe(file.path).inputs
        assert (feature.image.scale, feature.image.bias) == (1.0, (0.0,))

    def test_class_labels_are_read_back_in_order(self, classifier):
        described = coreml.describe(classifier.path)
        assert described.class_labels == tuple(LABELS)
        assert [o.name for o in described.outputs] == ["classLabel", "classLabel_probs"]


class TestQuantizeWeights:
    @pytest.mark.parametrize(("granularity", "scales"), [("per_channel", True), ("per_tensor", False)])
    def test_int8_takes_a_byte_per_weight(self, folder, traced, net, granularity, scales):
        file = coreml.quantize_weights(traced.path, folder / "int8.mlpackage", granularity=granularity)
        layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        weights = sum(m.weight.numel() for m in layers)
        channels = sum(m.weight.shape[0] for m in layers)
        inspection = coreml.inspect(file.path)
        assert inspection.operators["constexpr_affine_dequantize"] == len(layers)
        # Per channel, each output channel adds a float16 scale and an int8 zero point; a scale per tensor is a scalar.
        assert inspection.bytes_by_type["int8"] == weights + (channels if scales else 0)
        assert inspection.bytes_by_type["float16"] == 2 * channels * (2 if scales else 1)
        assert inspection.parameters == folded_parameters(net)
        assert file.size_bytes < traced.size_bytes

    def test_int4_needs_ios18_and_packs_two_weights_into_a_byte(self, folder, traced, ios18, net):
        with pytest.raises(PocketlabError, match="iOS18"):
            coreml.quantize_weights(traced.path, folder / "int4.mlpackage", dtype="int4")
        inspection = coreml.inspect(coreml.quantize_weights(ios18.path, folder / "int4.mlpackage", dtype="int4").path)
        weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear))
        assert inspection.bytes_by_type["int4"] == weights // 2
        assert inspection.parameters == folded_parameters(net)

    def test_keeps_metadata(self, folder, traced):
        file = coreml.quantize_weights(traced.path, folder / "kept.mlpackage")
        assert coreml.describe(file.path).author == "Ada"

    def test_refuses_what_it_does_not_know(self, folder, traced):
        with pytest.raises(ValueError, match="int2"):
            coreml.quantize_weights(traced.path, folder / "x.mlpackage", dtype="int2")


def test_deployment_targets_differ_as_documented(net, example):
    rows = {row.target: row for row in coreml.deployment_targets(net, example)}
    assert [r.specification_version for r in rows.values()] == [6, 7, 8, 9]
    assert [r.opset for r in rows.values()] == ["CoreML5", "CoreML6", "CoreML7", "CoreML8"]
    assert (rows["iOS15"].input_dtype, rows["iOS16"].input_dtype) == ("float32", "float16")
    # coremltools guide, "What's New", "Software availability of optimizations".
    assert rows["iOS15"].weights == ()
    assert {"int8", "4-bit palette", "50 % zeros"} <= set(rows["iOS16"].weights)
    assert set(rows["iOS18"].weights) - set(rows["iOS17"].weights) == {"int4", "3-bit palette"}


@pytest.mark.skipif(sys.platform == "darwin", reason="Apple's runtime is here")
class TestOffMacOS:
    @pytest.mark.parametrize(
        "verb", [coreml.compute_plan, lambda path: coreml.compare(path, [np.zeros((1, 1, 8, 8), np.float32)])]
    )
    def test_one_sentence_says_what_is_lost_and_what_works(self, traced, verb):
        with pytest.raises(UnavailableError, match=r"macOS only.*inspect"):
            verb(traced.path)

    def test_loading_says_in_one_line_what_runs_it(self, traced, capsys):
        coreml.load(traced.path)
        assert capsys.readouterr().out.splitlines() == [coreml.INTERPRETED]
        told = []
        coreml.load(traced.path, tell=told.append)
        assert (told, capsys.readouterr().out) == ([coreml.INTERPRETED], "")

    def test_a_runner_gives_the_networks_logits_row_by_row(self, traced, net):
        x = torch.rand(7, 1, 8, 8)
        with torch.no_grad():
            expected = net.eval()(x).numpy()
        net.train()
        scale = np.abs(expected).max()
        half = coreml.load(traced.path, tell=str)
        assert (half.inputs[0].shape, half.outputs[0].name, half.threads) == ((1, 1, 8, 8), "y", 1)
        assert 0 < np.abs(half(x.numpy()) - expected).max() < 1e-2 * scale  # float16 has 11 bits
        rounded_weights = coreml.load(traced.path, precision="float32", tell=str)
        assert np.abs(rounded_weights(x.numpy()) - expected).max() < 1e-2 * scale

    def test_a_classifier_gives_a_number_for_each_label(self, classifier, net):
        pixels = np.random.default_rng(0).integers(0, 17, (3, 1, 8, 8)).astype(np.uint8)
        with torch.no_grad():
            expected = net.eval()((torch.from_numpy(pixels) / 16 - 0.3) / 0.4).softmax(1).numpy()
        net.train()
        runner = coreml.load(classifier.path, tell=str)
        assert runner.outputs[0].shape == (1, 10)
        np.testing.assert_allclose(runner(pixels), expected, rtol=0, atol=5e-3)  # probabilities of 11 bits

    def test_labels_may_be_numbers(self, folder):
        from mil_harness import ct

        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.Softmax(1)).eval()
        ct.convert(
            torch.jit.trace(net, torch.zeros(1, 4)),
            inputs=[ct.TensorType(name="x", shape=(1, 4))],
            classifier_config=ct.ClassifierConfig([30, 10, 20]),
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        ).save(str(folder / "numbers.mlpackage"))
        described = coreml.describe(folder / "numbers.mlpackage")
        assert described.class_labels == (30, 10, 20)
        assert ("class labels", "30, 10, 20") in described.rows()
        x = torch.rand(1, 4)
        with torch.no_grad():
            expected = net(x).numpy()
        np.testing.assert_allclose(coreml.load(folder / "numbers.mlpackage", tell=str)(x.numpy()), expected, rtol=1e-5)

    def test_a_model_with_states_begins_anew_at_each_call(self, folder):
        from mil_harness import ct

        class Total(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("total", torch.zeros(2, dtype=torch.float16))

            def forward(self, x):
                self.total += x
                return self.total * 1.0

        ct.convert(
            torch.jit.trace(Total().eval(), torch.zeros(2)),
            inputs=[ct.TensorType(name="x", shape=(2,))],
            outputs=[ct.TensorType(name="y")],
            states=[ct.StateType(wrapped_type=ct.TensorType(shape=(2,), dtype=np.float16), name="total")],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        ).save(str(folder / "total.mlpackage"))
        runner = coreml.load(folder / "total.mlpackage", tell=str)
        for _ in range(2):
            np.testing.assert_array_equal(runner(np.float32([1, 2])), [1, 2])

    def test_it_can_be_measured(self, traced):
        runner = coreml.load(traced.path, tell=str)
        measured = coreml.measure(runner, np.zeros((1, 1, 8, 8), np.float32), seconds=0.05)
        assert 0 < measured.p50_ms <= measured.p90_ms
        with pytest.raises(ValueError, match="loaded for 1 thread"):
            coreml.measure(runner, np.zeros((1, 1, 8, 8), np.float32), threads=2)

    def test_a_damaged_package_is_named_first(self, tmp_path):
        with pytest.raises(ModelFileError, match="nothing is at"):
            coreml.load(tmp_path / "none.mlpackage")

    def test_unknown_compute_units_are_named(self, traced):
        with pytest.raises(ValueError, match="cpu_only"):
            coreml.load(traced.path, compute_units="npu")


def rewrite_manifest(package: Path, change) -> None:
    manifest = package / "Manifest.json"
    content = json.loads(manifest.read_text())
    change(content)
    manifest.write_text(json.dumps(content))


def point_outside(package: Path) -> None:
    def change(content):
        (package.parent / "secret.mlmodel").write_bytes(b"")
        for entry in content["itemInfoEntries"].values():
            entry["path"] = "../../secret.mlmodel"

    rewrite_manifest(package, change)


def point_outside_by_link(package: Path) -> None:
    model = package / "Data/com.apple.CoreML/model.mlmodel"
    outside = package.parent / "outside.mlmodel"
    model.rename(outside)
    model.symlink_to(outside)


def name_what_is_not_there(package: Path) -> None:
    rewrite_manifest(package, lambda c: next(iter(c["itemInfoEntries"].values())).update(path="com.apple.CoreML/none"))


def cut(package: Path, name: str, to: int) -> None:
    file = next(package.rglob(name))
    file.write_bytes(file.read_bytes()[:to])


def damage_blob_header(package: Path) -> None:
    file = next(package.rglob("weight.bin"))
    content = bytearray(file.read_bytes())
    content[64:68] = b"\0\0\0\0"
    file.write_bytes(content)


FAULTS = {
    "outside": (point_outside, "points outside of itself"),
    "link": (point_outside_by_link, "points outside of itself"),
    "named, not there": (name_what_is_not_there, "'none', which is not in it"),
    "no manifest": (lambda p: (p / "Manifest.json").unlink(), r"no Manifest\.json"),
    "cut manifest": (lambda p: cut(p, "Manifest.json", 40), r"Manifest\.json is damaged"),
    "manifest a list": (lambda p: (p / "Manifest.json").write_text("[1]"), r"Manifest\.json is damaged"),
    "manifest of nothing": (lambda p: (p / "Manifest.json").write_text("{}"), r"Manifest\.json is damaged"),
    "manifest not text": (lambda p: (p / "Manifest.json").write_bytes(b"\xff\xfe\x00"), r"Manifest\.json is damaged"),
    "deep manifest": (lambda p: (p / "Manifest.json").write_text("[" * 100_000), r"Manifest\.json is damaged"),
    "huge manifest": (lambda p: (p / "Manifest.json").write_text(" " * (2 << 20)), "far too large"),
    "cut model": (lambda p: cut(p, "model.mlmodel", 1000), r"model\.mlmodel"),
    "empty model": (lambda p: cut(p, "model.mlmodel", 0), "holds no model"),
    "no weights": (lambda p: next(p.rglob("weight.bin")).unlink(), r"'weight\.bin', which is not in it"),
    "cut weights": (lambda p: cut(p, "weight.bin", 4000), r"weight\.bin is damaged or cut short"),
    "empty weights": (lambda p: cut(p, "weight.bin", 0), r"weight\.bin is damaged or cut short"),
    "bad blob": (damage_blob_header, r"weight\.bin is damaged or cut short"),
}


class TestDamage:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_one_error_names_the_package_and_the_fault(self, tmp_path, traced, fault):
        package = tmp_path / "broken.mlpackage"
        shutil.copytree(traced.path, package)
        damage, message = FAULTS[fault]
        damage(package)
        for verb in (coreml.inspect, coreml.describe, coreml.load):
            with pytest.raises(ModelFileError, match=f"broken.*{message}"):
                verb(package)
        with pytest.raises(ModelFileError, match=message):
            coreml.quantize_weights(package, tmp_path / "out.mlpackage")

    def test_a_file_is_no_package(self, tmp_path):
        file = tmp_path / "one.mlpackage"
        file.write_bytes(b"PK")
        with pytest.raises(ModelFileError, match="a file is at"):
            coreml.inspect(file)

    def test_random_damage_is_refused_or_read_and_nothing_else(self, tmp_path, traced, classifier):
        rng = random.Random(0)
        refused = 0
        for _ in range(150):
            package = tmp_path / "mutated.mlpackage"
            shutil.rmtree(package, ignore_errors=True)
            shutil.copytree(rng.choice([traced.path, classifier.path]), package)
            file = rng.choice([f for f in sorted(package.rglob("*")) if f.is_file() and f.name != "weight.bin"])
            content = bytearray(file.read_bytes())
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            file.write_bytes(content)
            try:
                coreml.inspect(package)
                coreml.describe(package)
            except ModelFileError:
                refused += 1
        assert refused > 0

    def test_a_cut_model_never_passes_for_a_smaller_one(self, tmp_path, traced):
        """A protobuf cut at the end of a field is valid: then a part is missing, and that has to be noticed."""
        model = next(traced.path.rglob("model.mlmodel"))
        for length in range(0, model.stat().st_size, 997):
            package = tmp_path / f"{length}.mlpackage"
            shutil.copytree(traced.path, package)
            cut(package, "model.mlmodel", length)
            with pytest.raises(ModelFileError):
                coreml.inspect(package)


class TestImport:
    """In processes of their own, since an import happens once."""

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        code = textwrap.dedent(code)
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)

    def test_a_conversion_prints_nothing_and_loads_no_tensorflow(self):
        done = self.run("""
            import sys, tempfile, torch
            from pocketlab.data.models import DigitsNet
            from pocketlab.runtimes import coreml
            assert "coremltools" not in sys.modules
            with tempfile.TemporaryDirectory() as folder:
                for through in ("trace", "export"):
                    coreml.export(DigitsNet(), torch.rand(1, 1, 8, 8), folder + "/a.mlpackage", through=through)
                coreml.quantize_weights(folder + "/a.mlpackage", folder + "/b.mlpackage")
            assert "coremltools" in sys.modules
            assert not [name for name in ("tensorflow", "torchao", "transformers") if name in sys.modules]
        """)
        assert (done.stdout, done.stderr) == ("", "")

    def test_a_failed_import_hides_nothing_afterwards(self):
        self.run("""
            import sys
            from pocketlab.runtimes.mil._coremltools import import_coremltools
            class Refuse:
                def find_spec(self, name, path=None, target=None):
                    if name == "coremltools":
                        raise ImportError("refused")
            sys.meta_path.insert(0, Refuse())
            try:
                import_coremltools()
            except ImportError:
                pass
            else:
                raise SystemExit("not refused")
            assert "tensorflow" not in sys.modules
        """)

    def test_threads_that_ask_at_once_get_one_module_and_what_is_loaded_stays(self):
        self.run("""
            import sys, threading
            import torchao  # hidden during the import if it were not here
            from pocketlab.runtimes.mil._coremltools import import_coremltools
            seen = []
            threads = [threading.Thread(target=lambda: seen.append(import_coremltools().convert)) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            assert len(seen) == 4 and len(set(seen)) == 1, seen
            from coremltools import _deps
            assert sys.modules["torchao"] is torchao and _deps._HAS_TORCHAO and not _deps._HAS_TF_2
        """)
