"""A real nginx with Debian's Lua module (LuaJIT), which runs what the APISIX driver renders: see nginx_phases.lua."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from faasioflex.gateway.apisix.objects import Objects
from support.nats_server import free_port

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MODULES = Path("/usr/lib/nginx/modules")
PHASES = Path(__file__).with_name("nginx_phases.lua")
_PACKAGES = "Debian: nginx libnginx-mod-http-lua lua-resty-core lua-cjson"
WITHOUT = f"nginx with Lua is not installed ({_PACKAGES}): scripts for APISIX do not run in nginx"


def is_there() -> bool:
    return PROGRAM is not None and (MODULES / "ngx_http_lua_module.so").exists()


_CONFIG = """\
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off; worker_processes 1; {user} error_log {folder}/error.log warn; pid {folder}/pid;
events {{ worker_connections 100; }}
http {{
  access_log off; underscores_in_headers on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  real_ip_header X-Real-IP; set_real_ip_from 127.0.0.1;  # as APISIX has it by default
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  init_by_lua_block {{ OBJECTS = "{folder}/objects.json" phases = dofile("{phases}") }}
  upstream picked {{ server 0.0.0.1; balancer_by_lua_block {{ phases.balance() }} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      set $upstream_uri '';
      access_by_lua_block {{ phases.access() }}
      header_filter_by_lua_block {{ phases.header_filter() }}
      proxy_set_header Host $host;
      proxy_http_version 1.1;
      proxy_pass http://picked$upstream_uri;
    }}
  }}
}}
"""


@contextmanager
def nginx(objects: Objects) -> Iterator[str]:
    """Its address."""
    assert PROGRAM is not None
    folder, port = tempfile.mkdtemp(prefix="ffx-nginx-"), free_port()
    Path(folder, "objects.json").write_text(json.dumps(objects.by_kind))
    user = "user root;" if os.getuid() == 0 else ""
    text = _CONFIG.format(modules=MODULES, folder=folder, phases=PHASES, port=port, user=user)
    Path(folder, "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [PROGRAM, "-p", folder, "-c", f"{folder}/nginx.conf"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        with suppress(httpx.TransportError):
            httpx.request("TRACE", url, trust_env=False)
            return
        time.sleep(0.02)
    raise AssertionError("nginx does not answer")
