"""Strings and numbers as JSON writes them, as expressions of `pocketlab.llm.automaton`. Source: RFC 8259, sections 6 and 7.

A pattern is a regular expression of the simple kind that codes and times need: characters, `.`, classes such as [0-9a-f] and \\d,
groups, alternatives, and repetitions. It has to describe the whole string, from ^ to $.
"""

from __future__ import annotations

import math
from fractions import Fraction

from pocketlab.llm.automaton import Expression, byte_in, either, literal, repeat, sequence

DIGITS = 15  # a number of 15 digits is exact as a double, which is what a reader of JSON makes of it
FRACTION_DIGITS = 6

_REST = byte_in((0x80, 0xBF))  # any byte of UTF-8 after the first
_HEX = byte_in((0x30, 0x39), (0x41, 0x46), (0x61, 0x66))
# Printable ASCII without quotation mark and backslash, then UTF-8 of 2, 3 and 4 bytes (RFC 3629, section 4).
_UNESCAPED = either(
    byte_in((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7F)),
    sequence(byte_in((0xC2, 0xDF)), _REST),
    sequence(byte_in((0xE0, 0xE0)), byte_in((0xA0, 0xBF)), _REST),
    sequence(byte_in((0xE1, 0xEC), (0xEE, 0xEF)), _REST, _REST),
    sequence(byte_in((0xED, 0xED)), byte_in((0x80, 0x9F)), _REST),
    sequence(byte_in((0xF0, 0xF0)), byte_in((0x90, 0xBF)), _REST, _REST),
    sequence(byte_in((0xF1, 0xF3)), _REST, _REST, _REST),
    sequence(byte_in((0xF4, 0xF4)), byte_in((0x80, 0x8F)), _REST, _REST),
)
# \uD800 to \uDFFF are halves of a character: left out, since what is beyond 16 bits can be written unescaped.
_ESCAPED = sequence(
    literal(b"\\"),
    either(
        byte_in(*((ord(letter), ord(letter)) for letter in '"\\/bfnrt')),
        sequence(literal(b"u"), byte_in((0x30, 0x39), (0x41, 0x43), (0x45, 0x46), (0x61, 0x63), (0x65, 0x66)), _HEX, _HEX, _HEX),
        sequence(literal(b"u"), byte_in((0x44, 0x44), (0x64, 0x64)), byte_in((0x30, 0x37)), _HEX, _HEX),
    ),
)
_CHARACTER = either(_UNESCAPED, _ESCAPED)


def string(least: int = 0, most: int | None = None) -> Expression:
    """A string of `least` to `most` characters, quotation marks included."""
    return sequence(literal(b'"'), repeat(_CHARACTER, least, most), literal(b'"'))


def number(
    low: Fraction | None, high: Fraction | None, *, strictly: tuple[bool, bool], fraction_digits: int
) -> Expression | None:
    """A number from `low` to `high` of up to 15 digits, at most some of them behind the point; None if there is none.

    low, high: None for as far as 15 digits go. strictly: whether the bound itself is excluded, below and above.
    """
    parts = []
    limit = 10**DIGITS - 1
    for digits in range(fraction_digits + 1):
        least, most = -limit, limit
        if low is not None:
            scaled = low * 10**digits
            least = max(least, math.floor(scaled) + 1 if strictly[0] else math.ceil(scaled))
        if high is not None:
            scaled = high * 10**digits
            most = min(most, math.ceil(scaled) - 1 if strictly[1] else math.floor(scaled))
        negative = _magnitudes(max(1, -most), -least, digits)  # from 1: no number is written as -0
        parts += [sequence(literal(b"-"), part) for part in negative] + _magnitudes(max(0, least), most, digits)
    return either(*parts) if parts else None


def _magnitudes(low: int, high: int, fraction: int) -> list[Expression]:
    """Whole numbers from low, not below 0, to high, with a point before the last `fraction` digits; one for each length."""
    parts = []
    for length in range(fraction + 1, max(fraction + 1, len(str(high))) + 1):
        first = max(low, 10 ** (length - 1) if length > fraction + 1 else 0)  # only the digit before the point may be a zero
        last = min(high, 10**length - 1)
        if first <= last:
            parts.append(_between(f"{first:0{length}}", f"{last:0{length}}", fraction))
    return parts


def _between(low: str, high: str, fraction: int) -> Expression:
    """As many digits as both have, from low to high."""
    if not low:
        return sequence()
    point = literal(b".") if len(low) == fraction else sequence()
    rest = len(low) - 1
    nines, zeros = "9" * rest, "0" * rest
    first, last = int(low[0]), int(high[0])
    if low[1:] == zeros and high[1:] == nines:
        return sequence(point, _digit(first, last), _between(zeros, nines, fraction))
    if first == last:
        return sequence(point, _digit(first, last), _between(low[1:], high[1:], fraction))
    parts = [
        sequence(_digit(first, first), _between(low[1:], nines, fraction)),
        sequence(_digit(last, last), _between(zeros, high[1:], fraction)),
    ]
    if last - first > 1:
        parts.append(sequence(_digit(first + 1, last - 1), _between(zeros, nines, fraction)))
    return sequence(point, either(*parts))


