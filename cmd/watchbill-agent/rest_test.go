package main

import (
	"os"
	"strings"
	"testing"
)

func TestOnlyTheProgramsUnwritableMappingsAreGivenBack(t *testing.T) {
	const exe = "/usr/bin/watchbill-agent"
	for line, want := range map[string]span{
		"00400000-009e0000 r-xp 00000000 fe:00 9986552                            " + exe: {0x400000, 0x5e0000},
		"009e0000-01017000 r--p 005e0000 fe:00 9986552                            " + exe: {0x9e0000, 0x637000},
		"01017000-0107f000 rw-p 00c17000 fe:00 9986552                            " + exe: {},
		"0107f000-030c3000 rw-p 00000000 00:00 0 ":                                        {},
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 1 /usr/lib/locale/C.utf8":          {},
		"7ffc0000-7ffd0000 r-xp 00000000 00:00 0 [vdso]":                                  {},
		"": {},
	} {
		if got, ok := programSpan(line, exe); got != want || ok != (want != span{}) {
			t.Errorf("%q: %+v %v, want %+v", line, got, ok, want)
		}
	}
}

// The program must go on after it has given its own code back.
func TestRestLosesNothing(t *testing.T) {
	r := newRest()
	if len(r.program) < 2 {
		maps, _ := os.ReadFile("/proc/self/maps")
		t.Fatalf("this program was found in %d mappings of\n%s", len(r.program), maps)
	}
	for range 100 {
		r.after(false)
	}
	r.after(true)
	if got := strings.Repeat("ab", 3); got != "ababab" {
		t.Errorf("%q", got)
	}
}
