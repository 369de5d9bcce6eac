package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/internal/app"
	"github.com/watchbill/watchbill/itsm"
)

type tokenCmd struct {
	List   tokenListCmd   `cmd:"" help:"List tokens; secrets are never shown."`
	Create tokenCreateCmd `cmd:"" help:"Make a token; its secret is shown this once."`
	Revoke tokenRevokeCmd `cmd:"" help:"End tokens at once."`
}

type tokenListCmd struct {
	Role   string `name:"role" enum:",viewer,responder,manager,admin,ingest,agent" default:"" placeholder:"ROLE" help:"Only tokens of this role."`
	Agents bool   `name:"agents" help:"Also the credentials of agents that joined."`
	Limit  int    `name:"limit" default:"0" placeholder:"N" help:"Most rows; 0 shows all (${default})."`
	show
	remote
}

// Run implements kong's command.
func (c *tokenListCmd) Run(io streams) error {
	q := url.Values{}
	if c.Role != "" {
		q.Set("role", c.Role)
	}
	if c.Agents {
		q.Set("agents", "true")
	}
	return showQuery(c.remote, c.show, io, "/api/v1/tokens", q, c.Limit, []string{"ID", "ROLE", "NAME", "USER", "SOURCE", "ITEM", "EXPIRES", "LAST USED"},
		func(t api.Token) []string {
			return []string{t.ID, string(t.Role), cut(t.Name, 40), or(t.User), or(t.Source), or(t.CI), stampOf(t.ExpiresAt), ageOf(t.LastUsed)}
		})
}

type tokenCreateCmd struct {
	Name    string `name:"name" required:"" placeholder:"TEXT" help:"What it is for."`
	Role    string `name:"role" required:"" enum:"viewer,responder,manager,admin,ingest,agent" placeholder:"ROLE" help:"viewer, responder, manager, admin, ingest (senders of alerts) or agent (joins hosts)."`
	User    string `name:"user" placeholder:"USER" help:"Whose acts it does."`
	Source  string `name:"source" placeholder:"NAME" help:"Of role ingest: the alert source; the two of an Alertmanager pair share one."`
	Expires string `name:"expires" placeholder:"SPAN" help:"How long it is good, e.g. 12h or 30d. Without it: until it is revoked."`
	MaxUses int    `name:"max-uses" placeholder:"N" help:"Of role agent: how many hosts it lets in. Without it: any number."`

	Networks []string `name:"network" placeholder:"CIDR" help:"Of role agent: a network that hosts must come from. Can be given several times."`
	Site     string   `name:"site" placeholder:"NAME" help:"Of role agent: the only mesh site that its hosts may be members of."`
	show
	remote
}

// Run implements kong's command.
func (c *tokenCreateCmd) Run(io streams) error {
	if _, err := api.Span(c.Expires); c.Expires != "" && err != nil {
		return usagef("--expires: want a span such as 12h or 30d, got %q", c.Expires)
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	var made api.MadeToken
	if err := cl.call(ctx, http.MethodPost, "/api/v1/tokens", api.NewToken{Name: c.Name, Role: c.Role, User: c.User, Source: c.Source, ExpiresIn: c.Expires,
		JoinLimits: api.JoinLimits{MaxUses: c.MaxUses, Networks: c.Networks, Site: c.Site}}, &made); err != nil {
		return err
	}
	if c.json() {
		return writeJSON(io.out, made)
	}
	// The secret alone on standard output: it can be piped into a file.
	fmt.Fprintf(io.err, "token %s (%s) for %s, shown this once:\n", made.ID, made.Role, made.Name)
	_, err = fmt.Fprintln(io.out, made.Secret)
	return err
}

type tokenRevokeCmd struct {
	IDs []string `arg:"" name:"id" help:"Ids of the tokens."`
	remote
}

// Run implements kong's command.
func (c *tokenRevokeCmd) Run(io streams) error {
	return c.remove(io, "token", "/api/v1/tokens/", c.IDs, "is revoked")
}

type sourceCmd struct {
	List sourceListCmd `cmd:"" help:"List senders of alerts with their health."`
}

type sourceListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *sourceListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/sources", c.listFlags, []string{"SOURCE", "STATE", "LAST HEARD", "LEFT OUT", "TOKENS", "WHY"},
		func(s api.Source) []string {
			names := make([]string, len(s.Tokens))
			for i, x := range s.Tokens {
				names[i] = x.ID + " " + x.Name
			}
			return []string{s.Source, s.State, ageOf(s.LastHeard), fmt.Sprint(s.Truncated), or(strings.Join(names, ", ")), or(s.Why)}
		})
}

