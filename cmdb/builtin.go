package cmdb

// lifecycles in the order of an asset's life.
var lifecycles = []string{"ordered", "in_stock", "deployed", "maintenance", "retired", "disposed"}

// Criticalities in rising order, as the correlator reads them.
var Criticalities = []string{"low", "medium", "high", "critical"}

// commonFields belong to every class.
var commonFields = []Field{
	{Name: "lifecycle", Type: Enum, Values: lifecycles, Description: "where the asset is in its life, as people decide"},
	{Name: "criticality", Type: Enum, Values: Criticalities, Description: "how much the business needs it"},
	{Name: "owner", Type: Text, Description: "the person or role that answers for it"},
	{Name: "team", Type: Text, Description: "the team that runs it"},
	{Name: "location", Type: Text, Description: "where it stands"},
	{Name: "environment", Type: Text, Description: "production, test, ..."},
	{Name: "description", Type: Text},
	{Name: "asset_tag", Type: Text, Description: "the label on its case"},
	{Name: "cost", Type: Number, Description: "purchase price in currency"},
	{Name: "currency", Type: Text, Description: "ISO 4217 code"},
	{Name: "cost_center", Type: Text},
	{Name: "supplier", Type: Text},
	{Name: "contract", Type: Text},
	{Name: "purchased", Type: Date, Description: "day of purchase"},
	{Name: "warranty_end", Type: Date, Description: "last day of the warranty"},
	{Name: "end_of_life", Type: Date, Description: "last day of support by its maker"},
	{Name: "hostname", Type: Text}, {Name: "fqdn", Type: Text},
	{Name: "addresses", Type: Addresses, Description: "IP addresses it answers on"},
	{Name: "aliases", Type: Texts, Description: "other names that alerts use"},
	{Name: "vm_id", Type: Text, Description: "number of the virtual machine on its hypervisor"},
	{Name: "node", Type: Text, Description: "Kubernetes node name"},
	{Name: "namespace", Type: Text}, {Name: "cluster", Type: Text}, {Name: "url", Type: Text},
	{Name: "ports", Type: Numbers, Description: "ports it listens on"},
}

var hostFields = []Field{
	{Name: "hostname", Type: Text, Required: true},
	{Name: "addresses", Type: Addresses, Required: true},
	{Name: "os", Type: Text, Required: true, Description: "os-release ID, e.g. debian"},
	{Name: "owner", Type: Text, Required: true}, {Name: "team", Type: Text, Required: true},
	{Name: "location", Type: Text, Required: true},
	{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "product", Type: Text},
	{Name: "machine_id", Type: Text}, {Name: "product_uuid", Type: Text}, {Name: "agent_id", Type: Text},
	{Name: "agent_version", Type: Text},
	{Name: "os_name", Type: Text}, {Name: "os_version", Type: Text}, {Name: "os_codename", Type: Text},
	{Name: "os_family", Type: Text}, {Name: "kernel", Type: Text}, {Name: "arch", Type: Text},
	{Name: "cpu_model", Type: Text}, {Name: "cpu_sockets", Type: Number}, {Name: "cpu_cores", Type: Number},
	{Name: "cpu_threads", Type: Number}, {Name: "memory_bytes", Type: Number}, {Name: "swap_bytes", Type: Number},
	{Name: "disk_bytes", Type: Number}, {Name: "disk_serials", Type: Texts}, {Name: "macs", Type: Texts},
	{Name: "virtualization", Type: Text}, {Name: "container", Type: Bool}, {Name: "timezone", Type: Text},
	{Name: "boot_time", Type: Text}, {Name: "packages", Type: Number, Counter: true},
	{Name: "cloud_provider", Type: Text}, {Name: "cloud_account", Type: Text}, {Name: "cloud_instance", Type: Text},
	{Name: "cloud_region", Type: Text}, {Name: "cloud_zone", Type: Text}, {Name: "cloud_type", Type: Text},
}

// deviceFields belong to what stands in a rack and runs no agent.
var deviceFields = append(required("owner", "location"), []Field{
	{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "product", Type: Text}, {Name: "macs", Type: Texts}, {Name: "os_version", Type: Text, Description: "firmware"},
}...)

var serviceFields = []Field{
	{Name: "ports", Type: Numbers}, {Name: "unit", Type: Text}, {Name: "process", Type: Text},
	{Name: "product", Type: Text}, {Name: "version", Type: Text}, {Name: "state", Type: Text},
	{Name: "criticality", Type: Enum, Values: Criticalities, Required: true},
	{Name: "owner", Type: Text, Required: true}, {Name: "team", Type: Text, Required: true},
}

