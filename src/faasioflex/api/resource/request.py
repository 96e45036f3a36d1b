"""The function resource in requests (register, PUT, the result of a PATCH) and in ``function.yaml``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from faasioflex.api.resource.limits import LimitsIn, NetworkIn, Strict
from faasioflex.api.resource.queueing import AsyncIn, CacheIn
from faasioflex.api.resource.reach import CorsIn, RateLimitIn
from faasioflex.api.resource.scaling import ScalingIn
from faasioflex.api.resource.source import SourceIn
from faasioflex.api.resource.texts import (
    Description,
    EnvName,
    EnvValue,
    LabelKey,
    LabelValue,
    NameText,
    RuntimeText,
    SecretName,
    check_env,
)
from faasioflex.model.function import FunctionSpec, Rollout, Visibility


class FunctionIn(Strict):
    """A function as users write it. Everything but name and runtime may be left out."""

    namespace: NameText | None = Field(None, description="Default: the caller's own")
    name: NameText = Field(description="Unique in the namespace")
    runtime: RuntimeText = Field(description="The language: one of those that are installed")
    handler: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="What to load; null is the runtime's default (python: main:handle, else main:app; bash: handle.sh …)",
    )
    visibility: Visibility = Field(
        "private",
        description="Who may call: private (owners and whom they grant it), authenticated (whoever is signed in), public (anybody)",
    )
    env: Annotated[dict[EnvName, EnvValue], AfterValidator(check_env)] = Field(
        default_factory=dict, max_length=1000, description="Environment of the instances, at most 64 KiB"
    )
    secrets: list[SecretName] = Field(
        default_factory=list, max_length=100, description="Names of the namespace's secrets that it is given as files"
    )
    limits: LimitsIn = Field(default_factory=lambda: LimitsIn.model_validate({}))
    scaling: ScalingIn = Field(default_factory=lambda: ScalingIn.model_validate({}))
    network: NetworkIn = Field(default_factory=NetworkIn)
    cors: CorsIn | None = Field(None, description="null: no other site's pages may call it")
    rate_limit: RateLimitIn | None = Field(None, description="null: no bound")
    asynchronous: AsyncIn = Field(
        default_factory=lambda: AsyncIn.model_validate({}), alias="async", description="Of asynchronous calls"
    )
    cache: CacheIn | None = Field(None, description="null: every call is made")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=64, description="As in Kubernetes")
    description: Description = ""
    source: SourceIn | None = None
    rollout: Rollout | None = Field(
        None, description="none: the new revision is started and checked, and waits for a traffic change; default all"
    )
    status: Any = Field(None, description="The platform's own; ignored in requests")

    def spec(self, namespace: str) -> FunctionSpec:
        """Everything but source and rollout; ``namespace`` is the caller's own, for where none is said."""
        return FunctionSpec(
            namespace=self.namespace or namespace,
            name=self.name,
            runtime=self.runtime,
            handler=self.handler,
            visibility=self.visibility,
            env=dict(self.env),
            secrets=tuple(self.secrets),
            limits=self.limits.value(),
            scaling=self.scaling.value(),
            network=self.network.value(),
            cors=self.cors.value() if self.cors else None,
            rate_limit=self.rate_limit.value() if self.rate_limit else None,
            asynchronous=self.asynchronous.value(),
            cache=self.cache.value() if self.cache else None,
            labels=dict(self.labels),
            description=self.description,
        )
