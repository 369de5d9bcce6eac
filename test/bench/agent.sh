#!/bin/sh
# Compares a report with the machine's own tools, then weighs watchbill-agent beside
# node_exporter and the inventory agents that Debian packages, in one run on this machine. Missing peers are installed when
# that is possible, and skipped loudly when it is not.
#
#   test/bench/agent.sh [seconds]     how long the loops run (default 120)
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-120}
out=${BENCH_DIR:-$(mktemp -d)}

peers="prometheus-node-exporter facter ohai fusioninventory-agent glpi-agent ocsinventory-agent"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	for p in $peers; do
		if ! dpkg -s "$p" >/dev/null 2>&1; then
			# Services are not to be started by their packages: the run starts what it needs.
			RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$p" >"$out/install-$p.log" 2>&1 ||
				echo "SKIPPED $p: it cannot be installed here (see $out/install-$p.log)" >&2
		fi
	done
else
	echo "NOTE: not root: missing peers are not installed" >&2
fi

CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/watchbill-agent" ./cmd/watchbill-agent
go build -o "$out/bench" ./test/bench/agent
go build -o "$out/truth" ./test/bench/truth
echo "## What is found, against the machine's own tools"
"$out/truth" "$out/watchbill-agent" || echo "NOTE: the report and the tools differ; a busy machine's processes and sockets may" >&2
echo "## What it weighs"
exec "$out/bench" -agent "$out/watchbill-agent" -seconds "$seconds"