type loginLinkCmd struct {
	User string `arg:"" help:"Who may log in with it, once."`
	show
	remote
}

// Run implements kong's command.
func (c *loginLinkCmd) Run(io streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	var l api.LoginLink
	if err := cl.call(ctx, http.MethodPost, "/api/v1/login-links", api.NewLoginLink{User: c.User}, &l); err != nil {
		return err
	}
	if c.json() {
		return writeJSON(io.out, l)
	}
	fmt.Fprintf(io.err, "good once, until %s:\n", stamp(l.ExpiresAt))
	_, err = fmt.Fprintln(io.out, l.URL)
	return err
}

// download reads path into a file that appears only when it is whole. plain
// unpacks it.
func (r remote) download(io streams, path, file string, plain bool) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	resp, err := c.fetch(ctx, http.MethodGet, path, nil, "Accept-Encoding", "identity")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if file == "-" {
		return copyOut(io.out, resp.Body, plain)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // made 0600: it holds everything
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer os.Remove(tmp.Name())
	if err := errors.Join(copyOut(tmp, resp.Body, plain), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	st, err := os.Stat(file)
	if err == nil {
		fmt.Fprintf(io.err, "%s: %d KiB\n", file, (st.Size()+1023)/1024)
	}
	return err
}

func copyOut(w io.Writer, r io.Reader, plain bool) error {
	if plain {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("the server sent no gzip: %w", err)
		}
		r = z
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("the copy broke off: %w", err)
	}
	return nil
}

type backupCmd struct {
	File   string `arg:"" help:"Where to, e.g. watchbill.backup.gz (- for standard output). A file of that name is replaced once the new one is whole."`
	Verify bool   `name:"verify" help:"Prove that it restores: restore it into a throw-away directory beside the file and check it there."`
	remote
}

// Run implements kong's command.
func (c *backupCmd) Run(io streams) error {
	if c.Verify && c.File == "-" {
		return usagef("--verify: wants a file, not standard output")
	}
	if err := c.download(io, "/api/v1/backup", c.File, false); err != nil || !c.Verify {
		return err
	}
	return proveBackup(io, c.File, filepath.Dir(c.File))
}

// proveBackup restores a backup into a throw-away directory and says what is in it.
func proveBackup(io streams, file, scratch string) error {
	in, err := opened(file, io)
	if err != nil {
		return err
	}
	defer in.Close()
	ctx, stop := interrupted()
	defer stop()
	v, err := app.VerifyBackup(ctx, in, scratch)
	if err != nil {
		return fmt.Errorf("verify %s: %w", file, err)
	}
	return tellVerified(io, file, v)
}

func tellVerified(io streams, what string, v app.Verified) error {
	for _, w := range v.Wrong {
		fmt.Fprintln(io.err, w)
	}
	if len(v.Wrong) > 0 {
		return fmt.Errorf("%s is damaged: restore a backup, or keep what can be read (watchbill repair)", what)
	}
	_, err := fmt.Fprintf(io.out, "%s is whole: %d rows, %d documents with %d index entries, %d journal events\n", what, v.Rows, v.Documents, v.Entries, v.Events)
	return err
}

