"""One self-contained HTML report, made of sections that each command adds."""
