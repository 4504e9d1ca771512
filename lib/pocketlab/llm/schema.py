"""Output that is always JSON of a given schema: in each state, only tokens from which the schema can still be met may come.

A schema without references nests to a fixed depth, so the JSON that meets it is a regular language, and one automaton reads it
(`pocketlab.llm.automaton`). It also knows the fewest tokens to the end from each state; a token that leaves more to write than
there are tokens left is not allowed, so the output is whole at the limit too.
Source: Willard and Louf 2023 (Efficient Guided Generation for Large Language Models); JSON Schema, draft 2020-12, validation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketlab.llm import json_text
from pocketlab.llm.automaton import (
    DEAD,
    START,
    UNREACHABLE,
    Expression,
    Table,
    TokenTree,
    either,
    literal,
    repeat,
    sequence,
)
from pocketlab.llm.tokenizer import Tokenizer

_ANNOTATIONS = {"$schema", "$id", "$comment", "title", "description", "default", "examples"}
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "number": (int, float), "boolean": bool, "null": type(None),
}  # fmt: skip
_KEYWORDS: dict[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern"},
    "integer": _BOUNDS,
    "number": _BOUNDS,
    "boolean": set(),
    "null": set(),
}


class JsonSchema:
    """A `pocketlab.llm.decoding.Constraint`: JSON that meets a schema, as `json.dumps(…, ensure_ascii=False)` spaces it.

    schema: types object, array, string, integer, number, boolean and null, or a list of them; enum and const; for an object
    properties, written in the order given, those not required perhaps left out, and none beside them; for an array items,
    minItems, maxItems; for a string minLength, maxLength, or a simple pattern (`pocketlab.llm.json_text`); for numbers minimum,
    maximum and their exclusive kinds. Numbers have up to 15 digits, 6 of them behind the point, and no exponent.
    tokenizer: the model's. end: its token that ends a text. shortest: the fewest tokens of JSON that meets the schema.
    Raises ValueError, naming the place, for what is not in this list and for a schema that nothing meets.
    """

    def __init__(self, schema: Mapping[str, Any], tokenizer: Tokenizer, *, end: str = "<|end|>") -> None:
        self._token_bytes = tokenizer.token_bytes
        self._tree = TokenTree(self._token_bytes)
        self._table = Table(expression(schema))
        self._distances = self._tree.distances(self._table)
        self._accepting = self._table.accepting
        self._final = self._accepting & (self._table.next == DEAD).all(1)
        self.start, self.end, self.shortest = START, tokenizer.special(end), int(self._distances[START])
        if self.shortest == UNREACHABLE:
            raise ValueError("No tokens of this vocabulary can write JSON that meets the schema: it lacks some bytes.")

    def allowed(self, state: int, left: int) -> Tensor:
        """Return which tokens may come, bool (vocab_size,), so that the JSON can be whole within `left` tokens.

        `end` is one of them where the JSON is whole, and does not count among those left.
        """
        after = self._tree.ends(self._table, np.array([state]))[0]
        mask = self._distances[after] < left
        mask[self.end] = self._accepting[state]
        return torch.from_numpy(mask)

    def advance(self, state: int, token: int) -> int:
        """Return the state after a token; raises ValueError for one after which the schema cannot be met."""
        for byte in self._token_bytes[token]:
            state = int(self._table.next[state, byte])
        if state == DEAD or not self._token_bytes[token]:
            raise ValueError(f"Token {token}, {self._token_bytes[token]!r}, cannot stand here: choose one that is `allowed`.")
        return state

    def finished(self, state: int) -> bool:
        """Return whether the JSON is whole and nothing can follow; a number such as 1 could go on."""
        return bool(self._final[state])


def expression(schema: Any, place: str = "the schema") -> Expression:
    """Return the JSON that meets a schema as an expression. place: what a message calls it. Raises ValueError as `JsonSchema`."""
    if not isinstance(schema, Mapping):
        raise ValueError(f"At {place} a schema is a dictionary, such as {{'type': 'string'}}; got {schema!r:.60}.")
    rules = {keyword: value for keyword, value in schema.items() if keyword not in _ANNOTATIONS}
    given = rules.pop("type", None)
    types = [given] if isinstance(given, str) else given
    if types is not None and not (isinstance(types, list) and types and all(kind in list(_KEYWORDS) for kind in types)):
        raise ValueError(f"At {place} the type is {given!r}: choose from {', '.join(_KEYWORDS)}.")
    if "const" in rules or "enum" in rules:
        return _listed(rules, types, place)
    if types is None:
        raise ValueError(f"At {place} there is no type, nor an enum: say what is to be written.")
    known = set().union(*(_KEYWORDS[kind] for kind in types))
    if unknown := rules.keys() - known:
        raise ValueError(
            f"At {place} the keyword {min(unknown)!r} cannot be met for {' or '.join(types)}; what can is "
            f"{', '.join(sorted(known)) or 'the type alone'}: take it out."
        )
    return either(*(_MAKERS[kind](rules, place) for kind in types))


def _listed(rules: Mapping[str, Any], types: list[str] | None, place: str) -> Expression:
    """One of the values of an enum, or a const."""
    if len(rules) > 1:
        raise ValueError(f"At {place} stand {' and '.join(sorted(rules))}: where values are listed, leave out other rules.")
    values = rules["enum"] if "enum" in rules else [rules["const"]]
    if not isinstance(values, list) or not values:
        raise ValueError(f"At {place} the enum has no value that could be written: list one at least.")
    fitting = [value for value in values if types is None or any(_is(value, kind) for kind in types)]
    if not fitting:
        raise ValueError(f"At {place} no value of the enum is of type {' or '.join(types or [])}.")
    return either(*(literal(_written(value, place)) for value in fitting))


def _object(rules: Mapping[str, Any], place: str) -> Expression:
    properties, required = rules.get("properties", {}), rules.get("required", [])
    names = isinstance(properties, Mapping) and all(isinstance(name, str) for name in properties)
    if not names or not isinstance(required, list):
        raise ValueError(f"At {place} properties are a dictionary of schemas by name, and required is a list of names.")
    if not isinstance(rules.get("additionalProperties", False), bool):
        raise ValueError(f"At {place} additionalProperties is true or false; none is written in any case.")
    if missing := [name for name in required if name not in properties]:
        raise ValueError(f"At {place} the property {missing[0]!r} is required, and no schema is given for it under properties.")
    comma = literal(b", ")
    # What may follow from a property on, to the brace: where nothing has been written yet, and where something has.
    first, later = literal(b"}"), literal(b"}")
    for name in reversed(properties):
        key = literal(_written(name, place) + b": ")
        pair = sequence(key, expression(properties[name], f"{place}, {name}"))
        both = sequence(pair, later)
        if name in required:
            first, later = both, sequence(comma, both)
        else:
            first, later = either(both, first), sequence(repeat(sequence(comma, pair), 0, 1), later)
    return sequence(literal(b"{"), first)


def _array(rules: Mapping[str, Any], place: str) -> Expression:
    least, most = _range(rules, "minItems", "maxItems", place)
    if most == 0:
        return literal(b"[]")
    if "items" not in rules:
        raise ValueError(f"At {place} an array needs items: the schema that each of them meets.")
    item = expression(rules["items"], f"{place}, items")
    more = repeat(sequence(literal(b", "), item), max(0, least - 1), None if most is None else most - 1)
    some = sequence(item, more)
    return sequence(literal(b"["), some if least else repeat(some, 0, 1), literal(b"]"))


def _string(rules: Mapping[str, Any], place: str) -> Expression:
    if "pattern" not in rules:
        return json_text.string(*_range(rules, "minLength", "maxLength", place))
    if len(rules.keys() & _KEYWORDS["string"]) > 1:
        raise ValueError(f"At {place} stands a pattern: write the length into it, as in ^[a-z]{{1,8}}$, and nowhere else.")
    try:
        return json_text.pattern(str(rules["pattern"]))
    except ValueError as error:
        raise ValueError(f"At {place} {error}.") from None


def _integer(rules: Mapping[str, Any], place: str) -> Expression:
    return _numeric(rules, place, 0)


def _number(rules: Mapping[str, Any], place: str) -> Expression:
    return _numeric(rules, place, json_text.FRACTION_DIGITS)


def _numeric(rules: Mapping[str, Any], place: str, fraction_digits: int) -> Expression:
    bounds = {keyword: value for keyword, value in rules.items() if keyword in _BOUNDS}
    if wrong := [keyword for keyword, value in bounds.items() if not _is(value, "number") or not math.isfinite(value)]:
        raise ValueError(f"At {place} {wrong[0]} is a number; got {bounds[wrong[0]]!r}.")
    # The text of a float, not its binary value: 0.1 is meant as a tenth. Of two bounds on a side the tighter one holds.
    exact = {keyword: Fraction(str(value)) for keyword, value in bounds.items()}
    lows = [(exact[keyword], keyword == "exclusiveMinimum") for keyword in ("minimum", "exclusiveMinimum") if keyword in exact]
    highs = [(-exact[keyword], keyword == "exclusiveMaximum") for keyword in ("maximum", "exclusiveMaximum") if keyword in exact]
    low, above = max(lows, default=(None, False))
    high, below = max(highs, default=(None, False))
    found = json_text.number(
        low, None if high is None else -high, strictly=(above, below), fraction_digits=fraction_digits
    )
    if found is None:
        raise ValueError(
            f"At {place} no {'number' if fraction_digits else 'integer'} of up to {json_text.DIGITS} digits"
            f"{f', {fraction_digits} of them behind the point,' if fraction_digits else ''} is within "
            f"{', '.join(f'{keyword} {value}' for keyword, value in bounds.items())}."
        )
    return found


def _boolean(rules: Mapping[str, Any], place: str) -> Expression:
    return either(literal(b"true"), literal(b"false"))


def _null(rules: Mapping[str, Any], place: str) -> Expression:
    return literal(b"null")


_MAKERS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}


def _range(rules: Mapping[str, Any], low: str, high: str, place: str) -> tuple[int, int | None]:
    """Two keywords that bound a count."""
    least, most = rules.get(low, 0), rules.get(high)
    for keyword, value in ((low, least), (high, most)):
        if value is not None and (not _is(value, "integer") or value < 0):
            raise ValueError(f"At {place} {keyword} is a whole number, 0 or more; got {value!r}.")
    if most is not None and least > most:
        raise ValueError(f"At {place} {low} is {least} and {high} is {most}: nothing has as many and as few.")
    return int(least), None if most is None else int(most)


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of a type of JSON Schema. In Python True is an int as well, and not there; 1.0 is an integer there."""
    if kind == "integer":
        return _is(value, "number") and value == value // 1
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _written(value: Any, place: str) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ValueError(f"At {place} the value {value!r:.60} cannot be written in JSON.") from None
