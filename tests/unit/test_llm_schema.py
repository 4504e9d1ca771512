"""JSON by masking: valid for any schema, any logits and any budget; every text of the form can be written; what is refused."""

from __future__ import annotations

import functools
import json
import math
import random
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from pocketlab.data.messages import generate as messages
from pocketlab.llm import automaton
from pocketlab.llm.automaton import Table, TokenTree, byte_in, either, literal, repeat, sequence
from pocketlab.llm.decoding import Sampling, generate
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.schema import JsonSchema, expression
from pocketlab.llm.tokenizer import Tokenizer

FACTS = {
    "type": "object",
    "properties": {"who": {"type": "string"}, "where": {"type": "string"}, "time": {"type": "string"}},
    "required": ["who", "where", "time"],
}
CLOCK = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}


@functools.cache
def tokenizer() -> Tokenizer:
    return Tokenizer.load()


@functools.cache
def compiled(schema: str) -> JsonSchema:
    return JsonSchema(json.loads(schema), tokenizer())


def of(schema: Any) -> JsonSchema:
    return compiled(json.dumps(schema))


def walk(form: JsonSchema, tokens: list[int], budget: int) -> int:
    """Go through tokens one by one, each of which has to be allowed; return the state."""
    state = form.start
    for used, token in enumerate(tokens):
        assert form.allowed(state, budget - used)[token], tokenizer().decode(tokens[: used + 1])
        state = form.advance(state, token)
    return state


def writable(schema: Any, text: str) -> bool:
    """Whether the automaton reads a text, byte by byte."""
    table, state = Table(expression(schema)), automaton.START
    for byte in text.encode():
        state = table.next[state, byte]
    return bool(table.accepting[state])


# Always valid -----------------------------------------------------------------------------------------------------------------


class Adversary(torch.nn.Module):
    """A model whose logits are whatever `logits(step)` returns, (vocab_size,)."""

    def __init__(self, logits: Callable[[int], torch.Tensor]) -> None:
        super().__init__()
        self.config = DecoderConfig(tokenizer().vocabulary_size, 2, 1, 1, 1, 1, 2, 1024)
        self.norm = torch.nn.LayerNorm(1)  # tells the dtype
        self.logits, self.steps = logits, 0

    def forward(self, tokens, cache, *, last_only=False):
        cache.length += tokens.shape[1]
        self.steps += 1
        return self.logits(self.steps)[None, None]


def preferring(wanted: Callable[[bytes], bool]) -> torch.Tensor:
    """Logits that are high for the tokens that a function picks."""
    return torch.tensor([20.0 if wanted(piece) else 0.0 for piece in tokenizer().token_bytes])


@functools.cache
def hostile() -> list[torch.Tensor]:
    size = tokenizer().vocabulary_size
    only_end = torch.full((size,), -math.inf)
    only_end[0] = math.inf
    return [
        torch.full((size,), math.nan),
        torch.full((size,), -math.inf),
        torch.full((size,), math.inf),
        only_end,
        preferring(lambda piece: b"\\" in piece or b"u" in piece),  # escapes without end
        preferring(lambda piece: bool(piece) and piece[0] >= 0x80),  # pieces of characters
        preferring(lambda piece: piece.strip(b"0123456789.-") == b""),  # digits without end
        preferring(lambda piece: any(byte in b'{["' for byte in piece)),  # opens and never closes
        preferring(lambda piece: len(piece) > 5),  # the longest strings
        preferring(lambda piece: b"," in piece),  # one more item
    ]


