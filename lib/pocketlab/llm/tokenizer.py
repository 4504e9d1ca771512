"""Text to numbers and back: byte-level BPE, with one token for each digit and special tokens that a user cannot type.

Byte-pair encoding joins the most frequent pair of tokens into a new one, again and again (Sennrich et al. 2016, section 3.2).
It starts from the 256 bytes, so that every Unicode text can be written (Radford et al. 2019, section 2.2).

2,048 tokens, not 32,000: an embedding has a row for each. The draft model has 0.6 million parameters; at width 96, 2,048 rows are
a third of them, and 4,096 would be two thirds.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from pocketlab.data.messages import SPECIAL_TOKENS
from pocketlab.errors import ModelFileError

VOCABULARY_SIZE = 2048
SHIPPED = Path(__file__).parent / "models" / "tokenizer.json"
"""The tokenizer of the two models that ship with the course."""

# Joining never crosses these pieces. A digit is a piece of its own, so that a time is copied figure by figure. A word that
# begins with a capital leaves the space before it alone, so that a name is the same tokens wherever it stands: after a space, at
# the start of a line, or in quotation marks. Other words and signs take the space before them along, which saves tokens.
_PIECES = r"\p{N}|\p{Lu}[\p{L}\p{M}]*| ?(?!\p{Lu})[\p{L}\p{M}]+| ?[^\s\p{L}\p{M}\p{N}]+|\s+"


class Tokenizer:
    """A vocabulary, and the rules by which text becomes token ids from 0 up to `vocabulary_size`.

    special_tokens: by name, such as "<|end|>", the id of each token that steers a model and stands for no text.
    """

    def __init__(self, serialized: str) -> None:
        # Two of them, because whether special tokens are seen is a setting of the whole object, and streams may run at once.
        self._plain, self._steering = (tokenizers.Tokenizer.from_str(serialized) for _ in range(2))
        self._plain.encode_special_tokens = True  # the package's name for: as the text that it looks like
        added = self._plain.get_added_tokens_decoder()
        self.special_tokens = {token.content: index for index, token in added.items() if token.special}
        self._bytes = _bytes_of_tokens(self._plain.get_vocab(), set(self.special_tokens))
        self._serialized = serialized

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[str]]:
        """Copies and pickles are made anew: the package's own forget how special tokens are to be read."""
        return type(self), (self._serialized,)

    def __deepcopy__(self, memo: object) -> Tokenizer:
        return self  # nothing in it changes

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE) -> Tokenizer:
        """Learn a vocabulary from texts; the special tokens are those of `pocketlab.data.messages`.

        Raises ValueError for a size that has no room for the 256 bytes and the special tokens.
        """
        least = 256 + len(SPECIAL_TOKENS)
        if vocabulary_size < least:
            raise ValueError(f"A vocabulary needs {least} tokens for bytes and special tokens alone; got {vocabulary_size}.")
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PIECES), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=[AddedToken(name, special=True, normalized=False) for name in SPECIAL_TOKENS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),  # sorted: the same ids in every run
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    @classmethod
    def load(cls, source: str | os.PathLike[str] | bytes = SHIPPED) -> Tokenizer:
        """Load what `save` wrote, from a file or from its bytes; without an argument, the tokenizer that ships.

        Raises ModelFileError, naming the file, where it is missing, damaged, or the tokenizer of another kind of model.
        """
        name = "The tokenizer" if isinstance(source, bytes) else Path(source).name
        try:
            content = source if isinstance(source, bytes) else Path(source).read_bytes()
            return cls(content.decode())
        except OSError:
            raise ModelFileError(f"{name} is not there or cannot be read: check the path.") from None
        except Exception as error:  # the package raises plain Exception for whatever it cannot read
            raise ModelFileError(f"{name} is no tokenizer that can be read here ({error}): write it again.") from error

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the tokenizer to a .json file of the `tokenizers` package, which `transformers` reads too; return its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._plain.save(str(path), pretty=False)
        return path

    def __repr__(self) -> str:
        return f"Tokenizer(vocabulary_size={self.vocabulary_size})"

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are, special ones included."""
        return len(self._bytes)

    @property
    def token_bytes(self) -> list[bytes]:
        """The bytes that each token adds to a text, by id; none for a special token."""
        special = set(self.special_tokens.values())
        return [b"" if index in special else piece for index, piece in enumerate(self._bytes)]

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Return the token ids of a text.

        allow_special: read "<|end|>" in the text as the token of that name. Only for text that the program itself wrote: in a
        message that somebody sent, it would let the sender speak as the system.
        Raises ValueError for what is no str, or has half a surrogate pair in it.
        """
        try:
            return list((self._steering if allow_special else self._plain).encode(text).ids)
        except TypeError:  # the package's answer to anything that is not UTF-8
            raise ValueError(f"Give a str of whole characters, without half a surrogate pair; got {text!r:.60}.") from None

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; special tokens stand as their names, bytes that are no UTF-8 as U+FFFD."""
        return "".join(self.stream(ids))

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yield the text of token ids as they come; a character whose bytes are still coming is held back until it is whole.

        Raises ValueError for an id that is not in the vocabulary.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for index in ids:
            if not 0 <= index < len(self._bytes):
                raise ValueError(f"There is no token {index}: the vocabulary has ids from 0 to {len(self._bytes) - 1}.")
            if piece := decoder.decode(self._bytes[index]):
                yield piece
        if rest := decoder.decode(b"", final=True):
            yield rest

    def special(self, name: str) -> int:
        """Return the id of a special token such as "<|end|>"; raises ValueError for one that there is not."""
        if name not in self.special_tokens:
            raise ValueError(f"There is no special token {name!r}: choose one of {', '.join(self.special_tokens)}.")
        return self.special_tokens[name]


def _bytes_of_tokens(vocabulary: dict[str, int], special: set[str]) -> list[bytes]:
    """Return the bytes of each token, by id. Raises ValueError for a vocabulary that is not of bytes."""
    values = _byte_of_letter()
    if sorted(vocabulary.values()) != list(range(len(vocabulary))) or not values.keys() <= vocabulary.keys():
        raise ValueError("its vocabulary lacks some of the 256 bytes or some ids")
    pieces = [b""] * len(vocabulary)
    for token, index in vocabulary.items():
        if token not in special and not set(token) <= values.keys():
            raise ValueError(f"its token {token!r} is not made of bytes")
        pieces[index] = token.encode() if token in special else bytes(values[letter] for letter in token)
    return pieces


def _byte_of_letter() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for.

    A byte that is a visible Latin-1 character is written as it is, the others as the characters from U+0100 on.
    Source: GPT-2, encoder.py, bytes_to_unicode.
    """
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(hidden)}
