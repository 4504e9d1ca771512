"""Text that somebody else wrote, made ready to stand in a prompt: nothing invisible, and nothing that looks like a special token.

That a text cannot be an instruction is the tokenizer's work: `Tokenizer.encode` never gives a special token for text. What is
done here is a second line, for the model's eyes: "＜|end|＞" is no special token either, but a model may take it for one. And
what nobody sees on the screen, such as a sentence written in Unicode's tag characters, the model does not get to read.
Source: Greshake et al. 2023 (Not what you've signed up for: indirect prompt injection); Boucher et al. 2022 (Bad Characters:
Imperceptible NLP Attacks); Unicode Technical Standard 39, confusables.
"""

from __future__ import annotations

import re

# Characters without ink: control characters but the line feed, half surrogates, private use, annotation marks, and what Unicode
# lists as Default_Ignorable_Code_Point (direction marks, zero-width spaces, tags, selectors of variants). Four of those stay,
# since visible text needs them: the joiners U+200C and U+200D, and U+FE0E and U+FE0F, which choose text or emoji.
_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")

# What reads as "<", "|" and ">". No letters: an "l" is a bar to the eye, but "<love" is a word.
_LEFT = "<＜﹤≮‹«˂〈〈⟨⟪《❬❮❰⧼⦑≪≺ᐸᚲ\U0001d236"
_BAR = "|｜¦￤￨ǀ׀∣⏐⏽│┃║‖∥❘❙❚︱︳"
_RIGHT = ">＞﹥≯›»˃〉〉⟩⟫》❭❯❱⧽⦒≫≻ᐳ\U0001d237"
_BETWEEN = "[\\s\u0300-\u036f\u200c\u200d\u20d0-\u20ff\ufe0e\ufe0f]*"
_OPENING = re.compile(f"[{_LEFT}]{_BETWEEN}[{_BAR}]")
_CLOSING = re.compile(f"[{_BAR}]{_BETWEEN}[{_RIGHT}]")

CUT = " […]"
"""What stands in a text where its rest was cut off."""


def clean(text: str) -> tuple[str, list[str]]:
    """Return the text without invisible characters and look-alikes of special tokens, and a sentence for each kind of change.

    "<|" becomes "(" and "|>" becomes ")", also where the signs are wide, of another alphabet, or joined by zero-width
    characters. Line ends become line feeds and tabs spaces, of which no sentence tells. Cleaning twice changes nothing more.
    """
    changes = []
    text, invisible = _INVISIBLE.subn("", _LINE_ENDS.sub("\n", text).replace("\t", " "))
    if invisible:
        changes.append(f"{invisible} invisible {'character' if invisible == 1 else 'characters'} removed")
    text, opening = _OPENING.subn("(", text)
    text, closing = _CLOSING.subn(")", text)
    if signs := opening + closing:
        changes.append(f"{signs} {'sign' if signs == 1 else 'signs'} of special tokens rewritten as brackets")
    return text, changes


def word_ends(text: str) -> list[int]:
    """Return where the words of a text end; each sign of Chinese and Japanese, which put no spaces, is one."""
    return [match.end() for match in re.finditer("[\u3040-\u30ff\u3400-\u9fff]|[^\\s\u3040-\u30ff\u3400-\u9fff]+", text)]
