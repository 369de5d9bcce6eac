package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/watchbill/watchbill/internal/app"
)

// version is set when a release is built.
var version = "dev"

// serverCmd runs the server until SIGINT or SIGTERM; SIGHUP reloads the configuration.
type serverCmd struct {
	ConfigFile     string   `name:"config.file" placeholder:"FILE" env:"WATCHBILL_CONFIG_FILE" help:"Configuration file in YAML. Nothing in it is required."`
	ListenAddress  string   `name:"web.listen-address" placeholder:"HOST:PORT" default:"127.0.0.1:7470" env:"WATCHBILL_WEB_LISTEN_ADDRESS" help:"Address to listen on (${default}). Beyond loopback, give --web.config.file too."`
	WebConfigFile  string   `name:"web.config.file" placeholder:"FILE" env:"WATCHBILL_WEB_CONFIG_FILE" help:"TLS certificate and key, in the format of Prometheus' exporter-toolkit."`
	TrustedProxies []string `name:"web.trusted-proxies" placeholder:"CIDR" env:"WATCHBILL_WEB_TRUSTED_PROXIES" help:"Proxies whose X-Forwarded-For is believed, e.g. 10.0.0.5/32; may be repeated. None by default: the audit and the login limit then see the proxy's address."`
	StoragePath    string   `name:"storage.path" placeholder:"DIR" default:"./data" env:"WATCHBILL_STORAGE_PATH" help:"Directory for everything that is kept (${default})."`
	AdminTokenFile string   `name:"auth.admin-token-file" placeholder:"FILE" env:"WATCHBILL_AUTH_ADMIN_TOKEN_FILE" help:"File with a token of role admin that you choose, for automation. WATCHBILL_ADMIN_TOKEN holds the token itself."`
	LogLevel       string   `name:"log.level" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" env:"WATCHBILL_LOG_LEVEL" help:"debug, info, warn or error (${default})."`
	LogFormat      string   `name:"log.format" placeholder:"FORMAT" enum:"logfmt,json" default:"logfmt" env:"WATCHBILL_LOG_FORMAT" help:"logfmt or json (${default})."`
}

// Run implements kong's command.
func (c *serverCmd) Run() error {
	if _, port, err := net.SplitHostPort(c.ListenAddress); err != nil || !isPort(port) {
		return usagef("--web.listen-address: want HOST:PORT such as 127.0.0.1:7470 or :7470, got %q", c.ListenAddress)
	}
	token := os.Getenv("WATCHBILL_ADMIN_TOKEN")
	if c.AdminTokenFile != "" {
		b, err := os.ReadFile(c.AdminTokenFile)
		if err != nil {
			return fmt.Errorf("--auth.admin-token-file: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	proxies := make([]netip.Prefix, len(c.TrustedProxies))
	for n, text := range c.TrustedProxies {
		var err error
		if proxies[n], err = netip.ParsePrefix(text); err != nil {
			return usagef("--web.trusted-proxies: want an address with its length such as 10.0.0.5/32, got %q", text)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return app.Run(ctx, app.Options{
		ConfigFile: c.ConfigFile, ListenAddress: c.ListenAddress, StoragePath: c.StoragePath, WebConfigFile: c.WebConfigFile,
		TrustedProxies: proxies, AdminToken: token, Version: version, Logger: logger(os.Stderr, c.LogLevel, c.LogFormat), Out: os.Stdout,
	}, hup)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n <= 65535
}

func logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the flag's enum allows only names that it knows
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