def random_schema(rng: random.Random, depth: int = 2) -> dict[str, Any]:
    kinds = ["string", "string", "integer", "number", "boolean", "null", "enum", "const", "pattern", "types"]
    kind = rng.choice(kinds + ["object", "array"] * (3 * depth))
    if kind == "object":
        names = rng.sample(["who", "where", "a", "é", 'q"\\', "\n", "long name"], rng.randint(0, 3))
        properties = {name: random_schema(rng, depth - 1) for name in names}
        return {"type": kind, "properties": properties, "required": [name for name in names if rng.random() < 0.7]}
    if kind == "array":
        low = rng.randint(0, 2)
        schema = {"type": kind, "items": random_schema(rng, depth - 1)}
        return schema | some(rng, {"minItems": low, "maxItems": low + rng.randint(0, 2)})
    if kind == "string":
        low = rng.randint(0, 3)
        return {"type": kind} | some(rng, {"minLength": low, "maxLength": low + rng.randint(0, 4)})
    if kind in ("integer", "number"):
        return {"type": kind} | random_bounds(rng, kind == "integer")
    if kind == "enum":
        return {"enum": rng.sample(ENUM, 3)}
    if kind == "const":
        return {"const": rng.choice(["x", 0, None, [], {"a": 1}]), "title": "a constant"}
    if kind == "pattern":
        return {"type": "string", "pattern": rng.choice(PATTERNS)}
    if kind == "types":
        return {"type": rng.sample(["null", "boolean", "integer"], 2)}
    return {"type": kind}


ENUM = ["", "yes", "no, thanks", 'a "b" \\', "Café", -1, 2.5, 10**20, True, None, [1, "x"], {"k": []}]
PATTERNS = [
    CLOCK["pattern"], r"^[A-Z]{2}-?\d{3,5}$", r"^(yes|no|perhaps)$", r"^[^a-z]+$", r"^.{2,4}$", r'^"\\[\w.-]*$', r"^(?:ab?|\s)*$",
    "^$", "^é?$",
]  # fmt: skip


def some(rng: random.Random, keywords: dict[str, Any]) -> dict[str, Any]:
    return {keyword: value for keyword, value in keywords.items() if rng.random() < 0.6}


def random_bounds(rng: random.Random, whole: bool) -> dict[str, Any]:
    scale = 10 ** rng.randint(-3, 10)
    low = rng.uniform(-scale, scale)
    high = low + rng.uniform(1, 3) + rng.random() * scale  # wide enough for an integer between
    bounds = {rng.choice(["minimum", "exclusiveMinimum"]): low - 1, rng.choice(["maximum", "exclusiveMaximum"]): high + 1}
    if whole and rng.random() < 0.5:
        bounds = {keyword: int(value) for keyword, value in bounds.items()}
    return some(rng, bounds)


@pytest.mark.parametrize("part", range(10))
def test_whatever_the_logits_are_the_output_meets_the_schema(part):
    """500 schemas, each at its smallest budget and at two larger ones, with random and with hostile logits."""
    for seed in range(50 * part, 50 * part + 50):
        rng = random.Random(seed)
        schema = random_schema(rng)
        form = JsonSchema(schema, tokenizer())
        generator = torch.Generator().manual_seed(seed)
        noise = rng.choice([1.0, 30.0])
        models = [
            Adversary(lambda _, n=noise, g=generator: n * torch.randn(tokenizer().vocabulary_size, generator=g)),
            Adversary(lambda _, n=seed % 10: hostile()[n]),
            Adversary(lambda step: hostile()[step % 10]),
        ]
        for extra, model in zip(rng.sample([0, 0, 1, 4, 25], 3), models, strict=True):
            budget = form.shortest + extra
            sampling = Sampling(temperature=rng.choice([0, 1]), top_k=rng.choice([None, 5]))
            tokens = list(generate(model, [0], new_tokens=budget, sampling=sampling, generator=generator, constraint=form))
            assert len(tokens) <= budget
            check(schema, b"".join(tokenizer().token_bytes[token] for token in tokens))
        if form.shortest > 1:
            with pytest.raises(ValueError, match=f"has {form.shortest} tokens, and new_tokens is {form.shortest - 1}: allow"):
                generate(models[0], [0], new_tokens=form.shortest - 1, constraint=form)


