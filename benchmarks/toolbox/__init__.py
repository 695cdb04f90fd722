"""Building blocks that several methods and networks share."""
