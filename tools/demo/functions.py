"""A function in each language: what is deployed, and what it is called with."""

from __future__ import annotations

from dataclasses import dataclass

GREETER = """
def handle(event, context):
    return {"greeting": "%s " + event.json().get("name", "world"), "revision": context.revision}
"""
ADDER = "export const handle = (event) => ({ sum: event.json().reduce((sum, one) => sum + one, 0) });\n"
PRIMES = """package function

import (
	"context"
	"math/big"

	"faasioflex.dev/faasioflex"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) {
	number, ok := new(big.Int).SetString(string(event.Body), 10)
	if !ok {
		return nil, &faasioflex.BadRequest{Message: "send a number"}
	}
	return map[string]bool{"prime": number.ProbablyPrime(20)}, nil
}
"""
COUNTER = '#!/bin/sh\n# the body on standard input, the answer on standard output\nprintf "%s words\\n" "$(wc -w)"\n'


@dataclass(frozen=True)
class Example:
    name: str
    runtime: str
    files: dict[str, str]
    body: bytes
    content_type: str
    first_time: str = ""  # what a machine does once, so that people know why it takes long


EXAMPLES = (
    Example("hello", "python", {"main.py": GREETER % "Hello"}, b'{"name": "Ada"}', "application/json"),
    Example("sum", "node", {"index.mjs": ADDER}, b"[1, 2, 3]", "application/json", "fetches Node where the machine has none"),
    Example("prime", "go", {"prime.go": PRIMES}, b"1000003", "text/plain", "fetches Go, and compiles its library"),
    Example("shout", "bash", {"handle.sh": "tr a-z A-Z\n"}, b"how loud is this", "text/plain"),
    Example("words", "exec", {"words.sh": COUNTER}, b"how many words are these", "text/plain"),
)  # fmt: skip
