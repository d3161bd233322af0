package cli

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
)

func (a *app) key() *cobra.Command {
	var kid string
	var certificate bool
	var days int
	c := &cobra.Command{Use: "key ARN", Short: "Print what to register at an identity provider of a key in AWS KMS",
		Long: "Prints the public key of an asymmetric key in AWS KMS that signs for the rotator's own client " +
			"(keyArn), as a JWK and\nin PEM. With --certificate the key signs a certificate about itself, " +
			"which is what " +
			"Entra ID registers; the fingerprint\nfor its setting sha256 is printed besides, to standard error. It " +
			"needs kms:GetPublicKey, and for a certificate kms:Sign,\nwhich whoever has it can use to act as the " +
			"rotator. Nothing has to be deployed for it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			arn := args[0]
			if !config.IsKeyARN(arn) {
				return &system.Error{Text: fmt.Sprintf("%q is not the ARN of a KMS key "+
					"(arn:aws:kms:REGION:ACCOUNT:key/ID; "+
					"not of an alias)", arn)}
			}
			if days < 1 || days > 3650 {
				return &system.Error{Text: fmt.Sprintf("--days must be 1 to 3650, not %d", days)}
			}
			options := a.options
			options.Region = config.RegionOf(arn)
			s, err := system.Open(cmd.Context(), options)
			if err != nil {
				return err
			}
			if certificate {
				return a.printCertificate(cmd.Context(), s, arn, days)
			}
			return a.printKey(cmd.Context(), s, arn, kid)
		}}
	c.Flags().StringVar(&kid, "kid", "",
		"the key id for the JWK, if settings have a keyId (default: the key's id at KMS)")
	c.Flags().BoolVar(&certificate, "certificate", false, "print a certificate instead")
	c.Flags().IntVar(&days, "days", 365, "for how long the certificate is valid")
	return c
}

// publicKey is what a program reads of a key.
type publicKey struct {
	JWK string `json:"jwk"`
	PEM string `json:"pem"`
}

func (a *app) printKey(ctx context.Context, s *system.System, arn, kid string) error {
	public, err := clientcredentials.PublicKey(ctx, s.AWS(s.Region), arn)
	if err != nil {
		return system.Unreachable(err, "reading the public key of %s", arn)
	}
	place := clientcredentials.KeyPlace{KeyARN: arn}
	jwk, err := clientcredentials.JWK(public, clientcredentials.KeySettings{KeyPlace: place, KeyID: kid}.ID())
	if err != nil {
		return &system.Error{Text: fmt.Sprintf("the key %s cannot sign for a client: %v", arn, err)}
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if !a.forPeople() {
		return a.write(publicKey{jwk, text})
	}
	a.print("%s\n\n%s", jwk, strings.TrimSpace(text))
	return nil
}

// signed is what a program reads of a certificate.
type signed struct {
	PEM    string    `json:"pem"`
	SHA256 string    `json:"sha256"`
	Ends   time.Time `json:"ends"`
}

func (a *app) printCertificate(ctx context.Context, s *system.System, arn string, days int) error {
	now := a.Now().UTC().Truncate(time.Second)
	ends := now.AddDate(0, 0, days)
	der, err := clientcredentials.Certify(ctx, s.AWS(s.Region), arn, "alb-oidc-rotator", now, ends)
	if err != nil {
		return system.Unreachable(err, "having %s sign a certificate", arn)
	}
	out := signed{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		fmt.Sprintf("%X", sha256.Sum256(der)), ends}
	if !a.forPeople() {
		return a.write(out)
	}
	a.print("%s", strings.TrimSpace(out.PEM))
	_, _ = fmt.Fprintf(a.Err, "sha256: %s\nends: %s (people are told before, by the setting of this name)\n",
		out.SHA256,
		ends.Format(time.RFC3339))
	return nil
}
