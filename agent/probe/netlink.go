package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errInterrupted is a dump whose table changed under way: it may have holes.
var errInterrupted = errors.New("netlink dump was interrupted by a change")

// netlinkBuffer is what the kernel fills at most per read of a dump.
const netlinkBuffer = 64 << 10

// dump asks the kernel for a whole table and hands each message's payload to
// visit, which must not keep it. request is the payload after the header.
func dump(protocol int, kind uint16, request []byte, visit func(kind uint16, payload []byte) error) error {
	return exchange(protocol, kind, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, request, visit)
}

// single is dump for a single answer, which the kernel ends with an acknowledgement.
func single(protocol int, kind uint16, request []byte, visit func(kind uint16, payload []byte) error) error {
	return exchange(protocol, kind, unix.NLM_F_REQUEST|unix.NLM_F_ACK, request, visit)
}

func exchange(protocol int, kind, flags uint16, request []byte, visit func(kind uint16, payload []byte) error) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	defer unix.Close(fd)
	message := make([]byte, unix.NLMSG_HDRLEN+len(request))
	binary.NativeEndian.PutUint32(message[0:], uint32(len(message)))
	binary.NativeEndian.PutUint16(message[4:], kind)
	binary.NativeEndian.PutUint16(message[6:], flags)
	binary.NativeEndian.PutUint32(message[8:], 1)
	copy(message[unix.NLMSG_HDRLEN:], request)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send netlink request: %w", err)
	}
	// A kernel that never ends the dump must not hang the agent.
	timeout := unix.Timeval{Sec: 10}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("limit netlink wait: %w", err)
	}
	buffer := make([]byte, netlinkBuffer)
	interrupted := false
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read netlink answer: %w", err)
		}
		done, cut, err := messages(buffer[:n], visit)
		interrupted = interrupted || cut
		if err != nil {
			return err
		}
		if done {
			if interrupted {
				return errInterrupted
			}
			return nil
		}
	}
}

// messages walks one datagram of a dump. done says that the dump is over.
func messages(data []byte, visit func(kind uint16, payload []byte) error) (done, interrupted bool, err error) {
	for len(data) >= unix.NLMSG_HDRLEN {
		length := int(binary.NativeEndian.Uint32(data))
		kind := binary.NativeEndian.Uint16(data[4:])
		flags := binary.NativeEndian.Uint16(data[6:])
		if length < unix.NLMSG_HDRLEN || length > len(data) {
			return false, interrupted, fmt.Errorf("netlink message of %d bytes in %d", length, len(data))
		}
		payload := data[unix.NLMSG_HDRLEN:length]
		if flags&unix.NLM_F_DUMP_INTR != 0 {
			interrupted = true
		}
		switch kind {
		case unix.NLMSG_NOOP:
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			// Both start with an errno; in DONE it says how the dump ended.
			if len(payload) >= 4 {
				if code := int32(binary.NativeEndian.Uint32(payload)); code < 0 {
					return true, interrupted, os.NewSyscallError("netlink dump", unix.Errno(-code))
				}
			}
			return true, interrupted, nil
		default:
			if err := visit(kind, payload); err != nil {
				return true, interrupted, err
			}
		}
		next := (length + 3) &^ 3
		if next > len(data) {
			next = len(data)
		}
		data = data[next:]
	}
	return false, interrupted, nil
}

// attributes walks netlink attributes (type, value); nested and byte-order
// flags are taken off the type. A cut one ends the walk.
func attributes(data []byte, visit func(kind uint16, value []byte)) {
	for len(data) >= 4 {
		length := int(binary.NativeEndian.Uint16(data))
		kind := binary.NativeEndian.Uint16(data[2:]) & 0x3fff
		if length < 4 || length > len(data) {
			return
		}
		visit(kind, data[4:length])
		next := (length + 3) &^ 3
		if next > len(data) {
			return
		}
		data = data[next:]
	}
}

func attributeText(value []byte) string {
	for i, c := range value {
		if c == 0 {
			return string(value[:i])
		}
	}
	return string(value)
}

func attributeNumber(value []byte) uint32 {
	switch {
	case len(value) >= 4:
		return binary.NativeEndian.Uint32(value)
	case len(value) >= 2:
		return uint32(binary.NativeEndian.Uint16(value))
	case len(value) == 1:
		return uint32(value[0])
	}
	return 0
}
