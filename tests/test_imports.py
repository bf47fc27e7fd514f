"""What is loaded when, and who may import whom."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import rmeval

SOURCE = Path(rmeval.__file__).parent
HEAVY = {"torch", "transformers", "datasets", "pandas"}


# --- what is loaded ---------------------------------------------------------------------------------------------


def loaded(*arguments: str, code: int = 0) -> set[str]:
    """The top-level packages that a Python of its own loads."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_import_rmeval_is_light() -> None:
    found = loaded("-c", "import rmeval")
    assert "rmeval" in found
    assert not found & (HEAVY | {"numpy", "pyarrow", "typer"})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["rewardbench", "--help"], 0),
        (["rewardbench", "--modle", "x"], 2),
        (["mini", "--model", "quickstart", "--dtype", "fp16"], 2),
        (["rewardbench", "--model", "quickstart", "--batch-size", "0"], 2),
        (["mini", "--model", "quickstart", "--chat-template", "absent.jinja"], 2),
        (["train", "rm-mistral-7b", "--output-dir", "x", "--set", "eval_suite=mimi"], 2),
        (["train", "rm-mistral-7b", "--output-dir", "x", "--set", "chat_template_path=absent.jinja"], 2),
        (["score", "--model", "quickstart", "--dataset", "mini", "--output", "x.jsonl", "--max-length", "0"], 2),
        (["list", "suites"], 0),
        (["list", "heads"], 0),
        (["list", "findings"], 0),
        (["list", "sources"], 0),
        (["list", "mixtures"], 0),
        (["prepare", "--help"], 0),
        (["check", "--help"], 0),
        (["leaderboard", "--help"], 0),
        (["export", "--help"], 0),
    ],
)
def test_what_computes_nothing_loads_nothing_heavy(arguments: list[str], code: int) -> None:
    found = loaded("-m", "rmeval", *arguments, code=code)
    assert "typer" in found
    assert not found & HEAVY


def test_reports_load_no_torch() -> None:
    modules = sorted(name for name in MODULES if name.startswith("rmeval.reports"))
    found = loaded("-c", f"import {', '.join(modules)}")
    assert not found & {"torch", "transformers", "datasets"}


