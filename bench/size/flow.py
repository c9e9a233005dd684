"""Rounds of linear tasks on a site that is fresh and on one that is loaded, in turn."""

from bench.size.site import Site

_MARGIN = 3000
"""Tasks behind those of a round, so that its end is as busy as its middle; as many as a supervisor
holds, and half more."""


def rate(site: Site, tasks: int) -> float:
    """Steps a second over the next so many tasks of the queue, with more behind them.

    As many are submitted just before, whatever waits already: what a submit leaves to the server to
    do later (vacuum, analyze, checkpoints) would otherwise slow down the fresh database alone.
    """
    site.fill(min(tasks, _MARGIN))
    site.add(tasks)
    heads = site.heads(tasks)
    since = site.now()
    site.resume()
    try:
        return site.rate(heads, since)
    finally:
        site.pause()
