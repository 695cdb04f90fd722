"""The record of a run has its number of trials, which `unlearn watch` reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import yaml

from analysis.monitoring.files import parsed
from analysis.monitoring.watched import status
from benchmarks.methods import methods
from search.plans.entries import Entry
from search.plans.identity import Identity, benchmark_identity, search_identity
from search.plans.plan import Plan
from search.plans.repetitions import repetitions
from search.results.writer import Finished, Results
from tests.search.results.made_trials import trial


def kept(plan: Plan, identity: Identity) -> bytes:
    record = {"version": "0", "plan": plan.model_dump(mode="json"), **identity.record()}
    return yaml.safe_dump(record, sort_keys=False).encode()


def test_a_search_wants_its_trials_of_every_method_and_forget_set(plan: Plan) -> None:
    identity = search_identity(plan)
    run = parsed(f"_runs/{identity.run_id}.yaml", kept(plan, identity))
    assert [asdict(study) for study in run.studies] == [
        {
            "method": method.name,
            "run_ids": (identity.study_id(method.name),),
            "forget": (scenario.forget,),
            "trials": plan.search.trials,
        }
        for method in plan.algorithms()
        for scenario in plan.searched()
    ]


def test_a_benchmark_wants_every_repetition_of_each_of_its_lines(plan: Plan) -> None:
    assert plan.benchmark is not None
    several = plan.model_copy(update={"benchmark": plan.benchmark.model_copy(update={"originals": 2})})
    entries = [
        Entry(methods.get("retrain"), "", {}),
        Entry(methods.get("jit"), "tuned", {"lr": 0.1}, tuned_on=("8",)),
        Entry(methods.get("jit"), "published", {"lr": 0.2}, preset="cnn2"),
    ]
    identity = benchmark_identity(several, entries)
    run = parsed(f"_runs/{identity.run_id}.yaml", kept(several, identity))
    each = len(list(repetitions(several)))
    assert each == 2 * 2 * 2
    assert {study.method: study.trials for study in run.studies} == {"retrain": each, "jit": 2 * each}


def test_a_driver_at_work_is_running_until_it_ends(tmp_path: Path, plan: Plan) -> None:
    identity = search_identity(plan)
    with Results(tmp_path, identity.run_id) as results:
        results.save_plan(yaml.safe_load(kept(plan, identity)))
        for n in range(2):
            row = trial(n, run_id=identity.study_id("jit"), objective=1.0)
            results.append([Finished(row | {"trial_id": str(n)})])
        seen = status(tmp_path).set_index("method")
        assert seen["done"].to_dict() == {"jit": 2, "finetune": 0}
        assert set(seen["state"]) == {"running"}
    assert set(status(tmp_path)["state"]) == {"stopped"}
