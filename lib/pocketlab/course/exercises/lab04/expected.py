"""Exercise 04.9: how many tokens a pass of the target is expected to give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance
from pocketlab.llm.speculative import expected_tokens_per_pass

_Expected = Callable[[float, int], float]


def _expected_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # two numbers need no random input

    def case(label: str, acceptance: float, gamma: int) -> Case:
        return Case(label, (acceptance, gamma), {"α": acceptance, "γ": gamma, "γ + 1": gamma + 1})

    return [
        case("the worked number", 0.8, 4),
        case("some proposals", 0.5, 2),
        case("some proposals", 0.6, 5),
        case("some proposals", 0.9, 3),
        case("some proposals", 0.35, 6),
        case("one proposal", 0.7, 1),
        case("many proposals", 0.75, 40),
        case("a draft that is nearly always right", 0.99, 8),
        case("a draft that is nearly always wrong", 0.02, 4),
        case("α = 1", 1.0, 4),
        case("α = 1", 1.0, 7),
        case("α = 0", 0.0, 4),
        case("γ = 0", 0.6, 0),
        case("α = 1 and γ = 0", 1.0, 0),
        case("α = 0 and γ = 0", 0.0, 0),
        case("α above 1", 1.2, 4),
        case("α above 1", 80.0, 4),
        case("a negative α", -0.1, 3),
        case("a negative γ", 0.5, -1),
        case("a negative γ", 0.5, -3),
        case("a negative γ and α = 1", 1.0, -2),
        case("a negative γ and α = 0", 0.0, -2),
    ]


def _refuse(acceptance: float, gamma: int) -> None:
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("α is a probability, and γ is 0 or more")


def _sum(acceptance: float, powers: Iterable[int]) -> float:
    return float(sum(acceptance**power for power in powers))


def _checked(count: _Expected) -> _Expected:
    """Refuses what the exercise refuses, and is wrong in what it counts."""

    def answer(acceptance: float, gamma: int) -> float:
        _refuse(acceptance, gamma)
        return count(acceptance, gamma)

    return answer


def _closed(at_one: Callable[[int], float]) -> _Expected:
    """The sum in one step, with something wrong where α = 1."""

    def answer(acceptance: float, gamma: int) -> float:
        _refuse(acceptance, gamma)
        return at_one(gamma) if acceptance == 1 else (1 - acceptance ** (gamma + 1)) / (1 - acceptance)

    return answer


def _divided_by_zero(acceptance: float, gamma: int) -> float:
    _refuse(acceptance, gamma)
    return (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def _last_power_closed(acceptance: float, gamma: int) -> float:
    return gamma + 1.0 if acceptance == 1 else (1 - acceptance**gamma) / (1 - acceptance)


def _forever(acceptance: float, gamma: int) -> float:
    return float(gamma + 1) if acceptance == 1 else 1 / (1 - acceptance)


def _until_rejected(acceptance: float, gamma: int) -> float:
    return sum((kept + 1) * acceptance**kept * (1 - acceptance) for kept in range(gamma))


def _up_to_all_accepted(acceptance: float, gamma: int) -> float:
    return sum((kept + 1) * acceptance**kept * (1 - acceptance) for kept in range(gamma + 1))


def _unchecked(acceptance: float, gamma: int) -> float:
    return _sum(acceptance, range(gamma + 1))


def _nothing_refused(acceptance: float, gamma: int) -> float:
    return gamma + 1 if acceptance == 1 else (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def _gamma_accepted(acceptance: float, gamma: int) -> float:
    _refuse(acceptance, 0)
    return _unchecked(acceptance, gamma)


def _gamma_accepted_closed(acceptance: float, gamma: int) -> float:
    _refuse(acceptance, 0)
    if acceptance == 0 and gamma < 0:
        return 1.0  # 0 ** (γ + 1) cannot be computed, so who writes this returns before
    return _nothing_refused(acceptance, gamma)


def _acceptance_accepted(acceptance: float, gamma: int) -> float:
    _refuse(0.5, gamma)
    return _unchecked(acceptance, gamma)


def _negative_accepted(acceptance: float, gamma: int) -> float:
    _refuse(max(acceptance, 0.0), gamma)
    return _unchecked(acceptance, gamma)


def _above_one_accepted(acceptance: float, gamma: int) -> float:
    _refuse(min(acceptance, 1.0), gamma)
    return _unchecked(acceptance, gamma)


def _one_refused(acceptance: float, gamma: int) -> float:
    _refuse(2.0 if acceptance == 1 else acceptance, gamma)
    return _unchecked(acceptance, gamma)


def _zero_refused(acceptance: float, gamma: int) -> float:
    _refuse(acceptance or -1.0, gamma)
    return _unchecked(acceptance, gamma)


def _ends_refused(acceptance: float, gamma: int) -> float:
    _refuse(acceptance if 0 < acceptance < 1 else -1.0, gamma)
    return _unchecked(acceptance, gamma)


def _no_proposals_refused(acceptance: float, gamma: int) -> float:
    _refuse(acceptance, gamma or -1)
    return _unchecked(acceptance, gamma)


def _checked_after_one(acceptance: float, gamma: int) -> float:
    if acceptance == 1:
        return gamma + 1
    _refuse(acceptance, gamma)
    return _unchecked(acceptance, gamma)


def _limited(acceptance: float, gamma: int) -> float:
    return _unchecked(min(max(acceptance, 0.0), 1.0), max(gamma, 0))


EXPECTED = Exercise(
    id="04.9",
    title="what speculation should bring",
    reference=expected_tokens_per_pass,
    cases=_expected_cases,
    tolerance=Tolerance(
        2e-5,
        0.0,
        "In float32, 1 − α is off by up to 6e-8, which is 6e-6 of it at α = 0.99, and 1 − α^(γ+1) by as much as that.",
    ),
    misconceptions=(
        Misconception(
            "the target's own token forgotten",
            _checked(lambda a, g: _sum(a, range(1, g + 1))),
            "You count the accepted proposals only. Each pass also gives one token of the target's own, which is the 1 "
            "that the sum begins with.",
        ),
        Misconception(
            "the target's own token only behind all proposals",
            _checked(lambda a, g: _sum(a, range(1, g + 1)) + a**g),
            "You count the target's own token only where all proposals are accepted. Behind a rejected one it comes too, in "
            "its place: add 1, not α^γ.",
        ),
        Misconception(
            "the last proposal left out",
            _checked(lambda a, g: _sum(a, range(g))),
            "Your sum ends at α^(γ−1). With the target's own token it has γ + 1 terms, from α⁰ to α^γ: `range(gamma + 1)`.",
        ),
        Misconception(
            "the last proposal left out, in one step",
            _checked(_last_power_closed),
            "Right where α is 1, but elsewhere your formula has α^γ in it, the sum of γ terms. There are γ + 1 of them, so the "
            "power is γ + 1.",
        ),
        Misconception(
            "one term too many",
            _checked(lambda a, g: _sum(a, range(g + 2))),
            "Your sum has one term too many: the last one is α^γ, for the γ-th proposal.",
        ),
        Misconception(
            "each proposal on its own",
            _checked(lambda a, g: 1 + g * a),
            "You count every proposal with probability α. Behind a rejected one nothing counts: the i-th needs all before "
            "it as well, which has probability α^i.",
        ),
        Misconception(
            "each token on its own",
            _checked(lambda a, g: (g + 1) * a),
            "You multiply γ + 1 tokens by α. The target's own token always comes, and the i-th proposal counts only if it "
            "and all before it are accepted: α^i.",
        ),
        Misconception(
            "proposals alone, each on its own",
            _checked(lambda a, g: g * a),
            "γ · α counts every proposal on its own, and leaves out the target's own token. The i-th proposal needs all "
            "before it as well, α^i, and 1 is added.",
        ),
        Misconception(
            "all or nothing",
            _checked(lambda a, g: 1 + g * a**g),
            "You count the proposals only where all γ are accepted. Those before the first rejected one count too: add up "
            "α^i for i from 1 to γ.",
        ),
        Misconception(
            "the last proposal only",
            _checked(lambda a, g: 1 + a**g if g else 1.0),
            "You add α^γ alone, the probability that all are accepted. Each proposal before it counts as well: 1 + α + α² + "
            "… + α^γ.",
        ),
        Misconception(
            "all γ + 1 or nothing",
            _checked(lambda a, g: (g + 1) * a**g),
            "You count γ + 1 tokens where all proposals are accepted, and none otherwise. A pass always gives one token, "
            "and each accepted proposal before the first rejected one is another.",
        ),
        Misconception(
            "proposals without end",
            _checked(_forever),
            "1 / (1 − α) is what comes of proposals without end. There are γ for each pass, so that the sum ends at α^γ: "
            "(1 − α^(γ+1)) / (1 − α).",
        ),
        Misconception(
            "the division forgotten",
            _checked(lambda a, g: g + 1.0 if a == 1 else 1 - a ** (g + 1)),
            "1 − α^(γ+1) is the upper part of the formula only. Divide by 1 − α.",
        ),
        Misconception(
            "the case that all are accepted forgotten",
            _checked(_until_rejected),
            "You weigh the passes in which some proposal is rejected, but leave out those that accept all γ and give γ + 1 "
            "tokens: add (γ + 1) · α^γ.",
        ),
        Misconception(
            "all accepted weighed as a rejection",
            _checked(_up_to_all_accepted),
            "That all γ are accepted has probability α^γ. You multiply it by 1 − α, but behind the last proposal there is "
            "nothing left to reject.",
        ),
        Misconception(
            "powers of the wrong number",
            _checked(lambda a, g: _sum(1 - a, range(g + 1))),
            "You add up powers of 1 − α, the probability of a rejection. A proposal counts if it is accepted: take powers of α.",
        ),
        Misconception(
            "divided by zero",
            _divided_by_zero,
            "Right, except that α = 1 divides by zero. Every pass gives γ + 1 there: return that, or add up the powers.",
        ),
        Misconception(
            "a small number against dividing by zero",
            _checked(lambda a, g: (1 - a ** (g + 1)) / (1 - a + 1e-12)),
            "Right, except for α = 1: your small number keeps the formula from dividing by zero, but above it stands 0 "
            "as well, so 0 comes out. Return γ + 1 there, or add up the powers.",
        ),
        Misconception(
            "γ where α is 1",
            _closed(lambda gamma: float(gamma)),
            "Right, except for α = 1, where you return γ. The target's own token comes on top of the proposals: γ + 1.",
        ),
        Misconception(
            "1 where α is 1",
            _closed(lambda gamma: 1.0),
            "Right, except for α = 1, where you return 1. All proposals are accepted there, and the pass gives γ + 1 tokens.",
        ),
        Misconception(
            "infinite where α is 1",
            _closed(lambda gamma: float("inf")),
            "Right, except for α = 1, where you return infinity. Only γ tokens are proposed, so a pass gives γ + 1.",
        ),
        Misconception(
            "rounded",
            _checked(lambda a, g: float(round(_sum(a, range(g + 1))))),
            "You round to a whole number. It is an average over many passes, so return it as it is.",
        ),
        Misconception(
            "rounded to two digits",
            _checked(lambda a, g: round(_sum(a, range(g + 1)), 2)),
            "You round to two digits. That is for showing a number; return it as it is.",
        ),
        Misconception(
            "a share of γ + 1",
            _checked(lambda a, g: _sum(a, range(g + 1)) / (g + 1)),
            "You divide by γ + 1, which gives a share of the most that a pass can give. Wanted is the number of tokens: do "
            "not divide.",
        ),
        Misconception(
            "nothing refused",
            _unchecked,
            "Right, except that impossible numbers are not refused. Raise a ValueError unless 0 ≤ α ≤ 1, and for a γ below 0.",
        ),
        Misconception(
            "nothing refused, in one step",
            _nothing_refused,
            "Right, except that impossible numbers are not refused, and the formula makes a number of them too. Raise a "
            "ValueError unless 0 ≤ α ≤ 1, and for a γ below 0.",
        ),
        Misconception(
            "a negative γ accepted",
            _gamma_accepted,
            "Right, except that a γ below 0 is accepted, for which your sum is empty. Raise a ValueError.",
        ),
        Misconception(
            "a negative γ accepted, in one step",
            _gamma_accepted_closed,
            "Right, except that a γ below 0 is accepted, and the formula makes a number of it. Raise a ValueError.",
        ),
        Misconception(
            "α not checked",
            _acceptance_accepted,
            "Right, except that an α outside of 0 to 1 is accepted. It is a probability: raise a ValueError.",
        ),
        Misconception(
            "a negative α accepted",
            _negative_accepted,
            "Right, except that a negative α is accepted. Raise a ValueError unless 0 ≤ α ≤ 1.",
        ),
        Misconception(
            "an α above 1 accepted",
            _above_one_accepted,
            "Right, except that an α above 1 is accepted. Raise a ValueError unless 0 ≤ α ≤ 1.",
        ),
        Misconception(
            "α = 1 refused",
            _one_refused,
            "You refuse α = 1. A draft may always be right: every pass then gives γ + 1 tokens.",
        ),
        Misconception(
            "α = 0 refused",
            _zero_refused,
            "You refuse α = 0. A draft may always be wrong: every pass then gives the target's own token.",
        ),
        Misconception(
            "α = 0 and α = 1 refused",
            _ends_refused,
            "You refuse 0 and 1. Both are probabilities: with 0 a pass gives one token, with 1 it gives γ + 1.",
        ),
        Misconception(
            "γ = 0 refused",
            _no_proposals_refused,
            "You refuse γ = 0. Nothing is proposed then, and a pass gives the target's own token.",
        ),
        Misconception(
            "checked after α = 1",
            _checked_after_one,
            "Where α is 1 you return γ + 1 before you look at γ, so that a negative one passes. Put the checks first.",
        ),
        Misconception(
            "limited in place of refused",
            _limited,
            "You move α and γ to the nearest number that is allowed. Somebody who gives 80 means 80 %, and would get "
            "a wrong answer without a word: raise a ValueError.",
        ),
    ),
)
