"""Commands of this package, a file each."""
