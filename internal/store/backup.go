package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"github.com/watchbill/watchbill/internal/fault"
)

// A backup is backupMagic and then, compressed with checksums, every pair in key
// order as length, key, length, value; a length of zero ends it and the number of
// pairs follows. It is the same for every backend, so one can be restored into
// another, and one that was cut off is noticed.
const backupMagic = "watchbill backup 1\n"

// restoringKey stands in a database as long as a restore into it is not complete.
var restoringKey = []byte("m/restoring")

// A transaction of a restore holds at most this, and no more than half of what the
// backend takes: index rows are a few bytes long, so that bytes alone bound nothing.
const (
	restoreBytes = 1 << 20
	restorePairs = 4096
)

// pairOverhead is more than what a backend adds to a pair when it weighs a transaction.
const pairOverhead = 64

// chunkOf is what one transaction of a restore into a backend holds.
func chunkOf(l Limit) Limit {
	out := Limit{Pairs: restorePairs, Bytes: restoreBytes}
	if l.Pairs > 0 {
		out.Pairs = max(1, min(out.Pairs, l.Pairs/2))
	}
	if l.Bytes > 0 {
		out.Bytes = max(1, min(out.Bytes, l.Bytes/2))
	}
	return out
}

// WriteBackup writes all pairs of r, one consistent state, for backends to build
// Backup from.
func WriteBackup(ctx context.Context, r Reader, w io.Writer) error {
	if _, err := io.WriteString(w, backupMagic); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	z := s2.NewWriter(w, s2.WriterConcurrency(1))
	n := uint64(0)
	var b []byte
	for p, err := range r.Scan(nil, nil, false) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read for backup: %w", err)
		}
		b = binary.AppendUvarint(b[:0], uint64(len(p.Key)))
		b = append(b, p.Key...)
		b = binary.AppendUvarint(b, uint64(len(p.Value)))
		b = append(b, p.Value...)
		if _, err := z.Write(b); err != nil {
			return fmt.Errorf("write backup: %w", err)
		}
		n++
	}
	if _, err := z.Write(binary.AppendUvarint([]byte{0}, n)); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// CheckBackup reads a backup to its end and returns how many pairs it holds. It proves
// that it is whole, not that its content belongs together.
func CheckBackup(ctx context.Context, r io.Reader) (uint64, error) {
	in, err := openBackup(r)
	if err != nil {
		return 0, err
	}
	total := uint64(0)
	for most := chunkOf(Limit{}); ; {
		if _, done, err := nextChunk(ctx, in, most, &total); err != nil || done {
			return total, err
		}
	}
}

func openBackup(r io.Reader) (*bufio.Reader, error) {
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != backupMagic {
		return nil, fault.Invalidf("backup", "this is not a Watchbill backup, or one of another version")
	}
	return bufio.NewReaderSize(s2.NewReader(r), 64<<10), nil
}

// nextChunk reads pairs for one transaction and adds them to total; done says that the
// end came, and that the total is what it should be.
func nextChunk(ctx context.Context, in *bufio.Reader, most Limit, total *uint64) (chunk []Pair, done bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	chunk, done, err = readChunk(in, most)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends in the middle")
		}
		return nil, false, fault.Invalidf("backup", "cannot be read after %d entries: %v; nothing can be used of what was restored: empty the path and take another backup", *total, err)
	}
	*total += uint64(len(chunk))
	if done {
		want, err := binary.ReadUvarint(in)
		if err != nil || want != *total {
			return nil, false, fault.Invalidf("backup", "holds %d entries and should hold %d: it is damaged", *total, want)
		}
	}
	return chunk, done, nil
}

// ReadBackup loads a backup into db, which must be empty, for backends to build
// Restore from.
func ReadBackup(ctx context.Context, db DB, r io.Reader) error {
	in, err := openBackup(r)
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(tx Tx) error {
		empty, err := isEmpty(tx)
		if err != nil {
			return err
		}
		if !empty {
			return fault.Conflictf("the storage path holds data already: restore into an empty one")
		}
		return tx.Put(restoringKey, nil)
	})
	if err != nil {
		return fmt.Errorf("begin restore: %w", err)
	}
	total := uint64(0)
	most := chunkOf(db.Limit())
	for {
		chunk, done, err := nextChunk(ctx, in, most, &total)
		if err != nil {
			return err
		}
		if err := putChunk(ctx, db, chunk); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if !done {
			continue
		}
		err = db.Update(ctx, func(tx Tx) error { return tx.Delete(restoringKey) })
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return nil
	}
}

// putChunk writes pairs in as few transactions as the backend allows.
func putChunk(ctx context.Context, db DB, chunk []Pair) error {
	if len(chunk) == 0 {
		return nil
	}
	err := db.Update(ctx, func(tx Tx) error {
		for _, p := range chunk {
			if err := tx.Put(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrTooLarge) && len(chunk) > 1 {
		half := len(chunk) / 2
		if err := putChunk(ctx, db, chunk[:half]); err != nil {
			return err
		}
		return putChunk(ctx, db, chunk[half:])
	}
	return err
}

// readChunk reads pairs for one transaction; done says that the end mark came.
func readChunk(in *bufio.Reader, most Limit) (chunk []Pair, done bool, err error) {
	for size := int64(0); size < most.Bytes && int64(len(chunk)) < most.Pairs; {
		key, err := readField(in, MaxKey)
		if err != nil {
			return nil, false, err
		}
		if len(key) == 0 {
			return chunk, true, nil
		}
		value, err := readField(in, 1<<30)
		if err != nil {
			return nil, false, err
		}
		chunk = append(chunk, Pair{key, value})
		size += int64(len(key)+len(value)) + pairOverhead
	}
	return chunk, false, nil
}

func readField(in *bufio.Reader, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a field of %d bytes is longer than %d", n, most)
	}
	if n <= 64<<10 {
		b := make([]byte, n)
		_, err = io.ReadFull(in, b)
		return b, err
	}
	// Grown as it comes: a damaged length must not take the memory that it names.
	var b bytes.Buffer
	if got, err := io.CopyN(&b, in, int64(n)); err != nil {
		return nil, fmt.Errorf("a field of %d bytes ends after %d: %w", n, got, err)
	}
	return b.Bytes(), nil
}
