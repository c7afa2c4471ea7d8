#!/bin/sh
# Runs Autobahn's conformance tests against the echo example, which stands on the program's own sockets, with and without compression.
# Needs Python 2.7 with virtualenv, which the suite was written for; says so where there is none. Report: target/autobahn/report.
set -eu
cd "$(dirname "$0")/.."
# pyenv's own command answers only for versions that were chosen.
python=${PYTHON27:-$(ls "$HOME"/.pyenv/versions/2.7*/bin/python2.7 2>/dev/null | head -n 1)}
python=${python:-python2.7}
home=target/autobahn
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
    echo "Autobahn's test suite needs Python 2.7. Install it, or name it: PYTHON27=/path/to/python2.7 make autobahn" >&2
    exit 1
fi
if [ ! -x "$home/venv/bin/wstest" ]; then
    mkdir -p "$home"
    "$python" -m virtualenv --version >/dev/null 2>&1 || "$python" -m pip install --quiet virtualenv
    "$python" -m virtualenv --quiet "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check autobahntestsuite==25.10.1
fi
cargo build --release --locked --example echo

# run NAME CASES ADDRESS [compression]
run() {
    target/release/examples/echo "$3" ${4:-} &
    echo=$!
    trap 'kill $echo 2>/dev/null || true' EXIT
    cat > "$home/$1.json" <<SPEC
{"outdir": "$home/report/$1", "servers": [{"agent": "sophie", "url": "ws://$3"}], "cases": [$2], "exclude-cases": []}
SPEC
    "$home/venv/bin/wstest" -m fuzzingclient -s "$home/$1.json" > "$home/$1.log"
    kill $echo
    trap - EXIT
}

rm -rf "$home/report"
plain='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"'
run plain "${AUTOBAHN_CASES:-$plain}" 127.0.0.1:9101
run compressed "${AUTOBAHN_COMPRESSED:-\"12.*\", \"13.*\"}" 127.0.0.1:9102 compression
python3 - "$home/report" <<'SUMMARY'
import collections, json, pathlib, sys

bad = []
for name in ("plain", "compressed"):
    cases = json.loads((pathlib.Path(sys.argv[1]) / name / "index.json").read_text())["sophie"]
    counts = collections.Counter()
    for case, result in cases.items():
        counts[result["behavior"], result["behaviorClose"]] += 1
        # INFORMATIONAL: the suite itself names no right answer.
        if result["behavior"] not in ("OK", "INFORMATIONAL") or result["behaviorClose"] not in ("OK", "INFORMATIONAL"):
            bad.append(f"{case}: behaviour {result['behavior']}, close {result['behaviorClose']}")
    print(f"autobahn {name}: {len(cases)} cases, " + ", ".join(f"{n} {b}/{c}" for (b, c), n in sorted(counts.items())))
print("\n".join(bad) if bad else "autobahn: all as they should be")
sys.exit(bool(bad))
SUMMARY