type verifyCmd struct {
	StoragePath string `name:"storage.path" placeholder:"DIR" help:"Check the data of this path while no server runs. Without it the running server checks its own."`
	show
	remote
}

// Run implements kong's command.
func (c *verifyCmd) Run(io streams) error {
	ctx, stop := interrupted()
	defer stop()
	what, v := "the stored data", app.Verified{}
	if c.StoragePath != "" {
		var err error
		if v, err = app.Verify(ctx, c.StoragePath); err != nil {
			return err
		}
		what = c.StoragePath
	} else {
		cl, err := c.client()
		if err != nil {
			return err
		}
		if err := cl.call(ctx, http.MethodPost, "/api/v1/verify", nil, &v); err != nil {
			return err
		}
	}
	if c.json() {
		if err := writeJSON(io.out, v); err != nil || len(v.Wrong) == 0 {
			return err
		}
		return fmt.Errorf("%s is damaged", what)
	}
	return tellVerified(io, what, v)
}

type repairCmd struct {
	StoragePath string `name:"storage.path" env:"WATCHBILL_STORAGE_PATH" default:"./data" placeholder:"DIR" help:"Whose damaged data to repair, while no server runs (${default})."`
}

// Help implements kong's HelpProvider.
func (c *repairCmd) Help() string {
	return "Keeps what can be read of damaged data and says what is lost. The damaged files stay beside it. " +
		"A backup is the better way wherever there is one: what a repair keeps may lack parts that others lean on."
}

// Run implements kong's command.
func (c *repairCmd) Run(io streams) error {
	ctx, stop := interrupted()
	defer stop()
	out, err := app.Repair(ctx, c.StoragePath, time.Now())
	if out.Damaged != "" {
		fmt.Fprintf(io.out, "%d rows were kept; the damaged files are in %s\n", out.Rows, out.Damaged)
	}
	for _, l := range out.Lost {
		fmt.Fprintf(io.out, "lost: %s\n", l)
	}
	if err != nil {
		return err
	}
	for _, l := range out.Left {
		fmt.Fprintf(io.err, "left: %s\n", l)
	}
	if len(out.Left) > 0 {
		return fmt.Errorf("what was kept does not belong together everywhere: a server may not start on it; restore a backup where there is one")
	}
	return nil
}

type exportCmd struct {
	File string `arg:"" help:"Where to: FILE.jsonl.gz, or FILE.jsonl unpacked (- for standard output)."`
	From string `name:"from" placeholder:"TIME" help:"First instant: 2026-01-31, or RFC 3339. Without it from the journal's begin."`
	To   string `name:"to" placeholder:"TIME" help:"Last instant. Without it up to now."`
	remote
}

// Run implements kong's command.
func (c *exportCmd) Run(io streams) error {
	q := url.Values{}
	for flag, v := range map[string]string{"from": c.From, "to": c.To} {
		if v == "" {
			continue
		}
		t, err := instant(v)
		if err != nil {
			return usagef("--%s: want a date such as 2026-01-31 or an RFC 3339 time, got %q", flag, v)
		}
		q.Set(flag, t.UTC().Format(time.RFC3339Nano))
	}
	return c.download(io, "/api/v1/export?"+q.Encode(), c.File, strings.HasSuffix(c.File, ".jsonl"))
}

// instant reads a time; a date is its begin in the reader's zone.
func instant(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.ParseInLocation("2006-01-02", s, time.Local)
}

type importCmd struct {
	File   string `arg:"" help:"A recording: JSON lines, gzipped or not (- for standard input)."`
	Source string `name:"source" placeholder:"NAME" help:"Whose words these are, among the sources of an item."`
	show
	remote
}

// Help implements kong's HelpProvider.
func (c *importCmd) Help() string {
	return "Alerts, changes and maintenance are taken only while the installation has received no alert. They count as received at the import, in their order: " +
		"journal time never runs backwards, and it began with the server's first start. startsAt and endsAt stay as recorded; an onset more than a day back counts as one of a day ago. " +
		"To see a past at its own times use `watchbill replay` or `watchbill demo`."
}

