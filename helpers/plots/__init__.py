"""One function per figure: takes a table, returns an Axes. Computes nothing."""