func required(names ...string) []Field {
	out := make([]Field, len(names))
	for i, n := range names {
		out[i] = Field{Name: n, Type: Text, Required: true}
	}
	return out
}

var builtinClasses = []Class{
	{Name: "host", Role: RoleMachine, Description: "a machine, physical or virtual, that runs an operating system", Fields: hostFields},
	{Name: "virtual_machine", Role: RoleMachine, Description: "a virtual machine as its hypervisor knows it", Fields: hostFields},
	{Name: "hypervisor", Role: RoleMachine, Description: "a machine that runs virtual machines", Fields: hostFields},
	{Name: "container", Role: RoleInstance, Description: "a container on a host", Fields: []Field{{Name: "image", Type: Text}, {Name: "runtime", Type: Text}, {Name: "container_id", Type: Text}}},
	{Name: "operating_system", Role: RolePart, Description: "an installed operating system", Fields: []Field{
		{Name: "version", Type: Text}, {Name: "codename", Type: Text}, {Name: "kernel", Type: Text}, {Name: "arch", Type: Text}, {Name: "family", Type: Text}, {Name: "installed", Type: Date}}},
	{Name: "software", Role: RolePart, Description: "a product that is installed or licensed", Fields: append(required("owner"),
		Field{Name: "version", Type: Text}, Field{Name: "vendor", Type: Text}, Field{Name: "purl", Type: Text, Description: "package URL"},
		Field{Name: "license", Type: Text}, Field{Name: "licenses_bought", Type: Number}, Field{Name: "license_end", Type: Date})},
	{Name: "service", Role: RoleService, Description: "a program that others use", Fields: serviceFields},
	{Name: "process", Role: RoleService, Description: "a running program", Fields: []Field{
		{Name: "executable", Type: Text}, {Name: "user", Type: Text}, {Name: "unit", Type: Text}, {Name: "product", Type: Text}, {Name: "version", Type: Text}, {Name: "count", Type: Number, Counter: true}}},
	{Name: "listener", Role: RolePart, Description: "an open port", Fields: []Field{
		{Name: "protocol", Type: Enum, Values: []string{"tcp", "tcp6", "udp", "udp6", "sctp"}}, {Name: "port", Type: Number}, {Name: "process", Type: Text}, {Name: "unit", Type: Text}}},
	{Name: "database", Role: RoleStore, Description: "a database server", Fields: serviceFields},
	{Name: "cache", Role: RoleCache, Description: "a cache server", Fields: serviceFields},
	{Name: "queue", Role: RoleStore, Description: "a message broker", Fields: serviceFields},
	{Name: "loadbalancer", Role: RoleBalancer, Description: "a proxy that spreads requests", Fields: serviceFields},
	{Name: "storage", Role: RoleStore, Description: "a storage system", Fields: serviceFields},
	{Name: "certificate", Role: RolePart, Description: "an X.509 certificate", Fields: []Field{
		{Name: "fingerprint", Type: Text}, {Name: "subject", Type: Text}, {Name: "issuer", Type: Text}, {Name: "serial", Type: Text},
		{Name: "dns_names", Type: Texts}, {Name: "not_before", Type: Date}, {Name: "not_after", Type: Date, Required: true}, {Name: "owner", Type: Text, Required: true}}},
	{Name: "interface", Role: RolePart, Description: "a network interface", Fields: []Field{
		{Name: "mac", Type: Text}, {Name: "speed_mbps", Type: Number}, {Name: "mtu", Type: Number}, {Name: "vlan", Type: Number}, {Name: "state", Type: Text}}},
	{Name: "disk", Role: RolePart, Description: "a disk", Fields: []Field{
		{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "model", Type: Text}, {Name: "disk_bytes", Type: Number},
		{Name: "kind", Type: Text, Description: "ssd, hdd, nvme, virtual, ..."}}},
	{Name: "rack", Role: RoleGroup, Description: "a rack", Fields: append(required("location"), Field{Name: "height_units", Type: Number}, Field{Name: "serial_number", Type: Text})},
	{Name: "site", Role: RoleGroup, Description: "a place with racks", Fields: []Field{{Name: "address", Type: Text}, {Name: "country", Type: Text, Description: "ISO 3166-1 code"}, {Name: "timezone", Type: Text}}},
	{Name: "switch", Role: RoleDevice, Description: "a network switch", Fields: deviceFields},
	{Name: "pdu", Role: RoleDevice, Description: "a power unit", Fields: append([]Field{{Name: "capacity_watts", Type: Number}}, deviceFields...)},
	{Name: "cluster", Role: RoleCluster, Description: "machines that act as one", Fields: append(required("owner", "team"),
		Field{Name: "kind", Type: Text, Description: "kubernetes, postgresql, proxmox, ..."}, Field{Name: "version", Type: Text})},
	{Name: "namespace", Role: RoleGroup, Description: "a part of a cluster", Fields: required("team")},
	{Name: "workload", Role: RoleWorkload, Description: "a deployment, stateful set, daemon set or scheduled job", Fields: append(required("team"),
		Field{Name: "kind", Type: Text, Description: "deployment, statefulset, daemonset, job, ..."}, Field{Name: "replicas", Type: Number}, Field{Name: "image", Type: Text})},
	{Name: "pod", Role: RoleInstance, Description: "one instance of a workload", Fields: []Field{{Name: "image", Type: Text}, {Name: "state", Type: Text}, {Name: "pod_ip", Type: Addresses}}},
	{Name: "external", Role: RoleOutside, Description: "an endpoint outside of what is inventoried", Fields: []Field{{Name: "prefix", Type: Text}}},
	{Name: "unmanaged_host", Role: RoleUnmanaged, Description: "a machine that talks here and has no agent", Fields: []Field{{Name: "macs", Type: Texts}, {Name: "serves", Type: Texts, Description: "ports that others call, as protocol/port"}}},
	{Name: "client", Role: RoleClient, Description: "programs of a machine that call others and are no service", Fields: []Field{{Name: "process", Type: Text}, {Name: "unit", Type: Text}, {Name: "user", Type: Text}}},
	{Name: "application", Role: RoleComposite, Description: "an application that people know by name", Fields: append(required("owner", "team"), Field{Name: "criticality", Type: Enum, Values: Criticalities, Required: true})},
	{Name: "business_service", Role: RoleComposite, Description: "what the organisation offers", Fields: append(required("owner", "team"), Field{Name: "criticality", Type: Enum, Values: Criticalities, Required: true})},
	{Name: "person", Role: RoleParty, Description: "a person", Fields: []Field{{Name: "email", Type: Text, Required: true}, {Name: "phone", Type: Text}}},
	{Name: "team", Role: RoleParty, Description: "people who run something together", Fields: []Field{{Name: "email", Type: Text}, {Name: "chat", Type: Text}, {Name: "manager", Type: Text}}},
	{Name: "location", Role: RoleGroup, Description: "an address or room", Fields: []Field{{Name: "address", Type: Text}, {Name: "room", Type: Text}, {Name: "country", Type: Text}, {Name: "timezone", Type: Text}}},
}

