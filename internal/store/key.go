package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Key builds an index key whose byte order is the order of its parts: strings,
// bools, int, int64, uint64 and time.Time. Every part is self-delimiting and
// begins with its type, so keys of one index sort part by part, a shorter key
// before a longer one, and the id that follows can be found again.
func Key(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b = append(b, tagString)
			for i := 0; i < len(v); i++ {
				b = append(b, v[i])
				if v[i] == 0 { // escaped, because 0 0x01 ends a string
					b = append(b, 0xff)
				}
			}
			b = append(b, 0, 1)
		case bool:
			x := byte(0)
			if v {
				x = 1
			}
			b = append(b, tagBool, x)
		case int:
			b = appendInt(b, int64(v))
		case int64:
			b = appendInt(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(append(b, tagUint), v)
		case time.Time:
			b = appendInt(b, v.UnixNano())
		default:
			panic(fmt.Sprintf("store.Key: %T has no order", p)) // a programmer's error, found by the first test
		}
	}
	return b
}

// Keys is Key for one entry, in the form that Index.Keys returns.
func Keys(parts ...any) [][]byte { return [][]byte{Key(parts...)} }

const (
	tagBool byte = 1 + iota
	tagInt
	tagUint
	tagString
)

func appendInt(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, tagInt), uint64(v)^(1<<63))
}

// idAfterKey returns what follows the parts of a key. Ids begin with a printable
// character, which no tag is.
func idAfterKey(b []byte) (string, error) {
	for len(b) > 0 {
		switch b[0] {
		case tagBool:
			if len(b) < 2 {
				return "", errShortKey
			}
			b = b[2:]
		case tagInt, tagUint:
			if len(b) < 9 {
				return "", errShortKey
			}
			b = b[9:]
		case tagString:
			i := 1
			for ; i+1 < len(b); i++ {
				if b[i] == 0 {
					if b[i+1] == 1 {
						break
					}
					i++
				}
			}
			if i+1 >= len(b) {
				return "", errShortKey
			}
			b = b[i+2:]
		default:
			return string(b), nil
		}
	}
	return "", errShortKey
}

var errShortKey = errors.New("entry has no id")
