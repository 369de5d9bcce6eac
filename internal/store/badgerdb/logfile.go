package badgerdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
)

// A log of Badger's (NNNNN.mem beside a memtable, NNNNNN.vlog for big values) is a
// header of logHeader bytes, then records: meta, user meta, lengths of key and value,
// expiry, key with the commit's number in its last eight bytes, value, CRC-32C. After
// the last record the file is zero. Badger ends reading at the first record that it
// cannot read and cuts the file off there, whatever follows. So a log is read here
// before Badger does it, without changing anything.
const (
	logHeader = 20
	// Bits of a record's meta.
	metaDelete  = 1 << 0
	metaPointer = 1 << 1 // the value is a place in a value log
	metaTxn     = 1 << 6 // of a transaction whose end is a record of its own
	metaEnd     = 1 << 7 // that end
	// numberLen is the commit's number at the end of a stored key.
	numberLen = 8
	// keyMost bounds a record's key: Badger takes a longer one for a damaged record.
	keyMost = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one readable record of a log.
type record struct {
	at, end    int // its place in the file
	meta       byte
	key, value []byte // the key without the commit's number
	number     uint64 // of the commit
}

// readRecord reads the record at a place; ok is false where none is readable.
func readRecord(data []byte, at int) (r record, ok bool) {
	b := data[at:]
	if len(b) < 2 {
		return r, false
	}
	n := 2
	var fields [3]uint64 // length of the key, of the value, expiry
	for i := range fields {
		v, size := binary.Uvarint(b[n:])
		if size <= 0 {
			return r, false
		}
		fields[i], n = v, n+size
	}
	klen, vlen := fields[0], fields[1]
	rest := uint64(len(b) - n)
	if klen <= numberLen || klen > keyMost || vlen > rest || klen+vlen+crc32.Size > rest {
		return r, false
	}
	key, value := b[n:n+int(klen)], b[n+int(klen):n+int(klen+vlen)]
	number := math.MaxUint64 - binary.BigEndian.Uint64(key[klen-numberLen:])
	// Cheap, and it spares a checksum over what is no record: no store lives for 2⁴⁸ commits.
	if number>>48 != 0 {
		return r, false
	}
	body := n + int(klen+vlen)
	if crc32.Checksum(b[:body], castagnoli) != binary.BigEndian.Uint32(b[body:]) {
		return r, false
	}
	return record{at: at, end: at + body + crc32.Size, meta: b[0], key: key[:klen-numberLen], value: value, number: number}, true
}

// logRead is what a log holds.
type logRead struct {
	records []record // readable ones that a start takes, in order; not kept where only the end is asked for
	last    uint64   // newest commit whose records are all there, before anything unreadable
	end     int      // where the readable part ends
	// behind are readable records after something unreadable.
	behind []record
	torn   bool // something that is no zero stands after the end
	used   int  // end of what is not zero
}

// readLog reads a log. whole transactions are what memtables' logs hold: one whose end
// is missing does not count. Value logs hold values one by one.
func readLog(data []byte, transactions bool) logRead {
	var l logRead
	l.used = len(bytes.TrimRight(data, "\x00"))
	at := min(logHeader, len(data))
	l.end = at
	var open []record // of a transaction without its end yet
	for at < l.used {
		r, ok := readRecord(data, at)
		if !ok {
			break
		}
		at = r.end
		switch {
		case !transactions:
			l.records = append(l.records, r)
			l.last, l.end = max(l.last, r.number), at
		case r.meta&metaEnd != 0:
			n, err := strconv.ParseUint(string(r.value), 10, 64)
			if err != nil || len(open) > 0 && open[0].number != n {
				return l.search(data, open)
			}
			l.records = append(l.records, open...)
			l.last, l.end, open = max(l.last, n), at, nil
		case r.meta&metaTxn != 0:
			if len(open) > 0 && open[0].number != r.number {
				return l.search(data, open)
			}
			open = append(open, r)
		case len(open) > 0:
			return l.search(data, open)
		default: // moved by the value log's collection: an older number, alone
			l.records = append(l.records, r)
			l.end = at
		}
	}
	return l.search(data, open)
}

// search looks for readable records after the end.
func (l logRead) search(data []byte, open []record) logRead {
	l.torn = l.used > l.end
	l.behind = append(l.behind, open...)
	at := l.end
	if len(open) > 0 {
		at = open[len(open)-1].end
	}
	for at < l.used {
		// A record begins with at most two bytes of zero.
		if gap := bytes.IndexFunc(data[at:l.used], func(r rune) bool { return r != 0 }); gap > 2 {
			at += gap - 2
		}
		if r, ok := readRecord(data, at); ok {
			l.behind = append(l.behind, r)
			at = r.end
			continue
		}
		at++
	}
	return l
}

// lostBehind says what a memtable's log would lose silently if it were cut off where
// its readable part ends, "" where it is only the last write that a crash tore. before
// is the newest commit known from what is older. Only the newest log may have a torn
// end: the others were complete before the next one began.
func (l logRead) lostBehind(newest bool, before uint64) string {
	last := max(l.last, before)
	var later []uint64
	for _, r := range l.behind {
		if r.number > last && (len(later) == 0 || later[len(later)-1] != r.number) {
			later = append(later, r.number)
		}
	}
	switch {
	case !l.torn && len(later) == 0, len(later) == 0 && newest:
		return ""
	case len(later) == 0:
		return fmt.Sprintf("cannot be read from byte %d on (of %d), and it is not the newest log, so that no crash tore it", l.end, l.used)
	// Commits are synced one after the other: where one stands behind another, the
	// other was complete once. Only the one right after the last readable can be torn.
	case len(later) == 1 && later[0] == last+1 && newest:
		return ""
	}
	return fmt.Sprintf("cannot be read at byte %d, and good records stand behind it up to byte %d (up to commit %d): no crash tore it", l.end, l.used, later[len(later)-1])
}

// lostValues is lostBehind of a value log. complete is the newest commit whose end
// stands in a memtable's log or in a table: the values of it were synced before.
func (l logRead) lostValues(newest bool, complete uint64) string {
	for _, r := range l.behind {
		if r.number <= complete {
			return fmt.Sprintf("cannot be read at byte %d, and good values stand behind it up to byte %d: no crash tore it", l.end, l.used)
		}
	}
	if l.torn && !newest {
		return fmt.Sprintf("cannot be read from byte %d on (of %d), and it is not the newest value log, so that no crash tore it", l.end, l.used)
	}
	return ""
}
