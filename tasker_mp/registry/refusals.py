"""Why no handler came of a definition."""

from tasker_mp.errors import HandlerLoadError


class ResolverNotFoundError(HandlerLoadError):
    """A template names a resolver that does not exist."""


class ResolutionError(HandlerLoadError):
    """A resolver failed, or returned something that is no handler."""
