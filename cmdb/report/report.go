// Package report is the wire schema between an agent and the server: what an
// agent found on one host, in sections. It owns the names and meanings of the
// fields and the hash that says whether a section changed. It refuses to know
// how facts are found (agent/probe) and what is made of them (cmdb/inventory).
package report

import (
	"encoding/json"
	"time"
)

// Section names, in the order in which they are printed.
const (
	SectionAgent        = "agent"
	SectionHost         = "host"
	SectionOS           = "os"
	SectionHardware     = "hardware"
	SectionInterfaces   = "interfaces"
	SectionRoutes       = "routes"
	SectionDisks        = "disks"
	SectionFilesystems  = "filesystems"
	SectionPackages     = "packages"
	SectionServices     = "services"
	SectionProcesses    = "processes"
	SectionListeners    = "listeners"
	SectionConnections  = "connections"
	SectionContainers   = "containers"
	SectionUsers        = "users"
	SectionCertificates = "certificates"
	SectionModules      = "modules"
	SectionCron         = "cron"
)

// Sections lists every section name in printing order.
func Sections() []string {
	return []string{
		SectionAgent, SectionHost, SectionOS, SectionHardware, SectionInterfaces, SectionRoutes,
		SectionDisks, SectionFilesystems, SectionPackages, SectionServices, SectionProcesses,
		SectionListeners, SectionConnections, SectionContainers, SectionUsers,
		SectionCertificates, SectionModules, SectionCron,
	}
}

// Report is everything an agent found in one round: what
// `watchbill-agent --once --output -` prints.
type Report struct {
	Agent        Agent         `json:"agent"`
	Host         Host          `json:"host"`
	OS           OS            `json:"os"`
	Hardware     Hardware      `json:"hardware"`
	Interfaces   []Interface   `json:"interfaces"`
	Routes       []Route       `json:"routes"`
	Disks        []Disk        `json:"disks"`
	Filesystems  []Filesystem  `json:"filesystems"`
	Packages     []Package     `json:"packages"`
	Services     []Service     `json:"services"`
	Processes    []Process     `json:"processes"`
	Listeners    []Listener    `json:"listeners"`
	Connections  []Connection  `json:"connections"`
	Containers   []Container   `json:"containers"`
	Users        []User        `json:"users"`
	Certificates []Certificate `json:"certificates"`
	Modules      []Module      `json:"modules"`
	Cron         []CronEntry   `json:"cron"`
	// Problems says, by section name, what could not be read whole and why.
	Problems map[string][]Problem `json:"problems,omitempty"`
}

// Problem is one reason why a section is not whole.
type Problem struct {
	Reason string `json:"reason"`
	// Privilege names what would mend it, e.g. "CAP_SYS_PTRACE"; empty when no privilege would.
	Privilege string `json:"privilege,omitempty"`
}

// Agent identifies the reporting program and this run of it.
type Agent struct {
	ID        string    `json:"id"` // random UUID, kept in the agent's state directory
	Version   string    `json:"version"`
	BootID    string    `json:"boot_id"`  // /proc/sys/kernel/random/boot_id: two interleaving on one identity mean a clone
	Sequence  uint64    `json:"sequence"` // grows by one each report, never reused by one agent id
	StartedAt time.Time `json:"started_at"`
	User      string    `json:"user"`
	// Capabilities lists effective Linux capabilities, e.g. "CAP_SYS_PTRACE".
	Capabilities []string `json:"capabilities,omitempty"`
	// SpoolDropped counts the reports that this agent id gave up because its
	// spool on disk was full while the server was away; it only grows.
	SpoolDropped uint64 `json:"spool_dropped,omitempty"`
	// Site names the mesh that this agent is a member of, "" for none.
	Site string `json:"site,omitempty"`
	// SiteKey and SiteProof show that it holds the site's key (internal/cluster,
	// Proof): only then is it heard as a witness.
	SiteKey   string `json:"site_key,omitempty"`
	SiteProof string `json:"site_proof,omitempty"`
}

// Host says which machine this is: names and every identifier that may tell it from others.
type Host struct {
	Hostname       string    `json:"hostname"`
	FQDN           string    `json:"fqdn,omitempty"`
	MachineID      string    `json:"machine_id,omitempty"`
	ProductUUID    string    `json:"product_uuid,omitempty"` // DMI, as the kernel prints it
	SerialNumber   string    `json:"serial_number,omitempty"`
	ChassisSerial  string    `json:"chassis_serial,omitempty"`
	BoardSerial    string    `json:"board_serial,omitempty"`
	AssetTag       string    `json:"asset_tag,omitempty"` // the label on its case, where somebody wrote it into the firmware
	Vendor         string    `json:"vendor,omitempty"`
	Product        string    `json:"product,omitempty"`
	Virtualization string    `json:"virtualization,omitempty"` // "none", "kvm", "vmware", "docker", "lxc", ...
	Container      bool      `json:"container,omitempty"`      // the agent itself runs inside a container
	ContainerID    string    `json:"container_id,omitempty"`   // its runtime's id, where it can be told from inside
	ParentHint     string    `json:"parent_hint,omitempty"`    // for a container: what is known of its host ("boot-id:..." is shared with it)
	Cloud          *Cloud    `json:"cloud,omitempty"`
	BootTime       time.Time `json:"boot_time,omitzero"`
	Timezone       string    `json:"timezone,omitempty"`
}

