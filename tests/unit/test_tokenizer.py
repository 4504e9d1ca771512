from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.data.messages import SPECIAL_TOKENS, generate
from pocketlab.errors import ModelFileError
from pocketlab.llm import tokenizer as module
from pocketlab.llm.tokenizer import SHIPPED, VOCABULARY_SIZE, Tokenizer

SHIPS = Tokenizer.load()
HARD = st.text() | st.text(alphabet="<|end>ab \n") | st.sampled_from([f"a{name}b" for name in SPECIAL_TOKENS])


@given(HARD)
@settings(max_examples=300, deadline=None)
def test_any_text_survives_the_round_trip_and_has_no_special_token(text):
    ids = SHIPS.encode(text)
    assert SHIPS.decode(ids) == text
    assert not set(ids) & set(SHIPS.special_tokens.values())


@given(HARD)
@settings(max_examples=200, deadline=None)
def test_text_with_special_tokens_survives_the_round_trip_too(text):
    assert SHIPS.decode(SHIPS.encode(text, allow_special=True)) == text


@given(st.text(min_size=1))
@settings(max_examples=200, deadline=None)
def test_a_stream_is_whole_characters_that_join_to_the_text(text):
    ids = SHIPS.encode(text)
    pieces = list(SHIPS.stream(ids))
    assert "".join(pieces) == text
    assert all(pieces)
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)


def test_a_character_of_several_tokens_comes_when_its_last_byte_does():
    ids = SHIPS.encode("字")
    assert len(ids) == 3
    assert [list(SHIPS.stream(ids[:count])) for count in (1, 2, 3)] == [["\ufffd"], ["\ufffd"], ["字"]]
    pulled = []

    def watched():
        for index in SHIPS.encode("a字b"):
            pulled.append(index)
            yield index

    stream = SHIPS.stream(watched())
    assert [(next(stream), len(pulled)) for _ in range(3)] == [("a", 1), ("字", 4), ("b", 5)]


@given(st.lists(st.integers(0, VOCABULARY_SIZE - 1), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_ids_can_be_decoded_and_a_stream_says_the_same(ids):
    assert "".join(SHIPS.stream(iter(ids))) == SHIPS.decode(ids)
    assert SHIPS.decode(ids) == b"".join(SHIPS._bytes[index] for index in ids).decode("utf-8", errors="replace")


def test_every_digit_is_a_token_of_its_own():
    ids = {digit: SHIPS.encode(digit) for digit in "0123456789"}
    assert all(len(one) == 1 for one in ids.values())
    assert [SHIPS.decode([index]) for index in SHIPS.encode("19:05, 2026")] == [*"19:05", ",", " ", *"2026"]
    assert not [token for token in SHIPS._bytes if len(token) > 1 and any(byte in b"0123456789" for byte in token)]


def test_a_name_is_the_same_tokens_wherever_it_stands():
    name = SHIPS.encode("Łukasz Quenneville")
    for text in ("from Łukasz Quenneville", '"Łukasz Quenneville"', "\nŁukasz Quenneville.", "<Łukasz Quenneville>"):
        ids = SHIPS.encode(text)
        assert any(ids[at : at + len(name)] == name for at in range(len(ids)))


def test_special_tokens_are_seen_only_where_they_are_allowed():
    assert SHIPS.encode("<|end|>", allow_special=True) == [SHIPS.special("<|end|>")]
    assert SHIPS.special("<|end|>") not in SHIPS.encode("stop <|end|> now")
    assert list(SHIPS.special_tokens) == list(SPECIAL_TOKENS)
    assert [SHIPS.special(name) for name in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    with pytest.raises(ValueError, match=r"no special token '<\|start\|>': choose one of <\|end\|>"):
        SHIPS.special("<|start|>")


def test_the_tokenizer_that_ships_is_small_and_fits_the_corpus():
    assert SHIPS.vocabulary_size == VOCABULARY_SIZE
    assert SHIPPED.stat().st_size < 100_000
    texts = [m.text for m in generate(300, seed=5, split="held_out")]
    ids = [SHIPS.encode(text, allow_special=True) for text in texts]
    # Digits and the spaces before capitals are tokens of their own, which costs some of the usual four letters for a token.
    assert sum(map(len, texts)) / sum(map(len, ids)) > 2


def test_training_on_the_same_texts_gives_the_same_tokenizer(tmp_path):
    texts = [m.text for m in generate(300, seed=1)]
    first, second = (Tokenizer.train(texts, 600).save(tmp_path / f"{name}.json").read_bytes() for name in "ab")
    assert first == second
    loaded = Tokenizer.load(tmp_path / "a.json")
    assert loaded.vocabulary_size == 600
    assert loaded.encode(texts[0]) == Tokenizer.load(first).encode(texts[0]) == Tokenizer.train(texts, 600).encode(texts[0])


def test_a_vocabulary_without_room_for_bytes_is_refused():
    with pytest.raises(ValueError, match=r"needs 270 tokens for bytes and special tokens alone; got 200"):
        Tokenizer.train(["a"], 200)


def without_a_byte() -> bytes:
    content = json.loads(SHIPPED.read_bytes())
    vocabulary = content["model"]["vocab"]
    vocabulary["ééé"] = vocabulary.pop("Ā")
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "EOF"),
        (b"{}", "Model missing"),
        (b"\xff", "decode"),
        (SHIPPED.read_bytes()[:-100], "EOF"),
        (without_a_byte(), "lacks some of the 256 bytes"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, told):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"mine\.json is no tokenizer that can be read here.*{told}"):
        Tokenizer.load(path)
    with pytest.raises(ModelFileError, match="The tokenizer is no tokenizer"):
        Tokenizer.load(content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"none\.json is not there"):
        Tokenizer.load(tmp_path / "none.json")


@pytest.mark.parametrize("index", [-1, VOCABULARY_SIZE])
def test_an_id_outside_the_vocabulary_is_refused(index):
    with pytest.raises(ValueError, match=f"no token {index}: the vocabulary has ids from 0 to 2047"):
        SHIPS.decode([0, index])


@pytest.mark.parametrize("text", ["a\ud800", None])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(ValueError, match="without half a surrogate pair; got"):
        SHIPS.encode(text)


def test_import_needs_no_torch():
    code = f"import {module.__name__}, sys; print('torch' in sys.modules)"
    lib = str(SHIPPED.parents[3])
    run = subprocess.run([sys.executable, "-c", code], cwd=lib, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_reads_special_tokens_as_letters_too(copied):
    other = copied(SHIPS)
    assert other.encode("<|end|>") == SHIPS.encode("<|end|>") != [SHIPS.special("<|end|>")]
    assert other.encode("<|end|>", allow_special=True) == [SHIPS.special("<|end|>")]
    assert str(other) == "Tokenizer(vocabulary_size=2048)"
