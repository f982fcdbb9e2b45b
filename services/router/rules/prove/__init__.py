"""Reading 3, prove: what holds of every event there can be, and the smallest event for which it does not."""
