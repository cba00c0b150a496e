"""What is made of the figures of several repetitions."""

import statistics

# A figure whose repetitions lie farther apart than this share of their median is marked.
NOISE_BOUND = 0.25


def summary(values):
    """Median, minimum and maximum of those repetitions that have a figure; None where none has.

    `values` has one entry for each repetition, None for one that failed."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    median = statistics.median(there)
    spread = (max(there) - min(there)) / median if median else 0.0
    return {
        'median': median,
        'min': min(there),
        'max': max(there),
        'spread': round(spread, 4),
        'noisy': spread > NOISE_BOUND,
        'repetitions': len(there),
    }


def ratios(values, others, better='higher'):
    """How many times better `values` are than `others`, each against the other of its own
    repetition: above 1 is better, whether more is (`higher`) or less (`lower`)."""
    pairs = []
    for ours, theirs in zip(values, others):
        if ours is None or theirs is None:
            pairs.append(None)
            continue
        over, under = (ours, theirs) if better == 'higher' else (theirs, ours)
        pairs.append(over / under if under else None)
    return summary(pairs)


def percentile(ordered, share):
    """Of a sorted list: the value that `share` of all do not exceed."""
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[min(len(ordered), int(rank)) - 1]


def latency_of(microseconds):
    """The object that every contender reports, of single values."""
    ordered = sorted(microseconds)
    if not ordered:
        return {'count': 0}
    shares = {'p50': 0.5, 'p90': 0.9, 'p99': 0.99, 'p999': 0.999, 'max': 1}
    return {'count': len(ordered),
            **{name: percentile(ordered, share) * 1000 for name, share in shares.items()}}
