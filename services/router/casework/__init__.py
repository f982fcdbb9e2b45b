"""What becomes of a case: legs, pauses, reviews, timers. Pure: no store, no broker, no clock."""
