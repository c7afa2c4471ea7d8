#!/usr/bin/env python3
"""Checks the dependencies against deny.toml, as cargo-deny does, without having to build cargo-deny.

What is read of deny.toml: graph.targets, licenses.allow, licenses.exceptions, bans.deny, bans.multiple-versions,
bans.skip, sources.allow-registry, sources.allow-git, advisories.yanked. Known vulnerabilities need the advisory
database: `cargo deny check advisories` does that with the same file.

Whether a version was yanked is read from cargo's own copy of the index. That copy is as old as the last time cargo
asked; where cargo keeps none, the crate is counted as not checked.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def allowed(expression, allow):
    """Whether an SPDX licence expression can be satisfied with the licences of `allow`.

    >>> allowed("MIT", {"MIT"}), allowed("GPL-3.0-only", {"MIT"})
    (True, False)
    >>> allowed("MIT OR GPL-3.0-only", {"MIT"}), allowed("MIT AND GPL-3.0-only", {"MIT"})
    (True, False)

    AND binds closer than OR, and brackets closer than both:

    >>> allowed("MIT OR ISC AND GPL-3.0-only", {"MIT"}), allowed("(MIT OR ISC) AND GPL-3.0-only", {"MIT"})
    (True, False)

    A licence WITH an exception is one of its own, and the exception is no licence to be had alone:

    >>> llvm = "Apache-2.0 WITH LLVM-exception"
    >>> allowed(llvm, {"Apache-2.0"}), allowed(llvm, {llvm}), allowed(llvm + " OR MIT", {"MIT"})
    (False, True, True)

    Crates of old separate alternatives with a slash:

    >>> allowed("MIT/Apache-2.0", {"Apache-2.0"}), allowed("Apache-2.0 / MIT", {"MIT"})
    (True, True)

    What cannot be understood is not allowed:

    >>> [allowed(text, {"MIT"}) for text in ("", "MIT OR", "(MIT", "MIT MIT", "MIT)", "OR MIT", "MIT WITH")]
    [False, False, False, False, False, False, False]
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    at = 0

    def peek():
        return tokens[at] if at < len(tokens) else None

    def take():
        nonlocal at
        at += 1
        return tokens[at - 1] if at <= len(tokens) else None

    def licence():
        token = take()
        if token == "(":
            value = either()
            if take() != ")":
                raise ValueError("a bracket is not closed")
            return value
        if token in (None, ")", "AND", "OR", "WITH"):
            raise ValueError("a licence is missing")
        if peek() == "WITH":
            take()
            if peek() in (None, "(", ")", "AND", "OR", "WITH"):
                raise ValueError("an exception is missing")
            token = f"{token} WITH {take()}"
        return token in allow

    def both():
        value = licence()
        while peek() == "AND":
            take()
            # Not `value and …`: the rest must be read whatever the value is.
            value = licence() and value
        return value

    def either():
        value = both()
        while peek() == "OR":
            take()
            value = both() or value
        return value

    try:
        value = either()
    except ValueError:
        return False
    return value and at == len(tokens)


def matches(spec, name, version):
    """Whether a crate is the one that a rule names: `name`, or `name@version` with as much of the version as matters.

    >>> matches("rand", "rand", "0.8.5"), matches("rand@0.8", "rand", "0.8.5"), matches("rand@0.8", "rand", "0.80.1")
    (True, True, False)
    >>> matches("rand@0.8.5", "rand", "0.8.5"), matches("rand@0.8", "rand_core", "0.8.5")
    (True, False)
    """
    wanted, _, wanted_version = spec.partition("@")
    return name == wanted and (f"{version}.".startswith(f"{wanted_version}.") or not wanted_version)


def rules(entries):
    """Each rule as (spec, reason): deny.toml writes them as text or as a table."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry, ""
        else:
            yield entry.get("crate") or entry["name"], entry.get("reason", "")


def packages(targets):
    """Every package that is compiled for one of the targets, tests and build scripts included."""
    found = {}
    for target in targets:
        command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
        metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        used = {node["id"] for node in metadata["resolve"]["nodes"]}
        found |= {package["id"]: package for package in metadata["packages"] if package["id"] in used}
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def yanked(package):
    """Whether a version was yanked, by cargo's copy of the index; None where there is no copy."""
    name = package["name"].lower()
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    shard = {1: "1", 2: "2", 3: f"3/{name[0]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")
    for copy in home.glob(f"registry/index/*/.cache/{shard}/{name}"):
        # Binary fields that end with NUL, among them one JSON object for each version.
        for field in copy.read_bytes().split(b"\0"):
            if field.startswith(b"{"):
                entry = json.loads(field)
                if entry.get("vers") == package["version"]:
                    return bool(entry.get("yanked"))
    return None


def faults(config, crates):
    """What is wrong, one line each."""
    licences, bans, sources = config["licenses"], config["bans"], config["sources"]
    exceptions = {spec: set(allow) for entry in licences.get("exceptions", []) for (spec, _), allow in [(next(rules([entry])), entry["allow"])]}
    origins = [f"registry+{url}" for url in sources["allow-registry"]] + [f"git+{url}" for url in sources.get("allow-git", [])]
    versions = collections.defaultdict(list)
    for crate in crates:
        name, version, licence, source = crate["name"], crate["version"], crate["license"], crate["source"]
        who = f"{name} {version}"
        extra = set().union(*(allow for spec, allow in exceptions.items() if matches(spec, name, version)))
        if not allowed(licence or "", set(licences["allow"]) | extra):
            yield f"licence: {who} is under {licence or 'no SPDX licence'!r}, which licenses.allow does not cover"
        # No source is a path: the crates of this workspace.
        if source is not None and not any(source.split("?")[0].split("#")[0] == origin for origin in origins):
            yield f"source: {who} comes from {source}"
        for spec, reason in rules(bans["deny"]):
            if matches(spec, name, version):
                yield f"banned: {who}: {reason}"
        if source is not None and config["advisories"].get("yanked") == "deny" and yanked(crate):
            yield f"yanked: {who}: run cargo update {name}"
        if not any(matches(spec, name, version) for spec, _ in rules(bans["skip"])):
            versions[name].append(version)
    if bans["multiple-versions"] == "deny":
        for name, several in versions.items():
            if len(several) > 1:
                yield f"duplicate: {name} is there as {' and '.join(several)}; add one to bans.skip with a reason, if it must be"


def main():
    config = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    crates = packages(config["graph"]["targets"])
    found = list(faults(config, crates))
    for fault in found:
        print(f"deny: {fault}", file=sys.stderr)
    for spec, _ in rules(config["bans"]["skip"]):
        if not any(matches(spec, crate["name"], crate["version"]) for crate in crates):
            print(f"deny: note: bans.skip names {spec}, which is not there any more")
    unknown = sum(crate["source"] is not None and yanked(crate) is None for crate in crates)
    outcome = f"{len(found)} faults" if found else "licences, sources, bans and duplicates ok"
    print(f"deny: {len(crates)} packages, {outcome}; yanked not checked for {unknown}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
