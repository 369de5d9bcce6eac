// Command watchbill is the server and its command line.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
)

type cli struct {
	Server serverCmd `cmd:"" group:"server" help:"Run the server."`
	Demo   demoCmd   `cmd:"" group:"server" help:"Play a recorded storm through the real engine in a throw-away directory and show its pages."`

	Incident    incidentCmd    `cmd:"" group:"records" help:"Incidents: list, show, acknowledge, assign, resolve, merge, ..."`
	Alert       alertCmd       `cmd:"" group:"records" help:"Received alerts with their fate; hygiene of the rules."`
	Problem     problemCmd     `cmd:"" group:"records" help:"Problems, which make incidents come back: list, show, workaround, ..."`
	Maintenance maintenanceCmd `cmd:"" group:"records" help:"Maintenance windows: plan, end, extend."`
	Service     serviceCmd     `cmd:"" group:"records" help:"Services: health, parts, composing them."`
	KPI         kpiCmd         `cmd:"" name:"kpi" group:"records" help:"KPIs of a span of time, as a table, JSON or CSV."`
	CI          ciCmd          `cmd:"" name:"ci" group:"records" help:"Configuration items: list, show, edit, import, history, graph, impact, quality."`
	Teach       teachCmd       `cmd:"" group:"records" help:"Teach how alerts are grouped and paged: not related, related, always page; list and withdraw."`
	Software    softwareCmd    `cmd:"" group:"records" help:"Installed products, versions and where they are."`
	View        viewCmd        `cmd:"" group:"records" help:"Saved lists of items."`
	Task        taskCmd        `cmd:"" group:"records" help:"What the inventory leaves to people to decide: clones, conflicts, proposals."`

	User      userCmd      `cmd:"" group:"access" help:"People who log in: list, create, edit, delete."`
	Token     tokenCmd     `cmd:"" group:"access" help:"Tokens: list, create, revoke."`
	Source    sourceCmd    `cmd:"" group:"access" help:"Senders of alerts with their health."`
	Audit     auditCmd     `cmd:"" group:"access" help:"Who did what, when, from where: list, export."`
	LoginLink loginLinkCmd `cmd:"" name:"login-link" group:"access" help:"Make a one-time login link for a user of a running server."`

	Backup      backupCmd    `cmd:"" group:"operations" help:"Copy everything of a running server into a file."`
	Restore     restoreCmd   `cmd:"" group:"operations" help:"Read a backup into an empty storage path, while no server runs."`
	Verify      verifyCmd    `cmd:"" group:"operations" help:"Read all stored data with its checksums and say whether it is whole."`
	Repair      repairCmd    `cmd:"" group:"operations" help:"Keep what can be read of damaged data, and say what is lost."`
	Export      exportCmd    `cmd:"" group:"operations" help:"Write a recording of this installation's own past."`
	Import      importCmd    `cmd:"" group:"operations" help:"Read a recording: items and relations at any time, alerts only into an empty installation."`
	Replay      replayCmd    `cmd:"" group:"operations" help:"Run a recording through the rules, without a server."`
	TestRules   testRulesCmd `cmd:"" name:"test-rules" group:"operations" help:"Run unit tests of correlation rules."`
	CheckConfig checkCmd     `cmd:"" name:"check-config" group:"operations" help:"Check a configuration file and tell every mistake."`

	Version kong.VersionFlag `help:"Print the version and end."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// ended is panicked by kong's exit hook, so that --help ends run, not the program.
type ended struct{ code int }

func run(args []string, io streams) (code int) {
	defer func() {
		if x := recover(); x != nil {
			e, ok := x.(ended)
			if !ok {
				panic(x)
			}
			code = e.code
		}
	}()
	var c cli
	k, err := kong.New(&c,
		kong.Name("watchbill"),
		kong.Description("Watchbill knows what is there, hears every alert, and opens one explained incident where others open fifty."),
		kong.Writers(io.out, io.err),
		kong.Exit(func(code int) { panic(ended{code}) }),
		kong.Vars{"version": version},
		kong.PostBuild(func(k *kong.Kong) error {
			environment(k.Model.Node, "WATCHBILL")
			return nil
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Server:"}, {Key: "records", Title: "Records:"}, {Key: "access", Title: "Access:"},
			{Key: "operations", Title: "Operations:"}, {Key: "client", Title: "Which server, and who asks:"},
		}),
	)
	if err != nil {
		fmt.Fprintln(io.err, "watchbill:", err)
		return exitFailed
	}
	ctx, err := k.Parse(args)
	if err != nil {
		fmt.Fprintf(io.err, "watchbill: %s\n", err)
		var p *kong.ParseError
		if errors.As(err, &p) && p.Context != nil && p.Context.Selected() != nil {
			fmt.Fprintf(io.err, "watchbill: see: watchbill %s --help\n", p.Context.Selected().Path())
		} else {
			fmt.Fprintln(io.err, "watchbill: see: watchbill --help")
		}
		return exitUsage
	}
	if err := ctx.Run(io); err != nil {
		var u *usage
		fmt.Fprintf(io.err, "watchbill: %s\n", err)
		if errors.As(err, &u) {
			return exitUsage
		}
		return exitFailed
	}
	return exitFine
}

// environment gives every flag that names no variable of its own one that is made
// of its command and its name: WATCHBILL_INCIDENT_HOLD_REASON.
func environment(n *kong.Node, prefix string) {
	for _, f := range n.Flags {
		if len(f.Envs) == 0 && f.Name != "help" && f.Name != "version" {
			f.Envs = []string{prefix + "_" + variable(f.Name)}
			f.Value.Tag.Envs = f.Envs
		}
	}
	for _, c := range n.Children {
		environment(c, prefix+"_"+variable(c.Name))
	}
}

func variable(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s))
}

// usage is a mistake in how the program was called.
type usage struct{ text string }

func (u *usage) Error() string { return u.text }

func usagef(format string, args ...any) error { return &usage{fmt.Sprintf(format, args...)} }
