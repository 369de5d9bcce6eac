package cmdb

import (
	"maps"
	"slices"
)

// RoleName says what an item of a class is for others, whatever the class is called. A
// configured class takes part in impact, redundancy and binding like the built-in
// classes of its role.
type RoleName string

const (
	RoleMachine   RoleName = "machine"   // runs programs: a host, a virtual machine, a hypervisor
	RoleDevice    RoleName = "device"    // carries machines: a switch, a power unit
	RoleService   RoleName = "service"   // answers calls and keeps nothing that another could not make again
	RoleStore     RoleName = "store"     // keeps data: another of the same product is no stand-in for it
	RoleCache     RoleName = "cache"     // keeps copies
	RoleBalancer  RoleName = "balancer"  // spreads calls over equals
	RoleWorkload  RoleName = "workload"  // is made up of interchangeable members
	RoleInstance  RoleName = "instance"  // one member: a pod, a container
	RoleCluster   RoleName = "cluster"   // machines or stores that stand in for one another
	RoleGroup     RoleName = "group"     // holds items that have nothing in common but their owner or place
	RoleComposite RoleName = "composite" // what people call by one name: an application, a business service
	RolePart      RoleName = "part"      // belongs to something else: a certificate, a disk, an interface
	RoleUnmanaged RoleName = "unmanaged" // a machine that talks here and has no agent: what runs on it is not known
	RoleOutside   RoleName = "outside"   // a network of strangers
	RoleClient    RoleName = "client"    // programs of a machine that call others and are no service themselves
	RoleParty     RoleName = "party"     // people
)

// Role is what the failure model reads of a role.
type Role struct {
	Name        RoleName `json:"name"`
	Description string   `json:"description"`
	// Stateful items are replaced only by what replicates them or shares their
	// cluster, never by an item that merely does the same.
	Stateful bool `json:"stateful,omitempty"`
	// Spreads: whatever it calls of one kind is interchangeable, stateful or not.
	Spreads bool `json:"spreads,omitempty"`
	// Members: it lives as long as one of its members does.
	Members bool `json:"members,omitempty"`
	// Member: it counts as such a member.
	Member bool `json:"member,omitempty"`
	// Many: it stands for several programs of which one is affected. What one of
	// them calls fails neither it as a whole nor what the others do.
	Many bool `json:"many,omitempty"`
	// Uncounted roles are listed in an impact, but are no dependents of their own:
	// who they are or how many is not known.
	Uncounted bool `json:"uncounted,omitempty"`
}

var builtinRoles = []Role{
	{Name: RoleMachine, Description: "runs programs", Member: true, Many: true},
	{Name: RoleDevice, Description: "carries machines", Member: true},
	{Name: RoleService, Description: "answers calls", Member: true},
	{Name: RoleStore, Description: "keeps data", Stateful: true, Member: true},
	{Name: RoleCache, Description: "keeps copies", Member: true},
	{Name: RoleBalancer, Description: "spreads calls over equals", Spreads: true, Member: true},
	{Name: RoleWorkload, Description: "is made up of interchangeable members", Members: true},
	{Name: RoleInstance, Description: "one member of a workload", Member: true},
	{Name: RoleCluster, Description: "machines or stores that stand in for one another", Members: true},
	{Name: RoleGroup, Description: "holds items that have an owner or a place in common"},
	{Name: RoleComposite, Description: "what people call by one name"},
	{Name: RolePart, Description: "belongs to something else"},
	{Name: RoleUnmanaged, Description: "a machine without an agent", Many: true, Uncounted: true},
	{Name: RoleOutside, Description: "a network of strangers", Many: true, Uncounted: true},
	{Name: RoleClient, Description: "programs that call others and are no service", Many: true, Uncounted: true},
	{Name: RoleParty, Description: "people", Uncounted: true},
}

// roles by name, for look-ups. Nothing changes it.
var roleByName = func() map[RoleName]*Role {
	out := make(map[RoleName]*Role, len(builtinRoles))
	for i := range builtinRoles {
		out[builtinRoles[i].Name] = &builtinRoles[i]
	}
	return out
}()

// Roles lists every role by name.
func Roles() []Role {
	return slices.SortedFunc(slices.Values(builtinRoles), func(a, b Role) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

func roleNames() []RoleName { return slices.Sorted(maps.Keys(roleByName)) }

// RoleNamed returns a role; a name that is none means a service, which is what a
// class of which nothing more is known most likely is.
func RoleNamed(name RoleName) *Role {
	if r := roleByName[name]; r != nil {
		return r
	}
	return roleByName[RoleService]
}

// Role returns what items of a class are for others. A class that is not known or
// has no role is a service.
func (r *Registry) Role(class string) *Role {
	if c := r.classes[class]; c != nil {
		return RoleNamed(c.Role)
	}
	return RoleNamed("")
}

// Redundancy says which of the items that one item needs by one type of relation
// can stand in for another.
type Redundancy string

const (
	// RedundancyNone: each of them is needed.
	RedundancyNone Redundancy = ""
	// RedundancyAlike: those that do the same can stand in for each other: one of two web servers.
	RedundancyAlike Redundancy = "alike"
	// RedundancyAny: one of them suffices: two power units, two switches.
	RedundancyAny Redundancy = "any"
	// RedundancySoft: the loss degrades and never fails: a replica without its primary.
	RedundancySoft Redundancy = "soft"
)
