package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"watchbill": main})
}

// freeAddr returns a loopback address that was free a moment ago, below the ports
// that the kernel gives to outgoing connections: between a server's end and its
// restart no client must get it.
func freeAddr() (string, error) {
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", errors.New("no free port between 20000 and 32000")
}

// The scripts run the real program; those that need a server start one on $ADDR.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			addr, err := freeAddr()
			e.Vars = append(e.Vars, "ADDR="+addr, "WATCHBILL_SERVER_URL=http://"+addr, "TZ=UTC")
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": func(ts *testscript.TestScript, _ bool, _ []string) {
				url := "http://" + ts.Getenv("ADDR") + "/-/ready"
				deadline := time.After(3 * time.Minute) // a machine under load takes long
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					resp, err := http.Get(url)
					if err == nil {
						resp.Body.Close()
						if resp.StatusCode == http.StatusOK {
							return
						}
					}
					select {
					case <-tick.C:
					case <-deadline:
						ts.Fatalf("the server at %s is not ready: %v", url, err)
					}
				}
			},
			// truncate FILE BYTES cuts a file short.
			"truncate": func(ts *testscript.TestScript, _ bool, args []string) {
				var n int64
				if len(args) != 2 {
					ts.Fatalf("usage: truncate FILE BYTES")
				}
				if _, err := fmt.Sscan(args[1], &n); err != nil {
					ts.Fatalf("truncate: %v", err)
				}
				ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
			},
		},
	})
}
