package verify

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// certified is the name in the certificate that is made: nobody can have it.
const certified = Prefix + "listener.invalid"

// Certify makes a self-signed certificate for the listener, and lets logins trust that one only. If Settings name one,
// logins take any: that is for another name than the load balancer's.
func (m *Run) Certify(now time.Time) error {
	//nolint:gosec // VerifyConnection verifies, and nothing that is sent is worth anything
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	m.Transport.TLSClientConfig = c
	if m.Certificate != "" {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(now.Unix()), Subject: pkix.Name{CommonName: certified},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour), DNSNames: []string{certified},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		return err
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	m.CertificateBody = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	// IAM takes keys in this form, whatever their size
	m.CertificateKey = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	pool := x509.NewCertPool()
	pool.AddCert(made)
	c.VerifyConnection = func(s tls.ConnectionState) error {
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, DNSName: certified})
		return err
	}
	return nil
}
