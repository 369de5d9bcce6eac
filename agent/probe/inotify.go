package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// DirEvent is a change of an entry in a watched directory.
type DirEvent struct{ Dir, Name string }

// WatchDirs tells of entries that are made, written, replaced or removed in
// directories, until the context ends. It does not tell of what is below them.
// Directories that are not there are left out; lost events (a full queue) are
// told as an event without a name in every directory.
func (t Tree) WatchDirs(ctx context.Context, dirs []string, visit func(DirEvent)) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch directories: %w", err)
	}
	// As an os.File the descriptor is read through the runtime's poller: no
	// thread waits in the kernel, and closing it ends the read.
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	byWatch := make(map[int32]string)
	var failed error
	for _, dir := range dirs {
		real, err := t.guard.resolve(dir)
		if err != nil {
			if waits(err) {
				failed = fmt.Errorf("watch %s: %w", dir, err)
			}
			continue
		}
		watch, err := unix.InotifyAddWatch(fd, t.Path(real), unix.IN_CREATE|unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_MOVED_FROM|unix.IN_DELETE|unix.IN_MODIFY|unix.IN_ONLYDIR|unix.IN_EXCL_UNLINK)
		switch {
		case err == nil:
			byWatch[int32(watch)] = dir
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR):
			failed = fmt.Errorf("watch %s: %w", dir, err)
		}
	}
	if len(byWatch) == 0 {
		return failed
	}
	stop := context.AfterFunc(ctx, func() { _ = events.Close() })
	defer stop()
	buffer := make([]byte, 16<<10)
	for {
		n, err := events.Read(buffer)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("watch directories: %w", err)
		}
		for _, e := range parseInotify(buffer[:n]) {
			if e.lost {
				for _, dir := range byWatch {
					visit(DirEvent{Dir: dir})
				}
				continue
			}
			if dir, ok := byWatch[e.watch]; ok && e.name != "" {
				visit(DirEvent{dir, e.name})
			}
		}
	}
}

type inotifyEvent struct {
	watch int32
	lost  bool
	name  string
}

func parseInotify(data []byte) []inotifyEvent {
	var out []inotifyEvent
	for len(data) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(data[4:])
		length := int(binary.NativeEndian.Uint32(data[12:]))
		if length > len(data)-unix.SizeofInotifyEvent {
			return out
		}
		name := strings.TrimRight(string(data[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00")
		out = append(out, inotifyEvent{watch: int32(binary.NativeEndian.Uint32(data)), lost: mask&unix.IN_Q_OVERFLOW != 0, name: name})
		data = data[unix.SizeofInotifyEvent+length:]
	}
	return out
}
