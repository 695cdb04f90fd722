"""Published values of hyper-parameters, and which of them are those of a plan's experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.hyperparameters import Scalar

# The papers whose values or code the presets hold; a plan names one of them by its id
PAPERS = {
    "jit": "Foster et al.: An Information Theoretic Approach to Machine Unlearning, 2025",
    "ssd": "Foster et al.: Fast Machine Unlearning Without Retraining Through SSD, 2024",
    "zero-shot": "Chundawat et al.: Zero-Shot Machine Unlearning, 2023",
    "akbari": "Akbari et al.: Machine Unlearning, a report of Michigan State University, 2023",
    "amnesiac": "Graves et al.: Amnesiac Machine Learning, 2021",
    "bad-teacher": "Chundawat et al.: Can Bad Teaching Induce Forgetting?, 2023",
    "boundary": "Chen et al.: Boundary Unlearning, 2023",
    "deep-unlearn": "Cadet et al.: Deep Unlearn, 2024",
    "rum": "Zhao et al.: What Makes Unlearning Hard and What to Do About It, 2024",
    "salun": "Fan et al.: SalUn, 2024",
    "scrub": "Kurmanji et al.: Towards Unbounded Machine Unlearning, 2023",
    "sparse": "Jia et al.: Model Sparsity Can Simplify Machine Unlearning, 2023",
    "unsir": "Tarun et al.: Fast Yet Effective Machine Unlearning, 2023",
}
ANY = "*"
# What the scripts that the papers of SSD and JiT share were run for: paper, data sets, networks
HARNESS = ("ssd+jit", "cifar10+cifar20+cifar100+pins", "resnet18+vgg11+vit_b16")
ZERO_SHOT_MODELS = "allcnn+lenet+resnet9"
_EXACT, _ANY, _OTHER = range(3)  # how well a name fits, best first


@dataclass(frozen=True)
class Preset:
    """Published values of a method's hyper-parameters, and the experiment that they were published for.

    Attributes:
        name: Unique among the presets of its method.
        values: Hyper-parameter name -> value; the others keep their defaults.
        paper: Who ran the method with them: ids of `PAPERS`, several joined by "+".
        dataset, model: Names as the papers have them, several joined by "+"; "*" where the values are those
            of every experiment of the paper.
        task: A task, or "*".
        source: Where in the paper or its code they stand.
    """

    name: str
    values: Mapping[str, Scalar] = field(hash=False)
    paper: str
    dataset: str = ANY
    model: str = ANY
    task: str = ANY
    source: str = ""

    @property
    def papers(self) -> tuple[str, ...]:
        return tuple(self.paper.split("+"))

    def fit(self, experiment: Experiment) -> tuple[int, int, int]:
        """How well model, data set and task agree, in this order: 0 exactly, 1 as one of any, 2 not."""
        return (
            _fit(self.model, experiment.model),
            _fit(self.dataset, experiment.dataset),
            _fit(self.task, experiment.task),
        )

    def differs(self, experiment: Experiment) -> str:
        """What of an experiment is not what the values were published for: `data set, network`, or ""."""
        names = ("network", "data set", "task")
        fits = zip(names, self.fit(experiment), strict=True)
        return ", ".join(sorted(name for name, fit in fits if fit == _OTHER))


@dataclass(frozen=True)
class Experiment:
    """What values are looked up for, under the names that the papers use.

    Attributes:
        paper: The paper whose experiment it is; "" for a user's own.
    """

    dataset: str
    model: str
    task: str
    paper: str = ""


def published(presets: Iterable[Preset], experiment: Experiment) -> Preset | None:
    """The published values for an experiment; None where there are none.

    For an experiment of a paper only that paper's own values count, those for just this model, data set and
    task first. For a user's own experiment the nearest of any paper do: the task has to agree; then the
    same network goes before another one, and after that the same data set. Of equals the first counts.
    """
    fitting = [(preset.fit(experiment), preset) for preset in presets]
    if experiment.paper:
        fitting = [
            (fit, preset)
            for fit, preset in fitting
            if experiment.paper in preset.papers and max(fit) < _OTHER
        ]
    usable = [(fit, preset) for fit, preset in fitting if fit[-1] < _OTHER]
    return min(usable, key=lambda pair: pair[0])[1] if usable else None


def _fit(names: str, name: str) -> int:
    if names == ANY:
        return _ANY
    return _EXACT if name in names.split("+") else _OTHER
