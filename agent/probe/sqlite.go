package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// sqliteFile reads tables of an SQLite database file without SQL: rpm keeps its
// packages in one, and the agent links no database driver. It follows
// https://www.sqlite.org/fileformat2.html and honours a write-ahead log.
type sqliteFile struct {
	file   io.ReaderAt
	page   int // bytes
	usable int
	pages  uint32
	wal    map[uint32][]byte // pages that a log replaces
}

var errSQLite = errors.New("damaged or foreign SQLite file")

// sqliteDepth bounds a walk down a damaged tree: a real one of four billion
// pages is not half as deep.
const sqliteDepth = 40

// maxRecord bounds one row in bytes; rpm headers are below a few MB.
const maxRecord = 64 << 20

func openSQLite(file io.ReaderAt, size int64, wal []byte) (*sqliteFile, error) {
	var head [100]byte
	if _, err := file.ReadAt(head[:], 0); err != nil || string(head[:16]) != "SQLite format 3\x00" {
		return nil, errSQLite
	}
	s := &sqliteFile{file: file, page: int(binary.BigEndian.Uint16(head[16:]))}
	if s.page == 1 {
		s.page = 65536
	}
	if s.page < 512 || s.page&(s.page-1) != 0 {
		return nil, errSQLite
	}
	s.usable = s.page - int(head[20])
	if s.usable < 480 {
		return nil, errSQLite
	}
	s.pages = uint32(size / int64(s.page))
	s.wal = walPages(wal, s.page)
	for number := range s.wal {
		s.pages = max(s.pages, number)
	}
	return s, nil
}

// walPages reads the committed frames of a write-ahead log: page → newest
// content. A frame whose salt or checksum is wrong belongs to an older run and
// ends the log.
func walPages(wal []byte, page int) map[uint32][]byte {
	const head, frameHead = 32, 24
	if len(wal) < head {
		return nil
	}
	magic := binary.BigEndian.Uint32(wal)
	if magic&^1 != 0x377f0682 || int(binary.BigEndian.Uint32(wal[8:])) != page {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	sum := func(a, b uint32, data []byte) (uint32, uint32) {
		for i := 0; i+8 <= len(data); i += 8 {
			a += order.Uint32(data[i:]) + b
			b += order.Uint32(data[i+4:]) + a
		}
		return a, b
	}
	a, b := sum(0, 0, wal[:24])
	if a != binary.BigEndian.Uint32(wal[24:]) || b != binary.BigEndian.Uint32(wal[28:]) {
		return nil
	}
	salt := string(wal[16:24])
	committed, pending := make(map[uint32][]byte), make(map[uint32][]byte)
	for rest := wal[head:]; len(rest) >= frameHead+page; rest = rest[frameHead+page:] {
		frame := rest[:frameHead]
		if string(frame[8:16]) != salt {
			break
		}
		a, b = sum(a, b, frame[:8])
		a, b = sum(a, b, rest[frameHead:frameHead+page])
		if a != binary.BigEndian.Uint32(frame[16:]) || b != binary.BigEndian.Uint32(frame[20:]) {
			break
		}
		pending[binary.BigEndian.Uint32(frame)] = rest[frameHead : frameHead+page]
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // a commit
			for number, data := range pending {
				committed[number] = data
			}
			clear(pending)
		}
	}
	return committed
}

func (s *sqliteFile) read(number uint32) ([]byte, error) {
	if number == 0 || number > s.pages {
		return nil, fmt.Errorf("%w: page %d of %d", errSQLite, number, s.pages)
	}
	if data, ok := s.wal[number]; ok {
		return data, nil
	}
	data := make([]byte, s.page)
	if _, err := s.file.ReadAt(data, int64(number-1)*int64(s.page)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", number, err)
	}
	return data, nil
}

// table returns the root page of a table.
func (s *sqliteFile) table(name string) (uint32, error) {
	var root uint32
	err := s.scan(1, func(record []byte) error {
		fields, err := sqliteRecord(record)
		if err != nil || len(fields) < 5 {
			return errSQLite
		}
		if string(fields[0]) == "table" && string(fields[1]) == name {
			for _, b := range fields[3] {
				root = root<<8 | uint32(b)
			}
		}
		return nil
	})
	if err == nil && root == 0 {
		err = fmt.Errorf("no table %s", name)
	}
	return root, err
}

