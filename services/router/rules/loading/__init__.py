"""From the YAML files of a rule set to its meaning: every mistake of every file in one pass."""