def check(schema: Any, output: bytes) -> None:
    """The output is UTF-8, parses, meets the schema, and names no property twice."""
    value = json.loads(output.decode(), object_pairs_hook=checked_pairs)
    jsonschema.Draft202012Validator(schema).validate(value)


def checked_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("logits", range(10))
def test_the_json_is_closed_in_time_at_every_budget(logits):
    schema = {
        "type": "object",
        "properties": {**FACTS["properties"], "at": CLOCK, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["who", "at", "tags"],
    }
    form = of(schema)
    for budget in range(form.shortest, form.shortest + 12):
        model = Adversary(lambda _: hostile()[logits])
        generator = torch.Generator().manual_seed(budget)
        tokens = list(generate(model, [0], new_tokens=budget, sampling=Sampling(), generator=generator, constraint=form))
        check(schema, b"".join(tokenizer().token_bytes[token] for token in tokens))


def test_the_shortest_is_the_shortest():
    """No text that is allowed in one token less, and one that is there: by going through all texts, on a small vocabulary."""
    pieces = [bytes([byte]) for byte in b'{}[]":, abtruefalsn0123456789-'] + [b'{"', b'": ', b"true", b'"a', b'a"}', b", ", b""]
    schemas = [
        {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"enum": ["a", "b"]}}, "required": ["a"]},
        {"type": "array", "items": {"enum": [0, True]}, "minItems": 2},
        {"enum": ["ab", 123, True, [True]]},
        {"type": "integer", "minimum": 95, "maximum": 1005},
    ]
    for schema in schemas:
        table, tree = Table(expression(schema)), TokenTree(pieces)
        distances = tree.distances(table)
        states, steps = {automaton.START}, 0
        while not any(table.accepting[state] for state in states):
            states = {int(after) for after in tree.ends(table, np.array(sorted(states))).flat} - {automaton.DEAD}
            steps += 1
        assert distances[automaton.START] == steps
        assert (distances[table.accepting] == 0).all()


# All of it can be written -----------------------------------------------------------------------------------------------------


def test_the_corpus_s_own_json_is_allowed_token_by_token():
    form, seen = of(FACTS), 0
    for message in messages(2_000, seed=3, split="held_out"):
        if message.task != "json":
            continue
        tokens = tokenizer().encode(message.target)
        state = walk(form, tokens, budget=len(tokens))  # not one token to spare
        assert form.finished(state)
        seen += 1
    assert seen > 100


