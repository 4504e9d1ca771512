from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT

from pocketlab.errors import ModelFileError, PocketlabError
from pocketlab.runtimes import litert, registration

STUBS = Path(__file__).parent / "stubs"


def change(path: Path, out: Path, index: int, **fields: object) -> Path:
    """Write `path` to `out` with fields of one of its operator codes replaced."""
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    for name, value in fields.items():
        setattr(model.operatorCodes[index], name, value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    out.write_bytes(builder.Output())
    return out


def custom(path: Path, out: Path, name: bytes) -> Path:
    """Write `path` to `out` with its first operator turned into a custom one."""
    code = BuiltinOperator.CUSTOM
    return change(path, out, 0, builtinCode=code, deprecatedBuiltinCode=code, customCode=name)


def run_cpp(source: str, stubs: str, folder: Path) -> list[str]:
    """Compile against the stub headers, run, and return the lines that the program prints."""
    compiler = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
    assert compiler, "a C++ compiler is needed (Debian: g++; macOS: xcode-select --install)"
    (folder / "main.cc").write_text(source)
    flags = ["-std=c++17", "-Wall", "-Werror", "-I", str(STUBS / stubs)]
    compiled = [compiler, *flags, "main.cc", "-o", "main"]
    ended = subprocess.run(compiled, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout.splitlines()


def litert_program(generated: str, namespace: str = "pocketlab") -> str:
    call = f"tflite::MutableOpResolver resolver; {namespace}::RegisterSelectedOps(&resolver);"
    return generated + "\nint main() { " + call + " }\n"


def micro_program(generated: str) -> str:
    call = "tflite::MicroMutableOpResolver<kNumberOperators> resolver; return RegisterSelectedOps(resolver);"
    return generated.replace("#pragma once\n", "") + "\nint main() { " + call + " }\n"


def test_used_operators_are_those_of_the_graph_in_order_of_first_use(tflite_path):
    runner = litert.load(tflite_path, xnnpack=False)
    uses = registration.used_operators(tflite_path)
    assert [use.builtin for use in uses] == list(dict.fromkeys(runner.operators))
    assert {use.builtin: use.count for use in uses} == Counter(runner.operators)
    assert all(use.custom is None for use in uses)


def test_litert_resolver_registers_just_the_used_operators(tflite_path, tmp_path):
    generated = registration.generate_litert_resolver(tflite_path)
    printed = run_cpp(litert_program(generated), "litert", tmp_path)
    uses = registration.used_operators(tflite_path)
    assert printed == [f"{use.builtin} {use.builtin} {use.version} {use.version}" for use in uses]


def test_an_operator_in_two_versions_is_registered_once_with_their_range(tflite_path, tmp_path):
    names = [use.builtin for use in registration.used_operators(tflite_path)]
    reshape, pad = names.index("RESHAPE"), names.index("PAD")
    code = BuiltinOperator.RESHAPE
    path = change(tflite_path, tmp_path / "two.tflite", pad, builtinCode=code, deprecatedBuiltinCode=code, version=4)
    assert len(registration.used_operators(path)) == len(names)
    printed = run_cpp(litert_program(registration.generate_litert_resolver(path)), "litert", tmp_path)
    assert printed[reshape] == "RESHAPE RESHAPE 1 4"
    assert len(printed) == len(names) - 1
    printed = run_cpp(micro_program(registration.generate_micro_resolver(path)), "micro", tmp_path)
    assert len(printed) == len(names) - 1


def test_micro_resolver_has_room_for_just_the_used_operators(tflite_path, tmp_path):
    generated = registration.generate_micro_resolver(tflite_path)
    uses = registration.used_operators(tflite_path)
    assert f"kNumberOperators = {len(uses)};" in generated
    printed = run_cpp(micro_program(generated), "micro", tmp_path)
    assert [line.removeprefix("Add").upper() for line in printed] == [use.builtin.replace("_", "") for use in uses]


def test_every_micro_method_belongs_to_one_builtin_operator():
    builtins = Counter(name.replace("_", "") for name in vars(BuiltinOperator) if not name.startswith("_"))
    keys = registration._MICRO_METHOD_BY_KEY
    assert {key: builtins[key] for key in keys} == dict.fromkeys(keys, 1)


def test_an_operator_without_a_micro_kernel_is_named(tflite_path, tmp_path):
    code = BuiltinOperator.CONV_3D
    path = change(tflite_path, tmp_path / "x.tflite", 0, builtinCode=code, deprecatedBuiltinCode=127)
    with pytest.raises(PocketlabError, match="uses CONV_3D, and LiteRT Micro has no kernel for it"):
        registration.generate_micro_resolver(path)


def test_a_custom_operator_is_registered_by_its_name(tflite_path, tmp_path):
    path = custom(tflite_path, tmp_path / "custom.tflite", b"My_Op2")
    first = registration.used_operators(path)[0]
    assert (first.builtin, first.custom) == ("CUSTOM", "My_Op2")
    define = "TfLiteRegistration* tflite::ops::custom::Register_MY_OP2() { static TfLiteRegistration r{}; return &r; }"
    program = litert_program(registration.generate_litert_resolver(path)) + define.replace("r{}", 'r{"mine"}')
    assert run_cpp(program, "litert", tmp_path)[0] == "My_Op2 mine 1 1"
    define = "TFLMRegistration* tflite::Register_MY_OP2() { return nullptr; }"
    program = micro_program(registration.generate_micro_resolver(path)) + define
    assert run_cpp(program, "micro", tmp_path)[0] == "My_Op2"


@pytest.mark.parametrize(
    "name",
    [
        b'x"); system("true',
        b"a b",
        b"a\nb",
        b"",
        b"1st",
        b"a\\",
        b"\xff\xfe",
        b"a" * 65,
        "näme".encode(),
        b"a//",
        b"a;",
    ],
)
def test_a_custom_name_that_is_no_identifier_enters_no_code(tflite_path, tmp_path, name):
    path = custom(tflite_path, tmp_path / "evil.tflite", name)
    for generate in (registration.generate_litert_resolver, registration.generate_micro_resolver):
        with pytest.raises(ModelFileError, match="no identifier"):
            generate(path)


def test_an_operator_of_tensorflow_itself_cannot_be_registered(tflite_path, tmp_path):
    path = custom(tflite_path, tmp_path / "flex.tflite", b"FlexErf")
    with pytest.raises(ModelFileError, match="Flex delegate"):
        registration.generate_litert_resolver(path)


@pytest.mark.parametrize("version", [0, -1, 2_000_000])
def test_a_version_that_is_none_enters_no_code(tflite_path, tmp_path, version):
    path = change(tflite_path, tmp_path / "version.tflite", 0, version=version)
    with pytest.raises(ModelFileError, match=f"version {version}"):
        registration.generate_litert_resolver(path)


def test_a_custom_operator_without_options_is_refused_and_does_not_end_the_process(tflite_path, tmp_path):
    path = custom(tflite_path, tmp_path / "crash.tflite", b"TFLite_Detection_PostProcess")
    with pytest.raises(ModelFileError, match="without options"):
        litert.load(path)


@pytest.mark.parametrize("namespace", ["", "a b", "a::", "a; int x", "1a"])
def test_a_namespace_that_is_none_is_refused(tflite_path, namespace):
    with pytest.raises(ValueError, match="no C"):
        registration.generate_litert_resolver(tflite_path, namespace=namespace)


def test_a_nested_namespace_compiles(tflite_path, tmp_path):
    generated = registration.generate_litert_resolver(tflite_path, namespace="app::models")
    assert run_cpp(litert_program(generated, "app::models"), "litert", tmp_path)


def test_a_damaged_file_is_named(tflite_path, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(tflite_path.read_bytes()[:1000])
    for verb in (registration.used_operators, registration.generate_micro_resolver):
        with pytest.raises(ModelFileError, match=r"cut\.tflite"):
            verb(path)
