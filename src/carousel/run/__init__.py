"""The folder of a run: names and lock (layout), kinds of events (events), who writes (writing) and
who reads (reading) its event store. Nobody else knows a file's name, the format, or SQL."""
