package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/watchbill/watchbill/internal/app"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/ruletest"
)

type testRulesCmd struct {
	Files      []string `arg:"" name:"file" help:"Files of tests."`
	ConfigFile string   `name:"config.file" env:"WATCHBILL_CONFIG_FILE" placeholder:"FILE" help:"Test this configuration instead of those that the files name."`
}

// Run implements kong's command.
func (c *testRulesCmd) Run(io streams) error {
	failed := 0
	for _, name := range c.Files {
		n, err := c.file(io, name)
		if err != nil {
			return err
		}
		failed += n
	}
	if failed > 0 {
		return fmt.Errorf("%d expectations failed", failed)
	}
	return nil
}

func (c *testRulesCmd) file(io streams, name string) (failed int, err error) {
	in, err := os.Open(name)
	if err != nil {
		return 0, usagef("%v", err)
	}
	defer in.Close()
	f, err := ruletest.Parse(in)
	if err != nil {
		return 0, usagef("%s:\n%v", name, err)
	}
	rules := fold.DefaultRules()
	file := c.ConfigFile
	if file == "" && f.Config != "" {
		file = filepath.Join(filepath.Dir(name), f.Config)
	}
	if file != "" {
		cfg, err := config.Load(file)
		if err != nil {
			return 0, usagef("%v", err)
		}
		if rules, err = app.Rules(cfg); err != nil {
			return 0, usagef("%s:\n%v", file, err)
		}
	}
	for _, t := range f.Tests {
		fails, err := t.Run(rules)
		if err != nil {
			return failed, fmt.Errorf("%s: %s: %w", name, t.Name, err)
		}
		for _, x := range fails {
			fmt.Fprintf(io.out, "%s: FAILED: %s, at %s: %s\n", name, t.Name, x.At, strings.ReplaceAll(clean(x.Text), "\n", "\n  "))
		}
		failed += len(fails)
	}
	if failed == 0 {
		fmt.Fprintf(io.out, "%s: %d tests passed\n", name, len(f.Tests))
	}
	return failed, nil
}