VALUES = [
    ({"type": "string"}, ["", "é", "日本", "🙂", 'a "b" \\ /', "\n\t\x00\x1f", "\x7f", "￿", "\U0010ffff"]),
    ({"type": "string", "minLength": 2, "maxLength": 2}, ["ab", "🙂é", "\n\\"]),
    ({"type": "integer"}, [0, 7, -1, 10, -120, 999_999_999_999_999]),
    ({"type": "number"}, [0, -1.5, 0.25, 3.000001, 123456789.123456, 10, 0.1]),
    ({"type": "array", "items": {"type": "boolean"}}, [[], [True], [False, True, False]]),
    ({"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 3}, [[None] * 2, [None] * 3]),
    ({"type": ["null", "integer"]}, [None, 5]),
    ({"type": "object", "properties": {}}, [{}]),
    (
        {"type": "object", "properties": {key: {"type": "null"} for key in "abc"}, "required": ["b"]},
        [{"b": None}, {"a": None, "b": None}, {"b": None, "c": None}, {"a": None, "b": None, "c": None}],
    ),
    ({"enum": [{"a": [1, "x"]}, "é", 2.5]}, [{"a": [1, "x"]}, "é", 2.5]),
    ({"enum": ["a", 1], "type": "string"}, ["a"]),
    ({"const": 1.0, "type": "integer"}, [1.0]),
    (CLOCK, ["00:00", "19:05", "23:59"]),
    ({"type": "string", "pattern": r"^[A-Z]{2}-?\d{1,}\.?$"}, ["AB-1", "ZZ123456."]),
    ({"type": "string", "pattern": r'^["\\]+ (a|b[^c]|)$'}, ['"\\" ', "\\ a", '" bx']),
]


@pytest.mark.parametrize(("schema", "values"), VALUES, ids=lambda value: str(value)[:40])
def test_what_json_dumps_writes_can_be_written(schema, values):
    for value in values:
        jsonschema.validate(value, schema)
        text = json.dumps(value, ensure_ascii=False)
        assert writable(schema, text), text
        tokens = tokenizer().encode(text)
        form = of(schema)
        assert form.allowed(walk(form, tokens, len(tokens)), 0)[form.end]


NOT_WRITABLE = [
    ({"type": "string"}, ['"', '"a', 'a"', '"\n"', '"\\x"', '"\\u12"', r'"\ud83d"', '""x']),
    ({"type": "string", "maxLength": 1}, ['"ab"', r'"\n\n"', '"éé"']),
    ({"type": "string", "minLength": 1}, ['""']),
    ({"type": "integer"}, ["01", "-0", "1.0", "1e3", "+1", "", "-", "1" * 16]),
    ({"type": "number"}, ["1.", ".5", "-0.0", "00.5", "1.0000001", "0.", "NaN", "1234567890123.1234"]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 2}, ["[1, 2, 3]", "[1,2]", "[1, ]", "[, 1]", "[", "[1"]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, ["[1]"]),
    (FACTS, ["{}", '{"who": "a"}', '{"who":"a"}', '{"where": "", "who": "", "time": ""}']),
    (CLOCK, ['"24:00"', '"7:30"', '"12:60"', '"12:300"']),
    ({"enum": ["a", 1], "type": "string"}, ["1"]),
]


@pytest.mark.parametrize(("schema", "texts"), NOT_WRITABLE, ids=lambda value: str(value)[:40])
def test_what_does_not_meet_the_schema_cannot(schema, texts):
    for text in texts:
        assert not writable(schema, text), text


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (7, 7), (-5, 13), (95, 105), (-1000, -99), (99, 2001), (-12, -3), (1, 9), (10, 99), (123, 321)]
)
def test_integers_are_exactly_those_within_their_bounds(low, high):
    table = Table(expression({"type": "integer", "minimum": low, "exclusiveMaximum": high + 1}))
    for number in range(low - 150, high + 150):
        state = automaton.START
        for byte in str(number).encode():
            state = table.next[state, byte]
        assert table.accepting[state] == (low <= number <= high), number


@pytest.mark.parametrize(
    "bounds",
    [
        {"minimum": 0.25, "maximum": 1.5},
        {"exclusiveMinimum": -1.05, "exclusiveMaximum": 0.1},
        {"minimum": -0.07, "maximum": -0.02},
        {"exclusiveMinimum": 9.99, "maximum": 11},
    ],
)
def test_numbers_are_exactly_those_within_their_bounds(bounds):
    schema = {"type": "number"} | bounds
    table, validator = Table(expression(schema)), jsonschema.Draft202012Validator(schema)
    for hundredths in range(-300, 1300):
        text = f"{hundredths / 100:.2f}"
        state = automaton.START
        for byte in text.encode():
            state = table.next[state, byte]
        assert table.accepting[state] == (validator.is_valid(float(text)) and text != "-0.00"), text


def test_a_number_can_go_on_or_end_and_an_object_is_over():
    form = of({"type": "integer"})
    state = walk(form, tokenizer().encode("1"), 5)
    assert form.allowed(state, 4)[form.end]
    assert form.allowed(state, 4)[tokenizer().encode("2")[0]]
    assert form.allowed(state, 0).nonzero().flatten().tolist() == [form.end]
    assert not form.finished(state)
    model = Adversary(lambda _: preferring(lambda piece: piece == b"7"))
    # 15 digits, and not one more; then the number cannot go on, and no pass of the model is spent on its end.
    tokens = list(generate(model, [0], new_tokens=40, constraint=form))
    assert tokenizer().decode(tokens) == "7" * 15
    assert model.steps == 15


