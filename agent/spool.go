package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// spool keeps envelopes on disk while the server is away: oldest first, never
// more than a number of bytes. Not safe for concurrent use.
type spool struct {
	dir   string
	limit int64
	names []string // ascending by sequence
	size  map[string]int64
	total int64
}

// openSpool makes the directory and takes in what is left from before.
func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	s := &spool{dir: dir, limit: limit, size: make(map[string]int64)}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), ".json.gz") {
			continue
		}
		if strings.HasPrefix(e.Name(), ".") {
			_ = os.Remove(filepath.Join(dir, e.Name())) // a write that a crash cut off
			continue
		}
		s.names = append(s.names, e.Name())
		s.size[e.Name()] = info.Size()
		s.total += info.Size()
	}
	sort.Strings(s.names)
	return s, nil
}

func (s *spool) empty() bool { return len(s.names) == 0 }

// put appends an envelope's bytes and drops the oldest ones above the limit;
// it returns how many it dropped. One that is larger than the limit by itself
// is dropped at once.
func (s *spool) put(sequence uint64, body []byte) (dropped int, err error) {
	if int64(len(body)) > s.limit {
		return 1, nil
	}
	name := fmt.Sprintf("%020d.json.gz", sequence)
	if err := replaceFile(filepath.Join(s.dir, name), body); err != nil {
		return 0, fmt.Errorf("spool report: %w", err)
	}
	s.names = append(s.names, name)
	s.size[name] = int64(len(body))
	s.total += int64(len(body))
	for s.total > s.limit && len(s.names) > 1 {
		if err := s.drop(); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}

// oldest returns the envelope that is to be sent next.
func (s *spool) oldest() ([]byte, error) {
	for len(s.names) > 0 {
		data, err := os.ReadFile(filepath.Join(s.dir, s.names[0]))
		if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
			s.forget()
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read spool: %w", err)
		}
		return data, nil
	}
	return nil, nil
}

// drop removes the oldest envelope.
func (s *spool) drop() error {
	if len(s.names) == 0 {
		return nil
	}
	err := os.Remove(filepath.Join(s.dir, s.names[0]))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("empty spool: %w", err)
	}
	s.forget()
	return nil
}

func (s *spool) forget() {
	s.total -= s.size[s.names[0]]
	delete(s.size, s.names[0])
	s.names = s.names[1:]
}

// clear removes everything; it returns how many envelopes went.
func (s *spool) clear() (int, error) {
	n := len(s.names)
	for len(s.names) > 0 {
		if err := s.drop(); err != nil {
			return n - len(s.names), err
		}
	}
	return n, nil
}
