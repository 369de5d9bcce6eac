package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Key builds an index key whose byte order is the order of its parts: strings,
// bools, int, int64, uint64 and time.Time. Every part is self-delimiting and
// begins with its type, so keys of one index sort part by part, a shorter key
// before a longer one, and the id that follows can be found again. A string beyond
// 512 bytes is cut there and ends in a hash of the whole: equal ones stay equal and
// different ones different, but those with the same beginning are in no order.
func Key(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			if len(v) > longString {
				sum := sha256.Sum256([]byte(v))
				v = v[:longString] + hex.EncodeToString(sum[:])
			}
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
			// Not UnixNano: it overflows outside of 1678–2262, and the zero time is a
			// common key ("not resolved yet") that must sort first.
			b = binary.BigEndian.AppendUint64(append(b, tagTime), uint64(v.Unix())^(1<<63))
			b = binary.BigEndian.AppendUint32(b, uint32(v.Nanosecond()))
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
	tagTime
)

// endOfKey parts a key from the id after it. It is below every tag, so that a
// shorter key stays before a longer one whatever the id is.
const endOfKey byte = 0

// longString is where a string in a key is cut, so that keys of some parts stay
// below MaxKey whatever a stranger's label value holds.
const longString = 512

func appendInt(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, tagInt), uint64(v)^(1<<63))
}

// idAfterKey returns the id that follows the parts of a key and endOfKey.
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
		case tagTime:
			if len(b) < 13 {
				return "", errShortKey
			}
			b = b[13:]
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
		case endOfKey:
			return string(b[1:]), nil
		default:
			return "", fmt.Errorf("entry has the unknown type %d", b[0])
		}
	}
	return "", errShortKey
}

var errShortKey = errors.New("entry has no id")
