"""The largest numbers that a plan or the command line may ask for; docs/plans.md lists them."""

from __future__ import annotations

from benchmarks.limits import LARGEST_SEED

SEED = LARGEST_SEED
EPOCHS = 100_000
BATCH = 1_000_000  # images
LEARNING_RATE = 1e6
TRIALS = 100_000  # of a method on a forget set; below SEEDS_PER_STUDY, so that no two trials share a seed
SEEDS = 10_000  # repetitions
REPEATS = 10  # seeds of a point of a search; at most SEEDS_PER_STUDY / TRIALS
WEIGHT = 1e6
DRAWS = 1_000  # of a forget set
REFERENCES = 50  # retrained models of a scenario
ORIGINALS = 100  # models that a benchmark starts from
POINTS = 1_000  # of a sensitivity analysis, per parameter
WORK = 500_000  # trials of a stage of a plan; a driver keeps some 500 bytes of each
IMAGES = 1_000_000_000
WORKERS = 100_000
CPUS = 10_000
SECONDS = 100_000_000  # three years
ENTRIES = 1_000  # of a list
PLANS = 200  # of a file
BYTES = 2**18  # of a plan's file
NAME = 200  # characters of the name of a data set, network or method
PATH = 4096  # characters
SENTENCE = 500  # characters of a sentence in a plan
