"""Exercise 04.8: which of a draft's tokens are accepted, and what the token that follows is drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance
from pocketlab.course.exercises.lab04 import verifying_wrong as wrong
from pocketlab.course.exercises.lab04.verifying_wrong import Verification
from pocketlab.course.outcomes import snapshot
from pocketlab.llm.speculative import verify


def _verifying_cases(rng: np.random.Generator) -> list[Case]:
    def rows(count: int, vocab_size: int, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.tensor(rng.dirichlet(np.ones(vocab_size), count), dtype=dtype)

    def drawn(ratios: list[float], vocab_size: int = 6, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
        """Tokens drawn from q, and chances that are `ratios` of what accepts: below 1 accepted, above 1 rejected."""
        gamma = len(ratios)
        while True:
            q, p = rows(gamma, vocab_size, dtype), rows(gamma + 1, vocab_size, dtype)
            proposed = [int(rng.choice(vocab_size, p=row / row.sum())) for row in q.double().numpy()]
            chances = torch.tensor(
                [r * min(1.0, float(p[i, x] / q[i, x])) for i, (r, x) in enumerate(zip(ratios, proposed, strict=True))]
            )
            if all(c < 0.95 for c in chances):
                return proposed, q, p, chances.to(dtype)

    single = torch.float32
    p_worked, q_worked = torch.tensor([[0.1, 0.6, 0.3], [0.3, 0.5, 0.2]]), torch.tensor([[0.5, 0.4, 0.1]])
    same = rows(3, 5)
    sparse_q = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]], dtype=torch.float64)
    sparse_p = torch.tensor([[0.25, 0.25, 0.5, 0.0], [0.0, 0.5, 0.125, 0.375], [0.0, 0.0, 0.5, 0.5]], dtype=torch.float64)
    never = torch.tensor([[0.5, 0.0, 0.25, 0.25], [0.125, 0.375, 0.25, 0.25]], dtype=torch.float64)
    halves_q = torch.tensor([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], dtype=torch.float64)
    halves_p = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.625, 0.25], [0.25, 0.5, 0.25]], dtype=torch.float64)
    rounded_q = torch.tensor([[0.5, 0.25, 0.25]])
    rounded_p = torch.tensor([[0.5, 0.25, 0.25 - 2.0**-20], [0.125, 0.375, 0.5]])
    one = torch.ones(2, 1, dtype=torch.float64)
    return [
        Case("one proposal, rejected", ([0], q_worked, p_worked, torch.tensor([0.7]))),
        Case("one proposal, accepted", ([0], q_worked, p_worked, torch.tensor([0.1]))),
        Case("one proposal, more probable to the target", ([1], q_worked, p_worked, torch.tensor([0.9]))),
        Case("all accepted", drawn([0.3, 0.9])),
        Case("all accepted", drawn([0.8, 0.2, 0.95, 0.5])),
        Case("all accepted", drawn([0.9, 0.6, 0.7], 8, single)),
        Case("rejected at the first place", drawn([1.5, 0.3, 0.6])),
        Case("rejected at the first place", drawn([1.2, 0.2, 0.4, 0.9], 5, single)),
        Case("rejected at the first place", drawn([1.3, 1.4], 7)),
        Case("rejected in the middle", drawn([0.4, 1.4, 0.5])),
        Case("rejected in the middle", drawn([0.5, 0.9, 1.1, 0.6, 0.2], 9)),
        Case("rejected in the middle", drawn([0.7, 1.2, 0.8, 1.3], 6, single)),
        Case("rejected in the middle", drawn([0.3, 1.5, 1.2, 0.7], 8)),
        Case("rejected at the last place", drawn([0.6, 0.8, 1.3])),
        Case("rejected at the last place", drawn([0.2, 0.5, 0.9, 1.2], 7, single)),
        Case("a larger vocabulary", drawn([0.5, 0.6, 0.3, 1.3, 0.7], 40, single)),
        Case("the target gives the same as the draft", ([1, 4], same[:2], same, torch.tensor([0.99, 0.5]).double())),
        Case("tokens that the draft never draws", ([1, 2], sparse_q, sparse_p, torch.tensor([0.25, 0.5]).double())),
        Case("tokens that the draft never draws", ([0, 1], sparse_q, sparse_p, torch.tensor([0.75, 0.5]).double())),
        Case("tokens that the draft never draws", ([0, 1], sparse_q, sparse_p, torch.tensor([0.25, 0.875]).double())),
        Case("a token that the target never gives", ([1], never[1:], never, torch.tensor([0.25]).double())),
        Case("a chance of 0", ([0, 2], sparse_q, sparse_p, torch.zeros(2).double())),
        Case("a chance of 0, for a token that the target never gives", ([1], never[1:], never, torch.zeros(1).double())),
        Case("a chance just at the ratio", ([1, 0], halves_q, halves_p, torch.tensor([0.5, 0.125]).double())),
        Case("a chance just at the ratio", ([0, 0], halves_q, halves_p, torch.tensor([0.75, 0.25]).double())),
        Case("nothing that p has over q", ([2], rounded_q, rounded_p, torch.tensor([1 - 2.0**-21]))),
        Case("a vocabulary of one token", ([0], one[:1], one, torch.tensor([0.5]).double())),
    ]


def _single(answer: Verification) -> Verification:
    """The answer with a float64 distribution in float32, so that both count as right: the statement leaves the choice."""

    def run(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> Any:
        result = snapshot(answer(proposed, q, p, chances))
        if not isinstance(result, tuple):
            return result
        return [x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x for x in result]

    return run


VERIFYING = Exercise(
    id="04.8",
    title="check a draft's tokens",
    reference=verify,
    cases=_verifying_cases,
    probe=_single,
    tolerance=Tolerance(
        1e-5,
        1e-6,
        "A difference of two probabilities in float32 is off by 6e-8; what p has over q sums to 0.1 or more in the cases, so the "
        "quotient is off by 6e-7. In the case where only rounding parts p from q, p and p over its sum differ by 1e-6 of it.",
    ),
    misconceptions=(
        Misconception(
            "q over p",
            wrong.verified(accepts=lambda q, p, chance, x: chance * p[x] < q[x]),
            "You compare the chance with q/p. A token that the target likes less than the draft does is the one to doubt: p/q.",
        ),
        Misconception(
            "accepted and rejected swapped",
            wrong.verified(accepts=lambda q, p, chance, x: chance * q[x] >= p[x]),
            "You accept where you should reject. A token is accepted if its chance is *below* p(x)/q(x).",
        ),
        Misconception(
            "the ratio as the chance to reject",
            wrong.verified(accepts=lambda q, p, chance, x: (1 - chance) * q[x] < p[x]),
            "You turn the chance around, and accept where it is above 1 − p/q. That is as likely, but the comparison asked for "
            "is chance < p(x)/q(x).",
        ),
        Misconception(
            "q forgotten",
            wrong.verified(accepts=lambda q, p, chance, x: chance < p[x]),
            "You compare the chance with p alone. What counts is how much the target gives of what the draft gave: p(x)/q(x).",
        ),
        Misconception(
            "no chance",
            wrong.verified(accepts=lambda q, p, chance, x: p[x] >= q[x]),
            "You accept only what the target finds at least as probable as the draft, and chance plays no part. Others are "
            "accepted too, with probability p/q.",
        ),
        Misconception(
            "the most probable one of the target",
            wrong.verified(accepts=lambda q, p, chance, x: x == int(p.argmax())),
            "You accept a token where it is the target's most probable one. That is right for greedy decoding alone; here "
            "compare its chance with p(x)/q(x).",
        ),
        Misconception(
            "accepted at the ratio",
            wrong.verified(accepts=lambda q, p, chance, x: chance * q[x] <= p[x]),
            "Right, except where the chance equals p/q: you accept. With chance 0 a token would come that the target never "
            "gives. Use `<`.",
        ),
        Misconception(
            "one chance for all",
            wrong.one_chance,
            "You use the first chance for all tokens. Each has its own: `chances[i]`.",
        ),
        Misconception(
            "ratios multiplied up",
            wrong.multiplied_up,
            "You multiply the ratios of all tokens so far. Those before are accepted already: each is compared with its own "
            "ratio.",
        ),
        Misconception(
            "the row behind",
            wrong.row_behind,
            "You read p one row too late. Row i of p is for the same place as row i of q; it is at the end that p has one more.",
        ),
        Misconception(
            "all accepted ones counted, the first rest",
            wrong.not_stopping(lambda accepted: accepted.index(False)),
            "You count accepted tokens behind a rejected one too. They followed a token that is not there: stop at the first "
            "that is rejected.",
        ),
        Misconception(
            "all accepted ones counted, the last rest",
            wrong.not_stopping(lambda accepted: len(accepted) - 1 - accepted[::-1].index(False)),
            "Your loop goes on behind a rejected token: later ones are counted, and a later rejection replaces the "
            "distribution. Stop at the first that is rejected, with `return` or `break`.",
        ),
        Misconception(
            "all accepted ones counted, the rest at that place",
            wrong.not_stopping(lambda accepted: sum(accepted)),
            "You add up how many are accepted, and some of those stand behind a rejected one. Stop at the first that is "
            "rejected; `cumprod` of the accepted ones does it without a loop.",
        ),
        Misconception(
            "all or nothing",
            wrong.all_or_nothing,
            "One rejected token makes you throw all away. Those before it stay: they are what is gained.",
        ),
        Misconception(
            "one more counted",
            wrong.changed(lambda accepted, following, q, p: (accepted + 1, following)),
            "You count the token that follows as well. Return how many *proposed* ones are accepted.",
        ),
        Misconception(
            "the rejected one counted",
            wrong.changed(lambda accepted, following, q, p: (accepted + (accepted < len(q)), following)),
            "You count the rejected token as well. At place i, counted from 0, it has i accepted ones before it.",
        ),
        Misconception(
            "order of the results",
            wrong.changed(lambda accepted, following, q, p: (following, accepted)),
            "You return the distribution first. First comes how many are accepted, then the distribution.",
        ),
        Misconception(
            "the token itself",
            wrong.changed(lambda accepted, following, q, p: (accepted, int(following.argmax()))),
            "You return the token that follows, the most probable one. Return its distribution, from which it is drawn later.",
        ),
        Misconception(
            "p instead of the rest",
            wrong.verified(rest=lambda q, p, x: p),
            "In place of a rejected token you draw from p. What the draft gave already would come too often: draw from what p "
            "has over q, max(0, p − q) divided by its sum.",
        ),
        Misconception(
            "the rejected token left out",
            wrong.verified(rest=wrong.rejected_token_out),
            "You draw from p with the rejected token taken out. What else the draft gives more often than p comes too often "
            "then: take q off at all tokens, `(p[i] - q[i]).clamp(min=0)`, and divide by the sum.",
        ),
        Misconception(
            "the rest not divided by its sum",
            wrong.verified(rest=lambda q, p, x: (p - q).clamp(min=0)),
            "What p has over q does not sum to 1. Divide it by its sum.",
        ),
        Misconception(
            "a softmax of the rest",
            wrong.verified(rest=lambda q, p, x: (p - q).clamp(min=0).softmax(0)),
            "You make a distribution by softmax, which gives tokens with 0 a share too. Divide by the sum.",
        ),
        Misconception(
            "negative probabilities",
            wrong.verified(rest=lambda q, p, x: (p - q) / (p - q).sum()),
            "You do not cut p − q off at 0. Its sum is 0, but for rounding, so the quotient is anything: `.clamp(min=0)` first.",
        ),
        Misconception(
            "negative ones, not divided",
            wrong.verified(rest=lambda q, p, x: p - q),
            "You return p − q, with negative numbers in it. Cut it off at 0 and divide it by its sum.",
        ),
        Misconception(
            "the distance",
            wrong.verified(rest=lambda q, p, x: (p - q).abs() / (p - q).abs().sum()),
            "You take |p − q|. Where q is above p there is nothing left to make up for: `.clamp(min=0)` in place of `.abs()`.",
        ),
        Misconception(
            "what q has over p",
            wrong.verified(rest=lambda q, p, x: wrong.over(p, q)),
            "You take q − p, which is what the draft gave too often. What is missing is p − q.",
        ),
        Misconception(
            "the rest of the row behind",
            wrong.rest_of_row_behind,
            "You accept by the right row, but take what p has over q from p's next row. Both belong to the rejected place: "
            "`p[i] - q[i]`.",
        ),
        Misconception(
            "the last row always",
            wrong.changed(lambda accepted, following, q, p: (accepted, p[-1])),
            "The token that follows always comes from the last row of p. That is for the case that all are accepted; in place "
            "of a rejected one it comes from what p has over q there.",
        ),
        Misconception(
            "q taken off behind the last",
            wrong.changed(wrong.last_row_too),
            "If all are accepted you take q off the last row of p. The draft has given nothing there: it is p's last row as it "
            "is.",
        ),
        Misconception(
            "no row of q behind the last",
            wrong.changed(wrong.row_of_q_behind),
            "If all are accepted there is an IndexError: q has no row behind the last proposal. Nothing is taken off there: the "
            "free token comes from the last row of p as it is.",
        ),
        Misconception(
            "p's last but one row",
            wrong.changed(wrong.last_but_one),
            "If all are accepted the next token comes from p's last row, one behind the last proposal: `p[-1]`, not "
            "`p[len(proposed) - 1]`.",
        ),
        Misconception(
            "no free token",
            wrong.changed(wrong.nothing_behind),
            "If all are accepted you return no distribution. The pass gives one more token for free, from the last row of p.",
        ),
        Misconception(
            "0/0 in the rest",
            wrong.verified(rest=wrong.over),
            "Right, except where p has nothing over q, which rounding can cause: 0/0 is NaN. Return p's row itself there.",
        ),
        Misconception(
            "zeros in the rest",
            wrong.verified(rest=lambda q, p, x: (p - q).clamp(min=0) / (p - q).clamp(min=0).sum().clamp(min=1e-12)),
            "Right, except where p has nothing over q, which rounding can cause: all is 0 there, and nothing can be drawn from "
            "it. Return p's row itself.",
        ),
        Misconception(
            "p changed",
            wrong.in_place,
            "Your function takes q off the caller's p (`-=`). Use `p[i] - q[i]`, which makes a new tensor.",
        ),
        Misconception(
            "Python's max",
            wrong.verified(rest=wrong.maximum_of_python),
            "There is a RuntimeError where a token is rejected. If it says that the truth of a tensor is ambiguous, it comes "
            "from `max(0, …)`, which compares two whole things: use `.clamp(min=0)`.",
        ),
    ),
)
