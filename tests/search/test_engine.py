"""Real Ray Tune, real Optuna, real trials: the faults of an obvious implementation do not occur."""

from __future__ import annotations

import io
import itertools
import math
import os
import shutil
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from rich.console import Console

from analysis.results.layout import Row
from benchmarks.methods import methods
from benchmarks.scenarios.scenario import Scenario
from cluster.slots import Slots
from search.engine import actors, preparation, runner
from search.engine.placement import Learned
from search.errors import ResultsError, RunError
from search.plans.files import parse
from search.plans.plan import Minimised, Plan
from search.results.writer import Finished, Results
from search.stages.benchmark import benchmark
from search.stages.outcomes import SearchResult
from search.stages.search import search
from search.stages.sensitivity import Design, chosen_stars, sensitivity
from search.stages.session import Session, kept_line
from search.studies.assignments import Assignment, FixedList, Source
from search.studies.objectives import best
from tests.search.conftest import PLAN
from tests.search.made_searches import write_search
from tests.search.results.made_trials import trial
from tests.search.sessions import quiet_session

SCENARIO = Scenario("digits@400", "cnn2", "full_class", "8")
NAMED = ("mia_confidence", "anamnesis_index")


def nothing(source: Source, row: Row) -> None:
    """A silent report."""


def jit(number: int, run_id: str = "run", method: str = "jit", **params: Any) -> Assignment:
    return Assignment(run_id, number, SCENARIO, method, params, number, "search", "tuned")


def run(
    trials: list[Assignment], prepared: preparation.Shared, slots: Slots, folder: Path, report: Any = nothing
) -> list[Row]:
    with Results(folder, "run") as results:
        work = FixedList("list", trials, results.rows())
        runner.run([work], prepared, results, slots, known(slots), report)
        return sorted(results.rows(), key=lambda row: row["trial_number"])


def known(slots: Slots) -> Learned:
    return Learned(slots.shares, lambda line: None)


def workers() -> set[int]:
    """Live processes of trial actors below this one."""
    actors = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if "TrialActor" in " ".join(process.cmdline()) + process.name():
                actors.add(process.pid)
        except psutil.Error:
            continue
    return actors


