"""Statistics that know nothing about results: intervals, equality tests, ranks."""
