"""What the person concerned may have of what is held of them: chosen field by field, written as JSON and as a page."""
