"""Every sentence has a test, and every test that is named is there."""

import pytest

from tests.contract.openid4vc.sentences import FOLDER, Sentence, named_tests, read_section

SECTIONS = sorted(int(file.stem.removeprefix("section_")) for file in FOLDER.glob("section_*.toml"))
SENTENCES = [sentence for section in SECTIONS for sentence in read_section(section)]


def test_the_sections_are_here_and_every_sentence_has_a_name_of_its_own():
    names = [sentence.id for sentence in SENTENCES]

    assert SECTIONS == [1, 2, 3, 4]
    assert len(read_section(3)) == 44  # an empty table would pass every test below
    assert len(read_section(4)) == 10
    assert len(set(names)) == len(names)
    assert all(int(sentence.id.split(".")[0]) in SECTIONS for sentence in SENTENCES)


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.id)
def test_the_sentence_is_held_by_tests_that_assert_something(sentence: Sentence):
    assert sentence.says.strip()
    assert sentence.tests, f"nothing holds us to: {sentence.says}"
    for test in sentence.tests:
        path, _, name = test.partition("::")
        assert name in named_tests(path), f"{test} is not there, or asserts nothing"
