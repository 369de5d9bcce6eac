package badgerdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// The witness says how far commits were acknowledged: a file beside Badger's with the
// number of the newest one, written after each commit was synced and before anybody is
// told of it. It is not synced itself: after a power cut it may be older than the
// data, never newer. So data that ends before it has lost something, which neither a
// checksum nor a gap would tell where the end of a log is what went.
const witnessName = "WITNESS"

// A slot is the number and its checksum; there are two, so that a torn write leaves one.
const (
	witnessSlot  = 16
	witnessSlots = 2
)

type witness struct {
	f    *os.File
	next int
}

// readWitness returns the newest acknowledged commit that the witness tells of; 0 where
// there is none, or where it is unreadable: it is a help, no part of the data.
func readWitness(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, witnessName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the mark of the newest commit: %w", err)
	}
	var newest uint64
	for ; len(b) >= witnessSlot; b = b[witnessSlot:] {
		if crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
			newest = max(newest, binary.BigEndian.Uint64(b))
		}
	}
	return newest, nil
}

// openWitness begins anew: what it said was compared with the data before.
func openWitness(dir string) (*witness, error) {
	f, err := os.OpenFile(filepath.Join(dir, witnessName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the mark of the newest commit: %w", err)
	}
	w := &witness{f: f}
	for range witnessSlots {
		err = errors.Join(err, w.set(0))
	}
	if err = errors.Join(err, f.Sync()); err != nil {
		f.Close()
		return nil, fmt.Errorf("write the mark of the newest commit: %w", err)
	}
	return w, nil
}

func (w *witness) set(number uint64) error {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, witnessSlot), number)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := w.f.WriteAt(b[:witnessSlot], int64(w.next*witnessSlot))
	w.next = (w.next + 1) % witnessSlots
	return err
}

// close ends it after a clean end: Badger has put everything into tables then, whose
// newest commit may be a deletion that a later compaction removes with its number.
func (w *witness) close() error {
	var err error
	for range witnessSlots {
		err = errors.Join(err, w.set(0))
	}
	return errors.Join(err, w.f.Sync(), w.f.Close())
}