// Cloud is an instance's identity as its provider knows it.
type Cloud struct {
	Provider   string `json:"provider"`
	Account    string `json:"account,omitempty"`
	InstanceID string `json:"instance_id"`
	Region     string `json:"region,omitempty"`
	Zone       string `json:"zone,omitempty"`
	Type       string `json:"type,omitempty"`
}

// OS is the operating system and the running kernel.
type OS struct {
	Family   string `json:"family"` // "linux"
	ID       string `json:"id"`     // os-release ID, e.g. "debian"
	Name     string `json:"name"`
	Version  string `json:"version"`
	Codename string `json:"codename,omitempty"`
	Kernel   string `json:"kernel"`
	Arch     string `json:"arch"`
}

// Hardware is processor and memory.
type Hardware struct {
	CPUModel    string `json:"cpu_model"`
	CPUSockets  int    `json:"cpu_sockets"`
	CPUCores    int    `json:"cpu_cores"`
	CPUThreads  int    `json:"cpu_threads"`
	MemoryBytes uint64 `json:"memory_bytes"`
	SwapBytes   uint64 `json:"swap_bytes"`
	BIOSVendor  string `json:"bios_vendor,omitempty"`
	BIOSVersion string `json:"bios_version,omitempty"`
	BIOSDate    string `json:"bios_date,omitempty"`
}

// Interface is one network interface.
type Interface struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"` // "physical", "loopback", "bond", "bridge", "vlan", "veth", "tunnel", "virtual"
	MAC          string   `json:"mac,omitempty"`
	PermanentMAC string   `json:"permanent_mac,omitempty"`
	MTU          int      `json:"mtu"`
	SpeedMbps    int      `json:"speed_mbps,omitempty"`
	State        string   `json:"state"` // operstate: "up", "down", "unknown"
	Master       string   `json:"master,omitempty"`
	VLAN         int      `json:"vlan,omitempty"`
	Addresses    []string `json:"addresses"` // CIDR notation
	// PeerHere says of a veth that its other end lies in a network namespace of this
	// machine: what hangs on it is the machine's own container.
	PeerHere bool   `json:"peer_here,omitempty"`
	Driver   string `json:"driver,omitempty"`
}

// Route is one entry of the main routing table.
type Route struct {
	Destination string `json:"destination"` // CIDR; "default" for 0.0.0.0/0 and ::/0
	Gateway     string `json:"gateway,omitempty"`
	Interface   string `json:"interface"`
	Metric      int    `json:"metric,omitempty"`
	Family      string `json:"family"` // "inet", "inet6"
}

// Disk is one block device that is not a partition.
type Disk struct {
	Name       string `json:"name"`
	Model      string `json:"model,omitempty"`
	Vendor     string `json:"vendor,omitempty"`
	Serial     string `json:"serial,omitempty"`
	WWN        string `json:"wwn,omitempty"`
	SizeBytes  uint64 `json:"size_bytes"`
	Kind       string `json:"kind"` // "ssd", "hdd", "nvme", "virtual", "raid", "lvm", "crypt"
	Rotational bool   `json:"rotational"`
}

// Filesystem is one mounted file system that stores something.
type Filesystem struct {
	Mountpoint string `json:"mountpoint"`
	Device     string `json:"device"`
	Type       string `json:"type"`
	SizeBytes  uint64 `json:"size_bytes"`
	UsedBytes  uint64 `json:"used_bytes"` // the section's hash sees steps of a twentieth of the size only
	ReadOnly   bool   `json:"read_only,omitempty"`
}

// Package is one installed piece of software.
type Package struct {
	Type     string `json:"type"` // "deb", "rpm", "apk", "alpm", "opkg", "ebuild", "slackware", "brew", "snap", "pypi", "npm", "gem", "golang", "maven"
	Name     string `json:"name"`
	Version  string `json:"version"`
	Arch     string `json:"arch,omitempty"`
	PURL     string `json:"purl"`
	Source   string `json:"source,omitempty"`   // source package, where the ecosystem has one; for a module inside a Go program the program's own
	Location string `json:"location,omitempty"` // path, for language packages
	OwnedBy  string `json:"owned_by,omitempty"` // purl of the system package that installed it
	Vendor   string `json:"vendor,omitempty"`   // maintainer or packager
	SizeKiB  uint64 `json:"size_kib,omitempty"` // installed size
	Module   string `json:"module,omitempty"`   // for Go binaries: the program's path on disk
}