// scan visits every row's record of the table at a root page.
func (s *sqliteFile) scan(root uint32, visit func(record []byte) error) error {
	seen := make(map[uint32]bool)
	var walk func(number uint32, depth int) error
	walk = func(number uint32, depth int) error {
		// A page reached twice is a loop made by damage.
		if depth > sqliteDepth || seen[number] {
			return fmt.Errorf("%w: page %d is reached twice", errSQLite, number)
		}
		seen[number] = true
		page, err := s.read(number)
		if err != nil {
			return err
		}
		head := 0
		if number == 1 {
			head = 100
		}
		kind, cells := page[head], int(binary.BigEndian.Uint16(page[head+3:]))
		const interior, leaf = 0x05, 0x0d
		pointers := head + 8
		if kind == interior {
			pointers += 4
		} else if kind != leaf {
			return fmt.Errorf("%w: page %d is no table's", errSQLite, number)
		}
		if pointers+2*cells > len(page) {
			return errSQLite
		}
		for i := range cells {
			at := int(binary.BigEndian.Uint16(page[pointers+2*i:]))
			if at+4 > len(page) {
				return errSQLite
			}
			if kind == interior {
				if err := walk(binary.BigEndian.Uint32(page[at:]), depth+1); err != nil {
					return err
				}
				continue
			}
			record, err := s.payload(page, at)
			if err != nil {
				return err
			}
			if err := visit(record); err != nil {
				return err
			}
		}
		if kind == interior {
			return walk(binary.BigEndian.Uint32(page[head+8:]), depth+1)
		}
		return nil
	}
	return walk(root, 0)
}

// payload puts one leaf cell's record together with its overflow pages.
func (s *sqliteFile) payload(page []byte, at int) ([]byte, error) {
	length, n := sqliteVarint(page[at:])
	if n == 0 || length > maxRecord {
		return nil, errSQLite
	}
	at += n
	_, n = sqliteVarint(page[at:]) // the row id
	if n == 0 {
		return nil, errSQLite
	}
	at += n
	total, local := int(length), int(length)
	if most := s.usable - 35; total > most {
		least := (s.usable-12)*32/255 - 23
		local = least + (total-least)%(s.usable-4)
		if local > most {
			local = least
		}
	}
	if at+local > s.usable {
		return nil, errSQLite
	}
	if local == total {
		return page[at : at+local], nil
	}
	if at+local+4 > len(page) {
		return nil, errSQLite
	}
	// The length is not trusted with memory before the pages are there.
	out := append(make([]byte, 0, min(total, 1<<20)), page[at:at+local]...)
	next := binary.BigEndian.Uint32(page[at+local:])
	for len(out) < total {
		overflow, err := s.read(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(overflow)
		out = append(out, overflow[4:4+min(s.usable-4, total-len(out))]...)
	}
	return out, nil
}

// sqliteRecord cuts a record into its columns' bytes; integers stay big-endian.
func sqliteRecord(record []byte) ([][]byte, error) {
	headLength, n := sqliteVarint(record)
	if n == 0 || headLength > uint64(len(record)) || headLength < uint64(n) {
		return nil, errSQLite
	}
	head, body := record[n:headLength], record[headLength:]
	var out [][]byte
	for len(head) > 0 {
		kind, n := sqliteVarint(head)
		if n == 0 {
			return nil, errSQLite
		}
		head = head[n:]
		var size uint64
		switch {
		case kind <= 4:
			size = kind
		case kind == 5:
			size = 6
		case kind == 6, kind == 7:
			size = 8
		case kind == 8, kind == 9, kind == 10, kind == 11:
		default:
			size = (kind - 12) / 2
		}
		if size > uint64(len(body)) {
			return nil, errSQLite
		}
		out = append(out, body[:size])
		body = body[size:]
	}
	return out, nil
}

// sqliteVarint reads a big-endian number of one to nine bytes; n is 0 when cut.
func sqliteVarint(data []byte) (value uint64, n int) {
	for i := 0; i < 9 && i < len(data); i++ {
		if i == 8 {
			return value<<8 | uint64(data[i]), 9
		}
		value = value<<7 | uint64(data[i]&0x7f)
		if data[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

// sqliteBlobs visits the blob column of each row of rpm's table.
func sqliteBlobs(path string, visit func(blob []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var wal []byte
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 && log.Size() <= maxRecord {
		if wal, err = os.ReadFile(path + "-wal"); err != nil {
			return err
		}
	}
	database, err := openSQLite(file, info.Size(), wal)
	if err != nil {
		return err
	}
	root, err := database.table("Packages")
	if err != nil {
		return err
	}
	return database.scan(root, func(record []byte) error {
		fields, err := sqliteRecord(record)
		if err != nil || len(fields) < 2 {
			return errSQLite
		}
		return visit(fields[1])
	})
}