def test_special_tokens_are_never_allowed_within():
    form = of(FACTS)
    special = sorted(tokenizer().special_tokens.values())
    state = walk(form, tokenizer().encode('{"who": "'), 50)
    assert not form.allowed(state, 40)[special].any()
    for token in special:
        with pytest.raises(ValueError, match="cannot stand here"):
            form.advance(state, token)
    with pytest.raises(ValueError, match=r"Token \d+, b'x', cannot stand here"):
        form.advance(form.start, tokenizer().encode("x")[0])


# A real decoder, and expressions ----------------------------------------------------------------------------------------------


def test_a_real_decoder_writes_json_after_a_prompt():
    config = DecoderConfig(tokenizer().vocabulary_size, 16, 16, 1, 2, 1, 8, 256)
    torch.manual_seed(0)
    decoder = Decoder(config).eval()
    prompt = tokenizer().encode("<|message|>Mara\nDinner at seven?\n<|json|>", allow_special=True)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        tokens = list(
            generate(decoder, prompt, new_tokens=40, sampling=Sampling(), generator=generator, constraint=of(FACTS))
        )
        check(FACTS, tokenizer().decode(tokens).encode())


def test_expressions_read_what_regular_expressions_read():
    rng = random.Random(0)
    for _ in range(150):
        ours, theirs = random_expression(rng, 4)
        table = Table(ours)
        for _ in range(60):
            text = "".join(rng.choices("ab", k=rng.randint(0, 7)))
            state = automaton.START
            for byte in text.encode():
                state = table.next[state, byte]
            assert table.accepting[state] == bool(re.fullmatch(theirs, text)), (theirs, text)


