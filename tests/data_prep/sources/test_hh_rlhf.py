from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from rmeval.data_prep.rows.stream import open_source
from rmeval.data_prep.sources import Dropped, get_source
from tests.support.pairing import drops, make, pair, shown

HI = "\n\nHuman: Hi.\n\nAssistant: Hello!"


def row(chosen: object, rejected: object) -> dict[str, object]:
    return {"chosen": chosen, "rejected": rejected}


def test_what_both_dialogues_begin_with_is_the_prompt() -> None:
    found = pair("hh-rlhf", row(f"{HI}\n\nHuman: Tea?\n\nAssistant: Yes.", f"{HI}\n\nHuman: Tea?\n\nAssistant: No."))
    assert shown(found) == ("u:Hi. a:Hello! u:Tea?", "a:Yes.", "a:No.")
    assert (found.chosen_score, found.rejected_score) == (None, None)


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        # The assistant's first answers differ, so do all turns after them.
        (
            f"{HI}\n\nHuman: Tea?\n\nAssistant: Yes.",
            "\n\nHuman: Hi.\n\nAssistant: What?\n\nHuman: Tea?\n\nAssistant: Yes.",
            ("u:Hi.", "a:Hello! u:Tea? a:Yes.", "a:What? u:Tea? a:Yes."),
        ),
        # The human asks something else.
        (
            f"{HI}\n\nHuman: Tea?\n\nAssistant: Yes.",
            f"{HI}\n\nHuman: Milk?\n\nAssistant: Yes.",
            ("u:Hi. a:Hello!", "u:Tea? a:Yes.", "u:Milk? a:Yes."),
        ),
        # One is the beginning of the other: its last turn stays a completion.
        (
            f"{HI}\n\nHuman: Tea?\n\nAssistant: Yes.",
            HI,
            ("u:Hi.", "a:Hello! u:Tea? a:Yes.", "a:Hello!"),
        ),
        # Nothing is the same.
        (HI, "\n\nHuman: Ho.\n\nAssistant: Hello!", ("", "u:Hi. a:Hello!", "u:Ho. a:Hello!")),
    ],
)
def test_dialogues_may_part_before_the_last_turn(chosen: str, rejected: str, expected: tuple[str, str, str]) -> None:
    assert shown(pair("hh-rlhf", row(chosen, rejected))) == expected


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        (HI, "pair: equal-texts"),
        (f"{HI}  \n", "pair: equal-texts"),  # White space around a turn is none of it.
        ("\n\nHuman: Hi.\n\nAssistant:", "pair: empty-text"),
        ("\n\nHuman: Hi.\n\nAssistant: \u3000\n", "pair: empty-text"),
        ("\n\nHuman:\n\nAssistant: Hello!", "pair: empty-text"),
        ("\n\nHuman: Hi.\n\nAssistant:\n\nHuman: Hi?\n\nAssistant: Yes.", "pair: empty-text"),
        ("\n\nHuman: Hi.\n\nHuman: Hi?\n\nAssistant: Yes.", "pair: not-alternating"),
        ("\n\nHuman: Hi.\n\nAssistant: Hello!\n\nAssistant: Tea?", "pair: not-alternating"),
        ("\n\nAssistant: Hello!", "pair: not-alternating"),
        (f"{HI}\n\nHuman: Bye.", "pair: not-alternating"),
        (" \n", "row: empty-text"),
        ("", "row: empty-text"),
        ("Hello!", "row: malformed"),
        ([{"role": "user", "content": "Hi."}], "row: malformed"),
        (None, "row: malformed"),
    ],
)
def test_what_is_dropped(rejected: object, reason: str) -> None:
    assert drops("hh-rlhf", row(HI, rejected)) == [reason]
    assert drops("hh-rlhf", row(rejected, HI)) == [reason]


def test_a_column_that_is_missing() -> None:
    assert drops("hh-rlhf", {"chosen": HI}) == ["row: malformed"]


def test_the_group_is_the_prompt() -> None:
    def group(prompt: str, answer: str) -> str:
        text = f"\n\nHuman: {prompt}\n\nAssistant: "
        return pair("hh-rlhf", row(text + answer, text + "No.")).group

    assert group("Hi.", "Yes.") == group("Hi.", "Perhaps.") != group("Ho.", "Yes.")
    parted = pair("hh-rlhf", row(HI, "\n\nHuman: Ho.\n\nAssistant: Hello!"))
    other = pair("hh-rlhf", row("\n\nHuman: Ha.\n\nAssistant: Hello!", "\n\nHuman: Ho.\n\nAssistant: Hello!"))
    assert parted.group != other.group  # Not one group for all pairs without a prompt.


def test_of_a_folder_only_the_helpful_subsets_are_read(tmp_path: Path) -> None:
    subsets = ["harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled", "red-team-attempts"]
    for subset in subsets:
        for split in ("train", "test"):
            path = tmp_path / subset / f"{split}.jsonl.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(json.dumps(row(HI, f"{subset} {split}")).encode() + b"\n"))
    source = get_source("hh-rlhf")
    found = open_source(str(tmp_path), default_split=source.split, files=source.files)
    expected = {"helpful-base train", "helpful-online train", "helpful-rejection-sampled train"}
    assert {each["rejected"] for _, each in found.rows()} == expected


# --- real rows --------------------------------------------------------------------------------------------------


def marked(text: str) -> list[str]:
    """The turns of a transcript, found another way: ``H`` or ``A`` and the text."""
    parts = text.replace("\n\nHuman:", "\0H").replace("\n\nAssistant:", "\0A").split("\0")[1:]
    return [part[0] + part[1:].strip() for part in parts]


def fate(row: dict[str, str]) -> str:
    """What becomes of a row."""
    both = [marked(row["chosen"]), marked(row["rejected"])]
    if any(len(turn) == 1 for turns in both for turn in turns):
        return "empty-text"
    if any("".join(turn[0] for turn in turns).replace("HA", "") for turns in both):
        return "not-alternating"
    return "equal-texts" if both[0] == both[1] else "pair"


def test_every_real_row_is_a_pair_or_is_dropped(shared_data: Path) -> None:
    lines = (shared_data / "preferences/hh-rlhf-harmless-base-test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    made = make("hh-rlhf", *rows)
    assert len(made) == len(rows) == 2312
    found = [each.reason if isinstance(each, Dropped) else "pair" for each in made]
    assert found == [fate(each) for each in rows]
    assert Counter(found) == {"pair": 2299, "not-alternating": 9, "empty-text": 4}
    names = {"user": "H", "assistant": "A"}
    for each, of in zip(made, rows, strict=True):
        if not isinstance(each, Dropped):
            for column, completion in (("chosen", each.chosen), ("rejected", each.rejected)):
                turns = [names[message.role] + message.content for message in each.prompt + completion]
                assert turns == marked(of[column])
                assert len(completion) == 1  # The five that part before their last turn do not alternate.
