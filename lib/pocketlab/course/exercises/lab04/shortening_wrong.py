"""Wrong answers to exercise 04.10, and the right steps that they are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pocketlab.llm.tokenizer import Tokenizer
from pocketlab.llm.untrusted import CUT, word_ends

Shorten = Callable[[str, int, Tokenizer], Any]  # a right one gives a list of ids; some wrong ones give something else


def refused() -> ValueError:
    """Return the error of a right answer."""
    return ValueError("not even one word fits")


def last_fitting(texts: Sequence[str], room: int, tokenizer: Tokenizer) -> list[int]:
    """The tokens of the last text, they being ever longer, that has at most `room`."""
    for text in reversed(texts):
        if len(tokens := tokenizer.encode(text)) <= room:
            return tokens
    raise refused()


def unless_it_fits(cut: Shorten) -> Shorten:
    """Right for a text that fits; `cut` is what happens to others."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> Any:
        tokens = tokenizer.encode(body)
        return tokens if len(tokens) <= room else cut(body, room, tokenizer)

    return answer


def right_cut(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of the most words that fit with the mark, as they should be."""
    return last_fitting([body[:end] + CUT for end in word_ends(body)], room, tokenizer)


def cut_at(ends: Callable[[str], list[int]], mark: str = CUT) -> Shorten:
    """Right but for where words end, or for the mark."""
    return unless_it_fits(
        lambda body, room, tokenizer: last_fitting([body[:end] + mark for end in ends(body)], room, tokenizer)
    )


def counted(count: Callable[[str, Tokenizer], int], mark: str = CUT) -> Shorten:
    """Right but for how many tokens it takes a start of the text to have together with the mark."""

    def cut(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        for end in reversed(word_ends(body)):
            if count(body[:end], tokenizer) <= room:
                return tokenizer.encode(body[:end] + mark)
        raise refused()

    return unless_it_fits(cut)


def prepared(prepare: Callable[[str], str]) -> Shorten:
    """The right answer, for a text that was changed before."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        return unless_it_fits(right_cut)(prepare(body), room, tokenizer)

    return answer


def spare(whole: int, cut: int) -> Shorten:
    """Right but for tokens that are left free: of a whole text, or of one that is cut."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        tokens = tokenizer.encode(body)
        return tokens if len(tokens) <= room - whole else right_cut(body, room - cut, tokenizer)

    return answer


def special(whole: bool, cut: bool) -> Shorten:
    """Special tokens are read in a whole text, or in one that is cut."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        tokens = tokenizer.encode(body, allow_special=whole)
        if len(tokens) <= room:
            return tokens
        for end in reversed(word_ends(body)):
            tokens = tokenizer.encode(body[:end] + CUT, allow_special=cut)
            if len(tokens) <= room:
                return tokens
        raise refused()

    return answer


def where_none_fits(instead: Shorten) -> Shorten:
    """Right but for what happens where not even one word fits."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> Any:
        try:
            return unless_it_fits(right_cut)(body, room, tokenizer)
        except ValueError:
            return instead(body, room, tokenizer)

    return answer


def refusing(refuses: Callable[[str, int], bool]) -> Shorten:
    """Right but for what it refuses before it begins."""

    def answer(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        if refuses(body, room):
            raise refused()
        return unless_it_fits(right_cut)(body, room, tokenizer)

    return answer


def index(shift: int) -> Shorten:
    """Right but for which of the ends is taken: `shift` words more than fit, or fewer."""

    def cut(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
        ends = word_ends(body)
        fitting = sum(len(tokenizer.encode(body[:end] + CUT)) <= room for end in ends)
        if fitting == 0:
            raise refused()
        kept = min(fitting + shift, len(ends))
        return tokenizer.encode(body[: ends[kept - 1] if kept else 0] + CUT)

    return unless_it_fits(cut)


def marked_always(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Cut and mark a text that fits as well."""
    return right_cut(body, room, tokenizer)


def marked_tokens(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Cut the list of tokens, and put the mark behind it."""
    mark = tokenizer.encode(CUT)
    if room <= len(mark):
        raise refused()
    return tokenizer.encode(body)[: room - len(mark)] + mark


def bare_tokens(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Cut the list of tokens."""
    if not room:
        raise refused()
    return tokenizer.encode(body)[:room]


def back_to_a_space(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Cut the list of tokens, and go back to the last space in what is left."""
    start = tokenizer.decode(tokenizer.encode(body)[: max(0, room - len(tokenizer.encode(CUT)))])
    if " " not in start.strip():
        raise refused()
    return tokenizer.encode(start[: start.rstrip().rfind(" ")] + CUT)


def words_joined(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Take the words apart and join them with single spaces."""
    words = body.split()
    return last_fitting([" ".join(words[:kept]) + CUT for kept in range(1, len(words) + 1)], room, tokenizer)


def from_the_end(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Keep the last words."""
    starts = [0, *word_ends(body)[:-1]]
    return last_fitting([CUT.strip() + " " + body[start:].strip() for start in reversed(starts)], room, tokenizer)


def shortest(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Keep the fewest words."""
    return last_fitting([body[:end] + CUT for end in reversed(word_ends(body))], room, tokenizer)


def tokens_at_word_ends(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Take indices into the text for indices into the tokens."""
    tokens, mark = tokenizer.encode(body), tokenizer.encode(CUT)
    for end in reversed(word_ends(body)):
        if end + len(mark) <= room:
            return tokens[:end] + mark
    raise refused()


def characters(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Count characters."""
    if len(body) <= room:
        return tokenizer.encode(body)
    for end in reversed(word_ends(body)):
        if len(body[:end] + CUT) <= room:
            return tokenizer.encode(body[:end] + CUT)
    raise refused()


def words(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Count words."""
    ends = word_ends(body)
    if len(ends) <= room:
        return tokenizer.encode(body)
    if not room:
        raise refused()
    return tokenizer.encode(body[: ends[room - 1]] + CUT)


def text_itself(body: str, room: int, tokenizer: Tokenizer) -> str:
    """Return text."""
    return tokenizer.decode(unless_it_fits(right_cut)(body, room, tokenizer))


def word_by_word(text: str, tokenizer: Tokenizer) -> int:
    """Count the tokens of each word without its spaces, and of the mark."""
    ends = word_ends(text)
    words = [text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]
    return sum(len(tokenizer.encode(word)) for word in words) + len(tokenizer.encode(CUT))


def never(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Refuse whatever does not fit."""
    raise refused()


def matches(pattern: str) -> Callable[[str], list[int]]:
    """A way of finding the ends of words: where the pattern ends."""
    return lambda body: [match.end() for match in re.finditer(pattern, body)]


def first_word(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Keep one word, whatever it takes."""
    return tokenizer.encode(body[: word_ends(body)[0]] + CUT)


def all_words(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Keep all words, whatever they take."""
    return tokenizer.encode(body[: word_ends(body)[-1]] + CUT)
