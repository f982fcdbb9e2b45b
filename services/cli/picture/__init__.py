"""One picture of a case: read once, made into plain facts and places, drawn for a terminal, as SVG and as HTML."""
