"""Trials on Ray Tune: preparation, workers, the searcher and its watchdog."""
