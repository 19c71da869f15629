"""Sources, splits, scaling and batches."""

import csv

# A cell may be a whole document, and csv's own limit is 131,072 characters. Raised for every reader
# of the package, and never lowered: somebody else's program may have raised it further.
csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
