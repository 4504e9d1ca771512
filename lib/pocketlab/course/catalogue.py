"""The course's 25 labs in 28 notebooks, and where they are on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pocketlab.errors import PocketlabError


@dataclass(frozen=True)
class LabEntry:
    """One notebook of the course: number ("01", "09a"), stem of its files, title, and what the learner leaves with."""

    number: str
    slug: str
    title: str
    ends_with: str

    def notebook(self, root: Path) -> Path:
        """The notebook that the learner opens and edits."""
        return root / "labs" / f"{self.slug}.ipynb"

    def source(self, root: Path) -> Path:
        """The one source that the notebooks are made from."""
        return root / "solutions" / f"{self.slug}.py"

    def is_ready(self, root: Path) -> bool:
        """Whether the lab is written: its source or its notebook is in the course folder."""
        return self.source(root).is_file() or self.notebook(root).is_file()


def _entry(slug: str, title: str, ends_with: str) -> LabEntry:
    return LabEntry(slug.split("_")[0], slug, title, ends_with)


LABS: tuple[LabEntry, ...] = (
    _entry("00_start_here", "Start here", "a working course, and your work in one file that you can take along"),
    _entry(
        "01_core_ml_and_litert",
        "Core ML and LiteRT",
        "one model in .mlpackage, .tflite float and int8, with a parity, size and latency table",
    ),
    _entry(
        "02_on_device_training",
        "On-device training and federated learning",
        "a model personalized inside LiteRT; a federation of phones that learned together",
    ),
    _entry(
        "03_gpu_metal_and_vulkan",
        "GPU compute: Metal and Vulkan",
        "one kernel source compiled to Metal and to SPIR-V and run on Vulkan, tuned by measuring",
    ),
    _entry(
        "04_small_language_models",
        "Small language models",
        "a small Llama that answers from sensor context, 4-bit, faster than its float self",
    ),
    _entry(
        "05_privacy",
        "Privacy-first architecture",
        "telemetry with a proven epsilon; a model file that opens only on one device",
    ),
    _entry(
        "06_sensor_fusion_and_dsp",
        "Sensor fusion and signal processing",
        "an orientation filter, a streaming audio front end, a 60 fps frame pipeline",
    ),
    _entry(
        "07_cross_platform",
        "Flutter and React Native",
        "one native library called through a C ABI; the cost of a bridge measured",
    ),
    _entry(
        "08_mobile_mlops",
        "MLOps for mobile",
        "a pipeline that notices drift, retrains, signs, ships in stages and rolls back",
    ),
    _entry("09a_privacy_assistant", "Portfolio: a private assistant", "an assistant that works entirely offline"),
    _entry("09b_sports_coach", "Portfolio: a sports coach", "a coach that follows poses in real time"),
    _entry("09c_expense_tracker", "Portfolio: an expense tracker", "a tracker that reads receipts and forecasts"),
    _entry("10_business_case", "The business case", "a costed recommendation; a bias audit with a fix"),
    _entry(
        "11_remote_lab_bench",
        "The remote lab bench",
        "a benchmark of this machine; a model pushed over a bad line without starting again",
    ),
    _entry(
        "12_spatial_and_multimodal",
        "Spatial and multimodal",
        "a reconstructed room; a gesture recognizer; a small joint image and text model",
    ),
    _entry("13_compression", "Compression in depth", "one model on a size, accuracy and latency front"),
    _entry(
        "14_swift_and_kotlin",
        "Swift and Kotlin",
        "a loader that drops no frame; one native core called from Kotlin",
    ),
    _entry("15_edge_5g_and_wasm", "Edge, 5G and WebAssembly", "an offloading policy; a model in the browser"),
    _entry(
        "16_npus_and_energy",
        "NPUs and energy",
        "a profile that names the bottleneck; a model that spends less when the battery is low",
    ),
    _entry("17_keeping_up", "Keeping up", "one paper's claim reproduced; a reading queue that works"),
    _entry(
        "18_ux_for_ai",
        "Interface design for AI",
        "an interface that is honest about confidence and learns from corrections",
    ),
    _entry(
        "19_with_data_scientists",
        "Working with data scientists",
        "golden vectors that two languages agree on; a versioned model",
    ),
    _entry("20_job_market", "The job market", "a skills profile built from your own lab results"),
    _entry("21_documentation", "Documentation", "an API with its docs, a model card, a written diagnosis"),
    _entry("22_healthcare", "Case study: healthcare", "a segmenter that works offline, with its limits stated"),
    _entry("23_sustainable_pace", "A sustainable pace", "a small generative toy; a plan with slack in it"),
    _entry("24_tools", "The toolbox", "one model followed through all of its tools"),
    _entry("25_mastery", "Mastery", "one model meeting a full device budget"),
)


def find_lab(number: str) -> LabEntry:
    """Return the lab with a number; "1" means "01". Raises PocketlabError when there is none."""
    for lab in LABS:
        if lab.number in (number, f"0{number}"):
            return lab
    raise PocketlabError(f"There is no lab {number!r}: labs are numbered 00 to 25, and the ninth is 09a, 09b and 09c.")


def course_root() -> Path:
    """Return the folder that holds the course's `labs/` and `lib/`.

    `$POCKETLAB_COURSE` decides; without it the working folder or the nearest above it that is a course; else the course
    that this package was installed from. Raises PocketlabError when none of them is one.
    """
    chosen = os.environ.get("POCKETLAB_COURSE")
    if chosen:
        candidates = [Path(chosen).resolve()]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for folder in candidates:
        if (folder / "labs").is_dir() and (folder / "lib" / "pocketlab").is_dir():
            return folder
    where = f"{chosen}, which POCKETLAB_COURSE names, is no course folder" if chosen else "No course folder was found"
    raise PocketlabError(f"{where}: go to the folder that holds labs/ and lib/, or set POCKETLAB_COURSE to it.")
