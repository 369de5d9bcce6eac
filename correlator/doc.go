// Package correlator turns received alerts into few, explained incidents. It
// owns episodes, canonical alerts, bindings, groups, causes, recurrence and the
// fate of every alert object. It is pure: no I/O, clock, goroutine, randomness or
// map order; what it knows, it was told by events, and what it decides leaves as
// Decisions. It proposes; package itsm decides about the records.
package correlator