def _digit(low: int, high: int) -> Expression:
    return byte_in((ord("0") + low, ord("0") + high))


def pattern(text: str) -> Expression:
    """A string that matches a regular expression, quotation marks included.

    `.` and classes with ^ give characters that need no escape in JSON, classes only ASCII.
    Raises ValueError, saying where, for what is not of the simple kind.
    """
    if not text.startswith("^"):
        raise ValueError(f"the pattern {text!r} has to describe the whole string: begin it with ^ and end it with $")
    return sequence(literal(b'"'), _Pattern(text).whole(), literal(b'"'))


class _Pattern:
    """Reads a regular expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 1

    def whole(self) -> Expression:
        branches = self.branches()
        if self.text[self.at :] != "$":
            raise self.error("only a $ at the end, and nothing behind it, can stand")
        if len(branches) > 1:
            raise self.error("alternatives need parentheses, since ^a|b$ does not tie a to the end: ^(a|b)$")
        return branches[0]

    def branches(self) -> list[Expression]:
        branches: list[Expression] = []
        parts: list[Expression] = []
        while (letter := self.peek()) not in ("", "$", ")"):
            if letter == "|":
                self.at += 1
                branches, parts = [*branches, sequence(*parts)], []
            else:
                parts.append(self.repeated(self.item()))
        return [*branches, sequence(*parts)]

    def item(self) -> Expression:
        letter = self.take()
        if letter == "(":
            if self.text.startswith("?:", self.at):
                self.at += 2
            inner = either(*self.branches())
            if self.take() != ")":
                raise self.error("a parenthesis is not closed")
            return inner
        if letter == ".":
            return _UNESCAPED
        if letter in "?*+{}^]":
            raise self.error(f"{letter!r} has nothing that it could act on here")
        if letter == "[":
            return _one_of(self.letters())
        return _one_of(self.escape() if letter == "\\" else {letter})

    def repeated(self, part: Expression) -> Expression:
        simple = {"?": (0, 1), "*": (0, None), "+": (1, None)}
        if (letter := self.peek()) in simple and letter:
            self.at += 1
            return repeat(part, *simple[letter])
        if letter != "{":
            return part
        inside, closing, _ = self.text[self.at + 1 :].partition("}")
        least, comma, most = inside.partition(",")
        if not (closing and least.isdecimal() and (most.isdecimal() or not most)):
            raise self.error("a repetition is {n}, {n,} or {n,m}")
        self.at += len(inside) + 2
        upper = int(most) if most else None if comma else int(least)
        if upper is not None and upper < int(least):
            raise self.error(f"{{{inside}}} asks for fewer than it asks for")
        return repeat(part, int(least), upper)

    def letters(self) -> set[str]:
        """A class, after its bracket."""
        negated = self.peek() == "^"
        self.at += negated
        members: set[str] = set()
        while (letter := self.take()) != "]":
            some = self.escape() if letter == "\\" else {letter}
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self.take()
                some = set(map(chr, range(ord(letter), ord(last) + 1)))
                if "\\" in (letter, last) or not some:
                    raise self.error(f"{letter}-{last} is no range of characters")
            members |= some
        if members and negated:
            members = {chr(code) for code in range(0x20, 0x7F)} - members - set('"\\')
        if not members or max(members) > "~":
            raise self.error("a class holds one character at least, and only ASCII")
        return members

    def escape(self) -> set[str]:
        """What stands behind a backslash."""
        letter = self.take()
        classes = {"d": "0123456789", "s": " ", "w": "".join(map(chr, range(0x80)))}
        if letter in classes:
            return {one for one in classes[letter] if letter != "w" or one.isalnum() or one == "_"}
        if letter.isalnum():
            raise self.error(f"\\{letter} is not known here; \\d, \\w and \\s are")
        return {letter}

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if not (letter := self.peek()):
            raise self.error("it ends too early")
        self.at += 1
        return letter

    def error(self, problem: str) -> ValueError:
        return ValueError(f"the pattern {self.text!r} cannot be used, at its character {self.at}: {problem}")


def _one_of(letters: set[str]) -> Expression:
    """One of some characters, with a backslash before it where JSON needs one."""
    plain = [letter for letter in letters if letter not in '"\\' and " " <= letter <= "~"]
    others = [literal(_escaped(letter)) for letter in sorted(letters - set(plain))]
    return either(byte_in(*((ord(letter), ord(letter)) for letter in plain)), *others) if plain else either(*others)


def _escaped(letter: str) -> bytes:
    if letter in '"\\':
        return b"\\" + letter.encode()
    return f"\\u{ord(letter):04x}".encode() if letter < " " else letter.encode()
