package main

import (
	"bytes"
	"strings"
	"testing"
)

// 2 is for what the call itself says, whoever would find it out later.
func TestWrongUsageIsExitCodeTwo(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"token", "create", "--name=x", "--role=viewer", "--expires=banana"}, exitUsage, "--expires: want a span such as 12h"},
		{[]string{"server", "--web.listen-address=nonsense"}, exitUsage, "--web.listen-address: want HOST:PORT"},
		{[]string{"server", "--web.listen-address=127.0.0.1:http"}, exitUsage, "--web.listen-address"},
		{[]string{"check-config", "/does/not/exist.yml"}, exitFailed, "no such file"},
		{[]string{"server", "--config.file=/does/not/exist.yml", "--storage.path=" + t.TempDir()}, exitFailed, "no such file"},
	} {
		var out, errs bytes.Buffer
		if code := run(c.args, streams{strings.NewReader(""), &out, &errs}); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs.String())
		}
	}
}
