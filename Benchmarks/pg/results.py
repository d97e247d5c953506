"""What a run found, by scenario."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Results:
    targets: list
    # Samples by scenario and target's name, one for each visit, of which each target has as many.
    samples: dict = field(default_factory=lambda: defaultdict(list))
    # IdleSamples by "idle-plaintext" and "idle-tls", one for each round.
    idle: dict = field(default_factory=lambda: defaultdict(list))
    # MaskedSamples, one for each round.
    masked: list = field(default_factory=list)
    crowd: object = None
    # Milliseconds to listening.
    first_start: float | None = None
    later_starts: list = field(default_factory=list)

    def scenarios(self):
        """Those in which targets were compared, in the order in which they ran."""
        return list(dict.fromkeys(scenario for scenario, _ in self.samples))

    def ratios(self, scenario, ours, theirs, figure):
        """`ours` of `theirs` within each round; empty where one of them was not measured or is nothing to divide by."""
        pairs = zip(self.samples.get((scenario, ours), []), self.samples.get((scenario, theirs), []))
        found = [(getattr(a, figure), getattr(b, figure)) for a, b in pairs]
        return [] if any(b == 0 for _, b in found) else [a / b for a, b in found]


def spread(values, digits=2):
    """Median and range over the rounds; a dash for nothing."""
    if not values:
        return "–"
    middle, low, high = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}–{high})" if len(values) > 1 else middle
