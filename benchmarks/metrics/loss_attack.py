"""Loss attacks on the forget images, evaluated on images that they did not learn from.

Can the loss separate the forget images (members) from held-out images that no model was trained on
(non-members)? If a model has forgotten, it cannot: 50 % is chance. The target is the retrained model's
figure, which is not always 50. Non-members are held-out images of the forgotten class. The tasks `random` and
`identities` hold out no images of the forget set; there they are the retained held-out images.

`mia_loss` is the attack of the NeurIPS 2023 challenge: as many members as non-members, a logistic
regression with the default penalty, the mean accuracy over ten random splits with a tenth held out.
`mia_loss_balanced` uses all images with equal weight for both kinds. `mia_loss_auc` needs no fit: it is the
probability that a member has the smaller loss of a random pair, with ties counted as half. `mia_loss_tpr_1`
and `mia_loss_tpr_01` are the shares of members with a loss below all but 1 % and .1 % of the non-members'
(Carlini et al., 2022): the success of an attacker who must hardly ever be wrong. They need at least 100 and
1,000 non-members, or they are missing.

Public code draws the images that are left out, and in one repository the splits, without a seed. Its versions
disagree on which kind is 1, but the accuracy does not depend on that. Here all draws are fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics, once
from benchmarks.metrics.logistic import logistic_fit

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation

_CHALLENGE = "NeurIPS 2023 Machine Unlearning Challenge, starting kit"
_FIRST_PRINCIPLES = "Carlini et al.: Membership Inference Attacks From First Principles, 2022"
_SPLITS = 10
_HELD_OUT = 0.1
_FEWEST = 10  # of either kind, so that a tenth is an image


@once
def losses(e: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropies of members and of non-members in nats, ascending, float64 of shapes (m,) and (n,)."""
    outside = e.forget_held_out if len(e.forget_held_out) else e.retain_held_out
    return np.sort(-e.forget_train.log_p_true), np.sort(-outside.log_p_true)


def mia_loss(e: Evaluation) -> float:
    """Mean accuracy in percent on held-out images, as many of each kind; NaN below ten of either kind."""
    inside, outside = losses(e)
    draw = np.random.default_rng(0)
    fewer = min(len(inside), len(outside))
    members, others = (draw.choice(x, fewer, replace=False) for x in (inside, outside))
    return _held_out_accuracy(members, others)


def mia_loss_balanced(e: Evaluation) -> float:
    """Balanced accuracy in percent on held-out images, from all images; NaN below ten of either kind."""
    return _held_out_accuracy(*losses(e))


def mia_loss_auc(e: Evaluation) -> float:
    """Percent of pairs of a member and a non-member where the member's loss is smaller; NaN without pairs."""
    inside, outside = losses(e)
    if not (len(inside) and len(outside)):
        return float("nan")
    above = len(outside) - np.searchsorted(outside, inside, side="right")
    ties = len(outside) - above - np.searchsorted(outside, inside, side="left")
    return 100 * float((above + ties / 2).mean() / len(outside))


def true_positives(e: Evaluation, false_positives: float) -> float:
    """Percent of the members with a loss below all but a share `false_positives` of the non-members'.

    NaN without members, or with so few non-members that the share is less than an image.
    """
    inside, outside = losses(e)
    allowed = int(len(outside) * false_positives + 1e-9)  # 1000 * .001 is 1
    if not (allowed and len(inside)):
        return float("nan")
    return 100 * float(np.mean(inside < outside[allowed]))


def _held_out_accuracy(members: np.ndarray, others: np.ndarray) -> float:
    """Mean over the splits of the mean accuracy on both kinds, in percent; both have equal weight."""
    if min(len(members), len(others)) < _FEWEST:
        return float("nan")
    accuracies = []
    for learned, judged in splits(len(members), len(others)):
        x = np.concatenate([members[learned[0]], others[learned[1]]])
        member = np.arange(len(x)) < len(learned[0])
        weight = np.where(member, len(x) / (2 * len(learned[0])), len(x) / (2 * len(learned[1])))
        slope, bias = logistic_fit(x, member, weight, c=1.0)
        called = [slope * side[kept] + bias > 0 for side, kept in zip((members, others), judged, strict=True)]
        accuracies.append((called[0].mean() + (~called[1]).mean()) / 2)
    return 100 * float(np.mean(accuracies))


Indices = tuple[np.ndarray, np.ndarray]  # of members and of non-members


def splits(members: int, others: int) -> Iterator[tuple[Indices, Indices]]:
    """Ten fixed random splits of both kinds: indices to learn from, and a tenth of each to be judged on."""
    draw = np.random.default_rng(1)
    for _ in range(_SPLITS):
        orders = draw.permutation(members), draw.permutation(others)
        judged = [max(1, round(_HELD_OUT * len(order))) for order in orders]
        yield (
            (orders[0][judged[0] :], orders[1][judged[1] :]),
            (orders[0][: judged[0]], orders[1][: judged[1]]),
        )


def _add(name: str, summary: str, source: str, compute: Callable[[Evaluation], float]) -> None:
    metrics.add(Metric(name, summary, source, "%", lambda e, _: compute(e), measured="benchmarks"))


_add(
    "mia_loss",
    "Percent of forget and held-out images that a loss attack classifies correctly",
    _CHALLENGE,
    mia_loss,
)
_add(
    "mia_loss_balanced",
    "The same as mia_loss with all images and equal weight for both kinds",
    _CHALLENGE,
    mia_loss_balanced,
)
_add(
    "mia_loss_auc",
    "Percent of pairs in which the forget image has a smaller loss than the held-out one",
    _FIRST_PRINCIPLES,
    mia_loss_auc,
)
for _name, _share, _text in (("1", 0.01, "1 %"), ("01", 0.001, ".1 %")):
    _add(
        f"mia_loss_tpr_{_name}",
        f"Percent of the forget images with a loss below all but {_text} of the held-out images; missing "
        f"with fewer than {round(1 / _share):,} held-out images",
        _FIRST_PRINCIPLES,
        lambda e, share=_share: true_positives(e, share),  # type: ignore[misc]
    )
