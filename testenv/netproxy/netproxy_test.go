package netproxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ldapsync/testenv/netproxy"
)

func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func start(t *testing.T) *netproxy.Proxy {
	p, err := netproxy.Start(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// say writes a word and expects it back within the time.
func say(c net.Conn, word string, within time.Duration) error {
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	return hear(c, word, within)
}

func hear(c net.Conn, word string, within time.Duration) error {
	c.SetReadDeadline(time.Now().Add(within))
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != word {
		return errors.New("heard " + string(got))
	}
	return nil
}

func dial(t *testing.T, p *netproxy.Proxy) net.Conn {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestForwards(t *testing.T) {
	p := start(t)
	if err := say(dial(t, p), "hello", time.Second); err != nil {
		t.Error(err)
	}
	if p.Connections() != 1 {
		t.Errorf("%d connections", p.Connections())
	}
}

func TestFreezeHoldsAndHealDelivers(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	if err := say(c, "one", time.Second); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	if err := say(c, "two", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("frozen link answered: %v", err)
	}
	late := dial(t, p)
	if err := say(late, "three", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("connection on a frozen link answered: %v", err)
	}
	p.Heal()
	if err := hear(c, "two", time.Second); err != nil {
		t.Error(err)
	}
	if err := hear(late, "three", time.Second); err != nil {
		t.Error(err)
	}
}

func TestCutClosesAndRefusesUntilHealed(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	if err := say(c, "one", time.Second); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := say(c, "two", time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut link: %v", err)
	}
	late, err := net.Dial("tcp", p.Addr()) // may be reset before it is known to stand
	if err == nil {
		defer late.Close()
		err = say(late, "three", time.Second)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection on a cut link: %v", err)
	}
	p.Heal()
	if err := say(dial(t, p), "four", time.Second); err != nil {
		t.Error(err)
	}
}

func TestCloseWhileFrozen(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	if err := say(c, "one", time.Second); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	io.WriteString(c, "held back")
}
