"""Filters in files of their own, which Envoy watches: they change without a listener that drains, and an Envoy that restarts
without anybody to ask has what was there last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from envoy.config.core.v3 import extension_pb2
from envoy.service.discovery.v3 import discovery_pb2

from faasioflex.gateway.envoy.proto import Json, typed


def named(name: str, file: Path, *type_urls: str) -> Json:
    """The place of the filter ``name`` among the others."""
    source = {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}
    return {"name": name, "config_discovery": {"config_source": source, "type_urls": list(type_urls)}}


def write(path: Path, name: str, config: Json) -> bool:
    """By rename, which is what Envoy notices. False where it is what stands there already."""
    resource = typed("envoy.config.core.v3.TypedExtensionConfig", name=name, typed_config=config)
    text = json.dumps({"resources": [resource]}, sort_keys=True)
    if path.exists() and path.read_text() == text:
        return False
    _replace(path, text.encode())
    return True


def write_message(path: Path, name: str, config: Any) -> None:
    """The same for a message, which is too large for JSON. ``path`` ends in ``.pb``."""
    extension = extension_pb2.TypedExtensionConfig(name=name)
    extension.typed_config.Pack(config)
    response = discovery_pb2.DiscoveryResponse()
    response.resources.add().Pack(extension)
    _replace(path, response.SerializeToString())


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    fresh.replace(path)