def test_bad_trials_are_rows_too_on_the_same_warm_workers_and_a_worker_that_starts_late_is_waited_for(
    prepared: preparation.Shared, ray_session: Slots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modes a, b, j and k: NaN, an exception, no checkpoints, and a raising trial under reuse.

    Tune gives the trial of a starting worker to a free one, and ends the starting worker.
    """
    others_work = tmp_path / "others-work"

    class LateTrialActor(actors.TrialActor):
        def setup(self, config: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            super().setup(config, *args, **kwargs)
            while config["slot"].number == 1 and not others_work.exists():
                time.sleep(0.05)

    seen: set[int] = set()

    def report(source: Source, row: Row) -> None:
        seen.update(workers())
        if source.done >= 3:
            others_work.touch()

    monkeypatch.setattr(actors, "TrialActor", LateTrialActor)
    exploding, raising = {"lr": 1e15}, {"method": "finetune", "momentum": -1.0}
    trials = [jit(n, **(exploding if n % 4 == 1 else raising if n % 4 == 3 else {})) for n in range(32)]
    rows = run(trials, prepared, replace(ray_session, workers=2), tmp_path / "results", report)
    assert [r["state"] for r in rows] == ["complete", "failed"] * 16
    assert "not finite" in rows[1]["error"]
    assert rows[1]["gap"] is None
    assert rows[3]["error"].startswith("ValueError: Invalid momentum")
    assert all(math.isfinite(r["gap"]) for r in rows[::2])
    for row in rows:
        took = (row["finished_at"] - row["started_at"]).total_seconds()
        parts = row["unlearn_s"] + row["eval_s"] + row["overhead_s"]
        assert took == pytest.approx(parts, abs=2e-6), "no negative seconds after a clock was set back"
    assert len(seen) == 2, "neither a failed trial nor a late start may cost a worker"
    times = sorted((row["started_at"], row["finished_at"]) for row in rows)
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(times)), "both ran trials"
    chosen = best(rows)
    assert chosen is not None
    assert chosen["state"] == "complete"


class _Unloadable:
    """Stands for anything that workers cannot load, such as a missing module or a file of another version."""

    def __reduce__(self) -> Any:
        return __import__, ("no_such_module",)


def test_the_end_of_a_run_is_reported_the_next_run_resumes_and_a_killed_worker_costs_nothing_but_time(
    prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    """Mode h: first workers that cannot start, which leave no row, then a failure in a callback."""
    trials = [jit(n, method="finetune", epochs=5) for n in range(8)]
    broken = preparation.Shared({SCENARIO.key: _Unloadable()}, prepared.data)  # type: ignore[dict-item]
    with pytest.raises(RunError, match=r"workers died before they could run a trial: .*no_such_module"):
        run(trials, broken, ray_session, tmp_path)
    assert not list((tmp_path / "trials").rglob("*.parquet"))

    def fails(source: Source, row: Row) -> None:
        raise ResultsError("the disk is full; free some space")

    with pytest.raises(ResultsError, match="free some space"):
        run(trials, prepared, ray_session, tmp_path, fails)
    kept = len(pd.read_parquet(tmp_path / "trials"))
    assert 1 <= kept < 6
    killed: list[int] = []

    def kill_once(source: Source, row: Row) -> None:
        if not killed and row["trial_number"] >= 2:
            victim = next(iter(workers()))
            killed.append(victim)
            os.kill(victim, 9)

    rows = run(trials, prepared, ray_session, tmp_path, kill_once)
    assert killed
    assert [r["trial_number"] for r in rows] == list(range(8))
    assert {r["state"] for r in rows} == {"complete"}


def test_a_search_that_only_fails_stops_says_why_and_can_be_tried_again(
    plan: Plan, prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    def exploding(trials: int) -> Plan:
        search = plan.search.model_copy(update={"trials": trials, "space": {"jit": {"lr": 1e15}}})
        alone = plan.benchmark.model_copy(update={"beside": (), "presets": "none"})  # type: ignore[union-attr]
        return plan.model_copy(update={"methods": ("jit",), "search": search, "benchmark": alone})

    console = Console(record=True, file=io.StringIO(), width=300)
    shown = partial(quiet_session, results=tmp_path, slots=ray_session, console=console, shared=prepared)
    with pytest.raises(RunError, match="because its first 10 trials failed with the same error: Arithm"):
        search(shown(exploding(40)))
    messages = [line for line in console.export_text().splitlines() if line.startswith("failed: ")]
    assert messages == ["failed: jit on 8: " + messages[0].removeprefix("failed: jit on 8: ")]
    before = pd.read_parquet(tmp_path / "trials")
    assert 10 <= len(before) < 20
    with pytest.raises(RunError, match=r"search: all \d+ trials failed: \d+ x ArithmeticError"):
        search(shown(exploding(10)))
    with pytest.raises(RunError, match="all 3 trials failed"):
        search(shown(exploding(3), retry_failed=True))
    after = pd.read_parquet(tmp_path / "trials")
    assert len(after) == 3
    assert after.started_at.min() > before.finished_at.max()
    with pytest.raises(RunError, match="every trial of the search of plan 'tiny' failed"):
        benchmark(shown(exploding(3)))


def test_studies_of_a_plan_stay_apart_share_workers_and_resume(
    plan: Plan, prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    """Modes d and g, and the whole way from search to benchmark to sensitivity."""
    whole = quiet_session(plan, tmp_path, ray_session, shared=prepared)
    small = plan.model_copy(update={"search": plan.search.model_copy(update={"trials": 3})})
    search(replace(whole, setting=replace(whole.setting, plan=small)))
    search(whole)
    table = pd.read_parquet(tmp_path / "trials")
    assert Counter(table.method) == {"jit": 6, "finetune": 6}
    for _, rows in table.groupby("method", observed=True):
        assert sorted(rows.trial_number) == list(range(6))
    assert not table.trial_id.duplicated().any()
    assert set(table.eval_split) == {"validation"}
    assert table.param_epochs[table.method == "finetune"].eq(1).all(), "the plan's fixed value applies"
    assert table.param_sigma[table.method == "finetune"].isna().all()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "trials").rglob("*.parquet")}
    search(whole)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "trials").rglob("*.parquet")} == before

    benchmark(whole)
    table = pd.read_parquet(tmp_path / "trials")
    bench = table[table.kind.isin(["benchmark", "reference"])]
    assert set(bench.eval_split) == {"test"}
    counted = Counter(zip(bench.method, bench.regime, bench.forget, strict=True))
    assert set(counted.values()) == {2}
    assert ("jit", "tuned", "8") in counted
    assert ("jit", "transferred", "3") in counted
    assert ("jit", "tuned", "3") not in counted
    assert ("jit", "published", "3") in counted
    assert ("retrain", "", "8") in counted
    retrains = bench[(bench.method == "retrain") & (bench.forget == "8")]
    assert retrains.gap.gt(0).any(), "a retrained model of another seed is not the target itself"
    classes = pd.read_parquet(tmp_path / "classes")
    rows = classes[(classes.trial_id == bench.trial_id.iloc[0]) & (classes.split == "test")]
    assert rows.total.sum() == 360
    samples = pd.read_parquet(tmp_path / "samples")
    assert samples.groupby("trial_id").size().max() <= 130
    points = pd.read_parquet(tmp_path / "progress")
    assert set(points.trial_id) == set(bench.trial_id[bench.method.isin(["amnesiac", "finetune", "retrain"])])
    ends = points[points.done == 1].set_index("trial_id").gap
    assert ends.equals(bench.set_index("trial_id").gap.reindex(ends.index))

    [best_sigma] = set(bench.param_sigma[(bench.method == "jit") & (bench.regime == "tuned")])
    for points, values in ((3, {3}), (5, {5, 6})):  # points of both run once: the centre, and an end or two
        sensitivity(whole, Design(["jit"], parameters=["sigma"], points=points, seeds=2))
        table = pd.read_parquet(tmp_path / "trials")
        lines = table[table.kind == "sensitivity"]
        assert lines.param_sigma.nunique() in values
        assert lines.groupby("param_sigma").seed.agg(list).map(len).eq(2).all()
        assert lines.param_lr.nunique() == 1
        assert sorted(lines.trial_number) == list(range(len(lines)))
        assert set(lines.param_sigma[lines.regime == "tuned"]) == {best_sigma}
    assert [star.name for star in chosen_stars(whole, Design())] == ["jit on 8", "finetune on 8"]


@pytest.fixture(scope="module")
def of_two_sets(
    prepared: preparation.Shared, ray_session: Slots, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    """A search on two sets, and the benchmark of its best points with the metrics that the plan names."""
    plan = parse(PLAN)[0]
    assert plan.benchmark is not None
    searched = {"forget": ("3", "8"), "trials": 2, "space": {"jit": {"n_samples": 30}}}  # nobody published 30
    both = plan.model_copy(
        update={
            "methods": ("jit",),
            "logging": ("tensorboard",),
            "search": plan.search.model_copy(update=searched),
            "benchmark": plan.benchmark.model_copy(update={"seeds": 1, "beside": (), "metrics": NAMED}),
        }
    )
    folder = tmp_path_factory.mktemp("two-sets")
    search(quiet_session(both, folder, ray_session, shared=prepared))
    session = quiet_session(both, folder, ray_session)
    benchmark(session)
    return session


def table_of(session: Session) -> pd.DataFrame:
    return pd.read_parquet(Path(session.setting.results) / "trials")


def test_the_best_of_each_searched_set_runs_on_every_set(of_two_sets: Session) -> None:
    table = table_of(of_two_sets)
    bench = table[(table.kind == "benchmark") & table.regime.isin(["tuned", "transferred"])]
    counted = Counter(zip(bench.tuned_on, bench.forget, bench.regime, strict=True))
    assert counted == {
        ("3", "3", "tuned"): 1,
        ("3", "8", "transferred"): 1,
        ("8", "3", "transferred"): 1,
        ("8", "8", "tuned"): 1,
    }
    assert bench.groupby("tuned_on").param_lr.nunique().eq(1).all()
    assert [star.name for star in chosen_stars(of_two_sets, Design())] == ["jit on 3", "jit on 8"]
    assert not table.trial_id.duplicated().any()
    assert table.scale.eq(1).all()


def test_every_trial_of_both_stages_is_logged(of_two_sets: Session) -> None:
    logged = (Path(of_two_sets.setting.results) / "_tensorboard").rglob("events.*")
    assert len({path.parent for path in logged}) == len(table_of(of_two_sets))


def test_a_benchmark_measures_the_metrics_that_its_plan_names(of_two_sets: Session) -> None:
    table = table_of(of_two_sets)
    bench = table[table.kind != "search"]
    assert bench.error.eq("").all()
    assert bench.anamnesis_index[bench.method == "original"].eq(0).all()
    for name in NAMED:
        assert table[name][table.kind == "search"].isna().all()
        assert bench.groupby("forget")[f"target_{name}"].nunique().eq(1).all()
    assert bench.target_anamnesis_index.eq(1).all()
    assert bench.mia_confidence.between(0, 100).all()
    assert bench.mia_entropy.isna().all()


def test_a_benchmark_runs_each_published_value_once(of_two_sets: Session) -> None:
    """Also if the searched method is named beside itself."""
    plan = of_two_sets.plan
    assert plan.benchmark is not None
    every = plan.benchmark.model_copy(update={"metrics": (), "presets": "all", "beside": ("jit",)})
    published = [p for p in methods.get("jit").presets if p.task in ("*", "full_class")]
    count = 2 * (4 + len(published))  # on both sets: original, retrain, the best of both sets, and these
    late = replace(of_two_sets.setting, plan=plan.model_copy(update={"benchmark": every}), timeout=0.0)
    with pytest.raises(RunError, match=f"time is up: 0 of {count} trials"):
        benchmark(replace(of_two_sets, setting=late))


def test_draws_and_originals_are_measured_apart_and_continue_earlier_trials(
    plan: Plan, ray_session: Slots, tmp_path: Path
) -> None:
    sets = {"forget": ("40",)}
    assert plan.benchmark is not None
    single = plan.benchmark.model_copy(update={**sets, "seeds": 1, "beside": (), "presets": "none"})
    few = plan.model_copy(
        update={
            "task": "random",
            "methods": ("jit",),
            "search": plan.search.model_copy(update={**sets, "trials": 1}),
            "benchmark": single,
        }
    )
    write_search(tmp_path, few)
    first = quiet_session(few, tmp_path, ray_session)
    benchmark(first)
    before = pd.read_parquet(tmp_path / "trials").set_index("trial_id")
    more = single.model_copy(update={"draws": 2, "originals": 2})
    benchmark(replace(first, setting=replace(first.setting, plan=few.model_copy(update={"benchmark": more}))))
    after = pd.read_parquet(tmp_path / "trials").set_index("trial_id")
    kept = after.loc[before.index]
    pd.testing.assert_series_equal(kept.finished_at, before.finished_at)
    assert kept.draw.eq(0).all()

    bench = after[after.kind != "search"]
    assert len(bench) == 3 * 4
    assert bench.index.is_unique
    assert bench.regime[bench.method == "jit"].eq("tuned").all(), "another sample of the same kind"
    models = bench.groupby(["scenario_seed", "draw"]).agg({"original_id": set, "target_mia": set})
    assert models.index.tolist() == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert models.original_id[0, 0] == models.original_id[0, 1] != models.original_id[1, 0]
    assert models.original_id[1, 0] == models.original_id[1, 1]
    retrains = bench[bench.method == "retrain"]
    assert retrains.seed.is_unique
    assert retrains.retain_acc.nunique() > 1
    samples = pd.read_parquet(tmp_path / "samples").merge(bench[["scenario_seed"]], on="trial_id")
    images = samples.groupby(["scenario_seed", "draw"]).image.agg(lambda numbers: tuple(sorted(set(numbers))))
    assert images.map(len).eq(40).all()
    assert images.is_unique


def test_a_sequence_writes_how_it_went_on(plan: Plan, ray_session: Slots, tmp_path: Path) -> None:
    sets = {"forget": ("3>8",)}
    sequence = plan.model_copy(
        update={
            "task": "sequence",
            "methods": ("finetune",),
            "search": plan.search.model_copy(update={**sets, "trials": 1}),
            "benchmark": plan.benchmark.model_copy(update={**sets, "seeds": 1, "beside": ()}),  # type: ignore[union-attr]
        }
    )
    both = quiet_session(sequence, tmp_path, ray_session)
    search(both)
    benchmark(both)
    trials = pd.read_parquet(tmp_path / "trials")
    bench = trials[trials.kind != "search"].set_index("trial_id")
    steps = pd.read_parquet(tmp_path / "steps")
    assert set(steps.trial_id) == set(bench.index)
    assert set(steps.groupby("trial_id").request.agg(tuple)) == {("3", "8")}
    last = steps[steps.step == 2].set_index("trial_id")
    for column in ("retain_acc", "forget_acc", "mia", "gap", "target_retain_acc"):
        pd.testing.assert_series_equal(last[column].loc[bench.index], bench[column], check_names=False)


def test_a_single_worker_and_a_seed_repeat_exactly(
    plan: Plan, prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    """Everything except for times and locations."""
    only_jit = plan.model_copy(update={"methods": ("jit",), "search": plan.search.model_copy(
        update={"trials": 14, "space": {}})})  # fmt: skip
    tables = []
    for name in ("first", "second"):
        search(quiet_session(only_jit, tmp_path / name, ray_session, shared=prepared))
        tables.append(pd.read_parquet(tmp_path / name / "trials"))
    measured = ["unlearn_s", "eval_s", "overhead_s", "peak_memory_mb", "started_at", "finished_at"]
    first, second = (table.drop(columns=measured) for table in tables)
    pd.testing.assert_frame_equal(first, second)


def test_the_kept_trials_are_counted_in_the_table(tmp_path: Path) -> None:
    cut_off = runner.Outcome(2, 5, False, True)
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0)), Finished(trial(1))])
        kept = f"2 of 5 trials are done and kept in {tmp_path}; the same command again resumes from there"
        assert kept_line(tmp_path, results, cut_off) == kept
        shutil.rmtree(tmp_path / "trials")
        assert "2 of the finished trials are no longer in" in kept_line(tmp_path, results, cut_off)


def test_time_up_is_reported_and_the_next_run_resumes_also_with_several_objectives(
    plan: Plan, prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    pareto = plan.search.model_copy(update={"objective": Minimised(name="pareto")})
    parts = plan.model_copy(update={"search": pareto})
    late = quiet_session(parts, tmp_path, ray_session, shared=prepared, timeout=0.0)
    with pytest.raises(RunError, match=r"time is up: \d+ of 12 trials are done and kept"):
        search(late)
    for _ in range(2):
        search(replace(late, setting=replace(late.setting, timeout=None)))
        assert len(pd.read_parquet(tmp_path / "trials")) == 12


def test_a_search_without_a_retrained_model(plan: Plan, ray_session: Slots, tmp_path: Path) -> None:
    kept = {"objective": Minimised(keep=2), "trials": 3, "space": {}}
    alone = plan.model_copy(
        update={"benchmark": None, "references": 0, "search": plan.search.model_copy(update=kept)}
    )
    output = io.StringIO()
    session = quiet_session(alone, tmp_path, ray_session, console=Console(file=output, width=300))
    card = str(SearchResult(alone, str(tmp_path), search(session)))
    rows = pd.read_parquet(tmp_path / "trials")
    assert rows[["gap", "target_retain_acc"]].isna().all(axis=None)
    assert rows["objective"].notna().all()
    assert set(rows["state"]) == {"complete"}
    assert [model.needed.role for model in session.trained] == ["original"]
    assert "best objective" in output.getvalue()
    assert "3/3" in card
    assert "all failed" not in card


def test_benchmark_before_search_says_what_to_do(plan: Plan, ray_session: Slots, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="run `unlearn search` with this plan first"):
        benchmark(quiet_session(plan, tmp_path, ray_session))


def test_images_are_in_memory_once(prepared: preparation.Shared, ray_session: Slots) -> None:
    import ray

    @ray.remote
    def owns(data: Any) -> bool:
        return bool(data.train.x.flags.owndata or data.train.x.flags.writeable)

    assert not ray.get(owns.remote(prepared.data["digits@400"])), "a worker copied the images"
