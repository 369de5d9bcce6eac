package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/watchbill/watchbill/api"
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// Verified is what a check of stored data read, and what it found wrong.
type Verified = api.Verified

// verify reads everything of an open database: files, rows, journal, marks.
func verify(ctx context.Context, db *badgerdb.DB, rest time.Duration) (Verified, error) {
	v := Verified{Wrong: []string{}}
	files, err := db.Verify(ctx, rest)
	if err != nil {
		return v, err
	}
	v.Tables, v.Rows, v.Bytes = files.Tables, files.Rows, files.Bytes
	for _, d := range files.Found {
		v.Wrong = append(v.Wrong, d.String())
	}
	err = db.View(ctx, func(r store.Reader) error {
		rows, err := store.CheckRows(ctx, r)
		if err != nil {
			return err
		}
		v.Documents, v.Entries = rows.Documents, rows.Entries
		v.Wrong = append(v.Wrong, rows.Wrong...)
		if more := rows.WrongAll - len(rows.Wrong); more > 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("and %d rows more", more))
		}
		j, err := journal.Check(ctx, r)
		if err != nil {
			return err
		}
		v.Events = j.Events
		for _, w := range j.Wrong {
			v.Wrong = append(v.Wrong, "journal: "+w)
		}
		marks, err := engine.CheckMarks(r)
		if marks != "" {
			v.Wrong = append(v.Wrong, marks)
		}
		return err
	})
	return v, err
}

// Verify checks the data of a storage path while no server runs. The files are read
// before anything is opened; where they are damaged nothing is changed.
func Verify(ctx context.Context, dir string) (Verified, error) {
	path := filepath.Join(dir, "db")
	if _, err := os.Stat(path); err != nil {
		return Verified{}, fmt.Errorf("--storage.path=%s holds no data: %w", dir, err)
	}
	lock, err := lockPath(dir)
	if err != nil {
		return Verified{}, err
	}
	defer lock.Close()
	db, err := badgerdb.Open(badgerdb.Options{Dir: path})
	var bad *badgerdb.Damaged
	if errors.As(err, &bad) {
		v := Verified{}
		for _, d := range bad.Found {
			v.Wrong = append(v.Wrong, d.String())
		}
		return v, nil
	}
	if err != nil {
		return Verified{}, err
	}
	v, err := verify(ctx, db, 0)
	return v, errors.Join(err, db.Close())
}

// VerifyBackup proves that a backup restores: it is restored into a throw-away
// directory beside scratch and checked there.
func VerifyBackup(ctx context.Context, r io.Reader, scratch string) (v Verified, err error) {
	dir, err := os.MkdirTemp(scratch, ".watchbill-verify-")
	if err != nil {
		return v, fmt.Errorf("make room to restore the backup: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := Restore(ctx, dir, r); err != nil {
		return v, err
	}
	return Verify(ctx, dir)
}

// Repaired says what a repair kept and what is lost.
type Repaired struct {
	Rows    int      `json:"rows"`
	Lost    []string `json:"lost" nullable:"false"`
	Left    []string `json:"left" nullable:"false"`
	Damaged string   `json:"damaged"` // where the old files are now
}

// Repair puts what can be read of a damaged store in its place. The damaged files are
// kept beside it. It says what is lost, and what of the rest does not belong together.
func Repair(ctx context.Context, dir string, now time.Time) (out Repaired, err error) {
	path := filepath.Join(dir, "db")
	lock, err := lockPath(dir)
	if err != nil {
		return out, err
	}
	defer lock.Close()
	if found, err := badgerdb.Check(path); err != nil || len(found) == 0 {
		if err == nil {
			err = fmt.Errorf("the files of --storage.path=%s are not damaged: there is nothing to repair", dir)
		}
		return out, err
	}
	into := filepath.Join(dir, "repairing")
	if err := os.RemoveAll(into); err != nil { // of a repair that was killed
		return out, err
	}
	s, err := badgerdb.Salvage(ctx, path, into)
	if err != nil {
		return out, errors.Join(fmt.Errorf("save what can be read: %w", err), os.RemoveAll(into))
	}
	out.Rows = s.Rows
	for _, d := range s.Lost {
		out.Lost = append(out.Lost, d.String())
	}
	out.Damaged = path + "-damaged-" + now.UTC().Format("20060102T150405Z")
	if err := os.Rename(path, out.Damaged); err != nil {
		return out, err
	}
	if err := errors.Join(os.Rename(into, path), syncDir(dir)); err != nil {
		return out, err
	}
	db, err := badgerdb.Open(badgerdb.Options{Dir: path})
	if err != nil {
		return out, err
	}
	v, err := verify(ctx, db, 0)
	out.Left = v.Wrong
	return out, errors.Join(err, db.Close())
}

const (
	// scrubFirst is how long after a start everything is read once, and scrubEvery how
	// often after that.
	scrubFirst = 10 * time.Minute
	scrubEvery = 24 * time.Hour
	// scrubRest is the pause after each MiB: at most 20 MiB a second are read.
	scrubRest = 50 * time.Millisecond
)

// scrub reads everything now and then, so that damage is found before it is needed.
func (s *server) scrub(ctx context.Context) error {
	next := time.NewTimer(scrubFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		s.scrubOnce(ctx)
		next.Reset(scrubEvery)
	}
}

func (s *server) scrubOnce(ctx context.Context) {
	v, err := s.db.Verify(ctx, scrubRest)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Error("the stored data could not be checked", "err", err)
	case len(v.Found) > 0:
		s.log.Error("the stored data is damaged: restore a backup, or stop the server and see watchbill verify and watchbill repair", "places", len(v.Found), "first", v.Found[0].String())
	default:
		s.log.Log(ctx, slog.LevelInfo, "the stored data was read and is whole", "tables", v.Tables, "rows", v.Rows)
	}
	if err == nil {
		s.scrubbed.Store(s.now().Unix())
	}
}
