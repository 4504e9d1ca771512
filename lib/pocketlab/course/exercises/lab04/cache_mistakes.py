"""The mistakes of exercise 04.1, with what to tell somebody who makes one."""

from __future__ import annotations

import torch

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab04 import cache_refusals as refusals
from pocketlab.course.exercises.lab04 import cache_wrong as wrong
from pocketlab.course.exercises.lab04.cache_wrong import Joined, Kept, changed

MISTAKES = (
    # The memory
    Misconception(
        "copied at each step",
        Joined,
        "What `append` returns lies at another place in memory each time: with torch.cat or `clone()`, everything "
        "kept is copied for each token. Write the new ones into tensors made in `__init__`, and return slices of "
        "these.",
    ),
    Misconception(
        "the new ones joined in front",
        changed(Joined, join=lambda _, old, new: torch.cat([new, old], dim=2)),
        "You put the new ones in front of the old ones. They come last, and no tensors need to be joined: write them "
        "into memory that `__init__` allocated.",
    ),
    Misconception(
        "joined along the batch",
        changed(Joined, join=lambda _, old, new: torch.cat([old, new], dim=0)),
        "You join along the first axis, which is the batch. Tokens are on axis 2; and no tensors need to be joined: "
        "write the new ones into memory that `__init__` allocated.",
    ),
    Misconception(
        "one memory for all layers",
        wrong.OneLayer,
        "All layers write to the same memory, each over the one before it. Give it an axis of `config.layers`, and "
        "write to `self.keys[layer]`.",
    ),
    Misconception(
        "one tensor for keys and values",
        changed(stores=wrong.one_store_twice),
        "Keys and values are one tensor with two names, as `self.keys = self.values = torch.zeros(...)` makes it, so "
        "the values overwrite the keys. Call torch.zeros twice.",
    ),
    Misconception(
        "one memory for all caches",
        wrong.ForTheClass,
        "Two caches share their memory, so that two conversations get mixed up. Keep the tensors in `self`, not in "
        "the class or in a global variable.",
    ),
    Misconception(
        "places for query heads",
        changed(shape=wrong.shaped(2, lambda config: config.heads)),
        "You allocate places for `config.heads` heads. Those are the query heads; keys and values have "
        "`config.kv_heads`.",
    ),
    Misconception(
        "head size computed",
        changed(shape=wrong.shaped(4, lambda config: config.hidden_size // config.heads)),
        "You compute the size of a head from the hidden size. In some models the heads together are not as wide as "
        "the hidden layer: use `config.head_dim`.",
    ),
    Misconception(
        "one sequence",
        changed(shape=wrong.shaped(1, lambda config: 1)),
        "Right for a batch of 1, and wrong for more. The second axis of the memory is `batch`.",
    ),
    Misconception(
        "places for the whole context",
        changed(shape=wrong.shaped(3, lambda config: config.context)),
        "You allocate places for `config.context` tokens. There are to be `capacity`, which may be far less memory.",
    ),
    Misconception(
        "the context for the capacity",
        changed(shape=wrong.shaped(3, lambda config: config.context), check=refusals.check_context),
        "You allocate places for `config.context` tokens and refuse only what is beyond them. Both are to be "
        "`capacity`.",
    ),
    Misconception(
        "half precision",
        changed(stores=wrong.half_stores),
        "You keep 16 bits of each number, so it comes back rounded. Allocate float32, which is what torch.zeros does "
        "by itself.",
    ),
    Misconception(
        "double precision",
        changed(stores=wrong.double_stores),
        "You keep 64 bits of each number, twice the memory, and the decoder cannot multiply them with its float32. "
        "Allocate float32, which is what torch.zeros does by itself.",
    ),
    # The count
    Misconception(
        "length grows in each layer",
        changed(grow=wrong.grow_always),
        "`length` grows with each layer, so the next one writes the same tokens further on. Let it grow only `if "
        "layer == self.config.layers - 1`.",
    ),
    Misconception(
        "length grows in the first layer",
        changed(grow=wrong.grow_first),
        "`length` grows after the first layer, so the others write the same tokens further on. Let it grow when the "
        "last layer has had its turn: `if layer == self.config.layers - 1`.",
    ),
    Misconception(
        "the first layer counts, the others go back",
        changed(start=wrong.first_layer_counts),
        "Everything is at its place, but `length` grows before the other layers have the tokens. It says how many are "
        "held by all of them: let it grow when the last layer has had its turn.",
    ),
    Misconception(
        "length grows before the last layer writes",
        changed(start=wrong.last_layer_counts_before),
        "`length` grows before the last layer has written, so that this one leaves a gap. Compute `end` first, write "
        "to `self.length : end`, and only then set `self.length = end`.",
    ),
    Misconception(
        "length never grows",
        changed(grow=wrong.grow_never),
        "`length` stays at 0, so each piece overwrites the one before. Set it to `end` when the last layer has had "
        "its turn: the last of them is `self.config.layers - 1`, not `self.config.layers`.",
    ),
    Misconception(
        "one token counted for each piece",
        changed(grow=wrong.grow_by_one),
        "`length` grows by 1, also where a piece has several tokens. Set it to `self.length + keys.shape[2]`.",
    ),
    Misconception(
        "one token taken of each piece",
        wrong.ByCalls,
        "You take in one token at a time, and a piece, such as a prompt, may have many. Write to `self.length : end`, "
        "with `end = self.length + keys.shape[2]`.",
    ),
    Misconception(
        "length of the last piece",
        wrong.LengthOfPiece,
        "You set `length` to the number of new tokens. It counts all that are held: add them to those before.",
    ),
    Misconception(
        "heads counted",
        changed(count=lambda _, keys: keys.shape[1]),
        "You take the number of heads for that of the tokens. The axes are (batch, kv_heads, new, head_dim): it is "
        "`keys.shape[2]`.",
    ),
    Misconception(
        "numbers of a head counted",
        changed(count=lambda _, keys: keys.shape[3]),
        "You take the size of a head for the number of tokens. The axes are (batch, kv_heads, new, head_dim): it is "
        "`keys.shape[2]`.",
    ),
    Misconception(
        "the batch counted",
        changed(count=lambda _, keys: len(keys)),
        "You take the batch for the number of tokens: `len(keys)` and `keys.shape[0]` count sequences. It is "
        "`keys.shape[2]`.",
    ),
    Misconception(
        "the end computed from a length that has grown",
        wrong.EndTwice,
        "You compute the end once more after `length` has grown, so that the last layer returns places that are still "
        "empty. Compute `end` once, at the start.",
    ),
    # The places
    Misconception(
        "a place left free",
        changed(start=lambda self, layer, new: self.length + (self.length > 0)),
        "You leave a place free between what is there and the new ones. Places count from 0, so the first free one is "
        "`self.length`.",
    ),
    Misconception(
        "the last one overwritten",
        changed(start=lambda self, layer, new: max(self.length - 1, 0)),
        "You overwrite the last token held. Places count from 0, so the first free one is `self.length`.",
    ),
    Misconception(
        "always written to the start",
        changed(write=lambda self, layer, start, end, k, v: wrong.Right.write(self, layer, 0, end - start, k, v)),
        "You write each piece to the first places, over what is there. The new ones go behind it: `self.length : end`.",
    ),
    Misconception(
        "several tokens start anew",
        wrong.AnewForSeveral,
        "You start at 0 where several tokens come at once. A piece of any length goes on where the text before it "
        "ended; for a new text there is a new cache.",
    ),
    Misconception(
        "keys for values",
        changed(kept=wrong.keys_twice),
        "What you return as values are the keys. Either you write the keys to both, or you return them twice: the "
        "values go to `self.values`, and come back from there.",
    ),
    Misconception(
        "keys and values exchanged",
        changed(write=wrong.write_exchanged),
        "You mix up keys and values: return the keys first, and then the values, as they came.",
    ),
    # What is returned
    Misconception(
        "not three tensors",
        changed(kept=wrong.nothing),
        "`append` has to return three tensors: keys, values, and positions. Is the `return` missing, or are the "
        "positions not a tensor? torch.arange(end) makes one.",
    ),
    Misconception(
        "only the new ones returned",
        changed(kept=wrong.the_new),
        "You return the keys and values that came in. Attention needs all that are kept for the layer: `[:, :, :end]` "
        "of it.",
    ),
    Misconception(
        "only the new ones returned, with their positions",
        changed(kept=wrong.the_new_in_place),
        "You return the new keys and values, with their positions. Attention needs all that are kept for the layer, "
        "from position 0: `[:, :, :end]` and torch.arange(end).",
    ),
    Misconception(
        "only the old ones returned",
        changed(Kept, cut=lambda _, store, start, end: store[:, :, :start], places=lambda _, start, end: torch.arange(start)),
        "You return what was kept before, without the new ones. A token attends to itself too, so they belong to it: "
        "`[:, :, :end]`.",
    ),
    Misconception(
        "up to a length that has not grown yet",
        changed(kept=wrong.up_to_length),
        "You return as many as `self.length` says, but that grows in the last layer only, so all others leave the new "
        "ones out. Return `[:, :, :end]`, with `end = self.length + keys.shape[2]`.",
    ),
    Misconception(
        "empty places returned",
        changed(Kept, cut=lambda _, store, start, end: store),
        "You return the whole memory of the layer, with places that are still empty. Attention would look at the "
        "zeros there: return `[:, :, :end]`.",
    ),
    Misconception(
        "empty places returned, with positions",
        changed(kept=wrong.whole_memory),
        "You return the whole memory of the layer and positions of all places, also of those that are still empty. "
        "Attention would look at the zeros there: return `[:, :, :end]` and torch.arange(end).",
    ),
    Misconception(
        "cut along the heads",
        changed(Kept, cut=lambda _, store, start, end: store[:, :end]),
        "You cut along the axis of the heads. Tokens are on axis 2 of a layer's memory: `[:, :, :end]`.",
    ),
    Misconception(
        "one token too few returned",
        changed(Kept, cut=lambda _, store, start, end: store[:, :, : end - 1]),
        "You leave out the last token. A slice ends before its second number, so `[:, :, :end]` has `end` of them.",
    ),
    Misconception(
        "memory with tokens before heads",
        wrong.TokensFirst,
        "Your memory has tokens before heads, but keys and values come as (batch, kv_heads, new, head_dim). Put the axes of the "
        "memory in that order.",
    ),
    Misconception(
        "repeated for the query heads",
        changed(Kept, cut=lambda self, store, start, end: wrong.repeated(self, store[:, :, :end])),
        "You repeat keys and values for each query head. Attention lets several query heads share them, so return "
        "them as they came: (batch, kv_heads, kept, head_dim).",
    ),
    Misconception(
        "tokens before heads",
        changed(Kept, cut=lambda _, store, start, end: store[:, :, :end].transpose(1, 2)),
        "You return (batch, kept, kv_heads, head_dim). The heads come before the tokens, as they did when they came "
        "in: transpose axes 1 and 2.",
    ),
    Misconception(
        "all layers returned",
        changed(kept=wrong.all_layers),
        "You return what all layers keep. Take that of the one that asks: `self.keys[layer]`.",
    ),
    Misconception(
        "positions of the new ones",
        changed(Kept, places=lambda _, start, end: torch.arange(start, end)),
        "You return the positions of the new tokens. Each key that you return needs its own: torch.arange(end).",
    ),
    Misconception(
        "positions up to a length that has not grown yet",
        changed(kept=wrong.positions_up_to_length),
        "You make as many positions as `self.length` says, but that grows in the last layer only. Each key that you "
        "return needs its own: torch.arange(end), with `end = self.length + keys.shape[2]`.",
    ),
    Misconception(
        "positions from 1",
        changed(Kept, places=lambda _, start, end: torch.arange(1, end + 1)),
        "Your positions begin with 1. The first token is at position 0: torch.arange(end).",
    ),
    Misconception(
        "positions of each sequence",
        changed(kept=wrong.positions_of_batch),
        "You return positions for each sequence of the batch. They are the same for all: torch.arange(end), of one "
        "axis.",
    ),
    # What is refused
    Misconception(
        "nothing refused",
        changed(check=refusals.check_nothing),
        "Right, except that too many tokens are not refused. Raise a ValueError if `end > self.capacity`, before you "
        "write anything.",
    ),
    Misconception(
        "left to torch",
        changed(check=refusals.check_nothing, write=refusals.write_or_refuse),
        "You let torch find out that there is no room. It does not for one token in a full cache, which it writes to "
        "no place at all without a word: check `end > self.capacity` yourself.",
    ),
    Misconception(
        "the new ones not counted",
        changed(check=refusals.check_length),
        "You refuse only where the cache is full already: either you leave the new ones out of the sum, or you check after "
        "writing, when torch has failed. Check `self.length + keys.shape[2] > self.capacity` before you write.",
    ),
    Misconception(
        "checked after all",
        refusals.CheckedAfterAll,
        "You check for room after you have written and counted the new ones. Compute `end = self.length + keys.shape[2]` and "
        "compare it with the capacity before you change anything.",
    ),
    Misconception(
        "the old ones not counted",
        changed(check=refusals.check_new),
        "You refuse only a piece that is longer than the whole cache. The tokens held count too: `self.length + "
        "keys.shape[2] > self.capacity`.",
    ),
    Misconception(
        "the last place refused",
        changed(check=refusals.check_full),
        "You refuse tokens that would just fit: `capacity` of them is allowed. Compare with `>`.",
    ),
    Misconception(
        "the context checked",
        changed(check=refusals.check_context),
        "You refuse only what is beyond the model's context. This cache has room for `capacity` tokens.",
    ),
    Misconception(
        "refused in the last layer",
        changed(check=refusals.check_last),
        "You check for room in the last layer only, after all others have written. Check in each layer, before "
        "anything is written.",
    ),
    Misconception(
        "asserted",
        changed(check=refusals.check_with(AssertionError)),
        "You raise an AssertionError. `assert` is for mistakes of your own, and can be switched off; for what a "
        "caller gives, raise a ValueError.",
    ),
    Misconception(
        "a RuntimeError",
        changed(check=refusals.check_with(RuntimeError)),
        "You raise a RuntimeError. What a caller gives has a wrong value here, and a ValueError is wanted.",
    ),
    Misconception(
        "emptied where refused",
        changed(check=refusals.check_and_clear),
        "You raise a ValueError but set `length` to 0 before. The cache has to stay as it was: the text may go on "
        "with fewer tokens.",
    ),
    Misconception(
        "filled where refused",
        changed(check=refusals.fill_and_check),
        "You raise a ValueError but set `length` before. The cache has to stay as it was: check first, then change it.",
    ),
    Misconception(
        "counted, then refused",
        changed(check=refusals.count_last_and_check),
        "In the last layer you set `length` before you refuse, so that the cache holds more than it has places for. Check first, "
        "then change anything.",
    ),
    Misconception(
        "cut off where full",
        refusals.CutOff,
        "You keep the tokens that fit and drop the others without a word. Raise a ValueError, and keep none of them.",
    ),
    Misconception(
        "left out where full",
        refusals.LeftOut,
        "Where there is no room you leave out the whole piece without a word. Raise a ValueError, so that the caller "
        "knows.",
    ),
    Misconception(
        "the oldest forgotten",
        refusals.Rolling,
        "You make room by forgetting the oldest tokens. Some caches do, but the text would no longer be at its "
        "positions: raise a ValueError.",
    ),
    Misconception(
        "started anew where full",
        refusals.StartsAnew,
        "Where there is no room you start at 0, and everything before is lost without a word. Raise a ValueError.",
    ),
)
