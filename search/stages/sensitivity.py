"""Sensitivity analyses: new trials around the best of each search or around published values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from analysis.results.layout import Row
from analysis.results.ranges import Range
from benchmarks.errors import suggest
from benchmarks.hyperparameters import Hyperparameter, declared, number
from benchmarks.methods import Method, methods
from benchmarks.metrics import benchmark_metrics
from benchmarks.scenarios.scenario import Scenario
from benchmarks.trial.course import POINTS
from search.errors import PlanError, RunError
from search.plans import limits, published
from search.plans.entries import Entry
from search.plans.identity import Identity, code_id, data_id, search_identity, sensitivity_identity
from search.plans.plan import Plan
from search.results.writer import finished_trials
from search.stages.points import around
from search.stages.searched import best_parameters
from search.stages.session import Session
from search.studies.assignments import Assignment, FixedList

Point = dict[str, Any]
Centre = Literal["best", "published"]


@dataclass(frozen=True)
class Design:
    """The choices of a sensitivity analysis.

    Attributes:
        methods: Names; by default all methods of the plan.
        forget: Forget sets; by default all of the plan's search.
        parameters: Names to vary; by default all that were searched.
        ranges: Name -> low and high end, instead of the searched range.
        grid: Vary two parameters together instead of one at a time.
        points: Values per parameter.
        seeds: Repetitions of every point.
        around: The best of each search, or each method's published values that are nearest to the plan
            and need no search.
    """

    methods: Sequence[str] = ()
    forget: Sequence[str] = ()
    parameters: Sequence[str] = ()
    ranges: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    grid: bool = False
    points: int = 9
    seeds: int = 3
    around: Centre = "best"


@dataclass(frozen=True)
class Star:
    """The points of one method around one set of values, on one forget set.

    Attributes:
        entry: The values and their origin.
        axes: The parameters to vary, and their ranges.
    """

    entry: Entry
    scenario: Scenario
    axes: Mapping[str, Range]

    @property
    def method(self) -> Method:
        return self.entry.method

    @property
    def centre(self) -> Point:
        """All hyper-parameters of the centre."""
        return asdict(self.entry.values)

    @property
    def name(self) -> str:
        around = f" around {self.entry.preset}" if self.entry.preset else ""
        return f"{self.method.name} on {self.scenario.forget}{around}"

    def warnings(self) -> Iterator[str]:
        """A line for every parameter whose centre is near an end of its range."""
        for name, axis in self.axes.items():
            warning = axis.warning(name, float(self.centre[name]))
            if warning:
                yield f"{self.name}: {warning}"

    def points(self, design: Design) -> list[Point]:
        """The points to run, including the centre, each once."""
        kinds = {p.name: p.kind for p in declared(self.method.Params)}
        values = {
            name: around(axis, self.centre[name], design.points, whole=kinds[name] is int)
            for name, axis in self.axes.items()
        }
        if design.grid:
            moves = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
        else:
            moves = [{name: value} for name, line in values.items() for value in line]
        return list({tuple(p.items()): p for p in ({**self.centre, **move} for move in moves)}.values())


_NOTHING = {
    "best": "every trial of these searches failed",
    "published": "no values of these methods were published for this task",
}


def ranges(texts: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """The ranges of `--range`, written `lr=1e-5:1e-1`.

    Raises:
        PlanError: for anything else.
    """
    parsed: dict[str, tuple[Any, Any]] = {}
    for text in texts:
        name, equals, ends = text.partition("=")
        low, colon, high = ends.partition(":")
        if not (name and equals and colon):
            raise PlanError(f"'--range {text}' is not a range; write NAME=LOW:HIGH, such as lr=1e-5:1e-1")
        parsed[name.strip()] = number(low.strip()), number(high.strip())
    return parsed


def sensitivity(session: Session, design: Design) -> Identity:
    """Run new trials around the best point of every chosen search, or around published values.

    Returns:
        The identity of the run.

    Raises:
        PlanError: for a method, forget set, parameter or range that is not valid.
        RunError: if a search has no complete trial yet.
    """
    plan = session.plan
    stars = list(chosen_stars(session, design))
    if not stars:
        raise RunError(f"there is nothing to vary: {_NOTHING[design.around]}")
    check_size(design, [len(star.axes) for star in stars])
    for star in stars:
        for line in star.warnings():
            session.console.print(line)
    identity = sensitivity_identity(plan, {star.name: (star.method, star.centre) for star in stars})
    with session.open_results(identity.run_id) as results:
        rows = results.rows()
        sources = [FixedList(star.name, _trials(plan, identity, star, design, rows), rows) for star in stars]
        session.run(identity, sources, results, [star.scenario for star in stars])
    return identity


def chosen_stars(session: Session, design: Design) -> Iterator[Star]:
    """The methods and forget sets to vary, each with its centre.

    Raises:
        PlanError: for a method, forget set, parameter or range that is not valid.
        RunError: if a search has no complete trial yet.
    """
    plan = session.plan
    identity = search_identity(plan)
    searched = finished_trials(session.setting.results, identity.run_id)
    session.learn(searched)
    chosen = {method.name: method for method in _methods(plan, design)}
    axes = {name: _axes(plan, method, design) for name, method in chosen.items()}
    idle = [name for name in design.ranges if not any(name in varied for varied in axes.values())]
    if idle:
        raise PlanError(f"'{idle[0]}' has a range but is not varied; also name it with --parameter")
    for (name, method), scenario in itertools.product(chosen.items(), _scenarios(plan, design)):
        if design.around == "published":
            printed = published.nearest(method, plan)
            centres = [] if printed is None else [printed]
            why = "no values were published for this task"
        else:
            best = best_parameters(session.setting, identity, method, scenario, searched)
            centres = [] if best is None else [Entry(method, "tuned", best, tuned_on=(scenario.forget,))]
            why = f"every trial on {scenario.forget} failed"
        if not centres:
            session.console.print(f"{name}: {why}; left out")
        yield from (Star(entry, scenario, axes[name]) for entry in centres)


def check_size(design: Design, varied: Sequence[int]) -> None:
    """Refuse an analysis with fewer points than a line needs, or with more trials than a driver can hold.

    Args:
        varied: The number of parameters that each star varies.

    Raises:
        PlanError: names the limits.
    """
    if design.points < 3 or design.seeds < 1:
        raise PlanError(
            f"{design.points} points and {design.seeds} seeds; a sensitivity analysis needs at least "
            "3 points and 1 seed"
        )
    points = sum(design.points**n if design.grid else design.points * n for n in varied)
    count = design.seeds * points
    if design.points > limits.POINTS or count > limits.WORK:
        raise PlanError(
            f"{design.points} points and {design.seeds} seeds make {count} trials; a "
            f"sensitivity analysis has at most {limits.POINTS} points and {limits.WORK} trials"
        )


def _methods(plan: Plan, design: Design) -> list[Method]:
    """The methods to vary; by default all of the plan that have the named parameters."""
    for name in design.methods:
        if name not in plan.methods:
            raise PlanError(
                f"plan '{plan.name}' does not search method '{name}'; {suggest(name, plan.methods)}"
            )
    if design.methods:
        return [methods.get(name) for name in dict.fromkeys(design.methods)]
    every = plan.algorithms()
    fitting = [method for method in every if set(design.parameters) <= _variable(method).keys()]
    if not fitting:
        known = list(dict.fromkeys(name for method in every for name in _variable(method)))
        unknown = [name for name in design.parameters if name not in known] or list(design.parameters)
        raise PlanError(
            f"no method of plan '{plan.name}' has {' and '.join(map(repr, unknown))} to vary; "
            f"{suggest(unknown[0], known)}"
        )
    return fitting


def _scenarios(plan: Plan, design: Design) -> list[Scenario]:
    every = {scenario.forget: scenario for scenario in plan.searched()}
    wanted = [name if name in every else plan.scenario(name).forget for name in design.forget]
    for name in wanted:
        if name not in every:
            raise PlanError(f"plan '{plan.name}' does not search '{name}'; {suggest(name, every)}")
    return [every[name] for name in dict.fromkeys(wanted)] or list(every.values())


def _axes(plan: Plan, method: Method, design: Design) -> dict[str, Range]:
    """The parameters of a method to vary, with the given, the searched or the declared range."""
    known, searched = _variable(method), plan.space(method).ranges
    names = list(dict.fromkeys(design.parameters or searched))
    for name in names:
        if name not in known:
            raise PlanError(f"'{method.name}' has no parameter '{name}' to vary; {suggest(name, known)}")
    if design.grid and len(names) != 2:
        raise PlanError(
            f"a grid varies two parameters, not {len(names)} of {method.name}; name them with --parameter"
        )
    given = {name: _range(known[name], *design.ranges[name]) for name in names if name in design.ranges}
    declared = {name: Range(float(p.low or 0), float(p.high or 0), p.log) for name, p in known.items()}
    return {name: (declared | searched | given)[name] for name in names}


def _range(p: Hyperparameter, *ends: Any) -> Range:
    low, high = (float(p.check(end)) for end in ends)  # type: ignore[arg-type]
    if low >= high:
        raise PlanError(
            f"the range of '{p.name}' must go from a number to a larger one, not from {low:g} to {high:g}"
        )
    return Range(low, high, p.log)


def _variable(method: Method) -> dict[str, Hyperparameter]:
    return {p.name: p for p in declared(method.Params) if p.has_range}


def _trials(
    plan: Plan, identity: Identity, star: Star, design: Design, earlier: Sequence[Row]
) -> Iterator[Assignment]:
    """The trials of a star; their ids contain the point, so points of earlier analyses are not rerun."""
    run_id = identity.study_id(star.name)
    known = {row["trial_id"]: row["trial_number"] for row in earlier if row["run_id"] == run_id}
    measured = tuple(benchmark_metrics())
    numbers = itertools.count(max(known.values(), default=-1) + 1)
    for point, seed in itertools.product(star.points(design), range(1, design.seeds + 1)):
        moved = [f"{name}={value:.6g}" for name, value in point.items() if value != star.centre[name]]
        trial = Assignment(
            run_id=run_id,
            number=0,
            scenario=star.scenario,
            method=star.method.name,
            params=point,
            seed=plan.seed + seed,
            kind="sensitivity",
            regime="" if moved else star.entry.regime,
            preset="" if moved else star.entry.preset,
            preset_paper="" if moved else star.entry.preset_paper,
            preset_differs="" if moved else star.entry.preset_differs,
            tuned_on=" | ".join(star.entry.tuned_on),
            data_id=data_id(plan),
            code_id=code_id(plan, star.method, measured),
            scale=plan.scale,
            evaluate=plan.search.evaluate,
            metrics=measured,
            points=POINTS,
            precision=plan.precision,
            tag=f"{','.join(moved) or 'centre'}.{seed}",
        )
        yield replace(trial, number=known[trial.trial_id] if trial.trial_id in known else next(numbers))
