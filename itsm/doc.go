// Package itsm is the desk's pure core: the state machines of incidents and
// problems, priority, clocks and the measures that KPIs are made of. It follows
// ITIL's terms and ServiceNow's states. It refuses I/O and clocks: time is an
// argument, and what it decides it returns.
package itsm
