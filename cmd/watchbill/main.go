// Command watchbill is the server and its command line.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

type replayCmd struct {
	Recording string `arg:""`
	Output    string `name:"output" placeholder:"RESULT.json"`
}

func (c *replayCmd) Run() error {
	f, err := os.Open(c.Recording)
	if err != nil {
		return err
	}
	defer f.Close()
	res, err := replay.File(f, fold.DefaultRules(), time.Now, nil)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.Output, b, 0o644)
}

func main() {
	var cli struct {
		Server serverCmd `cmd:"" help:"Run the server."`
		Replay replayCmd `cmd:"" help:"Replay a recording."`
	}
	k := kong.Must(&cli, kong.Name("watchbill"))
	ctx, err := k.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "watchbill:", err)
		os.Exit(2)
	}
	if err := ctx.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "watchbill:", err)
		os.Exit(1)
	}
}
