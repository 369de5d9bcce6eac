package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/app"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

type replayCmd struct {
	Recording  string `arg:"" name:"recording" help:"A recording: JSON lines, gzipped or not (- for standard input)."`
	ConfigFile string `name:"config.file" env:"WATCHBILL_REPLAY_CONFIG_FILE" placeholder:"FILE" help:"Decide by this configuration instead of the rules in the recording."`
	Output     string `name:"output" short:"o" placeholder:"RESULT.json" help:"Write the result as JSON (- for standard output)."`
	Diff       string `name:"diff" placeholder:"OTHER.yml" help:"Run it a second time by this configuration, and tell what would be different."`
}

// Run implements kong's command.
func (c *replayCmd) Run(io streams) error {
	if c.Diff != "" && c.Recording == "-" {
		return usagef("--diff runs the recording twice: give a file, not standard input")
	}
	here, err := c.play(io, c.ConfigFile)
	if err != nil {
		return err
	}
	result := here.result
	if c.Output == "-" {
		if err := writeJSON(io.out, result); err != nil {
			return err
		}
	} else if c.Output != "" {
		if err := writeResult(c.Output, result); err != nil {
			return err
		}
	}
	if c.Diff != "" {
		other, err := c.play(io, c.Diff)
		if err != nil {
			return err
		}
		w := io.out
		if c.Output == "-" {
			w = io.err
		}
		return difference(w, here, other)
	}
	if c.Output == "" {
		return outline(io.out, result)
	}
	return nil
}

// play runs the recording: by its own rules, or by those of a configuration.
func (c *replayCmd) play(io streams, file string) (played, error) {
	rules := fold.DefaultRules()
	if file != "" {
		loaded, err := app.Load(file)
		if err != nil {
			return played{}, err
		}
		rules = loaded.Rules
	}
	in, err := opened(c.Recording, io)
	if err != nil {
		return played{}, err
	}
	defer in.Close()
	began := time.Now()
	p := &replay.Player{State: fold.New(rules)}
	all := replay.NewCollector()
	n := 0
	for e, err := range replay.Read(in) {
		if err != nil {
			return played{}, fmt.Errorf("%s: %w", c.Recording, err)
		}
		if n++; e.Kind == "" {
			return played{}, fmt.Errorf("%s: event %d has no kind", c.Recording, n)
		}
		if file != "" {
			p.PlayAnew(e, all.Take)
		} else {
			p.Play(e, all.Take)
		}
	}
	p.Finish(all.Take)
	if n, first := all.Unreadable(); n > 0 {
		fmt.Fprintf(io.err, "watchbill: %d events of the recording could not be read and were left out; the first: %s\n", n, oneLine(first))
	}
	return played{all.Result(p, time.Since(began)), all}, nil
}

func writeResult(file string, r replay.Result) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := writeJSON(f, r); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

// outline tells a result in a few lines.
func outline(w io.Writer, r replay.Result) error {
	fmt.Fprintf(w, "%d events, %d alerts in %.1f s: %d incidents, %d problems\n", r.Stats.Events, r.Stats.Alerts, r.Stats.Seconds, len(r.Incidents), len(r.Problems))
	fates := make([]string, 0, len(r.Fates))
	for f := range r.Fates {
		fates = append(fates, f)
	}
	slices.Sort(fates)
	for i, f := range fates {
		fates[i] = fmt.Sprintf("%s %d", f, r.Fates[f])
	}
	fmt.Fprintf(w, "fates: %s\n\n", strings.Join(fates, ", "))
	t := newTable(w, "ID", "OPENED", "RESOLVED", "SEVERITY", "ALERTS", "CAUSE", "TITLE")
	for _, i := range r.Incidents {
		resolved, cause := "-", "-"
		if i.ResolvedAt != nil {
			resolved = *i.ResolvedAt
		}
		if len(i.ProbableCauses) > 0 {
			cause = i.ProbableCauses[0].Class + " " + i.ProbableCauses[0].Name
		}
		t.row(i.ID, i.OpenedAt, resolved, i.Severity, fmt.Sprint(len(i.Alerts)), cut(cause, 30), cut(i.Title, 60))
	}
	return t.end()
}
