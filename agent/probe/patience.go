package probe

// Patience is how a walk over the disks spares the machine it runs on.
type Patience struct {
	// Idle lowers the walking thread's priority for processor and disk.
	Idle bool
}
