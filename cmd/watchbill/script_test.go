package main

import (
	"fmt"
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

// The scripts run the real program; those that need a server start one on $ADDR.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Vars = append(e.Vars, "ADDR="+l.Addr().String(), "WATCHBILL_SERVER_URL=http://"+l.Addr().String(), "TZ=UTC")
			return l.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": func(ts *testscript.TestScript, _ bool, _ []string) {
				url := "http://" + ts.Getenv("ADDR") + "/-/ready"
				deadline := time.After(30 * time.Second)
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
