"""The `pocketlab` command. Each subcommand imports what it needs, so that none waits for another's libraries."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pocketlab.errors import PocketlabError


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand and return the exit status. What goes wrong is one sentence on the error output."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except PocketlabError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'A file'}: {error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pocketlab", description="A Jupyter course on on-device AI.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="what this machine can run, and how to get what is missing")
    doctor.add_argument("--json", action="store_true", help="print it for a program")
    doctor.set_defaults(run=_doctor)

    compare = commands.add_parser("compare", help="put model files side by side: size, latency, difference of their outputs")
    compare.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".tflite, .onnx, .pt2, .mlpackage or .pte")
    compare.add_argument("--json", action="store_true", help="print it for a program")
    compare.add_argument("--inputs", type=Path, metavar="FILE.npz", help="arrays to run on, by name; random ones without it")
    compare.add_argument("--threads", type=_positive(int), default=1, metavar="N", help="threads of each runtime (1)")
    compare.add_argument("--seconds", type=_positive(float), default=1.0, metavar="S", help="time given to each file (1)")
    compare.set_defaults(run=_compare)

    status = commands.add_parser("status", help="all labs, with what you have done")
    status.set_defaults(run=_status)

    run = commands.add_parser("run", help="run a lab without a browser, and print what its checks say")
    run.add_argument("lab", help='its number, such as "01"')
    run.add_argument("--solution", action="store_true", help="run the solution, and fail where a check does not pass")
    run.set_defaults(run=_run)

    reset = commands.add_parser("reset", help="put an exercise back to its stub; your answer is kept in a file")
    reset.add_argument("exercise", help='its id, such as "01.3"')
    reset.set_defaults(run=_reset)

    save = commands.add_parser("save", help="save progress, notebooks and artifacts in one zip")
    save.add_argument("path", nargs="?", type=Path, help="where to; without it, a dated name in this folder")
    save.set_defaults(run=_save)

    restore = commands.add_parser("restore", help="bring back what `pocketlab save` saved")
    restore.add_argument("zip", type=Path)
    restore.set_defaults(run=_restore)

    update = commands.add_parser("update", help="bring a newer course; notebooks that you edited keep your edits")
    update.set_defaults(run=_update)

    build = commands.add_parser("build", help="for authors: write the notebooks from their sources")
    build.add_argument("only", nargs="?", help='the start of a source\'s name, such as "01"')
    build.add_argument("--check", action="store_true", help="write nothing; fail where a notebook is stale")
    build.set_defaults(run=_build)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from pocketlab.course.doctor import examine, report, report_json

    findings = examine()
    print(report_json(findings) if options.json else report(findings))
    return 0


def _positive(kind: type[float]) -> Callable[[str], float]:
    """Return a converter of arguments that are positive numbers of that kind."""

    def convert(text: str) -> float:
        number = kind(text)
        if not 0 < number < float("inf"):
            raise ValueError
        return number

    convert.__name__ = "positive number"  # argparse says: invalid positive number value: '0'
    return convert


def _compare(options: argparse.Namespace) -> int:
    from pocketlab.course.compare_report import faults, report, report_json
    from pocketlab.runtimes.comparison import compare_files

    with _progress_bar() as progress:
        comparison = compare_files(
            options.files, inputs=options.inputs, seconds=options.seconds, threads=options.threads, progress=progress
        )
    if options.json:
        print(report_json(comparison))
    elif comparison.reference is None:
        print("\n".join(faults(comparison)), file=sys.stderr)
    else:
        print(report(comparison, shutil.get_terminal_size().columns))
    return 1 if faults(comparison) else 0


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on the error output while it is a terminal; it leaves nothing behind."""
    from tqdm import tqdm

    shape = "{desc:<30.30} {bar} {n_fmt}/{total_fmt} {elapsed}"
    with tqdm(file=sys.stderr, disable=not sys.stderr.isatty(), leave=False, bar_format=shape) as bar:

        def progress(done: int, total: int, what: str) -> None:
            bar.total, bar.n = total, done
            bar.set_description_str(what)

        yield progress


def _status(options: argparse.Namespace) -> int:
    from pocketlab.course.status import status_table

    labs, notices = status_table()
    print(labs)
    for notice in notices:
        print(notice, file=sys.stderr)
    return 0


def _run(options: argparse.Namespace) -> int:
    from pocketlab.course.running import run_lab

    report = run_lab(options.lab, solution=options.solution)
    print(report)
    return 1 if report.faults or (options.solution and not report.all_passed) else 0


def _reset(options: argparse.Namespace) -> int:
    from pocketlab.course.reset import reset_exercise

    print(reset_exercise(options.exercise))
    return 0


def _save(options: argparse.Namespace) -> int:
    from pocketlab.course.backup import save_work

    path = save_work(options.path)
    print(f"Saved as {path} ({path.stat().st_size / 1e6:.1f} MB). Bring it back with: pocketlab restore {path.name}")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from pocketlab.course.backup import restore_work

    print(restore_work(options.zip))
    return 0


def _update(options: argparse.Namespace) -> int:
    from pocketlab.course.update import update_course

    print(update_course())
    return 0


def _build(options: argparse.Namespace) -> int:
    from pocketlab.course.build import build_and_tell
    from pocketlab.course.catalogue import course_root

    return build_and_tell(course_root(), check=options.check, only=options.only)


if __name__ == "__main__":
    sys.exit(main())
