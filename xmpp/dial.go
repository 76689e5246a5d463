package xmpp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// place is one address to try.
type place struct {
	addr   string
	direct bool
}

// dial connects to the first place that takes the connection.
func (l *login) dial(ctx context.Context) (*link, error) {
	places := []place{{l.cfg.Server, l.cfg.DirectTLS}}
	if l.cfg.Server == "" {
		places = lookup(ctx, l.cfg.JID.Domainpart())
	}
	var failures error
	for _, p := range places {
		c, err := l.cfg.Dial(ctx, "tcp", p.addr)
		if err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		k := &link{Conn: c, readTimeout: l.cfg.ReadTimeout, writeTimeout: l.cfg.WriteTimeout, direct: p.direct}
		k.heard.Store(time.Now().UnixNano())
		return k, nil
	}
	if failures == nil {
		failures = fmt.Errorf("%s offers no XMPP service", l.cfg.JID.Domainpart())
	}
	return nil, failures
}

// lookup finds the places of a domain (RFC 6120 section 3.2, XEP-0368): those
// of its SRV records, direct TLS first, else the standard ports.
func lookup(ctx context.Context, domain string) []place {
	var places []place
	announced := false
	for _, service := range []string{"xmpps-client", "xmpp-client"} {
		_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", domain)
		if err != nil {
			continue
		}
		announced = announced || len(records) > 0
		for _, r := range records {
			// A target of "." means that the service is decidedly absent.
			if target := strings.TrimSuffix(r.Target, "."); target != "" {
				addr := net.JoinHostPort(target, strconv.Itoa(int(r.Port)))
				places = append(places, place{addr, service == "xmpps-client"})
			}
		}
	}
	if announced {
		return places
	}
	host := strings.Trim(domain, "[]")
	return []place{{net.JoinHostPort(host, "5222"), false}, {net.JoinHostPort(host, "5223"), true}}
}
