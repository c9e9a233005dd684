"""Rounds of linear tasks on a site that is fresh and on one that is loaded, in turn."""

from bench.size.site import LINEAR, Site

_MARGIN = 3000
"""Tasks behind those of a round, so that its end is as busy as its middle."""


def rate(site: Site, tasks: int) -> float:
    """Steps a second over the next so many tasks of the queue, with more behind them."""
    site.fill(tasks + _MARGIN)
    heads = site.heads(tasks)
    site.resume()
    try:
        return tasks * LINEAR.steps / site.seconds(heads)
    finally:
        site.pause()