// Run implements kong's command.
func (c *importCmd) Run(io streams) error {
	in, err := opened(c.File, io)
	if err != nil {
		return err
	}
	defer in.Close()
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	q := url.Values{}
	if c.Source != "" {
		q.Set("source", c.Source)
	}
	body := bufio.NewReader(in)
	header := []string{"Content-Type", "application/x-ndjson"}
	if magic, err := body.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		header = append(header, "Content-Encoding", "gzip")
	}
	resp, err := cl.fetch(ctx, http.MethodPost, "/api/v1/import?"+q.Encode(), body, header...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var out api.Imported
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.json() {
		return writeJSON(io.out, out)
	}
	fmt.Fprintf(io.out, "taken: %d items, %d relations, %d events\n", out.Items, out.Relations, out.Events)
	for _, w := range out.Wrong {
		fmt.Fprintf(io.err, "line %d: %s\n", w.Line, oneLine(w.Message))
	}
	if out.WrongAll > 0 {
		return fmt.Errorf("%d lines were left out", out.WrongAll)
	}
	return nil
}

func opened(file string, s streams) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(s.in), nil
	}
	return os.Open(file)
}

type restoreCmd struct {
	File        string `arg:"" help:"What watchbill backup wrote."`
	StoragePath string `name:"storage.path" env:"WATCHBILL_STORAGE_PATH" default:"./data" placeholder:"DIR" help:"Where to; no data may be there yet (${default})."`
	Verify      bool   `name:"verify" help:"Only prove that it restores, in a throw-away directory within the system's one for such; the storage path is left alone."`
}

// Run implements kong's command.
func (c *restoreCmd) Run(io streams) error {
	if c.Verify {
		return proveBackup(io, c.File, "")
	}
	in, err := opened(c.File, io)
	if err != nil {
		return err
	}
	defer in.Close()
	ctx, stop := interrupted()
	defer stop()
	if err := app.Restore(ctx, c.StoragePath, in); err != nil {
		return fmt.Errorf("restore %s: %w", c.File, err)
	}
	fmt.Fprintf(io.out, "restored into %s: start the server with --storage.path=%s\n", c.StoragePath, c.StoragePath)
	return nil
}

type checkCmd struct {
	File   string `arg:"" help:"The configuration file."`
	Online bool   `help:"Ask the server (--server.url) whether the items that the file names are there."`
	remote
}

// Run implements kong's command.
func (c *checkCmd) Run(io streams) error {
	loaded, err := app.Load(c.File)
	if err != nil {
		return err
	}
	refs := loaded.Rules.Desk.References()
	var warnings []string
	if c.Online && len(refs) > 0 {
		if warnings, err = c.missing(refs); err != nil {
			return err
		}
	} else if len(refs) > 0 {
		warnings = []string{fmt.Sprintf("%d items that services stand on were not looked up: --online asks the server for them", len(refs))}
	}
	for _, w := range warnings {
		if _, err := fmt.Fprintf(io.out, "%s: warning: %s\n", c.File, w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(io.out, "%s: fine\n", c.File)
	return err
}

// missing asks the server which of the references lead to no item.
func (c *checkCmd) missing(refs []itsm.Unresolved) ([]string, error) {
	server, err := c.client()
	if err != nil {
		return nil, err
	}
	var ask api.References
	for _, r := range refs {
		ask.Refs = append(ask.Refs, r.Ref)
	}
	ctx, stop := interrupted()
	defer stop()
	var got api.Resolved
	if err := server.call(ctx, http.MethodPost, "/api/v1/references", ask, &got); err != nil {
		return nil, err
	}
	var out []string
	for n, m := range got.Items {
		if m.ID == "" {
			refs[n].Others, refs[n].Near = m.Others, m.Near
			out = append(out, refs[n].Text())
		}
	}
	return out, nil
}
