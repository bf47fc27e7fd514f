from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.data_prep.mixture import Mixture, load_mixture, mixture_names, mixture_text
from rmeval.data_prep.sources import SOURCES
from rmeval.errors import UsageError
from tests.support.preparing import hh_rows, write_rows

SIX = ["hh-rlhf", "shp", "ultrafeedback", "helpsteer", "capybara", "orca"]


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_two_mixtures_ship_and_differ_in_the_safe_source_alone() -> None:
    assert mixture_names() == ["rm-mistral-7b", "rm-mistral-7b-safe"]
    published, safe = load_mixture("rm-mistral-7b"), load_mixture("rm-mistral-7b-safe")
    assert [entry.name for entry in published.sources] == SIX
    assert safe.sources[:6] == published.sources
    assert [entry.name for entry in safe.sources[6:]] == ["pku-safe-rlhf"]
    assert (safe.seed, safe.held_out, safe.near_duplicates) == (42, 500, 0.8)
    assert safe.model_copy(update={"sources": published.sources, "name": published.name}) == published
    # All of the published sources but the last have a published count: 528,032 pairs and the safe ones.
    assert sum(SOURCES[name].published or 0 for name in SIX) == 528_032


def test_defaults_and_every_key(tmp_path: Path) -> None:
    mixture = load_mixture(written(tmp_path, "held_out: 0.1\nsources: [{name: shp}]\n"))
    assert (mixture.name, mixture.seed, mixture.held_out, mixture.near_duplicates) == ("mine", 42, 0.1, 0.8)
    [entry] = mixture.sources
    assert (entry.label, entry.path, entry.max_pairs, entry.min_score_gap) == ("shp", None, None, None)
    text = """
name: ours
seed: 7
held_out: 20
near_duplicates: off
sources:
  - {name: shp, label: forum, path: org/name, split: test, revision: abc, max_pairs: 10, min_score_gap: 1}
  - {name: shp}
"""
    mixture = load_mixture(written(tmp_path, text))
    assert (mixture.name, mixture.seed, mixture.held_out, mixture.near_duplicates) == ("ours", 7, 20, False)
    first = mixture.sources[0]
    assert (first.label, first.path, first.split, first.revision) == ("forum", "org/name", "test", "abc")
    assert (first.max_pairs, first.min_score_gap) == (10, 1.0)
    assert load_mixture(written(tmp_path, mixture_text(mixture))) == mixture


def test_local_paths_are_beside_the_file_and_hub_ids_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "m" / "rows.jsonl", hh_rows(1))
    (tmp_path / "m" / "folder").mkdir()
    text = "held_out: 0\nsources:\n" + "".join(
        f"  - {{name: hh-rlhf, label: s{number}, path: {path}}}\n"
        for number, path in enumerate(["rows.jsonl", "folder", "absent.jsonl", "./x", "org/name", "/abs/rows.jsonl"])
    )
    path = written(tmp_path / "m", text)
    monkeypatch.chdir(tmp_path)
    paths = [entry.path for entry in load_mixture("m/mine.yaml").sources]
    assert paths == ["m/rows.jsonl", "m/folder", "m/absent.jsonl", "m/x", "org/name", "/abs/rows.jsonl"]
    assert load_mixture(path).sources[0].path == str(tmp_path / "m" / "rows.jsonl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("held_out: 1\nsources: [{name: shp, max_pair: 3}]", ["source 1: unknown key 'max_pair'", "'max_pairs'"]),
        ("held_out: 1\nsources: [{name: shp}]\nsed: 1", ["unknown key 'sed'", "did you mean 'seed'?"]),
        ("held_out: 1\nsources: [{name: shp}, {name: hhrlhf}]", ["source 2", "'hhrlhf'", "did you mean 'hh-rlhf'?"]),
        ("held_out: 1\nsources: [{path: x}]", ["source 1: the key 'name' is missing"]),
        ("sources: [{name: shp}]", ["the key 'held_out' is missing"]),
        ("held_out: 1", ["the key 'sources' is missing"]),
        ("held_out: 1\nsources: []", ["sources", "at least 1"]),
        ("held_out: 1\nsources: shp", ["sources: write a list"]),
        ("held_out: 1\nsources: [shp]", ["source 1", "'shp'"]),
        ("held_out: 1\nsources: [{name: 3}]", ["source 1: name", "string", "found 3"]),
        ("held_out: 1.0\nsources: [{name: shp}]", ["held_out", "such as 500", "not 1.0"]),
        ("held_out: -0.1\nsources: [{name: shp}]", ["held_out: it cannot be negative"]),
        ("held_out: -1\nsources: [{name: shp}]", ["held_out: it cannot be negative"]),
        ("held_out: .nan\nsources: [{name: shp}]", ["held_out"]),
        ("held_out: true\nsources: [{name: shp}]", ["held_out", "not True"]),
        ("held_out: '1'\nsources: [{name: shp}]", ["held_out", "not '1'"]),
        ("held_out: 1\nseed: 1.5\nsources: [{name: shp}]", ["seed", "integer", "found 1.5"]),
        ("held_out: 1\nnear_duplicates: on\nsources: [{name: shp}]", ["near_duplicates", "0.8, or off"]),
        ("held_out: 1\nnear_duplicates: 1.5\nsources: [{name: shp}]", ["near_duplicates", "1.5"]),
        ("held_out: 1\nsources: [{name: shp, max_pairs: 0}]", ["source 1: max_pairs", "greater than or equal to 1"]),
        ("held_out: 1\nsources: [{name: shp, min_score_gap: .inf}]", ["source 1: min_score_gap"]),
        ("held_out: 1\nsources: [{name: shp}, {name: shp}]", ["two sources are called 'shp'"]),
        ("held_out: 1\nsources: [{name: shp, label: ../x}]", ["source 1: label", "'../x' is no label"]),
        ("held_out: 1\nheld_out: 2\nsources: [{name: shp}]", ["line 2 is not YAML", "'held_out' is there twice"]),
        ("held_out: 1\nsources: [{name: shp, name: orca}]", ["line 2 is not YAML", "'name' is there twice"]),
        ("held_out: [", ["is not YAML"]),
        ("- 1", ["is no mixture"]),
        ("", ["is no mixture"]),
    ],
)
def test_a_mistake_is_one_line_with_file_and_place(tmp_path: Path, text: str, words: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_mixture(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_yaml_tag_runs_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, f"held_out: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'ran'}]")
    with pytest.raises(UsageError, match="is not YAML"):
        load_mixture(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rm-mistral-7", "unknown mixture 'rm-mistral-7'; did you mean 'rm-mistral-7b'?"),
        ("absent.yaml", "cannot read the mixture absent.yaml: No such file"),
        ("folder/absent", "cannot read the mixture folder/absent: No such file"),
        (".", "cannot read the mixture .: Is a directory"),
    ],
)
def test_a_mixture_that_is_none(name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_mixture(name)
    assert str(caught.value).startswith(words)


def test_other_paths_by_label() -> None:
    entries = [{"name": "shp", "path": "a", "revision": "b"}, {"name": "shp", "label": "other"}]
    mixture = Mixture.model_validate({"name": "m", "held_out": 0, "sources": entries})
    found = mixture.with_paths({"shp": "c"})
    assert [(entry.path, entry.revision) for entry in found.sources] == [("c", None), (None, None)]
    assert mixture.with_paths({}) == mixture
    with pytest.raises(UsageError, match=r"m has no source 'othr'; did you mean 'other'\? \(it has: shp, other\)"):
        mixture.with_paths({"othr": "c"})
