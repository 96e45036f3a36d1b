"""Charts in Mermaid, which GitHub draws: nothing to install, and a change of a figure is a change of a line."""

from __future__ import annotations

from collections.abc import Mapping


def bars(title: str, values: Mapping[str, float], unit: str) -> str:
    """One bar for each."""
    names = ", ".join(f'"{_plain(name)}"' for name in values)
    numbers = ", ".join(f"{value:.0f}" for value in values.values())
    lines = [
        "xychart-beta horizontal",
        f'    title "{title}"',
        f"    x-axis [{names}]",
        f'    y-axis "{unit}" 0 --> {1.1 * max(values.values()):.0f}',
        f"    bar [{numbers}]",
    ]
    return _mermaid(lines)


def timeline(title: str, stages: Mapping[str, float]) -> str:
    """Stages one after the other, as long as they take; the axis counts in their unit."""
    lines = ["gantt", f"    title {title}", "    dateFormat x", "    axisFormat %Q"]
    at = 0.0
    for name, length in stages.items():
        begins, ends = round(at), round(at + max(length, 0))
        lines.append(f"    {_plain(name).replace(':', '')} ({length:g}) : {begins}, {max(ends, begins + 1)}")
        at += max(length, 0)
    return _mermaid(lines)


def _plain(name: str) -> str:
    return name.replace('"', "").replace(",", " -")


def _mermaid(lines: list[str]) -> str:
    return "\n".join(("```mermaid", *lines, "```"))
