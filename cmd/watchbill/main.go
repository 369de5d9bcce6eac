package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

func main() {
	f, err := os.Open(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	res, err := replay.File(f, fold.DefaultRules(), time.Now, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	b, _ := json.MarshalIndent(res, "", " ")
	os.WriteFile(os.Args[4], b, 0o644)
}
