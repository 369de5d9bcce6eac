package agent

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchbill/watchbill/cmdb/report"
)

// identity is what an agent must not lose or share: who it is and how it
// proves that. It is one file, so that the parts never disagree.
type identity struct {
	AgentID    string          `json:"agent_id"`
	Credential string          `json:"credential,omitempty"`
	CI         string          `json:"ci,omitempty"`
	Sequence   uint64          `json:"sequence"` // none greater was used
	Dropped    uint64          `json:"spool_dropped,omitempty"`
	Schedule   report.Schedule `json:"schedule"`
}

// stateDir keeps an agent's files, readable by its own user only.
type stateDir struct{ path string }

const (
	identityFile = "agent.json"
	lastFile     = "last-report.json.gz"
	packagesFile = "last-packages.json.gz"
)

// openStateDir makes the directory if needed and sees that it can be written,
// before the first report is lost to it.
func openStateDir(path string) (stateDir, error) {
	if path == "" {
		return stateDir{}, errors.New("--state-dir is empty: name a directory that the agent may write, e.g. /var/lib/watchbill-agent")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return stateDir{}, fmt.Errorf("make state directory: %w; name one that this user may write with --state-dir", err)
	}
	probe := filepath.Join(path, ".write-test")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return stateDir{}, fmt.Errorf("state directory is not writable: %w; name another with --state-dir", err)
	}
	_ = os.Remove(probe)
	return stateDir{path}, nil
}

// loadIdentity returns the kept identity, the zero one when there is none yet.
// A damaged file is an error: a new id in its place would be a second host.
func (d stateDir) loadIdentity() (identity, error) {
	name := filepath.Join(d.path, identityFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, nil
	}
	if err != nil {
		return identity{}, fmt.Errorf("read agent identity: %w", err)
	}
	var id identity
	if err := json.Unmarshal(data, &id); err != nil || id.AgentID == "" {
		return identity{}, fmt.Errorf("agent identity %s is damaged (%w): restore it, or remove it to join as a new agent", name, err)
	}
	return id, nil
}

func (d stateDir) saveIdentity(id identity) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode agent identity: %w", err)
	}
	return replaceFile(filepath.Join(d.path, identityFile), append(data, '\n'))
}

// loadReport returns what a comparison needs of the last round before this start,
// nil when there is none that can be read: the first one then has no before.
func (d stateDir) loadReport() *report.Report {
	var r report.Report
	if !d.loadInto(lastFile, &r) || r.Packages == nil && !d.loadInto(packagesFile, &r.Packages) {
		return nil
	}
	return &r
}

func (d stateDir) loadInto(name string, value any) bool {
	f, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return false
	}
	defer f.Close()
	unzip, err := gzip.NewReader(f)
	return err == nil && json.NewDecoder(io.LimitReader(unzip, 256<<20)).Decode(value) == nil
}

// saveReport keeps what the next start compares with. The packages are most of
// it and rarely change: they have a file of their own.
func (d stateDir) saveReport(r report.Report, packages bool) error {
	if packages {
		data, err := compress(r.Packages)
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(d.path, packagesFile), data); err != nil {
			return err
		}
	}
	data, err := compress(report.Report{Agent: r.Agent, Host: r.Host, OS: r.OS, Interfaces: r.Interfaces, Services: r.Services, Listeners: r.Listeners, Certificates: r.Certificates, Users: r.Users, Problems: r.Problems})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(d.path, lastFile), data)
}

// compress encodes a value as gzipped JSON.
func compress(value any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := json.NewEncoder(zip).Encode(value); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// replaceFile writes a file whole or not at all, for its owner only.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	// Without the sync a power cut could leave an empty identity, and a
	// sequence number would be used twice.
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// NewAgentID makes a random UUID (version 4).
func NewAgentID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
