"""Published values of hyper-parameters, and the choice of those that apply to a plan's experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.hyperparameters import Scalar

# The papers whose values or code the presets contain; a plan names a paper by its id
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
# The experiments of the scripts that the papers of SSD and JiT share: paper, data sets, networks
HARNESS = ("ssd+jit", "cifar10+cifar20+cifar100+pins", "resnet18+vgg11+vit_b16")
ZERO_SHOT_MODELS = "allcnn+lenet+resnet9"
_EXACT, _ANY, _OTHER = range(3)  # how well a name fits, best first


@dataclass(frozen=True)
class Preset:
    """Published values of a method's hyper-parameters, and the experiment for which they were published.

    Attributes:
        name: Unique among the presets of its method.
        values: Hyper-parameter name -> value; the others keep their defaults.
        paper: The papers that used the values: ids of `PAPERS`, several joined by "+".
        dataset, model: Names as in the papers, several joined by "+"; "*" if the paper uses the values in
            every experiment.
        task: A task, or "*".
        source: The section of the paper, or its code.
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
        """How well model, data set and task agree, in this order: 0 exactly, 1 by "*", 2 not at all."""
        return (
            _fit(self.model, experiment.model),
            _fit(self.dataset, experiment.dataset),
            _fit(self.task, experiment.task),
        )

    def differs(self, experiment: Experiment) -> str:
        """The parts of an experiment that differ from the published one: `data set, network`, or ""."""
        names = ("network", "data set", "task")
        fits = zip(names, self.fit(experiment), strict=True)
        return ", ".join(sorted(name for name, fit in fits if fit == _OTHER))


@dataclass(frozen=True)
class Experiment:
    """An experiment for which values are looked up, under the names that the papers use.

    Attributes:
        paper: The paper whose experiment it is; "" for a user-defined experiment.
    """

    dataset: str
    model: str
    task: str
    paper: str = ""


def published(presets: Iterable[Preset], experiment: Experiment) -> Preset | None:
    """The published values for an experiment; None if there are none.

    For an experiment of a paper only that paper's values are used, exact matches of model, data set and task
    first. For a user-defined experiment the nearest values of any paper are used: the task has to agree; then
    the same network is preferred, then the same data set. Of equal presets the first is used.
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
