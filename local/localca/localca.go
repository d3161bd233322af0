// Package localca makes the certificates of the local stack: one authority per process, kept in memory, that signs
// for any loopback name the stack uses.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Authority signs server certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	pem  []byte

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// New makes an authority that is valid for ten years around now.
func New() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "local stack authority"},
		NotBefore: time.Now().AddDate(-5, 0, 0), NotAfter: time.Now().AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the authority back: %w", err)
	}
	a := &Authority{cert: cert, key: key, pool: x509.NewCertPool(), leafs: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	a.pool.AddCert(cert)
	return a, nil
}

// PEM is the authority's certificate, for clients outside this process.
func (a *Authority) PEM() []byte { return a.pem }

// Pool is the authority as a set of trusted roots.
func (a *Authority) Pool() *x509.CertPool { return a.pool }

// Trust makes the clients of this authority trust the system's authorities, too, and those in extra, in PEM: what they
// talk to need not be on this machine.
func (a *Authority) Trust(extra []byte) error {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("reading the system's authorities: %w", err)
	}
	a.pem = append(slices.Clone(a.pem), extra...)
	if len(extra) > 0 && !pool.AppendCertsFromPEM(extra) {
		return errors.New("there is no certificate in PEM form")
	}
	pool.AddCert(a.cert)
	a.pool = pool
	return nil
}

// Issue makes a certificate for a name and its key, both in PEM, for a server outside this process.
func (a *Authority) Issue(name string) (certificate, key []byte, err error) {
	c, err := a.leaf(name)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the key for %s: %w", name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ServerConfig returns a TLS configuration that answers for every name and loopback address asked for. Its key exchange
// is a fast one: rotations on a virtual clock spend a quarter of their time on handshakes.
func (a *Authority) ServerConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return a.leaf(h.ServerName) }}
}

// Client returns an HTTP client that trusts the authority, follows no proxy and has the time limit given.
func (a *Authority) Client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.pool}, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 30 * time.Second}}
}

func (a *Authority) leaf(name string) (*tls.Certificate, error) {
	if name == "" { // a client that dials an address sends no name
		name = "localhost"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leafs[name]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", name, err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.leafs) + 2)), Subject: pkix.Name{CommonName: name},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("signing for %s: %w", name, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.leafs[name] = c
	return c, nil
}
