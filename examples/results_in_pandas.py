"""Read results with pandas alone: no function of this project is needed.

python examples/results_in_pandas.py [RESULTS]

RESULTS is a folder that a search wrote, such as the `results` of `make demo`.
"""

from __future__ import annotations

import sys

import pandas as pd
import pyarrow.dataset as ds


def main(results: str = "results") -> None:
    """Print how far each search came, its best trial, the failed trials and what a column means."""
    trials = pd.read_parquet(f"{results}/trials")
    print("trials by kind and state")
    print(trials.groupby(["kind", "state"], observed=True).size().to_string())

    searched = trials[(trials["kind"] == "search") & (trials["state"] == "complete")]
    best = searched.loc[searched.groupby(["run_id", "method", "forget"], observed=True)["gap"].idxmin()]
    parameters = [name for name in searched if name.startswith("param_") and searched[name].nunique() > 1]
    print("\nthe best trial of every search")
    print(best[["method", "forget", "gap", "unlearn_s", *parameters]].to_string(index=False))

    failed = trials[trials["state"] == "failed"]
    if len(failed):
        print("\nwhy trials failed")
        print(failed["error"].str.slice(0, 60).value_counts().to_string())

    # The unit and the meaning of a column are in the metadata of the Parquet field
    field = ds.dataset(f"{results}/trials", partitioning="hive").schema.field("gap")
    print("\ngap:", {key.decode(): value.decode() for key, value in (field.metadata or {}).items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
