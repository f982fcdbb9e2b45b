"""The rule language and its readings: pure, no I/O except the loader, which reads the files of a rule set."""
