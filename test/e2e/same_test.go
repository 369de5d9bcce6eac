package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/watchbill/watchbill/test/same"
)

// sameInReplay compares everything that the running server decided with a replay of
// its own export. Each test that runs a server ends with it.
func (s *server) sameInReplay() {
	s.t.Helper()
	eventually(s.t, patience, "the server and a replay of its export compared", func() error {
		wrong, err := same.AsReplayed(same.Server{
			Alerts:    func() ([]same.Record, error) { return all[same.Record](s, "/api/v1/alerts") },
			Incidents: func() ([]same.Record, error) { return all[same.Record](s, "/api/v1/incidents") },
			Export:    s.export,
		}, s.t.TempDir())
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			s.t.Errorf("a replay of the export decides %d things otherwise than the server did:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
		}
		return nil
	})
}

// export writes the server's own recording to a file.
func (s *server) export(file string) error {
	req, err := http.NewRequest(http.MethodGet, s.url+"/api/v1/export", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	client := http.DefaultClient
	if s.client != nil {
		client = s.client
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("export: %s: %s", resp.Status, b)
	}
	return os.WriteFile(file, b, 0o600)
}