def processor_seconds(*arguments: str) -> float:
    """Processor time of a Python of its own, which is the time it takes where nothing else runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.alone
@pytest.mark.parametrize("arguments", [["--help"], ["rewardbench", "--help"], ["rewardbench", "--modle", "x"]])
def test_the_command_line_answers_at_once(arguments: list[str]) -> None:
    """Half a second on a machine that loads typer, rich and pydantic in a sixth of one, which any typer program does.

    Three of those, since the same machine takes twice the time beside a busy neighbour; best of five, in turns.
    """
    libraries, ours = [], []
    for _ in range(5):
        libraries.append(processor_seconds("-c", "import pydantic.fields, typer.main, typer.rich_utils"))
        ours.append(processor_seconds("-m", "rmeval", *arguments))
    assert min(ours) < 3 * min(libraries)


@pytest.mark.parametrize("name", rmeval.__all__)
def test_every_public_name_loads(name: str) -> None:
    value = getattr(rmeval, name)
    assert getattr(value, "__name__", name) == name
    assert name in dir(rmeval)


def test_no_other_name_does() -> None:
    with pytest.raises(AttributeError, match="module 'rmeval' has no attribute 'evalute'"):
        rmeval.evalute  # noqa: B018
    assert rmeval.__all__ == sorted(set(rmeval.__all__))


# --- who may import whom ----------------------------------------------------------------------------------------


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(["rmeval", *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = _modules()
BELOW: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "did_you_mean": set(),
    "locks": {"errors"},
    "files": {"locks", "errors"},
}
"""Room -> the rooms that it may import, besides itself."""
BELOW["yaml_files"] = {"errors", "did_you_mean"}
BELOW["run_info"] = BELOW["run_tables"] = BELOW["training_info"] = {"types"}
BELOW["bench_info"] = set()
BELOW["records"] = {"types", "run_info", "run_tables", "files", *BELOW["files"]}
BELOW["data_prep"] = {"records", "yaml_files", "did_you_mean", *BELOW["records"]}
BELOW["eval"] = {"data_prep", *BELOW["data_prep"]}
BELOW["bench"] = {"eval", "bench_info", *BELOW["eval"]}
BELOW["trainer"] = {"eval", "training_info", *BELOW["eval"]}
BELOW["reports"] = BELOW["bench"] | BELOW["trainer"]
BELOW["pytest_plugin"] = {"reports", *BELOW["reports"]}
BELOW["cli"] = {"reports", "bench", "trainer", *BELOW["reports"]}


LAYERS: dict[str, tuple[str, ...]] = {
    "data_prep": ("text", "rows", "sources", "mixture", "pairs", "split", "overlap", "output", "prepare"),
    "trainer": (
        "quickstart", "recipe", "recipe_keys", "recipe_files", "data", "loop", "results", "trained", "session", "train",
    ),
    "eval": (
        "model_options", "environment", "suites", "numbers", "journal", "engine.plan", "engine.kernels", "engine",
        "models", "scorers", "refine", "gate", "scoring", "selftest", "runner", "evaluate", "field_folder", "field",
    ),
    "bench": (
        "shape", "plan", "storage", "subjects", "measure", "folder", "cells", "timed", "session", "run", "compare",
    ),
    "reports": ("shell", "run", "board", "gate", "bench", "data", "training", "field", "export"),
}  # fmt: skip
"""Part -> its rooms and files, lowest first: each may import only those before it."""


def nodes(tree: ast.AST, *, on_load: bool) -> Iterator[ast.AST]:
    """All nodes of a module; with ``on_load`` only those that run when it is imported."""
    for node in ast.iter_child_nodes(tree):
        if on_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if on_load and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from nodes(node, on_load=on_load)


def imports(text: str, module: str, *, package: bool = False, on_load: bool = False) -> set[str]:
    """The modules that a module imports, wherever in it; of ``from rmeval import records``, ``rmeval.records``."""
    found: set[str] = set()
    for node in nodes(ast.parse(text), on_load=on_load):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) + package - node.level] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                home = rmeval._HOMES.get(alias.name) if source == "rmeval" else None
                found.add(home or (inner if inner in MODULES or source == "rmeval" else source))
    return found


def of(module: str, *, on_load: bool = False) -> set[str]:
    path = MODULES[module]
    package = path.name == "__init__.py"
    return imports(path.read_text(encoding="utf-8"), module, package=package, on_load=on_load)


def room(module: str) -> str:
    return module.split(".")[1]


def upward(module: str, imported: set[str]) -> set[str]:
    """The imports that do not go down."""
    own = {name for name in imported if name.split(".")[0] == "rmeval"}
    return {name for name in own if name == "rmeval" or room(name) not in BELOW[room(module)] | {room(module)}}


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("rmeval.data_prep.rows.in_memory", "from rmeval.eval.suites import SUITES", {"rmeval.eval.suites"}),
        ("rmeval.data_prep.rows.in_memory", "def f():\n    import rmeval.eval.suites", {"rmeval.eval.suites"}),
        ("rmeval.data_prep.rows.in_memory", "from ...eval import suites", {"rmeval.eval.suites"}),
        ("rmeval.data_prep.rows.in_memory", "from rmeval import evaluate", {"rmeval.eval.evaluate"}),
        ("rmeval.eval.numbers.metrics", "from rmeval import reports", {"rmeval.reports"}),
        ("rmeval.bench.sweep", "import rmeval.reports.run.console", {"rmeval.reports.run.console"}),
        ("rmeval.trainer.train", "from rmeval.bench import sweep", {"rmeval.bench"}),
        ("rmeval.records", "from rmeval.data_prep.text import audit", {"rmeval.data_prep.text.audit"}),
        ("rmeval.types", "if TYPE_CHECKING:\n    from rmeval.records import RunRecord", {"rmeval.records"}),
        ("rmeval.cli.train", "from rmeval.trainer.train import train\nfrom rmeval.bench import sweep", set()),
        ("rmeval.eval.numbers.metrics", "from rmeval import records\nfrom . import statistics\nimport numpy", set()),
    ],
)
def test_an_import_that_goes_up_is_seen(module: str, text: str, expected: set[str]) -> None:
    assert upward(module, imports(text, module)) == expected


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("rmeval", "rmeval.__main__")])
def test_imports_go_down_only(module: str) -> None:
    assert room(module) in BELOW, f"{room(module)} is a room that the design does not know"
    assert upward(module, of(module)) == set()


def layer(module: str) -> int | None:
    """The place of a module among the layers of its part; None for the part itself."""
    part, _, name = module.removeprefix("rmeval.").partition(".")
    # Of `engine` and `engine.plan` the longer one.
    fitting = [(len(each), place) for place, each in enumerate(LAYERS[part]) if f"{name}.".startswith(f"{each}.")]
    return max(fitting)[1] if fitting else None


def higher(module: str, imported: set[str]) -> set[str]:
    """The imports inside a part that do not go down."""
    part, own = room(module), layer(module)
    inner = {name: layer(name) for name in imported if name.startswith(f"rmeval.{part}.")}
    return {name for name, place in inner.items() if own is not None and (place is None or place > own)}


@pytest.mark.parametrize(
    ("module", "imported", "expected"),
    [
        ("eval.engine.kernels.layout", {"eval.engine.plan", "eval.engine.ways"}, {"eval.engine.ways"}),
        ("eval.engine.engine", {"eval.models.device", "eval.engine.ways"}, {"eval.models.device"}),
        ("eval.evaluate", {"eval.scorers", "eval.refine"}, set()),
        ("data_prep.rows.files", {"data_prep.sources.base", "types"}, {"data_prep.sources.base"}),
    ],
)  # fmt: skip
def test_an_import_that_goes_up_inside_a_part_is_seen(module: str, imported: set[str], expected: set[str]) -> None:
    names = {f"rmeval.{name}" for name in imported}
    assert higher(f"rmeval.{module}", names) == {f"rmeval.{name}" for name in expected}


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in LAYERS])
def test_imports_inside_a_part_go_down_only(module: str) -> None:
    if module.count(".") > 1:
        assert layer(module) is not None, f"{module} is in no layer that the design knows"
    assert higher(module, of(module)) == set()


def test_no_folder_is_a_heap() -> None:
    """About a dozen files each; the command line has one a verb, what makes the shipped model one a kind of pair."""
    folders = {path.parent for path in MODULES.values()}
    sizes = {folder.relative_to(SOURCE).as_posix(): len(list(folder.glob("*.py"))) - 1 for folder in folders}
    large = {name: size for name, size in sizes.items() if size > 13 and name != "cli"}
    assert large == {"trainer/quickstart": 14}


def test_the_entrance_imports_the_command_line_alone() -> None:
    assert {name for name in of("rmeval.__main__") if name.startswith("rmeval")} == {"rmeval.cli"}
    assert {name for name in of("rmeval", on_load=True) if name.startswith("rmeval")} == set()


def closure(module: str) -> set[str]:
    """Everything that loading a module imports."""
    found: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        if name in MODULES:
            left += of(name, on_load=True)
            left += [name.rpartition(".")[0]] if "." in name else []
    return found


def test_reports_take_from_eval_only_what_is_free_of_torch() -> None:
    taken = {name for module in MODULES if module.startswith("rmeval.reports") for name in of(module)}
    eval_modules = sorted(name for name in taken if name.startswith("rmeval.eval"))
    assert eval_modules
    for module in eval_modules:
        heavy = {name.partition(".")[0] for name in closure(module)} & {"torch", "transformers", "datasets"}
        assert not heavy, f"reports imports {module}, which loads {heavy}"
    assert "torch" in closure("rmeval.eval.scorers.classifier")  # Else the walk would see nothing.


def test_data_prep_imports_no_suite() -> None:
    for module in MODULES:
        if module.startswith("rmeval.data_prep"):
            assert not {name for name in of(module) if "suites" in name}


@pytest.mark.parametrize("module", ["rmeval.types", "rmeval.errors", "rmeval.files", "rmeval.locks"])
def test_the_ground_floor_needs_the_standard_library_alone(module: str) -> None:
    assert {name.partition(".")[0] for name in of(module)} - {"rmeval"} <= sys.stdlib_module_names


def test_only_reports_writes_html() -> None:
    writers = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and b"<html" in path.read_bytes().lower()
    ]
    assert [path for path in writers if not path.startswith("reports/")] == []


def test_every_module_can_be_imported_by_its_name() -> None:
    for module in MODULES:
        if module != "rmeval.__main__":
            import_module(module)
