"""Where a plan's searches start: given points and earlier searches."""
