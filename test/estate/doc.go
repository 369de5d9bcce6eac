// Package estate is a small data centre in network namespaces: hosts with units of
// their own, real servers, traffic, agents in a mesh, node_exporters, Prometheus,
// Alertmanager and a Watchbill server. Nothing is imported: whatever the server knows
// of it, its agents have found.
//
// Its tests take hosts away and look at what a person would be told. The small estate
// runs with every test as root; the whole one with WATCHBILL_SCENARIOS=1.
package estate
