"""Statistics: intervals, differences, equality tests, ranks."""
