"""The ways in which checking a draft's tokens goes wrong (exercise 04.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Verification = Callable[[list[int], Tensor, Tensor, Tensor], Any]
Accepts = Callable[[Tensor, Tensor, Tensor, int], Any]  # of a place: its row of q, its row of p, the chance, the token
Rest = Callable[[Tensor, Tensor, int], Tensor]  # of a rejected place: its row of q, its row of p, the token


def below_ratio(q: Tensor, p: Tensor, chance: Tensor, token: int) -> Any:
    """What accepts a token."""
    return chance * q[token] < p[token]


def over(q: Tensor, p: Tensor, _: int = 0) -> Tensor:
    """What p has over q, and 0/0 where it has nothing, since that case is often forgotten besides.

    A mistake without it is told by its name in an answer with it as well, as that differs in one case only.
    """
    rest = (p - q).clamp(min=0)
    return rest / rest.sum()


def over_or_p(q: Tensor, p: Tensor, _: int = 0) -> Tensor:
    """What p has over q, or p where it has nothing."""
    return over(q, p) if (p > q).any() else p


def each_accepted(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor, accepts: Accepts = below_ratio) -> list[bool]:
    """Whether each proposal would be accepted, those behind a rejected one too."""
    return [bool(accepts(q[i], p[i], chances[i], token)) for i, token in enumerate(proposed)]


def first_rejected(accepted: list[bool]) -> int:
    """The place of the first rejected token, or behind the last."""
    return accepted.index(False) if False in accepted else len(accepted)


def verified(accepts: Accepts = below_ratio, rest: Rest = over) -> Verification:
    """The right answer, but for what accepts a proposal and what takes the place of a rejected one."""

    def answer(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
        place = first_rejected(each_accepted(proposed, q, p, chances, accepts))
        return place, rest(q[place], p[place], proposed[place]) if place < len(proposed) else p[-1]

    return answer


RIGHT = verified()  # but for 0/0, see `over`


def changed(change: Callable[[int, Any, Tensor, Tensor], Any]) -> Verification:
    """What somebody makes of the right answer at the end, from (accepted, following, q, p)."""

    def answer(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> Any:
        accepted, following = RIGHT(proposed, q, p, chances)
        return change(accepted, following, q, p)

    return answer


def not_stopping(row: Callable[[list[bool]], int]) -> Verification:
    """All accepted ones count, also behind a rejected one; `row` says whose rest follows."""

    def answer(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
        accepted = each_accepted(proposed, q, p, chances)
        if all(accepted):
            return len(proposed), p[-1]
        return sum(accepted), over(q[row(accepted)], p[row(accepted)])

    return answer


def all_or_nothing(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """A rejected token takes the accepted ones along."""
    place, following = RIGHT(proposed, q, p, chances)
    return (place, following) if place == len(proposed) else (0, over(q[0], p[0]))


def one_chance(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """The first chance serves all tokens."""
    return RIGHT(proposed, q, p, chances[:1].expand(len(proposed)))


def multiplied_up(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """The ratios of the tokens so far are multiplied."""
    ratio = torch.ones((), dtype=p.dtype)
    for i, x in enumerate(proposed):
        ratio = ratio * (p[i, x] / q[i, x]).clamp(max=1)
        if chances[i] >= ratio:
            return i, over(q[i], p[i])
    return len(proposed), p[-1]


def row_behind(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """p is read one row too late."""
    place = first_rejected(each_accepted(proposed, q, p[1:], chances))
    return place, over(q[place], p[place + 1]) if place < len(proposed) else p[-1]


def rest_of_row_behind(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """The rest is taken from p one row too late."""
    place, following = RIGHT(proposed, q, p, chances)
    return place, over(q[place], p[place + 1]) if place < len(proposed) else following


def rejected_token_out(_: Tensor, p: Tensor, token: int) -> Tensor:
    """p without the rejected token, as the rest."""
    others = p.clone()
    others[token] = 0
    return others / others.sum()


def in_place(proposed: list[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """The caller's p is changed."""
    place, following = verified(rest=over_or_p)(proposed, q, p, chances)
    if place < len(proposed):
        following = following.clone()
        p[place] -= q[place]
    return place, following


def maximum_of_python(q: Tensor, p: Tensor, _: int) -> Tensor:
    """Python's max for two tensors."""
    rest = max(torch.zeros(()), p - q)
    return rest / rest.sum()


def last_row_too(accepted: int, following: Tensor, q: Tensor, p: Tensor) -> tuple[int, Tensor]:
    """q is taken off p's last row."""
    return accepted, over(q[-1], p[-1]) if accepted == len(q) else following


def row_of_q_behind(accepted: int, following: Tensor, q: Tensor, p: Tensor) -> tuple[int, Tensor]:
    """q is read behind its last row."""
    return accepted, over(q[accepted], p[accepted]) if accepted == len(q) else following


def nothing_behind(accepted: int, following: Tensor, q: Tensor, _: Tensor) -> tuple[int, Tensor | None]:
    """No distribution where all are accepted."""
    return accepted, following if accepted < len(q) else None


def last_but_one(accepted: int, following: Tensor, q: Tensor, p: Tensor) -> tuple[int, Tensor]:
    """p's last but one row where all are accepted."""
    return accepted, p[-2] if accepted == len(q) else following
