"""What people get wrong in exercise 06.7, and what to tell them."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06 import biquad_wrong as wrong
from pocketlab.course.exercises.lab06.biquad_wrong import answer

_ALONE = (
    Misconception(
        "s2 before s1",
        answer(wrong.new_s1_first),
        "You compute s2 first, so s1 takes the new one. s1 takes the s2 of the sample before: compute s1 first, then "
        "s2.",
    ),
    Misconception(
        "feedback added",
        answer(wrong.signs(-1, -1)),
        "You add a1·y and a2·y. They are subtracted: the section's a stand on the other side of the equation. (Some "
        "textbooks and CMSIS-DSP store them with the sign turned; SciPy and this section do not.)",
    ),
    Misconception(
        "a1 with the wrong sign",
        answer(wrong.signs(-1, 1)),
        "You add a1·y in s1. It is subtracted, as a2·y is in s2.",
    ),
    Misconception(
        "a2 with the wrong sign",
        answer(wrong.signs(1, -1)),
        "You add a2·y in s2. It is subtracted, as a1·y is in s1.",
    ),
    Misconception(
        "x fed back",
        answer(wrong.feeds_back_x),
        "You multiply a1 and a2 with x. What is fed back is the output of this sample: −a1·y and −a2·y.",
    ),
    Misconception(
        "the output before fed back",
        wrong.output_before(),
        "You feed back the output of the sample before. It is this sample's, which you have just computed: −a1·y and "
        "−a2·y.",
    ),
    Misconception(
        "no feedback",
        answer(wrong.without_feedback),
        "You leave a1 and a2 out. s1 = b1·x − a1·y + s2 and s2 = b2·x − a2·y: through them the output comes back.",
    ),
    Misconception(
        "the output last",
        answer(wrong.output_last),
        "You compute y after s1, so it takes the new s1. y takes the s1 of the sample before, and s1 needs y: y comes "
        "first.",
    ),
    Misconception(
        "s1 without s2",
        answer(wrong.without_s2),
        "Your s1 leaves s2 out, so nothing of the sample before the last is remembered: s1 = b1·x − a1·y + s2.",
    ),
    Misconception(
        "s2 left as it is",
        answer(wrong.s2_stays),
        "You never renew s2. After each sample it is b2·x − a2·y.",
    ),
    Misconception(
        "s2 added up",
        answer(wrong.s2_added_up),
        "You add to the old s2. The new one is b2·x − a2·y alone: the old one went into s1.",
    ),
    Misconception(
        "s1 added up",
        answer(wrong.s1_added_up),
        "You add to the old s1. The new one is b1·x − a1·y + s2: the old s1 went into y.",
    ),
    Misconception(
        "the output without s1",
        answer(wrong.without_s1),
        "Your output is b0·x alone. What is remembered of earlier samples comes in with s1: y = b0·x + s1.",
    ),
    Misconception(
        "the output from s2",
        answer(wrong.from_s2),
        "Your output takes s2 where s1 is wanted: y = b0·x + s1.",
    ),
    Misconception(
        "direct form II, not transposed",
        answer(wrong.not_transposed),
        "You wrote direct form II, whose state holds past values of an inner signal. The transposed form keeps sums "
        "that wait for the next output: y = b0·x + s1; s1 = b1·x − a1·y + s2; s2 = b2·x − a2·y. The states do not fit "
        "together.",
    ),
    Misconception(
        "a before b",
        answer(read=wrong.a_first),
        "You read the section as a0, a1, a2, b0, b1, b2. It begins with the b: `b0, b1, b2, a0, a1, a2 = section`.",
    ),
    Misconception(
        "a0 taken for a1",
        answer(read=wrong.a0_for_a1),
        "You take the fourth number for a1. It is a0, always 1; then come a1 and a2.",
    ),
    Misconception(
        "b0 and b2 exchanged",
        answer(read=wrong.exchanged(0, 2)),
        "You take b2 for b0. The section begins with b0, which the newest sample is multiplied with.",
    ),
    Misconception(
        "b1 and b2 exchanged",
        answer(read=wrong.exchanged(1, 2)),
        "b1 and b2 are exchanged: b1 goes into s1, and b2 into s2.",
    ),
    Misconception(
        "a1 and a2 exchanged",
        answer(read=wrong.exchanged(4, 5)),
        "a1 and a2 are exchanged: a1 goes into s1, and a2 into s2.",
    ),
    Misconception(
        "silence before each chunk",
        answer(begin=lambda state, x: (0.0, 0.0)),
        "You begin each chunk with a state of zeros, so there is a cut between chunks. Begin with the state that you "
        "are given.",
    ),
    Misconception(
        "the state read backwards",
        answer(begin=lambda state, x: state[::-1]),
        "You take the state's first number for s2. It is (s1, s2).",
    ),
    Misconception(
        "the state returned backwards",
        answer(result=lambda y, after, before: (y, after[::-1])),
        "You return the state as (s2, s1). The next chunk expects (s1, s2).",
    ),
    Misconception(
        "the state read and returned backwards",
        answer(begin=lambda state, x: state[::-1], result=lambda y, after, before: (y, after[::-1])),
        "Your state is (s2, s1) at both ends. It is (s1, s2).",
    ),
    Misconception(
        "the state times the first sample",
        answer(begin=wrong.settled),
        "You multiply the state with the first sample. That is done once, with the state of `lfilter_zi`, to begin "
        "settled; the state between chunks is taken as it is.",
    ),
    Misconception(
        "the old state returned",
        answer(result=lambda y, after, before: (y, before)),
        "You return the state that came in. Return the one after the last sample: the next chunk begins with it.",
    ),
    Misconception(
        "the state neither used nor renewed",
        answer(begin=lambda state, x: (0.0, 0.0), result=lambda y, after, before: (y, before)),
        "You begin each chunk anew and return the state as it came. Begin with `s1, s2 = state`, and return both as "
        "they are after the last sample.",
    ),
    Misconception(
        "zeros returned for the state",
        answer(result=lambda y, after, before: (y, np.zeros(2))),
        "You return a state of zeros. Return s1 and s2 as they are after the last sample: the next chunk begins with "
        "them.",
    ),
    Misconception(
        "the state of every sample",
        wrong.all_states,
        "You return the state after each sample. The next chunk needs the last one alone, an array (2,).",
    ),
    Misconception(
        "a state with one axis more",
        wrong.state_with_an_axis,
        "Your state has the shape (1, 2), as `sosfilt` returns it for its list of sections. Here there is one "
        "section, and the state is (2,): take row 0.",
    ),
    Misconception(
        "the state changed in place",
        wrong.state_in_place,
        "You write into the state that you are given. The caller may still need it: keep s1 and s2 in variables of "
        "their own, and return a new array.",
    ),
    Misconception(
        "the sample overwritten before it is used",
        wrong.overwritten,
        "You write y over the sample, and then take it for x in s1 and s2; and the samples are not yours to change. "
        "Fill a new array, `np.empty(len(x))`, and leave x.",
    ),
    Misconception(
        "output of the samples' dtype",
        wrong.of_samples_dtype(),
        "Right but for samples in whole numbers: your output has their dtype, and fractions are cut off. "
        "`np.empty_like(x)` takes over the dtype; `np.empty(len(x))` is float.",
    ),
    Misconception(
        "an end after one sample",
        wrong.returns_in_the_loop,
        "You return from inside the loop, after the first sample. Move the `return` out, to the level of the `for`.",
    ),
    Misconception(
        "the last sample left out",
        wrong.all_but_the_last,
        "Your loop ends one sample early: the last output stays 0, and the state is that of the sample before. "
        "`range(len(x))` goes to the last one.",
    ),
    Misconception(
        "all samples at once",
        wrong.without_loop,
        "You compute with the whole chunk at once, so every sample gets the state of the chunk's start. Each output "
        "needs the one before it: go through the samples in a loop.",
    ),
    Misconception(
        "all samples at once, with the last state",
        wrong.without_loop_last_state,
        "You compute with the whole chunk at once, so every sample gets the state of the chunk's start. Each output "
        "needs the one before it: renew s1 and s2 in a loop, after every sample.",
    ),
    Misconception(
        "no name for the state of an empty chunk",
        wrong.needs_a_sample,
        "Right but for an empty chunk: there your loop never runs, and what you read after it was never set. Set s1 "
        "and s2 from the state before the loop.",
    ),
    Misconception(
        "an empty chunk refused",
        wrong.refuses_empty,
        "Right but for an empty chunk, for which you raise a ValueError (`sosfilt` does). Nothing came, so nothing "
        "goes out: return an empty array and the same state.",
    ),
    Misconception(
        "None for an empty chunk",
        wrong.none_for_empty,
        "You return None for an empty chunk. Return an empty array and the state that came in.",
    ),
    Misconception(
        "zeros after an empty chunk",
        wrong.no_state_for_empty,
        "After an empty chunk you return a state of zeros. Nothing happened, so it is the one that came in.",
    ),
    Misconception(
        "the two values exchanged",
        answer(result=lambda y, after, before: (after, y)),
        "You return the state first. The filtered chunk comes first, then the new state.",
    ),
    Misconception(
        "the output alone",
        answer(result=lambda y, after, before: y),
        "You return the filtered chunk alone. The next chunk needs the state: return `y, np.array([s1, s2])`.",
    ),
)

# Who takes over the samples' dtype may make another mistake besides, which has to be told first.
_HINTS = {known.name: known.hint for known in _ALONE}
_DTYPE = "output of the samples' dtype"

MISTAKES = (
    *_ALONE,
    Misconception(f"{_DTYPE}, not fed back", wrong.of_samples_dtype(stored=False), _HINTS[_DTYPE]),
    *(
        Misconception(
            f"{name}; {_DTYPE}",
            known,
            f"{_HINTS[name]} And where samples are whole numbers, your output is too: `np.empty(len(x))` is float.",
        )
        for name, known in (
            ("s2 before s1", wrong.of_samples_dtype(s2_first=True)),
            ("feedback added", wrong.of_samples_dtype(sign=-1)),
        )
    ),
)
