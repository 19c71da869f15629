"""A reader per kind of own file; what is wrong with a file is said with how to mend it."""
