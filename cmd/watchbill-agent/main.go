// Command watchbill-agent discovers the host it runs on and reports it to a
// Watchbill server. This package owns flags, signals and exit codes; what is
// found and how it is sent lies in package agent.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/agent/probe"
)

// version is set by the build.
var version = "dev"

// Exit codes: 2 is for what the call itself says (flags and variables), 1 for all
// else, a configuration file included; the server has the same rule.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
)

type flags struct {
	ServerURL  string `name:"server.url" env:"WATCHBILL_AGENT_SERVER_URL,WATCHBILL_SERVER_URL" placeholder:"URL" help:"Address of the Watchbill server, e.g. https://watchbill.example.org:7470."`
	TokenFile  string `name:"token-file" env:"WATCHBILL_AGENT_TOKEN_FILE,WATCHBILL_TOKEN_FILE" placeholder:"FILE" help:"File with the join token. It is read when the agent joins, and again if its credential is revoked."`
	Once       bool   `name:"once" env:"WATCHBILL_AGENT_ONCE,WATCHBILL_ONCE" help:"Take one report and end: print it with --output, or send it to --server.url."`
	Output     string `name:"output" env:"WATCHBILL_AGENT_OUTPUT" placeholder:"FILE" help:"With --once: write the report as JSON to this file (\"-\" for standard output) and send nothing. WATCHBILL_OUTPUT counts too with --once, except table and json, which are the command line's."`
	StateDir   string `name:"state-dir" env:"WATCHBILL_AGENT_STATE_DIR,WATCHBILL_STATE_DIR" default:"/var/lib/watchbill-agent" placeholder:"DIR" help:"Directory for the agent's identity and for reports that wait for the server (${default})."`
	ConfigFile string `name:"config.file" env:"WATCHBILL_AGENT_CONFIG_FILE,WATCHBILL_CONFIG_FILE" placeholder:"FILE" help:"Configuration file in YAML: sections, schedule, watched files. Nothing in it is required."`
	LogLevel   string `name:"log.level" env:"WATCHBILL_AGENT_LOG_LEVEL,WATCHBILL_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	LogFormat  string `name:"log.format" env:"WATCHBILL_AGENT_LOG_FORMAT,WATCHBILL_LOG_FORMAT" default:"logfmt" enum:"logfmt,json" placeholder:"FORMAT" help:"logfmt or json (${default})."`
	CAFile     string `name:"tls.ca-file" env:"WATCHBILL_AGENT_TLS_CA_FILE,WATCHBILL_TLS_CA_FILE" placeholder:"FILE" help:"Trust only these authorities (PEM) for the server's certificate, instead of the system's."`
	Version    bool   `name:"version" help:"Print the version and end."`
	Root       string `name:"root" env:"WATCHBILL_AGENT_ROOT,WATCHBILL_ROOT" hidden:"" help:"Look at the machine whose files lie below this directory."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// Whatever hangs in the kernel (a disk, a server that is away): who stops the agent
	// is not kept waiting. What it knows is on disk already.
	context.AfterFunc(ctx, func() {
		time.Sleep(stopPatience)
		fmt.Fprintf(os.Stderr, "watchbill-agent: something does not answer and was not waited for longer than %s; the last report names it under \"problems\"\n", stopPatience)
		os.Exit(exitFailed)
	})
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// stopPatience is how long an orderly end may take: two words to the server and one to
// the mesh, each with its own limit.
const stopPatience = 4500 * time.Millisecond

// ended is panicked by kong's exit hook, so that --help ends run, not the program.
type ended struct{ code int }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	var f flags
	defer func() {
		if caught := recover(); caught != nil {
			end, ok := caught.(ended)
			if !ok {
				panic(caught)
			}
			code = end.code
		}
	}()
	parser, err := kong.New(&f, kong.Name("watchbill-agent"), kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(ended{code}) }),
		kong.Description("Discovers the host it runs on and reports it to a Watchbill server. Each flag can be given in the environment too: as WATCHBILL_AGENT_..., or, where it is not meant for another program of Watchbill, as WATCHBILL_..."))
	if err != nil {
		fmt.Fprintln(stderr, "watchbill-agent:", err)
		return exitFailed
	}
	if _, err := parser.Parse(args); err != nil {
		return usage(stderr, err)
	}
	if f.Version {
		fmt.Fprintln(stdout, "watchbill-agent", version)
		return exitFine
	}
	f.sharedOutput()
	if err := f.check(); err != nil {
		return usage(stderr, err)
	}
	config, err := agent.LoadConfig(f.ConfigFile)
	if err != nil {
		fmt.Fprintf(stderr, "watchbill-agent: %v\n", err)
		return exitFailed
	}
	log := f.logger(stderr)
	if err := f.do(ctx, config, log, stdout); err != nil {
		var wrong usageError
		if errors.As(err, &wrong) {
			return usage(stderr, err)
		}
		log.Error("watchbill-agent ends", "error", err)
		return exitFailed
	}
	return exitFine
}

