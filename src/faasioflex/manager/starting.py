"""Starting one instance: what of a revision it is told, and the files it is given."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.manager.instance_files import InstanceFiles
from faasioflex.manager.state import FunctionState, RevisionState, TrackedInstance
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import BuiltCode, Instance, InstanceSpec
from faasioflex.runtime.port import RuntimeDriver


class Starter:
    """``platform_url``: ``FFX_URL`` of instances."""

    def __init__(self, driver: RuntimeDriver, files: InstanceFiles, platform_url: str | None) -> None:
        self._driver = driver
        self._files = files
        self._platform_url = platform_url

    async def start(
        self,
        state: FunctionState,
        revision: RevisionState,
        record: RevisionRecord,
        one: TrackedInstance,
        built: BuiltCode,
    ) -> Instance:
        """Raises: StartFailed, also where a secret that it lists is not set; Unavailable."""
        generation = self._files.generation
        files = await self._files.of(record)
        spec = InstanceSpec(
            id=one.id,
            function=state.name,
            function_uid=state.record.uid,
            revision=record.number,
            runtime=record.runtime,
            handler=record.handler,
            env=record.env,
            limits=replace(record.limits, memory_bytes=one.memory_bytes),
            network=record.network,
            code=built,
            platform_url=self._platform_url,
            wake=revision.woken_at is not None,
            files=files,
        )
        started = await self._driver.start(spec)
        self._files.given(one.id, files, generation)
        return started
