package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/config"
)

// Config is the agent's configuration file. Everything in it has a default: an
// agent runs without a file.
type Config struct {
	// Sections switches sections off: "certificates: false".
	Sections map[string]bool `yaml:"sections"`
	// LanguagePackages looks for pip, npm, gem, Go and Java packages.
	LanguagePackages *bool `yaml:"language_packages"`
	// ListenerCertificates makes a handshake with the host's own TLS ports.
	ListenerCertificates *bool `yaml:"listener_certificates"`
	// WatchFiles are paths and patterns whose content's hash is watched.
	WatchFiles []string `yaml:"watch_files"`
	// SpoolBytes bounds what is kept on disk while the server is away.
	SpoolBytes int64 `yaml:"spool_bytes"`
	// Mesh makes the agent a member of its site's mesh.
	Mesh MeshConfig `yaml:"mesh"`
	// Schedule is the agent's own; the server's replaces it.
	Schedule struct {
		Sample Duration `yaml:"sample"`
		Report Duration `yaml:"report"`
		Full   Duration `yaml:"full"`
	} `yaml:"schedule"`
}

// MeshConfig is the part of the configuration about the mesh; an empty site
// means none.
type MeshConfig struct {
	Site    string   `yaml:"site"`
	KeyFile string   `yaml:"key_file"` // 32 random bytes in base64, the same for the whole site
	Listen  string   `yaml:"listen"`   // default ":7471"
	Address string   `yaml:"address"`  // told to the others, where the bound one is not it
	Join    []string `yaml:"join"`     // some members, host:port
}

// Duration is a time span written like "30s", "5m" or "6h".
type Duration time.Duration

// UnmarshalYAML reads a span; a bare number has no unit and is refused.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	span, err := time.ParseDuration(node.Value)
	if err != nil || span <= 0 {
		// This type of error lets the decoder go on to the mistakes after it.
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no time span: write it like 30s, 5m or 6h", node.Line, node.Value)}}
	}
	*d = Duration(span)
	return nil
}

// LoadConfig reads a configuration file; an empty name gives the defaults.
func LoadConfig(name string) (Config, error) {
	if name == "" {
		return ParseConfig(nil)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Config{}, fmt.Errorf("--config.file: %w", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("--config.file %s: %w", name, err)
	}
	return c, nil
}

// ParseConfig decodes strictly and checks every field; the error names all
// that is wrong.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var wrong []error
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		for _, f := range config.Explain(data, err, sectionName) {
			wrong = append(wrong, f)
		}
	}
	for name := range c.Sections {
		if !slices.Contains(report.Sections(), name) {
			wrong = append(wrong, fmt.Errorf("sections.%s: there is no such section; there are %s", name, strings.Join(report.Sections(), ", ")))
		}
		if name == report.SectionAgent || name == report.SectionHost {
			wrong = append(wrong, fmt.Errorf("sections.%s: cannot be switched off, the server could not tell whose report it is", name))
		}
	}
	for i, path := range c.WatchFiles {
		if !strings.HasPrefix(path, "/") {
			wrong = append(wrong, fmt.Errorf("watch_files[%d]: %q must be an absolute path", i, path))
		}
	}
	if c.SpoolBytes != 0 && c.SpoolBytes < 64<<10 {
		wrong = append(wrong, fmt.Errorf("spool_bytes: %d is too small to hold a report: give at least %d", c.SpoolBytes, 64<<10))
	}
	wrong = append(wrong, c.Mesh.check()...)
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(wrong...)
}

// sectionName is how people call the part of the file that a type reads.
func sectionName(typ string) string {
	if typ == "MeshConfig" {
		return "mesh"
	}
	if typ == "Config" {
		return "the top level"
	}
	return "schedule" // it has no name
}

func (c MeshConfig) check() []error {
	var wrong []error
	if c.Site == "" {
		if c.KeyFile != "" || len(c.Join) > 0 || c.Listen != "" || c.Address != "" {
			wrong = append(wrong, errors.New("mesh.site: name the site, or leave the mesh out"))
		}
		return wrong
	}
	if c.KeyFile == "" {
		wrong = append(wrong, errors.New("mesh.key_file: name a file with the site's key: 32 random bytes in base64 (openssl rand -base64 32)"))
	}
	for i, address := range c.Join {
		if _, _, err := net.SplitHostPort(address); err != nil {
			wrong = append(wrong, fmt.Errorf("mesh.join[%d]: %q must be host:port, e.g. 10.0.0.5:7471", i, address))
		}
	}
	return wrong
}

// Off lists the sections that are switched off.
func (c Config) Off() []string {
	var out []string
	for name, on := range c.Sections {
		if !on {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// OwnSchedule is the schedule of the file, zero where it names none.
func (c Config) OwnSchedule() report.Schedule {
	seconds := func(d Duration) int { return int(time.Duration(d).Round(time.Second) / time.Second) }
	return report.Schedule{SampleSeconds: seconds(c.Schedule.Sample), ReportSeconds: seconds(c.Schedule.Report), FullSeconds: seconds(c.Schedule.Full)}
}

func orTrue(b *bool) bool { return b == nil || *b }

// Collector turns the file's choices into options for a collector.
func (c Config) Collector(stateDir string, lasting bool, capabilities []string) CollectorOptions {
	return CollectorOptions{Off: c.Off(), Capabilities: capabilities, Languages: orTrue(c.LanguagePackages), ListenerCertificates: orTrue(c.ListenerCertificates), Lasting: lasting, StateDir: stateDir, Patience: probe.Gentle()}
}
