import json
import os
import subprocess
import sys

import psutil
import pytest

from pocketlab.course import doctor


@pytest.fixture
def tools_in(tmp_path, monkeypatch):
    """Puts scripts on a PATH that has nothing else but the shell."""

    def put(**scripts):
        for name, script in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


def find(name):
    return next(finding for finding in doctor.examine() if finding.name == name)


def test_every_tool_says_what_is_lost_and_how_to_get_it():
    findings = doctor.examine()
    assert len({each.name for each in findings}) == len(doctor.TOOLS) >= 20
    for each in findings:
        assert each.lost
        assert list(each.install) == ["Debian/Ubuntu", "macOS", "Windows (WSL)"]
        assert all(line and "\n" not in line for line in each.install.values())


def test_what_is_installed_here_is_found():
    assert find("Python").version == "{}.{}.{}".format(*sys.version_info[:3])
    assert find("PyTorch").found
    assert find("LiteRT").version[0].isdigit()
    assert find("git").version[0].isdigit()
    assert find("Core ML runtime").found == (sys.platform == "darwin")


def test_a_package_is_found_under_any_of_its_names():
    assert doctor._package("no-such-package", "numpy")() is not None
    assert doctor._package("no-such-package")() is None


def test_tools_are_asked_for_their_version(tools_in):
    tools_in(node="echo v22.4.1", java="echo 'openjdk version \"17.0.15\" 2025-04-15' >&2", adb="echo no numbers")
    assert find("Node.js").version == "v22.4.1".removeprefix("v")
    assert find("Java").version == "17.0.15"
    assert (find("adb").found, find("adb").version) == (True, "")
    assert not find("git").found


def test_a_stand_in_that_only_fails_is_not_the_tool(tools_in):
    tools_in(java="echo Unable to locate a Java Runtime. >&2; exit 1")
    assert not find("Java").found


def test_a_tool_that_hangs_is_there_without_a_version(tools_in):
    tools_in(adb="exec /bin/sleep 60")
    assert (find("adb").found, find("adb").version) == (True, "")


def test_the_second_name_counts(tools_in):
    tools_in(**{"clang++": "echo clang version 16.0.6"})
    assert find("C++ compiler").version == "16.0.6"


def test_vulkan_drivers_are_found_by_their_manifest(tmp_path, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "lvp_icd.x86_64.json"))
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    assert not find("Vulkan driver").found
    (tmp_path / "lvp_icd.x86_64.json").touch()
    assert find("Vulkan driver").version == "lvp_icd.x86_64"


def test_the_report_tells_how_to_install_what_is_missing(tools_in):
    tools_in()
    text = doctor.report(doctor.examine())
    assert "sudo apt install git-lfs" in text
    assert "brew install git-lfs" in text
    assert "PyTorch is missing" not in text


def test_json_holds_the_same():
    document = json.loads(doctor.report_json(doctor.examine()))
    assert [tool["name"] for tool in document["tools"]] == [tool.name for tool in doctor.TOOLS]
    assert document["machine"] == doctor.machine_summary()


def test_the_summary_is_one_line_about_this_machine():
    summary = doctor.machine_summary()
    assert "\n" not in summary
    assert "LiteRT, ExecuTorch, ONNX Runtime: yes" in summary
    apple = "Core ML: Apple's runtime"
    interpreted = "Core ML: reference interpreter (Apple's runtime: macOS only)"
    assert (apple if sys.platform == "darwin" else interpreted) in summary


def test_limits_of_a_container_count(monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", "2e9")
    monkeypatch.setenv("CPU_LIMIT", "0.5")
    assert "0.5 cores, 2.0 GB memory" in doctor.machine_summary()
    monkeypatch.setenv("MEM_LIMIT", "9e30")
    monkeypatch.setenv("CPU_LIMIT", "")
    assert doctor._memory_bytes() <= psutil.virtual_memory().total
    assert 1 <= doctor._cores() <= os.cpu_count()


def test_examining_imports_no_runtime():
    code = (
        "import sys; from pocketlab.course import doctor; doctor.report(doctor.examine());"
        "print({'numpy', 'torch', 'tensorflow', 'coremltools', 'onnxruntime', 'matplotlib'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
