package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// rest gives memory back before the loop idles: after a report what was garbage of
// it, and each time the program's own code and constants, of which most is not
// needed for minutes. Those pages are the file's: the kernel keeps them as long as
// it has room and maps them again when they are touched.
type rest struct{ program []span }

type span struct{ from, size uintptr }

// newRest finds where the program itself is mapped. Where that cannot be told, or
// there is nothing to be given back, rest does without.
func newRest() *rest {
	r := &rest{}
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return r
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return r
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if s, ok := programSpan(lines.Text(), own); ok {
			r.program = append(r.program, s)
		}
	}
	return r
}

// programSpan reads a line of /proc/PID/maps. Only what is mapped from the program's
// file and cannot be written counts: dropping anything else would lose data.
func programSpan(line, program string) (span, bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[5] != program || fields[1] != "r--p" && fields[1] != "r-xp" {
		return span{}, false
	}
	var from, to uintptr
	if n, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); n != 2 || err != nil || to <= from {
		return span{}, false
	}
	return span{from, to - from}, true
}

func (r *rest) after(report bool) {
	if report {
		debug.FreeOSMemory()
	}
	for _, s := range r.program {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.from, s.size, unix.MADV_DONTNEED) // advice: its failure changes nothing
	}
}