// Service is one unit of the init system (systemd service, timer, socket).
type Service struct {
	Name        string `json:"name"` // "nginx.service"
	Description string `json:"description,omitempty"`
	State       string `json:"state"` // "active", "inactive", "failed", "activating"
	SubState    string `json:"sub_state,omitempty"`
	Enabled     string `json:"enabled,omitempty"` // "enabled", "disabled", "static", "masked"
	MainPID     int    `json:"main_pid,omitempty"`
	Kind        string `json:"kind"` // "service", "timer", "socket"
	Schedule    string `json:"schedule,omitempty"`
}

// Process is one running program; processes of one program and unit are folded.
type Process struct {
	PID        int       `json:"pid"` // of the oldest of the folded ones
	Name       string    `json:"name"`
	Executable string    `json:"executable,omitempty"`
	Command    string    `json:"command,omitempty"` // secrets scrubbed
	User       string    `json:"user"`
	Unit       string    `json:"unit,omitempty"`
	Container  string    `json:"container,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	Count      int       `json:"count"`
	Product    string    `json:"product,omitempty"` // recognised product, e.g. "postgresql"
	Version    string    `json:"version,omitempty"`
}

// Listener is one open server port.
type Listener struct {
	Protocol  string `json:"protocol"` // "tcp", "tcp6", "udp", "udp6"
	Address   string `json:"address"`
	Port      int    `json:"port"`
	PID       int    `json:"pid,omitempty"`
	Process   string `json:"process,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Product   string `json:"product,omitempty"`
	Version   string `json:"version,omitempty"`
	Container string `json:"container,omitempty"`
	Namespace string `json:"namespace,omitempty"` // network namespace, when not the host's
	// Forward is where the host passes what comes to the port (DNAT, IPVS): "ADDRESS:PORT".
	// No program listens then.
	Forward string `json:"forward,omitempty"`
}

// Connection is an edge folded from sockets: ephemeral ports are dropped.
type Connection struct {
	Direction    string    `json:"direction"` // "inbound", "outbound"
	Protocol     string    `json:"protocol"`
	LocalAddress string    `json:"local_address"`
	LocalPort    int       `json:"local_port,omitempty"` // inbound only
	PeerAddress  string    `json:"peer_address"`         // an address; a CIDR prefix where too many external peers were folded
	PeerPort     int       `json:"peer_port,omitempty"`  // outbound only
	Process      string    `json:"process,omitempty"`
	Unit         string    `json:"unit,omitempty"`
	Container    string    `json:"container,omitempty"`
	Namespace    string    `json:"namespace,omitempty"` // network namespace, when not the host's
	PeerMAC      string    `json:"peer_mac,omitempty"`  // of a neighbour on the same link
	User         string    `json:"user,omitempty"`      // outbound, where neither process nor unit can be told
	Count        int       `json:"count"`               // sockets folded into it in the newest sample
	Samples      int       `json:"samples,omitempty"`   // samples in which it was seen
	Evidence     string    `json:"evidence,omitempty"`  // how the direction is known: "listener", "no_listener", "port_range", "shared_port"
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
}

// Container is one container on this host.
type Container struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Image     string    `json:"image,omitempty"`
	Runtime   string    `json:"runtime"` // "docker", "containerd", "podman", "lxc", "systemd-nspawn"
	State     string    `json:"state,omitempty"`
	Pod       string    `json:"pod,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

// User is an account that can log in.
type User struct {
	Name   string   `json:"name"`
	UID    int      `json:"uid"`
	GID    int      `json:"gid"`
	Home   string   `json:"home,omitempty"`
	Shell  string   `json:"shell,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// Certificate is one X.509 certificate found in a file or served by a local listener; never its key.
