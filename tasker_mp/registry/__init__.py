"""Which handler runs a step: resolvers asked in order, instances made once and kept."""

from tasker_mp.registry.chain import ResolverChain
from tasker_mp.registry.class_lookup import ClassLookupResolver
from tasker_mp.registry.definition import HandlerDefinition
from tasker_mp.registry.explicit_mapping import ExplicitMappingResolver
from tasker_mp.registry.method_dispatch import MethodDispatchWrapper
from tasker_mp.registry.refusals import ResolutionError, ResolverNotFoundError
from tasker_mp.registry.registry import HandlerCheck, HandlerRegistry
from tasker_mp.registry.resolver import BaseResolver, RegistryResolver

__all__ = [
    "BaseResolver",
    "ClassLookupResolver",
    "ExplicitMappingResolver",
    "HandlerCheck",
    "HandlerDefinition",
    "HandlerRegistry",
    "MethodDispatchWrapper",
    "RegistryResolver",
    "ResolutionError",
    "ResolverChain",
    "ResolverNotFoundError",
]
