"""Are times of several classes of events from one distribution, as far as their means tell?

Times on a machine that does other things have a long tail which says nothing of the work, so the
largest tenth of each class is left out, the same share everywhere. What differs in the work itself
moves all times, and stays to be seen."""

import itertools
import math
import statistics

KEPT = 0.9
ENOUGH = 500  # times of a class, to say of its median what it is


def trimmed(times):
    return sorted(times)[:math.ceil(len(times) * KEPT)]


def welch(a, b):
    """Welch's t of two samples."""
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    difference = statistics.mean(a) - statistics.mean(b)
    return difference / math.sqrt(spread) if spread > 0 else math.copysign(math.inf, difference)


def median_error(times):
    """The standard error of the median, by the middle half of the times."""
    low, _, high = statistics.quantiles(times, n=4)
    return 1.253 * (high - low) / 1.349 / math.sqrt(len(times))


def differences(classes, t_max, median_max):
    """What tells one of these classes (name -> times in seconds) from another: texts. Medians of
    few times that are far apart do not count if that is less than t_max of their errors, too."""
    found = []
    kept = {name: trimmed(times) for name, times in classes.items()}
    for a, b in itertools.combinations(classes, 2):
        t = welch(kept[a], kept[b])
        apart = abs(statistics.median(classes[a]) - statistics.median(classes[b]))
        error = math.hypot(median_error(classes[a]), median_error(classes[b]))
        if min(len(classes[a]), len(classes[b])) >= ENOUGH:
            error = 0
        if abs(t) >= t_max or apart >= max(median_max, t_max * error):
            found.append(f"{a} and {b}: t = {t:.1f}, medians {apart * 1000:.3f} ms apart")
    return found


def summary(classes):
    return ", ".join(f"{name} {statistics.median(times) * 1000:.3f} ms"
                     for name, times in classes.items())
