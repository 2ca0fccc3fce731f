"""The report: what every kernel moves, how long it takes, what bounds it, what its schedule's alternatives cost."""