// usageError is a wrong value of a flag that only its use shows.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "watchbill-agent: %v\nRun \"watchbill-agent --help\" for the flags and what they take.\n", err)
	return exitUsage
}

// sharedOutput takes the file from WATCHBILL_OUTPUT where that means one. The command
// line's variable of the same name says table or json, and whoever has set it for
// that must not find a report in a file named json instead of at the server.
func (f *flags) sharedOutput() {
	switch v := os.Getenv("WATCHBILL_OUTPUT"); {
	case f.Output != "" || !f.Once || v == "table" || v == "json":
	default:
		f.Output = v
	}
}

// check finds combinations that make no sense.
func (f flags) check() error {
	switch {
	case f.Output != "" && !f.Once:
		return errors.New("--output needs --once: the loop sends its reports to --server.url")
	case f.Output == "" && f.ServerURL == "":
		return errors.New("--server.url is missing: give the server's address, or --once --output - to print one report")
	}
	return nil
}

func (f flags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has checked it
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func (f flags) do(ctx context.Context, config agent.Config, log *slog.Logger, stdout io.Writer) error {
	// Little memory is worth more here than little work for the collector: an
	// agent sleeps most of the time.
	debug.SetGCPercent(40)
	debug.SetMemoryLimit(24 << 20)
	tree := probe.NewTree(f.Root)
	user, capabilities := probe.Privileges(probe.NewTree("/"))
	self := agent.Self{Version: version, BootID: tree.BootID(), User: user, Capabilities: capabilities, StartedAt: time.Now().Truncate(time.Second)}
	if f.Output != "" {
		collector := agent.NewCollector(tree, config.Collector("", false, capabilities))
		defer collector.Close()
		r := agent.PrintOnly(collector.Collect(ctx, time.Now(), true), f.StateDir, self, agent.NewAgentID)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("collect: %w", err)
		}
		return write(f.Output, stdout, r)
	}
	server, err := agent.NewServer(f.ServerURL, f.CAFile, version)
	if err != nil {
		return usageError{err}
	}
	if server.Insecure() {
		log.Warn("tokens and reports cross the network in clear: use an https address in --server.url", "server.url", f.ServerURL)
	}
	// The state directory is opened by agent.New, which says what is wrong with it.
	watcher := agent.NewWatcher(tree, config.WatchFiles, f.StateDir, log)
	options := config.Collector(f.StateDir, !f.Once, capabilities)
	options.Own = agent.Endpoints{Mesh: config.Mesh.Port(), Server: server.Peer}
	collector := agent.NewCollector(tree, options)
	defer collector.Close()
	self.Site = config.Mesh.Site
	if self.Prove, err = config.Mesh.Prover(); err != nil {
		return err
	}
	forked := func(string) {}
	a, err := agent.New(agent.Options{
		StateDir: f.StateDir, Source: collector, Sender: server, JoinToken: f.joinToken, Self: self,
		Logger: log, Random: rand.Float64, NewID: agent.NewAgentID, Schedule: config.OwnSchedule(), SpoolBytes: config.SpoolBytes,
		GoingDown: tree.GoingDown, Rest: newRest().after, Events: watcher.Events(),
		Forked: func(id string) { forked(id) },
	})
	if err != nil {
		return err
	}
	if f.Once {
		return a.Once(ctx, time.Now())
	}
	log.Info("watchbill-agent starts", "version", version, "server.url", f.ServerURL, "state-dir", f.StateDir, "user", user)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := watcher.Run(ctx); err != nil {
			log.Warn("changes cannot be seen at once, only with the next report", "error", err)
		}
	})
	beside.Go(func() { collector.Watch(ctx) })
	if config.Mesh.Site != "" {
		mesh, err := agent.StartMesh(config.Mesh, a.ID(), tree, log)
		if err != nil {
			cancel()
			beside.Wait()
			return err
		}
		forked = mesh.Rename
		beside.Go(func() { agent.NewHerald(a, mesh, log).Run(ctx) })
		defer func() {
			if err := mesh.Close(); err != nil {
				log.Warn("the mesh was left without a word", "error", err)
			}
		}()
	}
	err = a.Run(ctx)
	cancel()
	beside.Wait()
	return err
}

// joinToken reads the join token anew each time: it may have been replaced.
func (f flags) joinToken() (string, error) {
	if f.TokenFile == "" {
		return "", errors.New("this agent has not joined yet and --token-file is not given: name the file with the join token")
	}
	data, err := os.ReadFile(f.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("--token-file %s must hold one token and nothing else", f.TokenFile)
	}
	return token, nil
}

func write(name string, stdout io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	data = append(data, '\n')
	if name == "-" {
		_, err = stdout.Write(data)
	} else {
		// A report tells an attacker much about a host.
		err = os.WriteFile(name, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write report to --output %s: %w", name, err)
	}
	return nil
}
