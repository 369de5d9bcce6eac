package agent

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/internal/cluster"
)

// defaultMeshListen is where members listen unless told otherwise.
const defaultMeshListen = ":7471"

// StartMesh makes the agent a member of its site's mesh.
func StartMesh(c MeshConfig, agentID string, tree probe.Tree, log *slog.Logger) (*cluster.Mesh, error) {
	text, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("mesh.key_file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("mesh.key_file %s: not base64: %w", c.KeyFile, err)
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