// The strengths are how surely the dependant shows a failure that nothing takes
// over: a program never outlives its machine, a caller may not need each answer.
var builtinRelations = []RelationType{
	{Name: "runs_on", Description: "the machine or platform it runs on", Carries: true, Strength: 0.9, Redundancy: RedundancyAny},
	{Name: "depends_on", Description: "what it calls", Carries: true, Strength: 0.8, Redundancy: RedundancyAlike, Call: true},
	{Name: "watches", Description: "what it measures: a scrape is no need"},
	{Name: "exposes", Description: "the workload behind a service", Carries: true, Strength: 0.95, Redundancy: RedundancyAny},
	{Name: "replicates", Description: "the primary that a replica follows", Carries: true, Strength: 0.6, Redundancy: RedundancySoft, Replica: true},
	{Name: "secured_by", Description: "its certificate", Carries: true, Strength: 0.85},
	{Name: "attached_to", Description: "the switch it is plugged into", Carries: true, Strength: 0.8, Redundancy: RedundancyAny},
	{Name: "powered_by", Description: "its power unit", Carries: true, Strength: 0.5, Redundancy: RedundancyAny},
	{Name: "member_of", Description: "the group it belongs to", Membership: true},
	{Name: "located_in", Description: "the place it stands in"},
	{Name: "composed_of", Description: "the parts of a service or an application", Carries: true, Strength: 0.9, Redundancy: RedundancyAlike},
	{Name: "owned_by", Description: "the person or team that answers for it"},
}
