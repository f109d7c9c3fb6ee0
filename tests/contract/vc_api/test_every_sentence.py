"""Every sentence of the contract has tests that name it, in both directions, and none changed."""

import pytest

from tests.contract.openid4vc.sentences import named_tests
from tests.contract.vc_api.contract import Sentence, contract, split, table

SENTENCES = table()


def test_all_eight_sections_are_here_in_order():
    numbers = [tuple(int(part) for part in sentence.id.split(".")) for sentence in SENTENCES]

    assert len(SENTENCES) >= 108  # an empty table would pass every test below
    assert {section for section, _ in numbers} == set(range(1, 9))
    assert numbers == sorted(set(numbers))


def test_the_table_has_the_contract_to_the_letter():
    path = contract()
    if path is None:  # the table is the contract then: what it says is held by the tests below
        assert all(sentence.says for sentence in SENTENCES)
        return

    found = split(path.read_text("utf-8"))

    assert found == [(sentence.id, sentence.says) for sentence in SENTENCES]


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.id)
def test_the_sentence_is_held_in_both_directions(sentence: Sentence):
    assert sentence.kept, f"nothing shows that we keep: {sentence.says}"
    assert sentence.refused, f"nothing shows what is refused by: {sentence.says}"
    for test in (*sentence.kept, *sentence.refused):
        path, _, name = test.partition("::")
        assert path.startswith(("tests/contract/vc_api/", "tests/registry/api/"))  # over HTTP
        assert name in named_tests(path), f"{test} is not there, or asserts nothing"


def test_a_changed_sentence_would_be_noticed():
    text = "## 1 A\n- One sentence here. Another one; and a third.\n## 2 B\nOnly one is here.\n"

    assert split(text) == [
        ("1.1", "One sentence here."),
        ("1.2", "Another one"),
        ("1.3", "and a third."),
        ("2.1", "Only one is here."),
    ]
    assert split(text.replace("third", "fourth"))[2] != split(text)[2]
