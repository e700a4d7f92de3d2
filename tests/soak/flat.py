"""Whether a figure stays the same over time.

A series is flat unless it grows in a way that chance doesn't explain, and by more than is allowed. The growth is the slope of
Theil and Sen (the median of the slopes of all pairs of points, which single peaks don't move) over the length of the series;
whether it may be chance is the test of Mann and Kendall, one-sided, at one in a thousand. A leak must pass both bounds: noise
fails the second one, and a trend that is certain but tiny the first one."""

import math
import statistics

POINTS = 60  # at most so many medians stand for a series
LEAST = 8  # fewer say nothing
CERTAIN = 3.09  # standard deviations, for one in a thousand


def thin(series, most=POINTS):
    """At most `most` points, each the median of its neighbours."""
    size = math.ceil(len(series) / most)
    groups = [series[at : at + size] for at in range(0, len(series), size)] if series else []
    return [tuple(statistics.median(column) for column in zip(*group)) for group in groups]


def _pairs(points):
    return [(b[0] - a[0], b[1] - a[1]) for at, a in enumerate(points) for b in points[at + 1 :] if b[0] > a[0]]


def slope(points):
    return statistics.median(rise / time for time, rise in _pairs(points))


def certainty(points):
    """How many standard deviations the order of the values is away from chance; above 0: they rise."""
    score = sum((rise > 0) - (rise < 0) for _, rise in _pairs(points))
    count = len(points)
    ties = {}
    for _, value in points:
        ties[value] = ties.get(value, 0) + 1
    formula = lambda n: n * (n - 1) * (2 * n + 5)
    variance = (formula(count) - sum(map(formula, ties.values()))) / 18
    return (score - (score > 0) + (score < 0)) / math.sqrt(variance) if variance > 0 else 0.0


class Verdict:
    def __init__(self, series, allowed):
        """`series`: (seconds, value) in the order of time; `allowed`: growth over its length that is no leak."""
        points = thin(series)
        self.judged = len(points) >= LEAST
        self.allowed = allowed
        self.level = statistics.median(value for _, value in points) if points else 0
        self.growth = self.per_hour = self.certainty = 0.0
        if self.judged:
            rate = slope(points)
            self.growth, self.per_hour = rate * (points[-1][0] - points[0][0]), rate * 3600
            self.certainty = certainty(points)

    @property
    def flat(self):
        """None: there were too few points to say."""
        return not (self.growth > self.allowed and self.certainty > CERTAIN) if self.judged else None
