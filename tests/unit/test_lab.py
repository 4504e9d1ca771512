"""`Lab` as a notebook uses it: what is shown, what is recorded, what comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import IPython.display
import pytest

from pocketlab.course import Lab
from pocketlab.course.cards import Card
from pocketlab.course.questions import QuestionView
from pocketlab.course.welcome import LARGEST_LINK_BYTES, LARGEST_UPLOAD_BYTES, RestoreUpload, SaveButton
from pocketlab.errors import PocketlabError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(monkeypatch) -> list[object]:
    """Everything that a notebook would have displayed."""
    items: list[object] = []
    monkeypatch.setattr(IPython.display, "display", items.append)
    return items


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def recorded(home: Path) -> dict:
    return json.loads((home / "progress.json").read_text())["labs"]["00"]


def test_the_setup_line_says_what_the_machine_has(home: Path, shown: list[object]) -> None:
    Lab("00")
    (card,) = shown
    assert isinstance(card, Card)
    assert "LiteRT" in card.text()
    assert "Core ML: " in card.text()


def test_a_wrong_answer_is_recorded_with_its_mistake_and_the_library_goes_on(home: Path, shown: list[object]) -> None:
    lab = Lab("00")
    function = lab.check("00.1", lambda parameters, bits: parameters * bits / 1e6)
    assert function(8_000_000, 8) == 8.0
    record = recorded(home)["exercises"]["00.1"]
    assert (record["status"], record["attempts"], record["last_hint"]) == ("not yet", 1, "bits taken for bytes")
    assert "Not yet" in str(shown[-1])


def test_a_right_answer_is_handed_back(home: Path, shown: list[object]) -> None:
    def answer(parameters, bits):
        return parameters * bits / 8e6

    assert Lab("00").check("00.1", answer) is answer
    assert recorded(home)["exercises"]["00.1"]["status"] == "passed"


def test_a_prediction_is_kept_and_revealed_beside_the_truth(home: Path, shown: list[object]) -> None:
    lab = Lab("00")
    lab.predict("00.P1")
    view = shown[-1]
    assert isinstance(view, QuestionView)
    view.answer(3)
    assert recorded(home)["predictions"]["00.P1"]["choice"] == "About 28 GB"
    lab.reveal("00.P1")
    assert "D (yours)" in str(shown[-1])
    assert "B (right)" in str(shown[-1])


def test_the_quiz_explains_the_chosen_option(home: Path, shown: list[object]) -> None:
    lab = Lab("00")
    lab.quiz()
    view = shown[-1]
    assert isinstance(view, QuestionView)
    view.answer(1)
    assert recorded(home)["quizzes"]["00.Q1"] == {
        "choice": "It goes on with the library's function in place of yours.",
        "correct": True,
        "attempts": 1,
    }
    bundle = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "What happens to the rest of the lab?" in bundle["text/html"]


def test_an_artifact_in_the_background_is_that_of_the_foreground(home: Path, shown: list[object]) -> None:
    def build(path, text):
        path.write_text(text)

    lab = Lab("00")
    waited = lab.artifact_in_background("note.txt", build, text="kept").result()
    assert waited.read_text() == "kept"
    assert lab.artifact("note.txt", build, text="kept") == waited


def test_a_folder_that_cannot_be_made_is_one_sentence(home: Path, shown: list[object]) -> None:
    lab = Lab("00")
    assert lab.folder == home / "artifacts" / "00"
    lab.folder.rmdir()
    (home / "artifacts" / "00").touch()
    with pytest.raises(PocketlabError, match="POCKETLAB_HOME"):
        _ = lab.folder


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda lab: lab.check("00.7", print), "no exercise '00.7'; it has 00.1"),
        (lambda lab: lab.predict("00.P9"), "no prediction '00.P9'"),
        (lambda lab: Lab("77"), "no lab '77'"),
    ],
)
def test_an_unknown_name_is_one_sentence(home: Path, shown: list[object], call, part: str) -> None:
    with pytest.raises(PocketlabError, match=part):
        call(Lab("00"))


def test_a_damaged_progress_file_is_told_and_the_lab_goes_on(home: Path, shown: list[object]) -> None:
    home.mkdir(parents=True)
    (home / "progress.json").write_text("{not json")
    lab = Lab("00")
    lab.check("00.1", lambda parameters, bits: parameters * bits / 8e6)
    assert recorded(home)["exercises"]["00.1"]["status"] == "passed"
    assert list(home.glob("progress.damaged-*.json"))
    assert "progress.damaged" in " ".join(map(str, shown))


def test_save_and_restore_widgets_say_what_happened(home: Path, shown: list[object], tmp_path, monkeypatch) -> None:
    root = tmp_path / "course"
    (root / "labs").mkdir(parents=True)
    (root / "lib" / "pocketlab").mkdir(parents=True)
    monkeypatch.setenv("POCKETLAB_COURSE", str(root))
    monkeypatch.chdir(root / "labs")
    Lab("00").check("00.1", lambda parameters, bits: parameters * bits / 8e6)

    saver = SaveButton()
    saver.button.click()
    assert "Saved" in saver.reply.value
    assert "data:application/zip;base64," in saver.reply.value
    (zipped,) = (root / "labs").glob("pocketlab-work-*.zip")

    (home / "progress.json").unlink()
    upload = RestoreUpload()
    upload._restore({"new": [{"content": memoryview(zipped.read_bytes())}]})
    assert "Restored" in upload.reply.value
    assert recorded(home)["exercises"]["00.1"]["status"] == "passed"
    upload._restore({"new": [{"content": b"no zip at all"}]})
    assert "Not restored" in upload.reply.value


SERVER_LIMIT = """
from jupyter_server.serverapp import ServerApp
server = ServerApp()
server.initialize(["--allow-root", "--no-browser"], find_extensions=False, new_httpserver=False)
print(server.web_app.settings.get("websocket_max_message_size", "Tornado's default"))
"""
MAKEFILE = """
include Makefile
limit:
\t@"$(PYTHON)" "$(SCRIPT)"
"""


@pytest.mark.parametrize("where", ["make", "Binder"])
def test_what_the_save_link_hands_out_the_upload_takes(tmp_path: Path, where: str) -> None:
    """An upload is one message over the server's websocket, and a longer one than its limit ends the connection."""
    script = tmp_path / "limit.py"
    script.write_text(SERVER_LIMIT)
    environment = os.environ | {"PYTHON": sys.executable, "SCRIPT": str(script), "REPO_DIR": str(ROOT)}
    environment |= {"JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    environment.pop("JUPYTER_CONFIG_PATH", None)
    command = ["make", "-f", "-", "limit"] if where == "make" else ["binder/start", sys.executable, str(script)]
    run = subprocess.run(command, cwd=ROOT, env=environment, input=MAKEFILE, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert LARGEST_LINK_BYTES <= LARGEST_UPLOAD_BYTES < int(run.stdout.splitlines()[-1])


def test_what_is_too_large_for_the_upload_has_another_way() -> None:
    _, large, _ = RestoreUpload().widget.children
    assert "60 MB" in large.value
    assert "pocketlab restore FILE" in large.value
