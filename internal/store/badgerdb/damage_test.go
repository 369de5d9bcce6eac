package badgerdb

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/storetest"
)

// scratch is a directory in memory where there is one: these tests sync without end.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "watchbill-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyDir copies a database's files as a crash would leave them: holes stay holes.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || e.Name() == "LOCK" {
			continue
		}
		if err := copySparse(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	const hole = 3 // SEEK_DATA
	b := make([]byte, 1<<20)
	for at := int64(0); ; {
		if at, err = in.Seek(at, hole); err != nil {
			break // nothing but holes from here
		}
		n, err := in.ReadAt(b, at)
		if n > 0 && len(bytes.Trim(b[:n], "\x00")) > 0 {
			if _, err := out.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		at += int64(n)
	}
	return out.Truncate(st.Size())
}

// fixture makes the files of a database that was killed: tables of several rounds, a
// log with many commits, big values. It returns what was acknowledged.
func fixture(t *testing.T) (dir string, want map[string]string) {
	t.Helper()
	dir = filepath.Join(scratch(t), "db")
	want = map[string]string{}
	rnd := rand.New(rand.NewPCG(1, 2))
	write := func(db *DB, commits int) {
		for range commits {
			kv := map[string]string{}
			for range 1 + rnd.IntN(6) {
				k := fmt.Sprintf("key/%05d", rnd.IntN(5000))
				switch rnd.IntN(40) {
				case 0:
					kv[k] = "" // deleted
				case 1:
					kv[k] = strings.Repeat(fmt.Sprintf("%08x", rnd.Uint32()), bigValue/8+rnd.IntN(100))
				default:
					kv[k] = strings.Repeat(fmt.Sprintf("%08x", rnd.Uint32()), 1+rnd.IntN(20))
				}
			}
			err := db.Update(context.Background(), func(tx store.Tx) error {
				for k, v := range kv {
					if v == "" {
						if err := tx.Delete([]byte(k)); err != nil {
							return err
						}
					} else if err := tx.Put([]byte(k), []byte(v)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range kv {
				if want[k] = v; v == "" {
					delete(want, k)
				}
			}
		}
	}
	for range 3 {
		db, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		write(db, 400)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	write(db, 600)
	killed := dir + "-killed"
	copyDir(t, dir, killed)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return killed, want
}

// content reads a database whole.
func content(db *DB) (map[string]string, error) {
	got := map[string]string{}
	err := db.View(context.Background(), func(r store.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			got[string(p.Key)] = string(p.Value)
		}
		return nil
	})
	return got, err
}

// outcome of starting on files that are prepared for it, and removed after.
func outcome(t *testing.T, dir string, want map[string]string, prepare func(dir string)) (how string, silent string) {
	t.Helper()
	prepare(dir)
	defer os.RemoveAll(dir)
	db, err := Open(Options{Dir: dir})
	if err != nil {
		return "found at the start", ""
	}
	defer db.Close()
	v, err := db.Verify(context.Background(), 0)
	if err != nil || len(v.Found) > 0 {
		return "found by the check", ""
	}
	got, err := content(db)
	if err != nil {
		return "found on reading", ""
	}
	if maps.Equal(got, want) {
		return "harmless", ""
	}
	lost, other := 0, 0
	for k, v := range want {
		if g, ok := got[k]; !ok {
			lost++
		} else if g != v {
			other++
		}
	}
	return "silent", fmt.Sprintf("%d of %d rows are gone, %d are others, %d rows", lost, len(want), other, len(got))
}

// harm damages one file in one way, and says which.
func harm(t *testing.T, rnd *rand.Rand, dir, file string) string {
	t.Helper()
	path := filepath.Join(dir, file)
	var b []byte // up to the hole at the end
	size := 0
	if err := mapped(path, func(data []byte, n int) { b, size = bytes.Clone(data), n }); err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		b = make([]byte, size)
	}
	used := len(bytes.TrimRight(b, "\x00"))
	if used == 0 {
		used = len(b)
	}
	at := rnd.IntN(used)
	page := at &^ 4095
	end := min(page+4096, len(b))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	patch := func(p []byte, at int) {
		if _, err := f.WriteAt(p, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	switch rnd.IntN(6) {
	case 0, 1:
		bit := byte(1) << rnd.IntN(8)
		patch([]byte{b[at] ^ bit}, at)
		return fmt.Sprintf("a bit at %d of %d", at, used)
	case 2:
		patch(make([]byte, end-page), page)
		return fmt.Sprintf("a page of zeros at %d of %d", page, used)
	case 3:
		noise := make([]byte, end-page)
		for i := range noise {
			noise[i] = byte(rnd.Uint32())
		}
		patch(noise, page)
		return fmt.Sprintf("a page of noise at %d of %d", page, used)
	case 4: // a page of another place, as a misdirected write leaves it
		other := rnd.IntN(used) &^ 4095
		patch(b[other:min(other+end-page, len(b))], page)
		return fmt.Sprintf("the page of %d at %d of %d", other, page, used)
	default:
		if err := f.Truncate(int64(at)); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("cut off at %d of %d", at, used)
	}
}

// portion is how many damages one part of the test tries, so that a part can be run alone.
const portion = 50

// TestNoDamageIsSilent: whatever happens to the files of a store, a start or a check
// says so, or nothing was lost by it.
func TestNoDamageIsSilent(t *testing.T) {
	portions, tries := 1, 24
	if storetest.Long() {
		portions, tries = 14, portion
	}
	dir, want := fixture(t)
	if how, silent := outcome(t, dir+"-whole", want, func(to string) { copyDir(t, dir, to) }); how != "harmless" {
		t.Fatalf("without damage: %s %s", how, silent)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]string{}
	for _, e := range entries {
		kind := filepath.Ext(e.Name())
		if kind == "" {
			kind = e.Name()
		}
		kinds[kind] = append(kinds[kind], e.Name())
	}
	order := slices.Sorted(maps.Keys(kinds))
	sum := map[string]int{}
	for p := range portions {
		t.Run(strconv.Itoa(p), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(p), 4))
			for n := range tries {
				kind := order[n%len(order)]
				file := kinds[kind][rnd.IntN(len(kinds[kind]))]
				var what string
				how, silent := outcome(t, filepath.Join(scratch(t), "db"), want, func(to string) {
					copyDir(t, dir, to)
					what = harm(t, rnd, to, file)
				})
				sum[kind+" "+how]++
				if silent != "" {
					t.Errorf("%s in %s: %s, and nobody is told", what, file, silent)
				}
			}
		})
	}
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		t.Logf("%4d %s", sum[k], k)
	}
}