type Certificate struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the DER, hex
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	DNSNames    []string  `json:"dns_names,omitempty"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Location    string    `json:"location"` // file path, or "listener:PORT"
	SelfSigned  bool      `json:"self_signed,omitempty"`
}

// Module is one loaded kernel module.
type Module struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	SizeKiB uint64 `json:"size_kib"`
}

// CronEntry is one line of a crontab.
type CronEntry struct {
	Schedule string `json:"schedule"`
	User     string `json:"user,omitempty"`
	Command  string `json:"command"` // secrets scrubbed
	File     string `json:"file"`
}

// Envelope is one POST to /api/v1/agent/reports: the hash of every section,
// and the data of those that changed since the server last confirmed them.
type Envelope struct {
	Agent    Agent              `json:"agent"`
	TakenAt  time.Time          `json:"taken_at"`
	Sections map[string]Section `json:"sections"`
	// Changes are facts that the agent saw itself (a package transaction, a reboot).
	Changes []Change `json:"changes,omitempty"`
	// Peers is what this agent saw of other members of its mesh.
	Peers []Peer `json:"peers,omitempty"`
	// PulseSeconds is set by an agent that speaks for its site: until it, or
	// another that speaks, is heard again.
	PulseSeconds int `json:"pulse_seconds,omitempty"`
	// Leaving says that the agent is being stopped: its silence is no loss.
	Leaving bool `json:"leaving,omitempty"`
}

// Peer is one member's testimony about another: that it was lost, or is back.
type Peer struct {
	Agent string    `json:"agent"` // the other one's id
	At    time.Time `json:"at"`
	Gone  bool      `json:"gone"`
	// Answers says that the other host still answers its neighbour, though its
	// agent does not.
	Answers bool `json:"answers,omitempty"`
	// Connections counts the live connections between the two hosts.
	Connections int `json:"connections,omitempty"`
}

// Section carries one section's hash and problems and, where the server may not
// have it, its data. The hash covers the problems too, which go with the data.
type Section struct {
	Hash     string          `json:"hash"`
	Data     json.RawMessage `json:"data,omitempty"`
	Problems []Problem       `json:"problems,omitempty"`
	// Wrong says why what stood here is no section. It is no part of the wire: one
	// section that cannot be read must not take the report with it.
	Wrong string `json:"-"`
}

// UnmarshalJSON reads a section, or keeps the reason why it is none.
func (s *Section) UnmarshalJSON(b []byte) error {
	type plain Section
	*s = Section{}
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		*s = Section{Wrong: err.Error()}
	}
	return nil
}

// Types of a Change.
const (
	ChangePackageTransaction  = "package_transaction"  // a package manager is at work right now
	ChangePackageInstalled    = "package_installed"    // Object is its name, Version the new one
	ChangePackageUpgraded     = "package_upgraded"     // also a downgrade: Previous and Version tell
	ChangePackageRemoved      = "package_removed"      // Previous is the version that went
	ChangeUnitAdded           = "unit_added"           // Object is the unit's name
	ChangeUnitRemoved         = "unit_removed"         //
	ChangeUnitFailed          = "unit_failed"          // it entered the state "failed"
	ChangeRebooted            = "rebooted"             // another boot id than last time
	ChangeRebooting           = "rebooting"            // the host is going down right now
	ChangeKernel              = "kernel_changed"       // Version is the running one
	ChangeListenerAdded       = "listener_added"       // Object is "tcp 0.0.0.0:80"
	ChangeListenerRemoved     = "listener_removed"     //
	ChangeCertificateReplaced = "certificate_replaced" // Object is its place; Previous and Version are fingerprints
	ChangeFile                = "file_changed"         // Object is the path; Previous and Version are hashes, "" when absent
	ChangeUserAdded           = "user_added"           // Object is the account's name
	ChangeUserRemoved         = "user_removed"         //
)

// Change is one observed change on the host.
type Change struct {
	At       time.Time `json:"at"`
	Type     string    `json:"type"` // one of the Change constants
	Summary  string    `json:"summary"`
	Object   string    `json:"object,omitempty"`   // what changed: a package's, unit's or account's name, a path, a listener
	Version  string    `json:"version,omitempty"`  // the new one
	Previous string    `json:"previous,omitempty"` // the old one
}

// Reply answers an Envelope.
type Reply struct {
	CI string `json:"ci"` // the configuration item this agent's host is
	// Want names sections whose data the server lacks; the agent sends them next time.
	Want     []string          `json:"want,omitempty"`
	Rejected map[string]string `json:"rejected,omitempty"` // section name → reason; the others were taken
	Schedule Schedule          `json:"schedule"`
	// Forked tells a cloned agent to forget its id and enrol again as its own host.
	Forked bool `json:"forked,omitempty"`
}

// Schedule is set by the server. Zero values keep the agent's own.
type Schedule struct {
	SampleSeconds int `json:"sample_seconds"` // sockets and processes
	ReportSeconds int `json:"report_seconds"` // what is sent
	FullSeconds   int `json:"full_seconds"`   // packages and other slow walks
}

// EnrollRequest trades a join token (the bearer) for a credential bound to one CI.
type EnrollRequest struct {
	Agent Agent    `json:"agent"`
	Host  Host     `json:"host"`
	MACs  []string `json:"macs,omitempty"` // permanent ones
	// Previous is the credential the agent had, if any: it proves continuity of an agent id.
	Previous string `json:"previous,omitempty"`
}

// EnrollReply carries the credential; it is shown once.
type EnrollReply struct {
	Credential string   `json:"credential"`
	CI         string   `json:"ci"`
	Schedule   Schedule `json:"schedule"`
}
