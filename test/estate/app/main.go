// Command app is the application of the estate: it answers requests, keeps one
// connection to a cache (RESP) and one to a PostgreSQL behind a load balancer, opens
// and closes connections to a queue, and asks a name server by UDP. It measures what
// it cannot do, as applications do.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const patience = 2 * time.Second

func main() {
	listen := flag.String("listen", ":8000", "address that is served")
	cache := flag.String("cache", "", "host:port of a Redis, one connection is kept")
	database := flag.String("database", "", "host:port of a PostgreSQL that trusts user app, one connection is kept")
	queue := flag.String("queue", "", "host:port that a connection is opened to and reset every few seconds")
	names := flag.String("names", "", "host:port of a DNS server, asked by UDP")
	flag.Parse()
	var requests, failures, cacheDown, databaseDown atomic.Int64
	keep(*cache, &cacheDown, ping, nil)
	keep(*database, &databaseDown, query, greet)
	if *queue != "" {
		go every(9*time.Second, func() { reset(*queue) })
	}
	if *names != "" {
		go every(2*time.Second, func() { lookUp(*names) })
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		if cacheDown.Load()+databaseDown.Load() > 0 {
			failures.Add(1)
			http.Error(w, "a backend is away", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "fine")
	})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "app_requests_total %d\napp_failures_total %d\napp_cache_up %d\napp_database_up %d\n", requests.Load(), failures.Load(), 1-cacheDown.Load(), 1-databaseDown.Load())
	})
	slog.Error("the application ends", "error", http.ListenAndServe(*listen, nil))
	os.Exit(1)
}

func every(d time.Duration, f func()) {
	for range time.Tick(d) {
		f()
	}
}

// keep holds one connection to address and uses it each second; down is 1 while that fails.
func keep(address string, down *atomic.Int64, use, greet func(io.ReadWriter) error) {
	if address == "" {
		return
	}
	var c net.Conn
	go every(time.Second, func() {
		err := func() (err error) {
			if c == nil {
				if c, err = net.DialTimeout("tcp", address, patience); err != nil {
					c = nil
					return err
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				if greet != nil {
					if err := greet(c); err != nil {
						return err
					}
				}
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			return use(c)
		}()
		down.Store(0)
		if err != nil {
			down.Store(1)
			if c != nil {
				c.Close()
				c = nil
			}
		}
	})
}

func ping(c io.ReadWriter) error {
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(c, 16).ReadString('\n')
	if err == nil && line != "+PONG\r\n" {
		err = fmt.Errorf("the cache says %q", line)
	}
	return err
}

// greet begins a session of PostgreSQL's protocol 3.0.
func greet(c io.ReadWriter) error {
	body := binary.BigEndian.AppendUint32(nil, 3<<16)
	body = append(body, "user\x00app\x00database\x00postgres\x00\x00"...)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
		return err
	}
	return untilReady(c)
}

func query(c io.ReadWriter) error {
	text := "select 1\x00"
	if _, err := c.Write(append(binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(text)+4)), text...)); err != nil {
		return err
	}
	return untilReady(c)
}

func untilReady(c io.Reader) error {
	for {
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return err
		}
		switch head[0] {
		case 'E':
			return errors.New("the database refuses")
		case 'Z':
			return nil
		}
	}
}

// reset opens a connection and ends it with RST, as impatient clients do.
func reset(address string) {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return // the next try is near
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// lookUp asks for a name that the server knows itself, and waits for any answer.
func lookUp(address string) {
	c, err := net.DialTimeout("udp", address, patience)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(append([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x03app\x04test\x00\x00\x01\x00\x01"...))
	_, _ = c.Read(make([]byte, 512))
}