def random_expression(rng: random.Random, depth: int) -> tuple[automaton.Expression, str]:
    """The same expression for us and for the standard library."""
    kind = rng.randint(0, 4) if depth else 0
    if kind == 0:
        letter = rng.choice(["a", "b", "[ab]", ""])
        return (byte_in((97, 98)) if letter == "[ab]" else literal(letter.encode())), letter
    parts = [random_expression(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    if kind <= 2:
        return sequence(*(part for part, _ in parts)), "".join(f"(?:{text})" for _, text in parts)
    if kind == 3:
        return either(*(part for part, _ in parts)), "|".join(f"(?:{text})" for _, text in parts)
    least = rng.randint(0, 2)
    most = rng.choice([None, least, least + 2])
    return repeat(parts[0][0], least, most), f"(?:{parts[0][1]}){{{least},{'' if most is None else most}}}"


# Refused before decoding ------------------------------------------------------------------------------------------------------

REFUSED = [
    (True, "a schema is a dictionary"),
    ({}, "there is no type, nor an enum"),
    ({"properties": {}}, "there is no type"),
    ({"type": "text"}, "the type is 'text': choose from object, array, string"),
    ({"type": []}, "the type is"),
    ({"type": ["string", {}]}, "the type is"),
    ({"type": "string", "format": "date"}, "the keyword 'format' cannot be met for string; what can is maxLength"),
    ({"type": "boolean", "minimum": 1}, "'minimum' cannot be met for boolean; what can is the type alone"),
    ({"type": "object", "patternProperties": {}}, "'patternProperties'"),
    ({"$ref": "#"}, "no type"),
    ({"enum": []}, "the enum has no value"),
    ({"enum": "abc"}, "the enum has no value"),
    ({"enum": [1, 2], "type": "string"}, "no value of the enum is of type string"),
    ({"enum": [True], "type": "integer"}, "no value of the enum is of type integer"),
    ({"enum": ["a"], "maxLength": 3}, "where values are listed, leave out other rules"),
    ({"enum": [math.nan]}, "the value nan cannot be written in JSON"),
    ({"const": {1, 2}}, "cannot be written in JSON"),
    ({"const": "\ud800"}, "cannot be written in JSON"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "minLength is 3 and maxLength is 2"),
    ({"type": "string", "maxLength": -1}, "maxLength is a whole number, 0 or more; got -1"),
    ({"type": "string", "maxLength": 10**9}, "lower the bounds"),
    ({"type": "array"}, "an array needs items"),
    ({"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 1}, "minItems is 2 and maxItems is 1"),
    ({"type": "array", "items": {"type": "null"}, "uniqueItems": True}, "'uniqueItems'"),
    ({"type": "integer", "minimum": 3, "maximum": 2}, "no integer of up to 15 digits is within minimum 3, maximum 2"),
    ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "no integer of up to 15 digits"),
    ({"type": "integer", "minimum": 10**15}, "no integer of up to 15 digits"),
    ({"type": "number", "exclusiveMinimum": 1, "maximum": 1}, "no number of up to 15 digits, 6 of them behind the point, is"),
    ({"type": "number", "minimum": "1"}, "minimum is a number; got '1'"),
    ({"type": "number", "exclusiveMinimum": True}, "exclusiveMinimum is a number; got True"),
    ({"type": "object", "required": ["x"]}, "the property 'x' is required, and no schema is given for it"),
    ({"type": "object", "properties": []}, "properties are a dictionary"),
    ({"type": "object", "properties": {}, "required": True}, "required is a list of names"),
    ({"type": "object", "properties": {}, "additionalProperties": {}}, "additionalProperties is true or false"),
    ({"type": "string", "pattern": "^a$", "maxLength": 1}, "stands a pattern: write the length into it"),
    ({"type": "string", "pattern": "a"}, "has to describe the whole string"),
    ({"type": "string", "pattern": "^a"}, "only a $ at the end"),
    ({"type": "string", "pattern": "^a$b$"}, "only a $ at the end"),
    ({"type": "string", "pattern": "^a|b$"}, "alternatives need parentheses"),
    ({"type": "string", "pattern": "^(a$"}, "a parenthesis is not closed"),
    ({"type": "string", "pattern": "^a)$"}, "only a $ at the end"),
    ({"type": "string", "pattern": "^*$"}, "'*' has nothing that it could act on"),
    ({"type": "string", "pattern": "^a+?b??$"}, "has nothing that it could act on"),
    ({"type": "string", "pattern": "^(?=a)$"}, "has nothing that it could act on"),
    ({"type": "string", "pattern": "^a{2,1}$"}, "asks for fewer than it asks for"),
    ({"type": "string", "pattern": "^a{x}$"}, "a repetition is {n}"),
    ({"type": "string", "pattern": "^[z-a]$"}, "z-a is no range"),
    ({"type": "string", "pattern": "^[]$"}, "one character at least"),
    ({"type": "string", "pattern": "^[^]a]$"}, "one character at least"),
    ({"type": "string", "pattern": "^[a$"}, "it ends too early"),
    ({"type": "string", "pattern": "^[é]$"}, "only ASCII"),
    ({"type": "string", "pattern": r"^\bx$"}, r"\\b is not known here"),
    ({"type": "string", "pattern": r"^(a)\1$"}, r"\\1 is not known here"),
    ({"type": "string", "pattern": "^(a|b)*a(a|b){20}$"}, "lower the bounds"),
]


@pytest.mark.parametrize(("schema", "told"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_schema_that_cannot_be_met_is_refused_with_its_reason(schema, told):
    with pytest.raises(ValueError, match=re.escape(told.replace("\\\\", "\\"))):
        JsonSchema(schema, tokenizer())


def test_the_message_names_the_place():
    schema = {"type": "object", "properties": {"stops": {"type": "array", "items": {"type": "array"}}}}
    with pytest.raises(ValueError, match="At the schema, stops, items an array needs items"):
        JsonSchema(schema, tokenizer())


def test_an_end_token_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no special token"):
        JsonSchema(FACTS, tokenizer(), end="</s>")
