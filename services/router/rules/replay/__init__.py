"""Reading 2: what a rule set would have said of everything that was decided, one bit an event and a test."""
