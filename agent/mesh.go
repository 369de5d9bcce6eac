package agent

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/internal/cluster"
)

// defaultMeshListen is where members listen unless told otherwise.
const defaultMeshListen = ":7471"

// Port is where the mesh is listened for, 0 without a mesh.
func (c MeshConfig) Port() uint16 {
	if c.Site == "" {
		return 0
	}
	_, port, err := net.SplitHostPort(cmp.Or(c.Listen, defaultMeshListen))
	if err != nil {
		return 0 // StartMesh says so
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// meshKey reads the site's key.
func meshKey(c MeshConfig) ([]byte, error) {
	text, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("mesh.key_file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("mesh.key_file %s: not base64: %w", c.KeyFile, err)
	}
	return key, nil
}

// Prover returns what proves an agent's membership of its site; nil without a mesh.
func (c MeshConfig) Prover() (func(agentID string) (key, proof string), error) {
	if c.Site == "" {
		return nil, nil
	}
	secret, err := meshKey(c)
	if err != nil {
		return nil, err
	}
	return func(agentID string) (string, string) {
		p := cluster.Prove(secret, c.Site, agentID)
		return p.Key, p.Signature
	}, nil
}

// StartMesh makes the agent a member of its site's mesh.
func StartMesh(c MeshConfig, agentID string, tree probe.Tree, log *slog.Logger) (*cluster.Mesh, error) {
	key, err := meshKey(c)
	if err != nil {
		return nil, err
	}
	if c.Listen == "" {
		c.Listen = defaultMeshListen
	}
	return cluster.New(cluster.Options{
		Name: agentID, Site: c.Site, Key: key, Bind: c.Listen, Address: c.Address, Join: c.Join, Log: log,
		Connections: func(address string) int {
			peer, err := netip.ParseAddr(address)
			if err != nil {
				return 0
			}
			return tree.ConnectedWith(peer)
		},
	})
}
